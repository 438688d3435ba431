package page

import (
	"crypto/rand"
	"crypto/sha256"
	"io"
	"os"
	"sync"

	"github.com/larderdb/larder/coherence"
)

// versionOf is what tells the pages of this program from those of an earlier one in a store that both use.
func versionOf(d *coherence.Domain, given string) string {
	if given != "" || !d.Shared() {
		return given
	}
	return executable()
}

// executable is the digest of the running program; random for one that can't be read.
var executable = sync.OnceValue(func() string {
	path, err := os.Executable()
	if err != nil {
		return rand.Text()
	}
	f, err := os.Open(path)
	if err != nil {
		return rand.Text()
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return rand.Text()
	}
	return string(sum.Sum(nil))
})
