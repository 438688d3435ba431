package redis

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// tagLife is how long a tag is kept after it got its token: longer than entries
// are. When it ends they are lost with it, which costs a miss.
const tagLife = 48 * time.Hour

//go:embed lua
var sources embed.FS

// A script is a step of the protocol, as the server runs it.
type script struct{ text, sum string }

// steps are the scripts of a store.
type steps struct{ lookup, hold, renew, release, holders, members, join, part, plain script }

// newSteps reads the scripts. Tests give an edit, which leaves out what a step needs.
func newSteps(edit func(name, text string) string) steps {
	load := func(name string) script {
		text := source(name)
		if name != "plain" {
			text = source("common") + text
		}
		if edit != nil {
			text = edit(name, text)
		}
		sum := sha1.Sum([]byte(text)) // by which the server knows it
		return script{text, hex.EncodeToString(sum[:])}
	}
	return steps{
		lookup: load("lookup"), hold: load("hold"), renew: load("renew"), release: load("release"), holders: load("holders"),
		members: load("members"), join: load("join"), part: load("part"), plain: load("plain"),
	}
}

func source(name string) string {
	text, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err)
	}
	return string(text)
}

// A call is one run of a script.
type call struct {
	script script
	keys   []string
	args   []string
}

func (s *Store) call(sc script, keys []string, args ...string) call {
	return call{sc, keys, append([]string{s.settle, strconv.FormatInt(tagLife.Milliseconds(), 10)}, args...)}
}

// fresh gives the script n tokens that nobody has.
func (c *call) fresh(n int) {
	for range n {
		c.args = append(c.args, newToken())
	}
}

func (c *call) bySum(b rueidis.Builder) rueidis.Completed {
	return b.Evalsha().Sha1(c.script.sum).Numkeys(int64(len(c.keys))).Key(c.keys...).Arg(c.args...).Build()
}

func (c *call) byText(b rueidis.Builder) rueidis.Completed {
	return b.Eval().Script(c.script.text).Numkeys(int64(len(c.keys))).Key(c.keys...).Arg(c.args...).Build()
}

// do runs one script. Like doAll it has a script run at most once: a token that
// was given twice would bring back what was filled after the first time.
func (s *Store) do(ctx context.Context, c rueidis.Client, call call) (rueidis.RedisMessage, error) {
	r := c.Do(ctx, call.bySum(c.B()))
	if unknown(r.Error()) {
		r = c.Do(ctx, call.byText(c.B()))
	}
	return r.ToMessage()
}

// doAll runs several scripts, those of one server in one round trip.
func (s *Store) doAll(ctx context.Context, c rueidis.Client, calls []call) []rueidis.RedisResult {
	if len(calls) == 1 {
		r := c.Do(ctx, calls[0].bySum(c.B()))
		if unknown(r.Error()) {
			r = c.Do(ctx, calls[0].byText(c.B()))
		}
		return []rueidis.RedisResult{r}
	}
	commands := make([]rueidis.Completed, len(calls))
	for i := range calls {
		commands[i] = calls[i].bySum(c.B())
	}
	results := slices.Clone(c.DoMulti(ctx, commands...))
	for i, r := range results {
		if unknown(r.Error()) {
			results[i] = c.Do(ctx, calls[i].byText(c.B()))
		}
	}
	return results
}

// unknown reports whether the server hasn't run a script because it doesn't know it yet.
func unknown(err error) bool {
	e, ok := rueidis.IsRedisErr(err)
	return ok && e.IsNoScript()
}

// whole runs the calls of a step that has no answer but 1 and 0, and reports
// whether all have answered 1.
func (s *Store) whole(ctx context.Context, what string, calls []call) (bool, error) {
	if len(calls) == 0 {
		return true, nil
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	c, err := s.client(ctx)
	if err != nil {
		return false, err
	}
	all := true
	for _, r := range s.doAll(ctx, c, calls) {
		n, err := r.AsInt64()
		if err != nil {
			return false, fmt.Errorf("redis: %s: %w", what, err)
		}
		all = all && n == 1
	}
	return all, nil
}
