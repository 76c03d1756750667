package export

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/why403/why403/flow"
)

// testFormat is a request with what is expected of its answer: `why403 assert` sends and checks it.
var testFormat = Format{Name: "test", Help: "a self-checking test for why403 assert", Ext: ".json", runs: true, write: writeTest}

// TestVersion is the version of the form: fields may be added under it, never renamed.
const TestVersion = 1

// Suite is a file of tests.
type Suite struct {
	Version int    `json:"why403_test"`
	Made    string `json:"made_by,omitempty"`
	Tests   []Test `json:"tests"`
}

// Test is a request and what its answer has to be.
type Test struct {
	Name     string      `json:"name"`
	Verified string      `json:"verified"` // when it was run and held, RFC 3339, or "not verified"
	Request  TestRequest `json:"request"`
	Expect   Expectation `json:"expect"`
}

// TestRequest is a request with its fields in order. Text between "${" and "}" that names one
// of Needs is read from the environment.
type TestRequest struct {
	Method  string      `json:"method"`
	URL     string      `json:"url"` // scheme and authority
	Target  string      `json:"target"`
	Proto   string      `json:"proto"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body,omitempty"`
	// Encoding of Body: "" is text, "base64".
	Encoding string   `json:"encoding,omitempty"`
	Needs    []string `json:"needs,omitempty"`
}

// Expectation is what an answer has to be.
type Expectation struct {
	Status  int    `json:"status"`
	Refused bool   `json:"refused"`
	Cause   string `json:"cause,omitempty"` // of the verdict on the answer alone; "" is any
}

func writeTest(w io.Writer, flows []*flow.Flow, o Options) error {
	s := Suite{Version: TestVersion, Made: strings.TrimSpace("why403 " + o.Version)}
	for _, f := range flows {
		c, err := newCall(f, o)
		if err != nil {
			return fmt.Errorf("flow %d: %w", f.ID, err)
		}
		if f.Response == nil {
			return fmt.Errorf("flow %d has no answer that could be expected again", f.ID)
		}
		t := Test{Name: title(f), Verified: "not verified", Expect: Expectation{Status: f.Status(), Refused: flow.RefusedByStatus(f.Status())}}
		if o.Expect != nil {
			t.Expect = o.Expect(f)
		}
		if !o.Verified.IsZero() {
			t.Verified = o.Verified.UTC().Format(time.RFC3339)
		}
		fill := func(s string) string {
			return c.join(s, "", func(t string) string { return t }, func(n string) string { return "${" + n + "}" })
		}
		t.Request = TestRequest{Method: f.Request.Method, URL: f.Scheme + "://" + f.Authority, Target: fill(f.Request.Target), Proto: f.Request.Proto, Needs: c.used()}
		for _, h := range f.Request.Header {
			if utf8.ValidString(h.Value) {
				t.Request.Headers = append(t.Request.Headers, [2]string{h.Name, fill(h.Value)})
			} else {
				return fmt.Errorf("flow %d: header %s is no text", f.ID, h.Name)
			}
		}
		switch data := string(f.Request.Body.Data); {
		case data == "":
		case utf8.ValidString(data):
			t.Request.Body = fill(data)
		case strings.Contains(fill(data), "${"):
			return fmt.Errorf("flow %d: a secret stands in a body that is no text; export it with --reveal", f.ID)
		default:
			t.Request.Body, t.Request.Encoding = base64.StdEncoding.EncodeToString([]byte(data)), "base64"
		}
		s.Tests = append(s.Tests, t)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(s)
}
