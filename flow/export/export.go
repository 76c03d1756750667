// Package export writes flows in forms that other programs and people take:
// one file per form, one list of them. What leaves is masked, the same secret by
// the same name in all that is written at once, unless Reveal is asked for.
//
// Flows have to come with the whole of their bodies; what the recording lost is said in the output or is an error.
package export

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/curl"
)

// Format is one form.
type Format struct {
	Name string // as in --as
	Help string // a few words
	Ext  string // usual end of a file's name, with its dot

	runs  bool // what is written can run: secrets are variables to fill in
	write func(w io.Writer, flows []*flow.Flow, o Options) error
}

// Formats are all forms, in the order in which they are offered.
var Formats = []Format{
	curlFormat, httpieFormat, pythonFormat, httpxFormat, goFormat, jsFormat, powershellFormat, httpFormat, hurlFormat,
	harFormat, rawFormat, rawRequestFormat, testFormat,
}

// Names are the names of all forms.
func Names() []string {
	list := make([]string, len(Formats))
	for i, f := range Formats {
		list[i] = f.Name
	}
	return list
}

// Options of Write.
type Options struct {
	Reveal  bool   // secrets as they are
	Version string // of why403, for forms that say who made them
	// Verified is when what is written was run and did the same; zero: it was not.
	Verified time.Time

	// Curl says how commands reach the server; its Variables are set by Write.
	Curl curl.Options
	// Expect says what a test expects of a flow's answer; nil: the same status.
	Expect func(*flow.Flow) Expectation
	// Verdict gives a flow's verdict as JSON, for forms that can carry one; nil: none.
	Verdict func(*flow.Flow) json.RawMessage
}

// Write writes flows in a form. The flows are not changed.
func Write(w io.Writer, f Format, flows []*flow.Flow, o Options) error {
	if f.write == nil {
		return fmt.Errorf("export: %q is no form; there are %v", f.Name, Names())
	}
	if len(flows) == 0 {
		return fmt.Errorf("export as %s: there are no flows", f.Name)
	}
	if !o.Reveal {
		flows, o = mask(f, flows, o)
	}
	return f.write(w, flows, o)
}
