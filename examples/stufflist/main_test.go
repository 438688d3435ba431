package main

func Example() {
	main()
	// Output:
	// the lamp is renamed: by hand right (2 of 4 reads before from the cache), by Larder right (2 of 4 reads before from the cache)
	// 42 gives the chair to 7: by hand STALE (42 has [lamp], reads [lamp chair]), by Larder right (2 of 4 reads before from the cache)
	// all names are put in upper case: by hand STALE (42 has [LAMP CHAIR], reads [lamp chair]), by Larder right (2 of 4 reads before from the cache)
}
