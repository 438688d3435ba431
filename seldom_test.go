package larder

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestSeldom: a message that comes again and again is heard once a second, with how many there were.
func TestSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		log := slog.New(&seldom{slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}), new(silences)})
		for range 3 {
			log.Warn("away", "n", 1)
			log.With("n", 2).Warn("away")
			log.Warn("back")
			log.Info("advice")
			time.Sleep(600 * time.Millisecond)
		}
		const advice = "level=INFO msg=advice\n" // each
		want := "level=WARN msg=away n=1\nlevel=WARN msg=back\n" + advice + advice + "level=WARN msg=away n=1 likeIt=3\nlevel=WARN msg=back likeIt=1\n" + advice
		if out.String() != want {
			t.Errorf("heard\n%swant\n%s", out.String(), want)
		}
	})
}
