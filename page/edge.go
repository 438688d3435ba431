package page

import (
	"net/http"
	"time"

	"github.com/larderdb/larder/coherence"
)

type Edge struct{}

func (e *Edge) mark(h http.Header, tags []coherence.Tag, life time.Duration) {}
