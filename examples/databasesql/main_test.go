package main

func Example() {
	main()
	// Output:
	// stuff of 42: [lamp chair] (0 by the cache, 1 by the database)
	// stuff of 42: [lamp chair] (1 by the cache, 0 by the database)
	// stuff of 7: [kettle] (0 by the cache, 1 by the database)
	// the lamp is red now
	// stuff of 42: [red lamp chair] (0 by the cache, 1 by the database)
	// stuff of 7: [kettle] (1 by the cache, 0 by the database)
	// 42 has given the chair to 7
	// stuff of 42: [red lamp] (0 by the cache, 1 by the database)
	// stuff of 7: [chair kettle] (0 by the cache, 1 by the database)
}
