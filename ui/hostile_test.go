package ui

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/hold"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
)

// hostile are texts that a terminal must not get as they are: every byte, every C1 control, what turns the
// direction of text, what has no width, and sequences that would do something.
func hostile() []string {
	var every, c1, marks strings.Builder
	for b := range 256 {
		every.WriteByte(byte(b))
	}
	for r := rune(0x80); r < 0xa0; r++ {
		c1.WriteRune(r)
	}
	for _, r := range []rune{0x61c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069, // bidi
		0x200b, 0x200c, 0x200d, 0x2060, 0x2061, 0x2064, 0xfeff, 0xad, 0x34f, 0x180e, 0x115f, 0x3164, 0xffa0, 0xfe0f, 0xe0001, 0xe0041, // no width
		0x2028, 0x2029, 0x85, 0xa0, 0xfff9, 0xfffc} {
		marks.WriteString("a" + string(r) + "b")
	}
	return []string{
		every.String(), c1.String(), marks.String(),
		"\x1b]52;c;aGFjaw==\x07\x1b[2J\x1b[31mred\x1b[0m\x1bP$q\x1b\\\x9b31m\u009b2J\x1b]0;title\x07\r\n\b\b\b\x7f\x00\t",
		strings.Repeat("\u202e\u0301", 40) + "👨\u200d👩\u200d👧 🏳️\u200d🌈 注文 é̂" + strings.Repeat("é", 30),
	}
}

