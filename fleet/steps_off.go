//go:build !larder_steps

package fleet

import (
	"errors"

	"github.com/larderdb/larder/coherence"
)

type steps struct{}

func (*steps) arm(*Worker, coherence.Step, int, string) error {
	return errors.New("fleet: this worker was built without the tag larder_steps")
}

func (*steps) prepare(w *Worker) error {
	if w.Mutant != coherence.NoMutant {
		return errors.New("fleet: this worker was built without the tag larder_steps")
	}
	return nil
}
