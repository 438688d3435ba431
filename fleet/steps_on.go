//go:build larder_steps

package fleet

import (
	"os"
	"sync/atomic"
	"syscall"

	"github.com/larderdb/larder/coherence"
)

// steps stop this process at the n-th time that a step is reached.
type steps struct{ left atomic.Int64 }

func (s *steps) arm(w *Worker, at coherence.Step, n int, how string) error {
	signal := syscall.SIGSTOP
	if how == "kill" {
		signal = syscall.SIGKILL
	}
	s.left.Store(int64(n))
	coherence.OnStep(func(step coherence.Step) {
		if step == at && s.left.Add(-1) == 0 {
			w.say(Report{Kind: "at", Text: string(at)})
			_ = syscall.Kill(os.Getpid(), signal)
		}
	})
	return nil
}
