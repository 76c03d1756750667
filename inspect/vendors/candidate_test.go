package vendors

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/textproto"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

var transcriptMark = regexp.MustCompile(`(?m)^-- .+: [a-z0-9-]+ --$`)

// transcripts are the exchanges of all files, each under the name of its vendor and a number.
func transcripts(t testing.TB) map[string]*Exchange {
	t.Helper()
	out := map[string]*Exchange{}
	for _, v := range All() {
		for i, text := range transcriptMark.Split(v.Examples, -1) {
			if parts := strings.Split("\n"+text, "\n--\n"); len(parts) > 1 {
				out[fmt.Sprint(v.ID, i)] = exchangeOf(t, parts)
			}
		}
	}
	if len(out) < 200 {
		t.Fatalf("%d transcripts were read", len(out))
	}
	return out
}

func exchangeOf(t testing.TB, parts []string) *Exchange {
	start, head, body := split(t, strings.TrimLeft(parts[0], "\n"))
	x := &Exchange{Request: &flow.Message{Header: head}, Response: &flow.Message{}, RequestBody: body}
	x.Request.Method, x.Path, _ = strings.Cut(start, " ")
	x.Path, _, _ = strings.Cut(x.Path, " ")
	x.Host = head.Get("Host")
	x.URL = "https://" + x.Host + x.Path
	start, x.Response.Header, x.Body = split(t, strings.TrimLeft(parts[1], "\n"))
	x.Lower = Lower(x.Body)
	if words := strings.SplitN(start, " ", 3); len(words) > 1 {
		x.Response.Status, _ = strconv.Atoi(words[1])
		x.Response.Reason = strings.Join(words[2:], " ")
	}
	var doc any
	_ = json.Unmarshal([]byte(x.Body), &doc)
	x.JSON = func(path string) []string { return look(doc, strings.Split(path, ".")) }
	x.Cookie = func(name string) bool { return strings.Contains(head.Get("Cookie"), name+"=") }
	if len(parts) > 2 {
		for i, l := range strings.Split(parts[2], "\n") {
			x.Logs = append(x.Logs, LogLine{Label: "log", N: i + 1, Text: l})
		}
	}
	return x
}

func split(t testing.TB, text string) (start string, h flow.Header, body string) {
	head, body, _ := strings.Cut(text, "\n\n")
	start, rest, _ := strings.Cut(head, "\n")
	r := textproto.NewReader(bufio.NewReader(strings.NewReader(rest + "\n\n")))
	for {
		line, err := r.ReadLine()
		if err != nil || line == "" {
			return start, h, body
		}
		name, value, _ := strings.Cut(line, ":")
		h.Add(name, strings.TrimSpace(value))
	}
}

func look(doc any, path []string) []string {
	switch v := doc.(type) {
	case map[string]any:
		if in, ok := v[path[0]]; ok && len(path) > 1 {
			return look(in, path[1:])
		} else if ok {
			return []string{fmt.Sprint(in)}
		}
	case []any:
		var out []string
		for i, in := range v {
			if path[0] == "*" || path[0] == strconv.Itoa(i) {
				if len(path) > 1 {
					out = append(out, look(in, path[1:])...)
				} else {
					out = append(out, fmt.Sprint(in))
				}
			}
		}
		return out
	}
	return nil
}

// made is an exchange that has what a section asks for by words, so that most sections hold for theirs.
func made(s *Section) *Exchange {
	doc, text := map[string]any{}, ""
	x := &Exchange{Request: &flow.Message{Method: "POST"}, Response: &flow.Message{Status: 403}, Host: "a.test", Path: "/", URL: "https://a.test/"}
	for _, c := range s.Conds {
		if c.Not {
			continue
		}
		value := "x"
		if len(c.Values) > 0 {
			value = c.Values[len(c.Values)-1]
		} else if c.Op == "like" && len(c.need()) > 0 {
			value = c.need()[0]
		}
		switch c.Kind {
		case "status":
			x.Response.Status, _ = strconv.Atoi(strings.ReplaceAll(value, "x", "0"))
		case "body":
			text += value + "\n"
		case "header":
			x.Response.Header.Add(strings.ToLower(c.Name), value)
		case "trailer":
			x.Response.Trailers.Add(c.Name, value)
		case "request-header":
			x.Request.Header.Add(strings.ToUpper(c.Name), value)
		case "log":
			x.Logs = append(x.Logs, LogLine{Label: "log", N: 1, Text: value})
		case "json":
			in, path := doc, strings.Split(c.Name, ".")
			for _, name := range path[:len(path)-1] {
				deeper, _ := in[name].(map[string]any)
				if deeper == nil {
					deeper = map[string]any{}
				}
				in[name], in = deeper, deeper
			}
			in[path[len(path)-1]] = value
		}
	}
	if x.Body = text; len(doc) > 0 {
		b, _ := json.Marshal(doc)
		x.Body = string(b)
	}
	x.Lower = Lower(x.Body)
	x.JSON = func(path string) []string { return look(doc, strings.Split(path, ".")) }
	return x
}

