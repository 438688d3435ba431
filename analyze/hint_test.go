package analyze

import (
	"testing"
	"time"
)

func TestParseHint(t *testing.T) {
	for _, c := range []struct {
		text string
		want Hint
	}{
		{"SELECT 1", Hint{}},
		{"/* larder:bypass */ SELECT 1", Hint{Bypass: true}},
		{"/*larder:bypass*/ SELECT 1", Hint{Bypass: true}},
		{"SELECT 1 -- larder:refresh", Hint{Refresh: true}},
		{"SELECT 1 --larder:refresh\nFROM t", Hint{Refresh: true}},
		{"SELECT 1 # larder:refresh", Hint{Refresh: true}},
		{"SELECT /*+ Hash(t) larder:ttl=30s */ 1", Hint{TTL: 30 * time.Second}},
		{"SELECT /* larder:ttl=1m30s, larder:refresh */ 1", Hint{TTL: 90 * time.Second, Refresh: true}},
		{"/* a /* nested */ larder:bypass */ SELECT 1", Hint{Bypass: true}},
		{"/* larder:ttl=soon */ SELECT 1", Hint{Bypass: true}},
		{"/* larder:ttl=-1s */ SELECT 1", Hint{Bypass: true}},
		{"/* larder:bypassed */ SELECT 1", Hint{}},
		{"/* mylarder:bypass */ SELECT 1", Hint{}},
		{"SELECT 'larder:bypass'", Hint{}},
		{"SELECT ' larder:bypass '", Hint{}},
		{"SELECT '/*' /* larder:bypass */", Hint{Bypass: true}},
		{"SELECT '--', 'it''s' /* larder:bypass */", Hint{Bypass: true}},
		{"/* a comment */ SELECT ' larder:bypass '", Hint{}},
		{"-- a comment\nSELECT ' larder:bypass '", Hint{}},
	} {
		if got := parseHint(c.text); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.text, got, c.want)
		}
	}
}
