// Package report writes what was explained: as text for a terminal, as Markdown
// for an incident, and as the JSON that scripts read (a contract).
//
// It writes what it is given. Secrets are masked by whoever calls, before.
package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect"
)

// Version is the version of the JSON form: fields may be added under it, never renamed.
const Version = 1

// JSON writes the contract of `why403 explain --format json`.
func JSON(w io.Writer, list []inspect.Explained) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if list == nil {
		list = []inspect.Explained{}
	}
	return enc.Encode(struct {
		Version int                 `json:"version"`
		Flows   []inspect.Explained `json:"flows"`
	}{Version, list})
}

// Refused counts the refused flows.
func Refused(list []inspect.Explained) int {
	n := 0
	for i := range list {
		if list[i].Refused {
			n++
		}
	}
	return n
}

// writer remembers the first error, so that a report reads as a list of lines.
type writer struct {
	w   io.Writer
	err error
}

func (p *writer) f(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// changeLine is a change in one line: what it is and from what to what.
func changeLine(c flow.Change) string {
	name := string(c.Part)
	if c.Name != "" {
		name += " " + c.Name
	}
	switch {
	case c.Before == nil && c.After == nil:
		return name
	case c.Before == nil:
		return "+ " + name + ": " + short(*c.After)
	case c.After == nil:
		return "- " + name + ": " + short(*c.Before)
	}
	return "~ " + name + ": " + short(*c.Before) + " → " + short(*c.After)
}

const maxValue = 120 // bytes of a value in a line

func short(s string) string {
	s = visible(s)
	if len(s) > maxValue {
		cut := maxValue
		for cut > 0 && s[cut]&0xC0 == 0x80 {
			cut--
		}
		s = s[:cut] + "…"
	}
	return s
}
