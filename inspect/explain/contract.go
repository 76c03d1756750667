package explain

import (
	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/openapi"
)

// FromOpenAPI makes the Contract option of OpenAPI documents: a request breaks
// the contract if it breaks each of them; what it breaks of the one it fits best is told.
func FromOpenAPI(docs []*openapi.Doc) func(*flow.Flow) []inspect.Breach {
	return func(f *flow.Flow) []inspect.Breach {
		var best []openapi.Breach
		any := false
		for _, d := range docs {
			if !d.Concerns(f) {
				continue
			}
			found := d.Check(f)
			if len(found) == 0 {
				return nil
			}
			if !any || closer(found, best) {
				best = found
			}
			any = true
		}
		out := make([]inspect.Breach, 0, len(best))
		for _, b := range best {
			out = append(out, inspect.Breach(b))
		}
		return out
	}
}

// closer reports whether a fits its document better than b its own: the path is known there.
func closer(a, b []openapi.Breach) bool {
	unknown := func(l []openapi.Breach) bool { return len(l) > 0 && l[0].Part == "path" && l[0].Name == "" }
	if unknown(a) != unknown(b) {
		return unknown(b)
	}
	return len(a) < len(b)
}
