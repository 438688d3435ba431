package confine

import "testing"

func TestReadable(t *testing.T) {
	for name, want := range map[string]string{
		"":                           "",
		"user_id":                    "user_id",
		"tenant,user_id!seen,visits": "tenant,user_id, without seen,visits",
		"!seen":                      "without seen",
	} {
		if got := Readable(name); got != want {
			t.Errorf("Readable(%q) is %q, want %q", name, got, want)
		}
	}
}
