package curl

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/paste"
)

// TestCommandReadsBackEqual: what is exported is the same request when it is imported again.
func TestCommandReadsBackEqual(t *testing.T) {
	all := awkwardRequests()
	if len(all) < 60 {
		t.Errorf("%d awkward requests, want 60", len(all))
	}
	for _, a := range all {
		t.Run(a.name, func(t *testing.T) {
			f, _ := a.request("127.0.0.1:8081")
			text, err := Command(f, Options{})
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := paste.Curl(text, paste.Options{})
			if err != nil {
				t.Fatalf("%v in\n%.2000s", err, text)
			}
			if g, w := essence(got), essence(f); g != w {
				t.Errorf("\n got %.600q\nwant %.600q\nfrom %.2000s", g, w, text)
			}
		})
	}
}

// essence is what of a request a command line can keep.
func essence(f *flow.Flow) string {
	m := f.Request
	var b strings.Builder
	fmt.Fprintln(&b, f.Scheme, f.Authority, f.Conn.Target, m.Method, m.Target, m.Proto)
	for _, h := range m.Header {
		if strings.EqualFold(h.Name, "Content-Length") && h.Value == strconv.Itoa(len(m.Body.Data)) && len(m.Body.Data) > 0 {
			continue
		}
		fmt.Fprintf(&b, "%s: %s\n", h.Name, h.Value)
	}
	return b.String() + "\n" + string(m.Body.Data)
}