// shownFields put a text into one field each of what the screen shows.
var shownFields = []struct {
	name string
	put  func(f *fakeFeed, x string)
}{
	{"method", func(f *fakeFeed, x string) { f.flows[1].Request.Method = x }},
	{"target", func(f *fakeFeed, x string) { f.flows[1].Request.Target = "/" + x + "?" + x + "=" + x }},
	{"authority", func(f *fakeFeed, x string) { f.flows[1].Authority = x }},
	{"scheme", func(f *fakeFeed, x string) { f.flows[1].Scheme = x }},
	{"proto", func(f *fakeFeed, x string) { f.flows[1].Request.Proto = x; f.flows[1].Request.Head = nil }},
	{"header name", func(f *fakeFeed, x string) { f.flows[1].Request.Header.Add(x, "v"); wire(f.flows[1].Request) }},
	{"header value", func(f *fakeFeed, x string) { f.flows[1].Request.Header.Add("X-A", x); wire(f.flows[1].Request) }},
	{"header without a head", func(f *fakeFeed, x string) { f.flows[1].Request.Header.Add(x, x); f.flows[1].Request.Head = nil }},
	{"cookie", func(f *fakeFeed, x string) {
		f.flows[1].Request.Header.Add("Cookie", x+"="+x+"; b="+x)
		f.flows[1].Request.Head = nil
	}},
	{"token", func(f *fakeFeed, x string) { f.flows[1].Request.Header.Add("Authorization", "Bearer "+x) }},
	{"request body", func(f *fakeFeed, x string) { f.flows[1].Request.SetBody([]byte(x)) }},
	{"JSON request", func(f *fakeFeed, x string) { f.flows[1].Request.SetBody([]byte(`{"` + x + `":"` + x + `"}`)) }},
	{"form request", func(f *fakeFeed, x string) {
		f.flows[1].Request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		f.flows[1].Request.SetBody([]byte("a=" + x + "&" + x + "=b"))
	}},
	{"multipart request", func(f *fakeFeed, x string) {
		f.flows[1].Request.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		f.flows[1].Request.SetBody([]byte("--b\r\nContent-Disposition: form-data; name=\"" + x + "\"; filename=\"" + x + "\"\r\nContent-Type: " + x + "\r\n\r\n" + x + "\r\n--b--\r\n"))
	}},
	{"GraphQL request", func(f *fakeFeed, x string) {
		f.flows[1].Request.SetBody([]byte(`{"operationName":"` + x + `","query":"query Q {\n` + x + ` }"}`))
	}},
	{"reason", func(f *fakeFeed, x string) { f.flows[1].Response.Reason = x; wire(f.flows[1].Response) }},
	{"answer's header", func(f *fakeFeed, x string) { f.flows[1].Response.Header.Add(x, x); wire(f.flows[1].Response) }},
	{"trailer", func(f *fakeFeed, x string) { f.flows[1].Response.Trailers.Add(x, x) }},
	{"interim answer", func(f *fakeFeed, x string) {
		f.flows[1].Interim = []*flow.Message{{Proto: "HTTP/1.1", Status: 103, Reason: x, Header: flow.Header{{Name: x, Value: x}}}}
	}},
	{"Content-Type", func(f *fakeFeed, x string) { f.flows[1].Response.Header.Set("Content-Type", x) }},
	{"coding", func(f *fakeFeed, x string) { f.flows[1].Response.Header.Set("Content-Encoding", x) }},
	{"text answer", func(f *fakeFeed, x string) { answer(f, "text/plain", x) }},
	{"JSON answer", func(f *fakeFeed, x string) { answer(f, "application/json", `{"a":["`+x+`"],"`+x+`":{"b":"`+x+`"}}`) }},
	{"XML answer", func(f *fakeFeed, x string) {
		answer(f, "application/xml", "<a "+x+"='"+x+"'>"+x+"<b>"+x+"</b><!--"+x+"--></a>")
	}},
	{"HTML answer", func(f *fakeFeed, x string) {
		answer(f, "text/html", "<p>"+x+"<b title="+x+">"+x+"</b><script>"+x+"</script>")
	}},
	{"NDJSON answer", func(f *fakeFeed, x string) { answer(f, "application/x-ndjson", "{}\n\""+x+"\"\n"+x) }},
	{"protobuf answer", func(f *fakeFeed, x string) {
		answer(f, "application/x-protobuf", "\x0a"+string(rune(min(len(x), 120)))+x[:min(len(x), 120)])
	}},
	{"picture", func(f *fakeFeed, x string) { answer(f, "image/png", "\x89PNG\r\n\x1a\n"+x) }},
	{"redirect", func(f *fakeFeed, x string) {
		f.flows[1].Response.Status = 302
		f.flows[1].Response.Header.Set("Location", x)
	}},
	{"preflight", func(f *fakeFeed, x string) {
		q := f.flows[1].Request
		q.Method = "OPTIONS"
		q.Header.Set("Access-Control-Request-Method", x)
		q.Header.Set("Origin", x)
		q.Header.Set("Access-Control-Request-Headers", x)
		f.flows[1].Response.Status = 204
		f.flows[1].Response.Header.Set("Access-Control-Allow-Origin", x+"x")
	}},
	{"failure", func(f *fakeFeed, x string) { f.flows[1].Err = &flow.Failure{Side: "origin", Op: x, Text: x} }},
	{"client, process, addresses", func(f *fakeFeed, x string) {
		f.flows[1].Conn = flow.Conn{Client: x, Local: x, Origin: x, Target: x, Upstream: x, Process: x, Tunnel: x, HTTP2: x, Resolved: []string{x, x}, Tried: []string{x}}
	}},
	{"TLS", func(f *fakeFeed, x string) {
		t := &flow.TLS{Version: x, CipherSuite: x, ServerName: x, ALPN: x, Offered: []string{x, "h2"}, Subject: x, Issuer: x, SANs: []string{x}, Unverified: x, Presented: x, JA3: x, JA4: x,
			Chain: []flow.Certificate{{Subject: x, Issuer: x}, {Subject: x, Issuer: x}}}
		f.flows[1].Conn.ClientTLS, f.flows[1].Conn.OriginTLS = t, t
	}},
	{"altered", func(f *fakeFeed, x string) { f.flows[1].Altered = []string{x} }},
	{"verdict", func(f *fakeFeed, x string) {
		e := f.exps[1]
		v := *e.Verdict
		v.Cause, v.Layer, v.Vendor, v.Headline, v.Summary, v.NextStep = inspect.Name(x), inspect.Name(x), inspect.Name(x), x, x, x
		v.Evidence = []inspect.Evidence{{Where: "response.header:" + x, Quote: x}, {Where: x, Quote: x}}
		v.Fix = &inspect.Fix{Summary: x, Patch: flow.Patch{{Part: flow.InHeader, Name: "X-B", After: &x}, {Part: flow.InQuery, Name: x, After: &x}}}
		e.Verdict = &v
		e.Candidates = []inspect.Verdict{{Summary: x}}
		e.Credentials = []inspect.Life{{Credential: x, Events: []inspect.Event{{What: inspect.Issued, Flow: 1, At: day}}}}
		e.Checklist = []inspect.Check{{Item: 1, Name: x, State: inspect.Suspect, Note: x, Verify: x}}
		f.exps[1] = e
		f.judge(1, e)
	}},
	{"log lines", func(f *fakeFeed, x string) {
		e := f.exps[1]
		e.Logs = []inspect.Line{{Label: x, N: 1, Text: x, Time: day, Tied: "id"}, {Label: x, N: 2, Text: x, Tied: "near"}}
		f.exps[1] = e
	}},
	{"comment", func(f *fakeFeed, x string) { f.rows[0].Comment = x }},
	{"endpoint", func(f *fakeFeed, x string) { f.rows[0].Endpoint = x }},
	{"WebSocket messages", func(f *fakeFeed, x string) {
		f.flows[1].Response.Status = 101
		f.frames = map[flow.ID][]session.Frame{1: {
			{Kind: flow.TextMessage, Data: []byte(x), Size: int64(len(x))}, {Kind: flow.BinaryMessage, Data: []byte(x)}, {Kind: flow.CloseMessage, Data: []byte("\x03\xe8" + x)},
			{Kind: flow.PingMessage, Data: []byte(x)}, {Kind: flow.Remark, Data: []byte(x)}, {Kind: flow.ServerEvent, Data: []byte("event: " + x + "\ndata: " + x)}, {Kind: flow.GRPCMessage, Data: []byte(x)},
		}}
	}},
	{"held", func(f *fakeFeed, x string) {
		h := request(0, "POST", "https://a.test/x", x, "X-A", x)
		h.ID = 1
		f.gate = &fakeGate{held: []hold.Held{{ID: 1, Stage: filter.Requests, Flow: h, NoBody: x, Until: day.Add(time.Minute)}}, points: []hold.Point{{Match: x, Requests: true}}}
	}},
	{"disk error", func(f *fakeFeed, x string) { f.err = errors.New(x) }},
}

