package main

func Example() {
	main()
	// Output:
	// user 42: Ada[lamp chair] (0 by the cache, 2 by the database)
	// user 42: Ada[lamp chair] (2 by the cache, 0 by the database)
	// user 7: Bob[kettle] (0 by the cache, 2 by the database)
	// the lamp is red now
	// user 42: Ada[red lamp chair] (1 by the cache, 1 by the database)
	// user 7: Bob[kettle] (2 by the cache, 0 by the database)
	// 7 has a table
	// user 7: Bob[kettle table] (1 by the cache, 1 by the database)
	// user 42: Ada[red lamp chair] (2 by the cache, 0 by the database)
}
