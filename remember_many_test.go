package larder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// prices are a load of RememberMany: those of several things, by one statement.
func (h *house) prices(asked *[]int) func(context.Context, []int) (map[int]float64, error) {
	return func(ctx context.Context, missing []int) (map[int]float64, error) {
		*asked = append(*asked, missing...)
		marks, args := make([]string, len(missing)), make([]any, len(missing))
		for i, id := range missing {
			marks[i], args[i] = "?", id
		}
		rows, err := h.db.QueryContext(ctx, h.marks("SELECT id, price FROM stuff WHERE id IN ("+strings.Join(marks, ", ")+")"), args...)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		found := make(map[int]float64)
		for rows.Next() {
			var id int
			var price float64
			if err := rows.Scan(&id, &price); err != nil {
				return nil, err
			}
			found[id] = price
		}
		return found, rows.Err()
	}
}

func priceKey(id int) string { return fmt.Sprint("price:", id) }

// TestRememberMany: one load makes all that are missing, those that have no value are remembered too, and a write removes what
// it changed with what was made beside it.
func TestRememberMany(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		check := func(ids []int, want string, loads ...int) {
			h.Helper()
			var asked []int
			got, err := RememberMany(h.Context(), h.cache, priceKey, ids, h.prices(&asked))
			if err != nil || fmt.Sprint(got) != want || !slices.Equal(asked, loads) {
				h.Errorf("%v: %v, %v, asked for %v; want %s, %v", ids, got, err, asked, want, loads)
			}
		}
		h.warm(func() { check([]int{50}, "map[]", 50) })
		check([]int{1, 3, 1, 99}, "map[1:1.5 3:0]", 1, 3, 99)
		check([]int{3, 1, 2, 99}, "map[1:1.5 2:2.5 3:0]", 2)
		check(nil, "map[]")
		h.exec(h.db, "UPDATE stuff SET price = 7 WHERE id = 2")
		check([]int{1, 2, 3, 99}, "map[1:1.5 2:7 3:0]", 2)
		h.exec(h.other, "INSERT INTO stuff VALUES (99, 1, 'new', 9)")
		check([]int{1, 2, 3, 99}, "map[1:1.5 2:7 3:0 99:9]", 1, 3, 99)
		check([]int{1, 2, 3, 99}, "map[1:1.5 2:7 3:0 99:9]")
	})
}

// TestRememberManyAndOne: a value is the same whoever makes it; that there is none is for RememberMany only.
func TestRememberManyAndOne(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	h.stuff()
	var n loads
	var asked []int
	one := func(context.Context) (float64, error) { n.n.Add(1); return -1, nil }
	if _, err := RememberMany(t.Context(), h.cache, priceKey, []int{1, 99}, h.prices(&asked)); err != nil {
		t.Fatal(err)
	}
	wantValue(h, &n, h.cache, "price:1", "1.5", false, one)
	wantValue(h, &n, h.cache, "price:99", "-1", true, one)
}

// TestRememberManyWishes: Bypass and Refresh load all.
func TestRememberManyWishes(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	h.stuff()
	get := func(ctx context.Context, want string, loads ...int) {
		t.Helper()
		var asked []int
		got, err := RememberMany(ctx, h.cache, priceKey, []int{1, 3}, h.prices(&asked))
		if err != nil || fmt.Sprint(got) != want || !slices.Equal(asked, loads) {
			t.Errorf("%v, %v, asked for %v; want %s", got, err, asked, want)
		}
	}
	get(t.Context(), "map[1:1.5 3:0]", 1, 3)
	h.exec(h.bare, "UPDATE stuff SET price = 4")
	get(t.Context(), "map[1:1.5 3:0]")
	get(Bypass(t.Context()), "map[1:4 3:4]", 1, 3)
	get(t.Context(), "map[1:1.5 3:0]")
	get(Refresh(t.Context()), "map[1:4 3:4]", 1, 3)
	get(t.Context(), "map[1:4 3:4]")
}

