package main

func Example() {
	main()
	// Output:
	// GET /users/42: 200 lamp, chair; 2 users (fwd=uri-miss)
	// GET /users/7: 200 kettle; 2 users (fwd=uri-miss)
	// INSERT INTO stuff VALUES (4, 7, 'teapot')
	// GET /users/42: 200 lamp, chair; 2 users (fwd=uri-miss)
	// GET /users/7: 200 kettle, teapot; 2 users (fwd=uri-miss)
	// INSERT INTO stuff VALUES (5, 7, 'cup')
	// GET /users/42: 200 lamp, chair; 2 users (hit)
	// GET /users/7: 200 kettle, teapot, cup; 2 users (fwd=uri-miss)
	// GET /users/42: 304  (hit)
}