func answer(f *fakeFeed, media, body string) {
	f.flows[1].Response = response(200, "OK", media, body)
}

// victim is a refused flow with an accepted one beside it, in which a field holds x.
func victim(put func(*fakeFeed, string), x string) *fakeFeed {
	f := newFake()
	fl := request(0, "POST", "https://a.test/x?q=1", `{"a":1}`, "Content-Type", "application/json", "Cookie", "a=1; b=2")
	f.done(fl, time.Second, response(403, "Forbidden", "application/json", `{"a":{"b":[1]}}`))
	f.done(request(time.Second, "POST", "https://a.test/x?q=2", `{"a":2}`, "Content-Type", "application/json"), time.Second, response(200, "OK", "application/json", `{}`))
	e := csrf(1)
	e.ComparedWith = &inspect.Compared{ID: 2}
	f.exps[1] = e
	f.judge(1, e)
	put(f, x)
	if err := f.err; err == nil { // the row says what the flow says, as a session has it
		comment, endpoint := f.rows[0].Comment, f.rows[0].Endpoint
		f.update(fl, session.Done)
		if f.rows[0].Comment = comment; endpoint == x {
			f.rows[0].Endpoint = endpoint
		}
	}
	return f
}

// walk is the way through all that the screen shows of a flow.
var walk = [][]string{
	nil, {"tab"}, {"enter"}, {"l"}, {"space"}, {"v"}, {"l"}, {"#"}, {"-"}, {"j", "j", "y"}, {"esc"}, {"b"}, {"b", "l"}, {"$"}, {".", ".", "b"}, {"enter", "esc"}, {"l"}, {"enter"}, {"esc", "l"}, {"l"}, {"l"},
	{"tab"}, {"F"}, {"F"}, {"E"}, {"esc"}, {"C", "a", "b", "c"}, {"esc"}, {"y"}, {"o"}, {"esc"}, {";"}, {"esc"}, {"f"}, {"esc"}, {"p"}, {"esc"}, {"B"}, {"esc", "esc"}, {"H"}, {"esc"}, {"e"}, {"tab"}, {"ctrl+p"}, {"esc"}, {"shift+tab", "shift+tab"}, {"ctrl+p"}, {"esc", "ctrl+g"}, {"esc", "ctrl+x"}, {"ctrl+x", "esc", "esc"}, {"enter"},
	{"S"}, {"tab"}, {"l"}, {"l"},
}

