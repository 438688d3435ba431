package main

func Example() {
	main()
	// Output:
	// the lamp is renamed: by hand right, by Larder right
	// 42 gives the chair to 7: by hand STALE (42 has [lamp], reads [lamp chair]), by Larder right
	// all names are put in upper case: by hand STALE (42 has [LAMP CHAIR], reads [lamp chair]), by Larder right
}
