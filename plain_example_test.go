package larder_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/larderdb/larder"
)

func ExampleNewBucket() {
	cache, err := larder.New(&larder.Options{Name: "shop"})
	if err != nil {
		log.Fatal(err)
	}
	rates, err := larder.NewBucket[float64](cache, "rates", &larder.BucketOptions{TTL: 10 * time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	ask := func(context.Context) (float64, error) { fmt.Println("asks the bank"); return 1.08, nil }
	for range 2 {
		rate, err := rates.GetOrSet(ctx, "EUR/USD", ask)
		fmt.Println(rate, err)
	}
	_, ok, err := rates.Get(ctx, "EUR/CHF")
	fmt.Println(ok, err)
	// Output:
	// asks the bank
	// 1.08 <nil>
	// 1.08 <nil>
	// false <nil>
}

func ExampleBucket_Incr() {
	cache, err := larder.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	logins, err := larder.NewBucket[int](cache, "logins", nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	_, err = logins.Incr(ctx, "10.0.0.7", 1)
	fmt.Println(errors.Is(err, larder.ErrNotFound))
	for range 3 { // how often within a minute of the first
		if _, err := logins.Add(ctx, "10.0.0.7", 0, time.Minute); err != nil {
			log.Fatal(err)
		}
		fmt.Println(logins.Incr(ctx, "10.0.0.7", 1))
	}
	// Output:
	// true
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
}
