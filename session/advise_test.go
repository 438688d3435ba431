package session

import (
	"fmt"
	"testing"
	"time"
)

// TestAdviser: a statement is told of once an hour, and so are some statements at most.
func TestAdviser(t *testing.T) {
	now := time.Now()
	a := adviser{now: func() time.Time { return now }}
	if !a.may("a") || a.may("a") {
		t.Error("a statement is told of twice, or not at all")
	}
	told := 1
	for i := range 100 {
		if a.may(fmt.Sprint(i)) {
			told++
		}
	}
	if told != adviceLimit {
		t.Errorf("%d statements were told of, want %d", told, adviceLimit)
	}
	if now = now.Add(adviceEvery); !a.may("a") {
		t.Error("a statement isn't told of again after an hour")
	}
}
