package proxy

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/hold"
	"github.com/why403/why403/flow/rewrite"
)

// ruled is an option with the rules of a YAML list.
func ruled(t testing.TB, text string) func(*Options) {
	t.Helper()
	rules, err := rewrite.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	book := rewrite.NewBook("")
	if err := book.Replace(rules); err != nil {
		t.Fatal(err)
	}
	return func(o *Options) { o.Rules = book }
}

// echo is an origin that answers each message with answer, and tells what came.
func (l *lab) echo(config *tls.Config, answer string) (*origin, <-chan string) {
	came := make(chan string, 16)
	return l.origin(config, func(p *peer) {
		for {
			m, err := p.message()
			if err != nil {
				return
			}
			came <- m
			p.send(answer)
		}
	}), came
}

func receive[T any](t testing.TB, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}

const fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func TestRulesChangeWhatTheyNameAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		name, rules, send, want string // %s is the prefix, the host
		altered                 string
		method, target          string // as recorded
		body                    string
	}{
		{"a header line", `[{set-header: ["x-b: 2"], remove-header: [x-c]}]`,
			"POST %s/a%%7E?q HTTP/1.1\r\nhOst:%s\r\nX-B:  1 \r\nX-C: 1\r\nX-D:\todd \r\nContent-Length: 5\r\n\r\nhello",
			"POST /a%%7E?q HTTP/1.1\r\nhOst:%s\r\nX-B: 2\r\nX-D:\todd \r\nContent-Length: 5\r\n\r\nhello", "rule 1: header x-c, x-b", "POST", "/a%7E?q", "hello"},
		{"a body by length", `[{replace-body: [{find: ell, with: EL}]}]`,
			"POST %s/ HTTP/1.1\r\nHost: %s\r\ncontent-length:5\r\n\r\nhello", "POST / HTTP/1.1\r\nHost: %s\r\ncontent-length: 4\r\n\r\nhELo", "rule 1: body, 1 replaced", "POST", "/", "hELo"},
		{"a chunked body", `[{replace-body: [{find: ell, with: EL}]}]`,
			"POST %s/ HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n3;ext\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: 1\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhELo\r\n0\r\nX-T: 1\r\n\r\n", "rule 1: body, 1 replaced", "POST", "/", "hELo"},
		{"a chunked body that it only looks into", `[{match: body:hello, method: PUT}]`,
			"POST %s/ HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n3;ext\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: 1\r\n\r\n",
			"PUT / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n3;ext\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: 1\r\n\r\n", "rule 1: method PUT instead of POST", "PUT", "/", "hello"},
		{"a body where there was none", `[{method: POST, body: hi}]`,
			"GET %s/ HTTP/1.1\r\nHost: %s\r\n\r\n", "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 2\r\n\r\nhi", "rule 1: method POST instead of GET, another body", "POST", "/", "hi"},
		{"the target", `[{path: /new, set-query: [b=2]}]`,
			"GET %s/old?a=1&b=1 HTTP/1.1\r\nHost: %s\r\n\r\n", "GET /new?a=1&b=2 HTTP/1.1\r\nHost: %s\r\n\r\n", "rule 1: path /new instead of /old, query b", "GET", "/new?a=1&b=2", ""},
		{"nothing that does not match", `[{match: method:put, path: /new}]`,
			"GET %s/old HTTP/1.1\r\nHost:%s\r\nX: \t1\r\n\r\n", "GET /old HTTP/1.1\r\nHost:%s\r\nX: \t1\r\n\r\n", "", "GET", "/old", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, l *lab, config *tls.Config) {
				o := l.server.opt
				ruled(t, c.rules)(&o)
				l.server.gate.rules = o.Rules
				server, came := l.echo(config, fine)
				p, prefix := l.to(server)
				first := flow.ID(1)
				for range 2 { // the connection goes on as usual
					p.send(fmt.Sprintf(c.send, prefix, server.addr))
					if got, want := receive(t, came), fmt.Sprintf(c.want, server.addr); got != want {
						t.Fatalf("the server got %q\nwant %q", got, want)
					}
					if got, err := p.message(); got != fine || err != nil {
						t.Fatalf("the client got %q, %v", got, err)
					}
					r := l.tape.done(t, first)
					f := r.flow
					first++
					if got := strings.Join(f.Altered, "|"); got != c.altered {
						t.Errorf("altered: %q, want %q", got, c.altered)
					}
					if f.Request.Method != c.method || f.Request.Target != c.target || string(r.reqBody) != c.body || f.Request.Body.Size != int64(len(c.body)) {
						t.Errorf("recorded %s %s with %q (%d)", f.Request.Method, f.Request.Target, r.reqBody, f.Request.Body.Size)
					}
					if !strings.HasPrefix(string(f.Request.Head), c.send[:4]) {
						t.Errorf("the head as it came is lost: %q", f.Request.Head)
					}
					if c.altered == "" && f.Fidelity.Request != flow.Same || f.Fidelity.Request == flow.Differs || f.Fidelity.Response == flow.Differs {
						t.Errorf("fidelity %v", f.Fidelity)
					}
				}
			})
		})
	}
}