// inert says what a terminal would obey in a frame, "" if it is text and colours alone.
func inert(frame string) string {
	for i := 0; i < len(frame); {
		c := frame[i]
		if c >= 0x20 && c < 0x7f || c == '\n' {
			i++
			continue
		}
		if c == 0x1b { // a colour, as theme.go prepares them
			end := i + 2
			for end < len(frame) && (frame[end] >= '0' && frame[end] <= '9' || frame[end] == ';') {
				end++
			}
			if end < len(frame) && frame[i+1] == '[' && frame[end] == 'm' {
				i = end + 1
				continue
			}
			return fmt.Sprintf("a control sequence at byte %d", i)
		}
		r, n := utf8.DecodeRuneInString(frame[i:])
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == utf8.RuneError && n == 1 || r >= 0xfe00 && r <= 0xfe0f || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return fmt.Sprintf("%U at byte %d", r, i)
		}
		i += n
	}
	return ""
}

func TestNoFieldReachesTheTerminalAsItIs(t *testing.T) {
	for _, c := range shownFields {
		t.Run(c.name, func(t *testing.T) {
			for n, x := range hostile() {
				sizes := [][2]int{{150, 40}}
				if n == 4 { // what is wide
					sizes = append(sizes, [2]int{64, 20})
				}
				for _, size := range sizes {
					s := play(t, victim(c.put, x), size[0], size[1])
					s.press("g")
					steps := walk
					if n != 0 && n != 3 {
						steps = walk[:22] // the tabs
					}
					for i, keys := range steps {
						s.press(keys...)
						frame := s.m.screen()
						if what := inert(frame); what != "" {
							t.Fatalf("text %d, step %d %v: the frame holds %s:\n%q", n, i, keys, what, frame)
						}
						for k, r := range strings.Split(frame, "\n") {
							if n == 1 || n == 3 {
								break
							}
							if w := ansi.StringWidth(r); w != size[0] {
								t.Fatalf("text %d, step %d %v: row %d is %d cells wide: %q", n, i, keys, k, w, r)
							}
						}
					}
				}
			}
		})
	}
}

// TestWhatIsTypedDoesNotReachTheTerminalAsItIs: a paste may come from anywhere.
func TestWhatIsTypedDoesNotReachTheTerminalAsItIs(t *testing.T) {
	for name, keys := range map[string][]string{
		"filter": {"/"}, "search": {"tab", "l", "l", "s"}, "JSONPath": {"tab", "l", "l", "l", "$"}, "palette": {":"}, "comment": {";"}, "breakpoint": {"B", "a"}, "rule": {"R", "a"},
		"URL": {"e", "shift+tab", "shift+tab"}, "header": {"e", "ctrl+n"}, "raw request": {"e", "ctrl+x"}, "one value": {"y", "o"}, "list": nil,
	} {
		for _, x := range hostile() {
			f := ruled("", "")
			f.gate = &fakeGate{}
			s := play(t, f, 120, 40)
			s.press("N", "N")
			s.press(keys...)
			s.tell(tea.PasteMsg{Content: x})
			if what := inert(s.m.screen()); what != "" {
				t.Errorf("%s: the frame holds %s", name, what)
			}
			s.press("enter")
			if what := inert(s.m.screen()); what != "" {
				t.Errorf("%s, after enter: the frame holds %s", name, what)
			}
		}
	}
}
