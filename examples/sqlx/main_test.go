package main

func Example() {
	main()
	// Output:
	// stuff of 42: [{1 42 lamp} {2 42 chair}] (0 by the cache, 1 by the database)
	// stuff of 42: [{1 42 lamp} {2 42 chair}] (1 by the cache, 0 by the database)
	// stuff of 42 or 7: [{1 42 lamp} {2 42 chair} {3 7 kettle}] (0 by the cache, 1 by the database)
	// stuff of 7: [{3 7 kettle}] (0 by the cache, 1 by the database)
	// the lamp is red now
	// stuff of 42: [{1 42 red lamp} {2 42 chair}] (0 by the cache, 1 by the database)
	// stuff of 42 or 7: [{1 42 red lamp} {2 42 chair} {3 7 kettle}] (0 by the cache, 1 by the database)
	// stuff of 7: [{3 7 kettle}] (1 by the cache, 0 by the database)
}
