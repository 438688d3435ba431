package page

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// names are those of fields as they are compared: in lower case, in order, each once.
func names(list []string) []string {
	for i := range list {
		list[i] = strings.ToLower(list[i])
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// keyOf is the key of the variant of a page that a request selects.
func (v vary) keyOf(prefix, base string, r *http.Request) string {
	if len(v) == 0 {
		return base
	}
	var room [512]byte
	k := key{append(room[:0], base...)}
	for _, name := range v {
		k.add(name)
		k.add(selecting(r, name))
	}
	return k.sum(prefix)
}

// selecting is what a request says in a field, in a form that those have which mean the same.
func selecting(r *http.Request, name string) string {
	if name == "host" {
		return r.Host
	}
	values, ok := r.Header[http.CanonicalHeaderKey(name)]
	if !ok {
		return "absent"
	}
	line := strings.Join(values, ",")
	switch name {
	case "accept-encoding":
		return ":" + encodings(line)
	case "accept-language":
		return ":" + strings.ToLower(strings.Join(strings.Fields(line), ""))
	}
	return ":" + line
}

// encodings are the codings that Accept-Encoding names, each with its weight, in the order of their names: responses are made
// in one of them by weight, and not by which came first.
func encodings(line string) string {
	type coding struct {
		name   string
		weight int // in thousandths
	}
	var list []coding
	for _, member := range strings.Split(line, ",") {
		name, params, _ := strings.Cut(strings.ToLower(member), ";")
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		weight := 1000
		if q, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			f, err := strconv.ParseFloat(q, 64)
			if err != nil || !(f >= 0 && f <= 1) {
				return line // whatever that is, it is like itself only
			}
			weight = int(f * 1000)
		} else if params != "" {
			return line
		}
		list = append(list, coding{name, weight})
	}
	slices.SortStableFunc(list, func(a, b coding) int { return cmp.Compare(a.name, b.name) })
	var form strings.Builder
	for _, c := range list {
		form.WriteString(c.name + ";" + strconv.Itoa(c.weight) + ",")
	}
	return form.String()
}

// habits are what was learnt of URLs: what their responses vary by, and that they aren't kept. What isn't known is learnt again.
type habits struct {
	urls  sync.Map // a habit by key
	count atomic.Int64
}

// A habit of a URL. Its zero value is that of one of which nothing is known.
type habit struct {
	vary  vary
	alone bool // the last response was kept back from others: nobody waits for the next
}

const maxHabits = 1 << 14

func (hs *habits) of(key string) habit {
	if v, ok := hs.urls.Load(key); ok {
		return v.(habit)
	}
	return habit{}
}

// learn notes what a response varies by, beside what is known already, and whether it was kept back. It reports what is known
// now, and whether that is more than before.
func (hs *habits) learn(key string, v vary, alone bool) (vary, bool) {
	was := hs.of(key)
	now := habit{vary: was.vary, alone: alone}
	for _, name := range v {
		if !slices.Contains(was.vary, name) {
			now.vary = names(slices.Concat(was.vary, v))
			break
		}
	}
	more := len(now.vary) > len(was.vary)
	if !more && was.alone == alone {
		return now.vary, false
	}
	if hs.count.Add(1) > maxHabits {
		hs.urls.Clear()
		hs.count.Store(0)
	}
	hs.urls.Store(strings.Clone(key), now)
	return now.vary, more
}
