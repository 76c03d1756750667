package ui

import (
	"strconv"

	"github.com/why403/why403/flow/session"
)

// rowSubject lets a filter look at a row.
type rowSubject struct{ r *session.Row }

func subject(r *session.Row) rowSubject { return rowSubject{r} }

func (s rowSubject) Field(k string) string {
	switch k {
	case "method":
		return s.r.Method
	case "status":
		return strconv.Itoa(s.r.Status)
	case "refused":
		if s.r.Refused() {
			return "yes"
		}
		return "no"
	case "host":
		return s.r.Authority
	}
	return s.r.Scheme + "://" + s.r.Authority + s.r.Target
}