// What is ruled out at a glance does not hold, whatever is asked of whatever is answered.
func TestWhatIsRuledOutDoesNotHold(t *testing.T) {
	var list []candidate
	for _, v := range All() {
		for _, s := range slices.Concat(v.Decisions, v.Answered) {
			list = append(list, candidateOf(s))
		}
	}
	all := transcripts(t)
	for i := range list {
		all["made for "+list[i].Vendor.ID+strconv.Itoa(i)] = made(list[i].Section)
	}
	held, out := 0, 0
	for name, x := range all {
		for i := range list {
			c := &list[i]
			q, ok := c.holds(x)
			if ok {
				held++
			}
			if !c.ruledOut(x) {
				continue
			}
			if out++; ok {
				t.Errorf("%s: %s of %s is ruled out, and holds: %v", name, c.Cause, c.Vendor.ID, q)
			}
		}
	}
	if held < len(list)/2 || out < 100*held {
		t.Errorf("%d sections hold, %d are ruled out", held, out)
	}
}

// A name in a JSON document can be written with escapes, and behind the part of a body of which there are grams.
func TestNamesThatAreWrittenOtherwiseAreNotRuledOut(t *testing.T) {
	s := products(t, map[string]string{"acme": "name Acme\nlayer backend-app\ndecision rate-limit certain\n  from x\n  json error.kind = \"busy\"\n"})[0]
	c := candidateOf(s)
	for body, want := range map[string]bool{
		`{"error":{"kind":"busy"}}`:      false,
		`{"error":{"\u006bind":"busy"}}`: false,
		`{"error":{"sort":"busy"}}`:      true,
	} {
		if got := c.ruledOut(exchangeAt("a.test", 403, body)); got != want {
			t.Errorf("%s: ruled out is %v", body, got)
		}
	}
	x := exchangeAt("a.test", 403, strings.Repeat(" ", 70<<10)+`{"error":{"kind":"busy"}}`)
	if x.Lower = x.Lower[:64<<10]; c.ruledOut(x) {
		t.Error("what stands behind the beginning of a body is ruled out")
	}
}

// Fields are asked for in whatever case, and those of a trailer may stand in the head.
func TestFieldsThatMustBeThere(t *testing.T) {
	s := products(t, map[string]string{"acme": "name Acme\nlayer backend-app\ndecision rate-limit certain\n  from x\n  header X-Acme\n  trailer Grpc-Status = \"8\"\n  request-header X-Key\n"})[0]
	c := candidateOf(s)
	whole := func() *Exchange {
		x := exchangeAt("a.test", 200, "", flow.Field{Name: "x-acme", Value: "1"})
		x.Request.Header.Add("x-KEY", "1")
		x.Response.Trailers.Add("grpc-status", "8")
		return x
	}
	if c.ruledOut(whole()) {
		t.Error("what holds is ruled out")
	}
	for name, drop := range map[string]func(*Exchange){
		"header":  func(x *Exchange) { x.Response.Header = nil },
		"trailer": func(x *Exchange) { x.Response.Trailers = nil },
		"request": func(x *Exchange) { x.Request.Header = nil },
	} {
		x := whole()
		if drop(x); !c.ruledOut(x) {
			t.Errorf("without the %s it is not ruled out", name)
		}
	}
}

// The memory of whose a name is tells what the files say, however many names there are.
func TestOwners(t *testing.T) {
	whose := func(name string) *Vendor {
		for _, v := range All() {
			if v.At != nil && v.At.re().MatchString(name) {
				return v
			}
		}
		return nil
	}
	var o owners
	for i := range 2*maxOwned + 10 {
		name := []string{"api.github.com", "hooks.slack.com", fmt.Sprintf("host%d.test", i)}[i%3]
		if got, want := o.of(name, func(v *Vendor) *Cond { return v.At }), whose(name); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: got %v, want %v", name, got, want)
		}
	}
	if len(o.known) > maxOwned || whose("api.github.com") == nil {
		t.Errorf("%d names are remembered", len(o.known))
	}
}

var answerOfAnApplication = `{"error":"forbidden","reason":"csrf token missing or incorrect"}`

// BenchmarkDecisions is what it costs to look for the product in an answer: of an application, and all transcripts in turn.
func BenchmarkDecisions(b *testing.B) {
	plain := exchangeAt("127.0.0.1:8443", 403, answerOfAnApplication, flow.Field{Name: "Content-Type", Value: "application/json"}, flow.Field{Name: "Date", Value: "Tue, 24 Nov 2026 10:00:00 GMT"}, flow.Field{Name: "Content-Length", Value: "66"})
	plain.JSON = func(path string) []string {
		return look(map[string]any{"error": "forbidden"}, strings.Split(path, "."))
	}
	all := []*Exchange{plain}
	for _, x := range transcripts(b) {
		all = append(all, x)
	}
	for name, list := range map[string][]*Exchange{"application": all[:1], "transcripts": all[1:]} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				x := *list[i%len(list)]
				x.cached = cached{}
				Decisions(&x, true)
				Answerers(&x)
			}
		})
	}
}
