//go:build larder_steps

package fleet

import (
	"runtime"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/larderdb/larder/coherence"
)

// steps stop this process at the n-th time that a step is reached, or leave one out.
type steps struct{ armed atomic.Pointer[armed] }

type armed struct {
	at     coherence.Step
	left   atomic.Int64
	signal syscall.Signal
}

// prepare does what the worker's configuration says of steps.
func (s *steps) prepare(w *Worker) error {
	coherence.Leave(w.Mutant)
	coherence.OnStep(func(step coherence.Step) {
		if a := s.armed.Load(); a != nil && a.at == step && a.left.Add(-1) == 0 {
			w.say(Report{Kind: "at", Text: string(step)})
			signal(a.signal)
		}
	})
	return nil
}

// signal sends a signal to this process by the thread that runs, which goes no further: another thread may have it delivered late.
func signal(s syscall.Signal) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Tgkill(unix.Getpid(), unix.Gettid(), s)
}

func (s *steps) arm(_ *Worker, at coherence.Step, n int, how string) error {
	a := &armed{at: at, signal: syscall.SIGSTOP}
	if how == "kill" {
		a.signal = syscall.SIGKILL
	}
	a.left.Store(int64(n))
	s.armed.Store(a)
	return nil
}
