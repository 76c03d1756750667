package export

import (
	"encoding/json"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/redact"
)

// mask gives masked copies, and options that mask what is made later.
func mask(f Format, flows []*flow.Flow, o Options) ([]*flow.Flow, Options) {
	m := redact.New()
	if f.runs {
		m = redact.Runnable()
	}
	flows = m.Flows(flows)
	o.Curl.Variables = m.Variables()
	if verdict := o.Verdict; verdict != nil {
		o.Verdict = func(f *flow.Flow) json.RawMessage {
			masked := json.RawMessage(m.Text(string(verdict(f))))
			if !json.Valid(masked) {
				return nil // rather none than one that shows what it should not
			}
			return masked
		}
	}
	return flows, o
}