// TestWrongRememberMany: what is wrong is an error that says so; errors of the load are the call's, and nothing is kept.
func TestWrongRememberMany(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	h.stuff()
	fail := errors.New("no luck")
	var asked []int
	good := h.prices(&asked)
	for says, do := range map[string]func() (map[int]float64, error){
		"no luck": func() (map[int]float64, error) {
			return RememberMany(t.Context(), h.cache, priceKey, []int{1}, func(ctx context.Context, m []int) (map[int]float64, error) { good(ctx, m); return nil, fail })
		},
		"one key": func() (map[int]float64, error) {
			return RememberMany(t.Context(), h.cache, func(int) string { return "k" }, []int{1, 2}, good)
		},
		"nil": func() (map[int]float64, error) { return RememberMany(t.Context(), h.cache, nil, []int{1}, good) },
		"RefreshAt": func() (map[int]float64, error) {
			return RememberMany(t.Context(), h.cache, priceKey, []int{1}, good, &ValueOptions[float64]{RefreshAt: 0.5})
		},
		"StaleWhileRevalidate": func() (map[int]float64, error) {
			return RememberMany(t.Context(), h.cache, priceKey, []int{1}, good, &ValueOptions[float64]{StaleWhileRevalidate: true})
		},
		"asks for that value": func() (map[int]float64, error) {
			return RememberMany(t.Context(), h.cache, priceKey, []int{1, 2}, func(ctx context.Context, m []int) (map[int]float64, error) {
				return RememberMany(ctx, h.cache, priceKey, []int{2, 3}, good)
			})
		},
	} {
		if got, err := do(); err == nil || !strings.Contains(err.Error(), says) || got != nil {
			t.Errorf("%v, %v; want %q", got, err, says)
		}
	}
	asked = nil
	if got, err := RememberMany(t.Context(), h.cache, priceKey, []int{1}, good); err != nil || len(asked) != 1 || got[1] != 1.5 {
		t.Error(got, err, asked)
	}
}

// TestRememberManyAtOnce: calls whose keys overlap, in any order, wait for each other's values and load each once.
func TestRememberManyAtOnce(t *testing.T) {
	inQuiet(t, func(t *testing.T, c *Cache) {
		release := make(chan struct{})
		var mu sync.Mutex
		loaded := map[int]int{}
		load := func(_ context.Context, missing []int) (map[int]string, error) {
			<-release
			mu.Lock()
			defer mu.Unlock()
			made := make(map[int]string)
			for _, k := range missing {
				loaded[k]++
				made[k] = fmt.Sprint(k)
			}
			return made, nil
		}
		var all sync.WaitGroup
		for i, keys := range [][]int{{1, 2}, {2, 3}, {3, 4, 1}, {4, 3, 2, 1}, {1}} {
			all.Go(func() {
				got, err := RememberMany(t.Context(), c, func(k int) string { return fmt.Sprint(k) }, keys, load, tagged)
				if err != nil || len(got) != len(keys) {
					t.Errorf("%v, %v", got, err)
				}
			})
			if i == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		close(release)
		all.Wait()
		if !maps.Equal(loaded, map[int]int{1: 1, 2: 1, 3: 1, 4: 1}) {
			t.Errorf("loaded %v", loaded)
		}
	})
}

// TestRememberManyOfProcesses: what one process has made, and what it has found not to be, another gets.
func TestRememberManyOfProcesses(t *testing.T) {
	eachPair(t, func(p *pair) {
		var asked []int
		ids := []int{1, 2, 3, 99}
		for i := range 40 {
			ids = append(ids, 100+i)
		}
		for i, loads := range []int{len(ids), 0, 0} {
			asked = nil
			got, err := RememberMany(p.Context(), p.caches[min(i, 1)], priceKey, ids, p.prices(&asked))
			if err != nil || fmt.Sprint(got) != "map[1:1.5 2:2.5 3:0]" || len(asked) != loads {
				p.Errorf("%v, %v; asked for %v", got, err, asked)
			}
		}
	})
}
