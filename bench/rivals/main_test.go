package rivals

import (
	"fmt"
	"os"
	"testing"

	"github.com/larderdb/larder/dbtest"
	"github.com/zeromicro/go-zero/core/logx"
)

func TestMain(m *testing.M) {
	logx.Disable() // go-zero speaks of itself each minute, in any process that it is part of
	text, ok := os.LookupEnv(jobVariable)
	if !ok {
		dbtest.Main(m)
		return
	}
	if err := work(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