func TestRulesChangeAnswers(t *testing.T) {
	for _, c := range []struct {
		name, rules, method, answer, want, altered string
		goesOn                                     bool // the connection
	}{
		{"status, header and body", `[{at: response, match: "status:403", status: 200, set-header: ["X-A: b"], replace-body: [{find: no, with: yes}]}]`,
			"GET", "HTTP/1.1 403 Forbidden, really\r\nX-a:1\r\nX-B:  1\r\nContent-Length: 4\r\n\r\nno 1", "HTTP/1.1 200 OK\r\nX-a: b\r\nX-B:  1\r\nContent-Length: 5\r\n\r\nyes 1",
			"rule 1: status 200 instead of 403, header X-A, body, 1 replaced", true},
		{"a chunked body", `[{at: response, body: new}]`, "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnew\r\n0\r\n\r\n", "rule 1: another body", true},
		{"a header alone", `[{at: response, set-header: ["X-A: b"]}]`, "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nok\r\n0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n2;x\r\nok\r\n0\r\n\r\n", "rule 1: header X-A", true},
		{"to HEAD", `[{at: response, body: new, set-header: ["X-A: b"]}]`, "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX-A: b\r\n\r\n", "rule 1: header X-A, the body stayed as it was: an answer to HEAD, and 204 and 304, have none", true},
		{"a status that has no body", `[{at: response, status: 204}]`, "GET", fine, "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", "rule 1: status 204 instead of 200", true},
		{"a status that may have one", `[{at: response, status: 200}]`, "GET", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "rule 1: status 200 instead of 204", true},
		{"a stream of events", `[{at: response, body: new}]`, "GET", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
			"rule 1: the body stayed as it was: it is a stream of events without an end", true},
		{"what does not match", `[{at: response, match: "status:404", status: 200}]`, "GET", "HTTP/1.1 403 No\r\nX:  1\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 403 No\r\nX:  1\r\nContent-Length: 0\r\n\r\n", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, ruled(t, c.rules))
			server, came := l.echo(nil, c.answer)
			p := l.dial()
			for id := flow.ID(1); id <= 2; id++ {
				p.send(c.method + " http://" + server.addr + "/ HTTP/1.1\r\nHost: x\r\n\r\n")
				receive(t, came)
				if got := p.take(len(c.want)); got != c.want {
					t.Fatalf("the client got %q\nwant %q", got, c.want)
				}
				r := l.tape.done(t, id)
				if got := strings.Join(r.flow.Altered, "|"); got != c.altered || r.flow.Fidelity.Response == flow.Differs || r.flow.Err != nil {
					t.Errorf("altered %q, %v, %v", got, r.flow.Fidelity, r.flow.Err)
				}
				_, body, _ := strings.Cut(c.want, "\r\n\r\n")
				if !strings.Contains(c.want, "chunked") && string(r.respBody) != body {
					t.Errorf("recorded %q", r.respBody)
				}
				if !strings.HasPrefix(string(r.flow.Response.Head), c.answer[:15]) {
					t.Errorf("the head as it came is lost: %q", r.flow.Response.Head)
				}
			}
			if server.conns() != 1 {
				t.Errorf("%d connections", server.conns())
			}
		})
	}
}

