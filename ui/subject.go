package ui

import (
	"time"

	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/session"
)

// subject is a row as a filter sees it.
func subject(r *session.Row, now time.Time) filter.Subject { return r.Subject(now) }
