package export

import (
	"io"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/har"
)

// harFormat is one archive of all flows.
var harFormat = Format{Name: "har", Help: "an HTTP archive (HAR 1.2)", Ext: ".har", write: writeHAR}

func writeHAR(w io.Writer, flows []*flow.Flow, o Options) error {
	return har.Write(w, flows, har.Options{Version: o.Version, Verdict: o.Verdict, Comment: strings.TrimSpace(verified("", o))})
}
