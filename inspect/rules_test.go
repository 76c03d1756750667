package inspect

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/diff"
)

var update = flag.Bool("update", false, "write what the rules say into testdata")

// now is when the judged flow of a testdata case begins, unless its answer has a Date.
var now = time.Date(2026, 6, 2, 10, 15, 30, 0, time.UTC)

// TestRules runs each rule on the cases of its file testdata/rules/NAME.txtar.
//
// A case is a few sections: NAME/request and NAME/response are the judged flow,
// NAME/success/… the accepted one, NAME/before -30s/… and NAME/after 2s/…
// others of the host, with …/conn what is known of their connections, NAME/log LABEL lines of a log, NAME/contract breaches of the
// contract (part, name, where, quote and message), NAME/want what the rule says. A missing response is an empty 403; JWT({…},{…}) stands for a token.
func TestRules(t *testing.T) {
	for _, r := range Rules {
		t.Run(r.Name, func(t *testing.T) {
			file := filepath.Join("testdata", "rules", r.Name+".txtar")
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ar := txtar.Parse(data)
			fires, silent := false, false
			for _, name := range caseNames(ar) {
				c := testCase(t, ar, name)
				if r == coreRuleSet {
					c.WAF = simulateCase(t, c)
				}
				got := saysOf(r, c)
				if got == nothing {
					silent = true
				} else {
					fires = true
				}
				want := section(ar, name+"/want")
				if *update {
					setSection(ar, name+"/want", got)
				} else if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s (-want +got):\n%s", name, d)
				}
			}
			if !fires || !silent {
				t.Errorf("wants a case in which the rule fires (there: %v) and one in which it is silent (there: %v)", fires, silent)
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestRulesAreComplete refuses a rule that is not documented, and testdata of no rule.
func TestRulesAreComplete(t *testing.T) {
	names := map[string]bool{}
	for _, r := range Rules {
		switch {
		case names[r.Name]:
			t.Errorf("two rules are called %s", r.Name)
		case len(r.Doc) < 80 || r.Title == "" || r.Item < 1 || r.Item > 21:
			t.Errorf("rule %s wants a title, a doc and an item of the checklist", r.Name)
		case r.Cause != "" && causeByID[r.Cause] == nil:
			t.Errorf("rule %s names an unknown cause %s", r.Name, r.Cause)
		}
		names[r.Name] = true
	}
	files, err := filepath.Glob("testdata/rules/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if n := strings.TrimSuffix(filepath.Base(f), ".txtar"); !names[n] {
			t.Errorf("%s belongs to no rule", f)
		}
	}
}

const nothing = "(nothing)\n"

// saysOf is what the rule finds, in the form of the want sections.
func saysOf(r *Rule, c *Case) string {
	for _, o := range Rules {
		if o.Reads && o != r && !r.Reads {
			c.facts.claims = append(c.facts.claims, o.run(c)...)
		}
	}
	var b strings.Builder
	for _, f := range r.run(c) {
		fmt.Fprintf(&b, "%s %s: %s\n", f.Cause, f.Confidence, f.Summary)
		for _, e := range f.Evidence {
			fmt.Fprintf(&b, "  %s %q\n", e.Where, clip(e.Quote, 70))
		}
		if f.Fix != nil {
			fmt.Fprintf(&b, "  fix: %s\n", f.Fix.Summary)
			for _, ch := range f.Fix.Patch {
				fmt.Fprintf(&b, "    %s %s: %s → %s\n", ch.Part, ch.Name, show(ch.Before), show(ch.After))
			}
		}
	}
	if b.Len() == 0 {
		return nothing
	}
	return b.String()
}

func show(s *string) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%q", clip(*s, 60))
}

func caseNames(ar *txtar.Archive) []string {
	var names []string
	for _, f := range ar.Files {
		n, _, _ := strings.Cut(f.Name, "/")
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

func section(ar *txtar.Archive, name string) string {
	for _, f := range ar.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func setSection(ar *txtar.Archive, name, text string) {
	for i := range ar.Files {
		if ar.Files[i].Name == name {
			ar.Files[i].Data = []byte(text)
			return
		}
	}
	n, _, _ := strings.Cut(name, "/")
	last := 0
	for i, f := range ar.Files {
		if m, _, _ := strings.Cut(f.Name, "/"); m == n {
			last = i + 1
		}
	}
	ar.Files = slices.Insert(ar.Files, last, txtar.File{Name: name, Data: []byte(text)})
}

func testCase(t *testing.T, ar *txtar.Archive, name string) *Case {
	t.Helper()
	c := &Case{}
	flows := map[string]*flow.Flow{}
	var order []string
	id := flow.ID(0)
	for _, f := range ar.Files {
		rest, ok := strings.CutPrefix(f.Name, name+"/")
		if !ok {
			continue
		}
		i := strings.LastIndexByte(rest, '/')
		role, part := rest[:max(i, 0)], rest[i+1:]
		if label, ok := strings.CutPrefix(rest, "log "); ok {
			for n, l := range strings.Split(strings.TrimSuffix(string(f.Data), "\n"), "\n") {
				c.Logs = append(c.Logs, Line{Label: label, N: n + 1, Time: now, Text: l, Tied: "request"})
			}
			continue
		}
		if rest == "contract" {
			for l := range strings.SplitSeq(strings.TrimSuffix(string(f.Data), "\n"), "\n") {
				p := strings.SplitN(l, " | ", 5)
				c.Contract = append(c.Contract, Breach{Part: p[0], Name: p[1], Where: p[2], Quote: p[3], Message: p[4]})
			}
			continue
		}
		if part == "want" {
			continue
		}
		g := flows[role]
		if g == nil {
			id++
			g = &flow.Flow{ID: id, Times: flow.Timings{Start: now.Add(offset(t, role))}}
			flows[role] = g
			order = append(order, role)
		}
		switch part {
		case "request":
			readRequest(t, g, string(f.Data))
		case "response":
			g.Response = readResponse(string(f.Data))
		case "conn":
			readConn(t, g, string(f.Data))
		default:
			t.Fatalf("%s: unknown section %s", name, f.Name)
		}
	}
	for _, role := range order {
		g := flows[role]
		if g.Response == nil {
			g.Response = readResponse("HTTP/1.1 403 Forbidden\n\n")
		}
		switch {
		case role == "":
			c.Flow = g
		case role == "success":
			c.Success = g
			c.History.Before = append(c.History.Before, g)
		case strings.HasPrefix(role, "before"):
			c.History.Before = append(c.History.Before, g)
		default:
			c.History.After = append(c.History.After, g)
		}
	}
	if c.Flow == nil {
		t.Fatalf("%s has no request", name)
	}
	slices.SortStableFunc(c.History.Before, func(a, b *flow.Flow) int { return a.Times.Start.Compare(b.Times.Start) })
	if c.Success != nil {
		c.Changes = diff.Compare(c.Flow, c.Success).Changes
	}
	c.Now = Now(c.Flow)
	return c
}

func offset(t *testing.T, role string) time.Duration {
	if role == "success" {
		return -4 * time.Minute
	}
	f := strings.Fields(role)
	if len(f) < 2 {
		return 0
	}
	d, err := time.ParseDuration(f[len(f)-1])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var tokenText = regexp.MustCompile(`JWT\((\{.*?\}),\s*(\{.*?\})\)(?:\+(\w+))?`)

// tokens writes the tokens that JWT(header, claims) stands for; what follows a "+" is the signature.
func tokens(s string) string {
	return tokenText.ReplaceAllStringFunc(s, func(m string) string {
		p := tokenText.FindStringSubmatch(m)
		sig := p[3]
		if sig == "" {
			sig = "c2lnbmF0dXJlLXNpZ25hdHVyZS1zaWduYXR1cmUtMTI"
		}
		enc := base64.RawURLEncoding.EncodeToString
		return enc([]byte(p[1])) + "." + enc([]byte(p[2])) + "." + sig
	})
}

func readRequest(t *testing.T, f *flow.Flow, text string) {
	head, body := splitMessage(tokens(text))
	line, rest, _ := strings.Cut(head, "\n")
	p := strings.Fields(line)
	if len(p) < 2 {
		t.Fatalf("no request line: %q", line)
	}
	f.Request = &flow.Message{Proto: p[len(p)-1], Method: p[0], Header: fieldsOf(rest)}
	f.Scheme = "https"
	target := p[1]
	if i := strings.Index(target, "://"); i >= 0 {
		f.Scheme = target[:i]
		target = target[i+3:]
		f.Authority = target
		if j := strings.IndexAny(target, "/?"); j >= 0 {
			f.Authority, target = target[:j], target[j:]
		} else {
			target = "/"
		}
	} else {
		f.Authority = f.Request.Header.Get("Host")
	}
	if f.Authority == "" {
		f.Authority = "api.test"
	}
	f.Request.Target = target
	f.Request.SetBody([]byte(body))
}

// readConn reads what is known of the connections and of what why403 did, a line each.
func readConn(t *testing.T, f *flow.Flow, text string) {
	side := func(p **flow.TLS) *flow.TLS {
		if *p == nil {
			*p = &flow.TLS{Version: "TLS 1.3"}
		}
		return *p
	}
	for l := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		w := strings.SplitN(l, " ", 3)
		switch {
		case len(w) > 1 && w[0] == "altered":
			f.Altered = append(f.Altered, strings.Join(w[1:], " "))
		case len(w) > 1 && w[0] == "upstream":
			f.Conn.Upstream = w[1]
		case len(w) == 2 && w[0] == "request" && w[1] == "differs":
			f.Fidelity.Request = flow.Differs
		case len(w) == 2 && w[0] == "server" && w[1] == "wanted":
			side(&f.Conn.OriginTLS).Wanted = true
		case len(w) == 3 && w[0] == "server" && w[1] == "sni":
			side(&f.Conn.OriginTLS).ServerName = w[2]
		case len(w) == 3 && w[0] == "server" && w[1] == "ja4":
			side(&f.Conn.OriginTLS).JA4 = w[2]
		case len(w) == 3 && w[0] == "client" && w[1] == "ja4":
			side(&f.Conn.ClientTLS).JA4 = w[2]
		default:
			t.Fatalf("%q says nothing of a connection", l)
		}
	}
}

func readResponse(text string) *flow.Message {
	head, body := splitMessage(text)
	line, rest, _ := strings.Cut(head, "\n")
	m := &flow.Message{Proto: "HTTP/1.1", Header: fieldsOf(rest)}
	_, status, _ := strings.Cut(line, " ")
	fmt.Sscan(status, &m.Status)
	_, m.Reason, _ = strings.Cut(status, " ")
	m.SetBody([]byte(body))
	return m
}

func splitMessage(text string) (head, body string) {
	text = strings.TrimSuffix(text, "\n")
	head, body, _ = strings.Cut(text, "\n\n")
	return strings.TrimSpace(head), body
}

func fieldsOf(text string) (h flow.Header) {
	for l := range strings.SplitSeq(text, "\n") {
		rest, pseudo := strings.CutPrefix(l, ":") // a pseudo-header field of HTTP/2
		if n, v, ok := strings.Cut(rest, ":"); ok {
			if n = strings.TrimSpace(n); pseudo {
				n = ":" + n
			}
			h.Add(n, strings.TrimSpace(v))
		}
	}
	return h
}

// TestPanicIsOurs: a rule that fails is a finding about us, not a crash.
func TestPanicIsOurs(t *testing.T) {
	broken := &Rule{Name: "broken", Run: func(*Case) []Finding { panic("index out of range") }}
	fs := broken.run(&Case{Flow: &flow.Flow{Request: &flow.Message{}}})
	if len(fs) != 1 || !strings.Contains(fs[0].Summary, `why403's own rule "broken" failed`) {
		t.Errorf("got %+v", fs)
	}
	if bytes.Contains([]byte(fs[0].NextStep), []byte("server's log")) {
		t.Error("blames the server")
	}
}
