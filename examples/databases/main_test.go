package main

func Example() {
	main()
	// Output:
	// stuff in the east: 3 (0 by the cache, 1 by the database)
	// stuff in the west: 3 (0 by the cache, 1 by the database)
	// stuff in the east: 3 (1 by the cache, 0 by the database)
	// the lamp of the east is gone
	// stuff in the east: 2 (0 by the cache, 1 by the database)
	// stuff in the west: 3 (1 by the cache, 0 by the database)
	// somebody else may have written
	// stuff in the east: 2 (0 by the cache, 1 by the database)
	// stuff in the west: 3 (0 by the cache, 1 by the database)
}