func TestARuleSendsToAnotherServer(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		asked, _ := l.echo(config, fine)
		var other *origin
		var came <-chan string
		want := "GET /x HTTP/1.1\r\nHost: %s\r\nX: 1\r\n\r\n"
		if config == nil { // and from the one scheme to the other
			other, came = l.echo(l.origins.config(), fine)
		} else {
			other, came = l.echo(nil, fine)
		}
		scheme := map[bool]string{true: "https", false: "http"}[other.tls]
		o := l.server.opt
		ruled(t, "[{name: elsewhere, match: path:/x, to: "+scheme+"://"+other.addr+"}]")(&o)
		l.server.gate.rules = o.Rules
		p, prefix := l.to(asked)
		p.send("GET " + prefix + "/x HTTP/1.1\r\nHost: " + asked.addr + "\r\nX: 1\r\n\r\n")
		if got := receive(t, came); got != fmt.Sprintf(want, other.addr) {
			t.Errorf("the other server got %q", got)
		}
		if got, _ := p.message(); got != fine {
			t.Errorf("the client got %q", got)
		}
		f := l.tape.done(t, 1).flow
		if f.Authority != other.addr || f.Scheme != scheme || f.Conn.Origin != other.addr || !strings.Contains(f.Altered[0], `rule "elsewhere": sent to `+scheme+"://"+other.addr+" instead of ") {
			t.Errorf("%s://%s by %s: %q", f.Scheme, f.Authority, f.Conn.Origin, f.Altered)
		}
		p.send("GET " + prefix + "/y HTTP/1.1\r\nHost: " + asked.addr + "\r\n\r\n")
		if got, _ := p.message(); got != fine || len(came) != 0 {
			t.Errorf("the next request: %q, the other server got %d", got, len(came))
		}
	})
}

func TestARuleAnswersInTheServersPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cart.json")
	if err := os.WriteFile(file, []byte(`{"items":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLab(t, ruled(t, "[{match: path:/cart, answer: {file: "+file+"}}]"))
	server, _ := l.echo(nil, fine)
	p := l.dial()
	const want = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
	for _, c := range []struct{ method, send, want string }{
		{"POST", "Content-Length: 5\r\n\r\nhello", want + `{"items":[]}`},
		{"POST", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", want + `{"items":[]}`},
		{"HEAD", "\r\n", want},
	} {
		p.send(c.method + " http://" + server.addr + "/cart HTTP/1.1\r\nHost: x\r\n" + c.send)
		if got := p.take(len(c.want)); got != c.want {
			t.Fatalf("%s: the client got %q", c.method, got)
		}
	}
	p.send("GET http://" + server.addr + "/other HTTP/1.1\r\nHost: x\r\n\r\n")
	if got, _ := p.message(); got != fine || server.conns() != 1 {
		t.Errorf("the next one: %q", got)
	}
	r := l.tape.done(t, 2)
	if f := r.flow; f.Response.Status != 200 || string(r.respBody) != `{"items":[]}` || string(r.reqBody) != "hello" || f.Conn.Origin != "" || f.Err != nil ||
		!strings.HasSuffix(f.Altered[0], "the server was not asked") {
		t.Errorf("%+v, request %q", r.flow, r.reqBody)
	}
}

func TestABodyThatIsTooLargePassesAsItIs(t *testing.T) {
	l := newLab(t, ruled(t, "[{body: short}, {at: response, body: short}]"))
	large := strings.Repeat("0123456789abcdef", 1<<20/16) + "and more"
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(large), large)
	server, came := l.echo(nil, answer)
	p := l.dial()
	for id := flow.ID(1); id <= 2; id++ {
		go p.send(fmt.Sprintf("POST http://%s/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", server.addr, len(large), large))
		if got := receive(t, came); !strings.HasSuffix(got, "\r\n\r\n"+large) {
			t.Fatalf("the server got %d bytes", len(got))
		}
		if got, _ := p.message(); got != answer {
			t.Fatalf("the client got %d bytes", len(got))
		}
		r := l.tape.done(t, id)
		if f := r.flow; string(r.reqBody) != large || string(r.respBody) != large || f.Request.Body.Size != int64(len(large)) || f.Fidelity.Request != flow.Same ||
			!slices.Equal(f.Altered, []string{"rule 1: the body stayed as it was: it is larger than 1 MiB", "rule 2: the body stayed as it was: it is larger than 1 MiB"}) {
			t.Errorf("recorded %d and %d bytes, %v, altered %q", len(r.reqBody), len(r.respBody), f.Fidelity, f.Altered)
		}
	}
}

func TestABodyThatDoesNotComeIsNotWaitedForLong(t *testing.T) {
	short := usual
	short.ahead = 20 * time.Millisecond
	l := newLabWith(t, short, ruled(t, "[{body: short}, {at: response, body: short}]"))
	server := l.origin(nil, func(p *peer) {
		p.head()
		p.take(3)
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none") // the answer comes before the rest of the request
		p.take(3)
		p.send("two")
	})
	p := l.dial()
	p.send("POST http://" + server.addr + "/ HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\none")
	if got := p.head() + p.take(3); got != "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none" {
		t.Fatalf("got %q", got)
	}
	p.send("two")
	if got := p.take(3); got != "two" {
		t.Errorf("got %q", got)
	}
	r := l.tape.done(t, 1)
	if string(r.reqBody) != "onetwo" || string(r.respBody) != "onetwo" || len(r.flow.Altered) != 2 || !strings.Contains(r.flow.Altered[0], "did not come whole within 20ms") {
		t.Errorf("%q %q %q", r.reqBody, r.respBody, r.flow.Altered)
	}
}

func TestABrokenBodyThatIsReadAhead(t *testing.T) {
	l := newLab(t, ruled(t, "[{body: short}, {at: response, body: short}]"))
	server, came := l.echo(nil, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokx\r\n")
	p := l.dial()
	p.send("POST http://" + server.addr + "/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
	time.AfterFunc(5*time.Millisecond, func() { p.send("xyz\r\n") })
	if got := p.all(); !strings.HasPrefix(got, "HTTP/1.1 400 ") && !strings.HasPrefix(got, "HTTP/1.1 502 ") || len(came) != 0 {
		t.Errorf("a broken request: %q", got)
	}
	if f := l.tape.done(t, 1).flow; f.Err == nil || f.Err.Side != "client" {
		t.Errorf("%+v", f.Err)
	}
	p = l.dial()
	p.send("GET http://" + server.addr + "/ HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := p.all(); !strings.HasPrefix(got, "HTTP/1.1 502 ") || !strings.Contains(got, "X-Why403: upstream-garbage") {
		t.Errorf("a broken answer: %q", got)
	}
	if f := l.tape.done(t, 2).flow; f.Err == nil || f.Err.Side != "origin" {
		t.Errorf("%+v", f.Err)
	}
}

var (
	requests  = hold.Point{Match: "method:post", Requests: true}
	responses = hold.Point{Match: "status:403", Responses: true}
)

const refusedAnswer = "HTTP/1.1 403 Forbidden\r\nX-Odd:  kept\r\nContent-Length: 2\r\n\r\nno"

func TestARuleMakesWait(t *testing.T) {
	l := newLab(t, ruled(t, "[{delay: 20ms}]"))
	server, came := l.echo(nil, fine)
	p := l.dial()
	p.send("GET http://" + server.addr + "/ HTTP/1.1\r\nHost: x\r\n\r\n")
	receive(t, came)
	p.message()
	f := l.tape.done(t, 1).flow
	if got := f.Times.Duration(); got < 20*time.Millisecond || f.Altered[0] != "rule 1: waited 20ms" {
		t.Errorf("took %s, %q", got, f.Altered)
	}
}
