package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/wire"
)

// Mark is the field that tells an answer of ours from one of the server's; its
// value is a wire.Reason.
const Mark = "X-Why403"

// Last is the field of the help page, where clients need no login, that has the
// ID of the newest flow that came in: who waits for what it has sent to be recorded asks for it.
const Last = "X-Why403-Last"

// answer is a whole response of our own. It always ends the connection.
type answer struct {
	status int
	reason wire.Reason
	kind   string // media type
	body   string

	challenge string // of Proxy-Authenticate; "": there is none
	file      string // name under which the body is to be saved; "": it is to be shown
	last      string // of Last; "": that is not told
}

// refusal is an answer that says what went wrong and what to do next.
func refusal(status int, reason wire.Reason, what, next string) *answer {
	body := "why403: " + what + "\n"
	if next != "" {
		body += "why403: hint: " + next + "\n"
	}
	return &answer{status: status, reason: reason, kind: "text/plain; charset=utf-8", body: body}
}

func (a *answer) header() flow.Header {
	h := flow.Header{}
	h.Add("Content-Type", a.kind)
	h.Add("Content-Length", fmt.Sprint(len(a.body)))
	if a.reason != "" {
		h.Add(Mark, string(a.reason))
	}
	if a.challenge != "" {
		h.Add("Proxy-Authenticate", a.challenge)
	}
	if a.file != "" {
		h.Add("Content-Disposition", `attachment; filename="`+a.file+`"`)
	}
	if a.last != "" {
		h.Add(Last, a.last)
	}
	h.Add("Cache-Control", "no-store")
	h.Add("X-Content-Type-Options", "nosniff")
	h.Add("Connection", "close")
	return h
}

// headerH2 is header as HTTP/2 has it: in lower case, without Connection (RFC 9113, 8.2).
func (a *answer) headerH2() flow.Header {
	h := a.header()
	h.Del("Connection")
	for i := range h {
		h[i].Name = strings.ToLower(h[i].Name)
	}
	return h
}

func (a *answer) head() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	for _, f := range a.header() {
		b.WriteString(f.Line())
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

// bytes is the answer to a request with method, as it is written.
func (a *answer) bytes(method string) []byte {
	b := a.head()
	if method != http.MethodHead {
		b = append(b, a.body...)
	}
	return b
}

// message is the answer for the recording.
func (a *answer) message(method string) *flow.Message {
	m := &flow.Message{Proto: "HTTP/1.1", Status: a.status, Reason: http.StatusText(a.status), Header: a.header(), Head: a.head()}
	if method != http.MethodHead {
		m.SetBody([]byte(a.body))
	}
	return m
}

// fail makes our own marked answer the answer of x, and records why. If the
// client is gone there is nobody to answer.
func (x *exchange) fail(t *wire.Trouble) *http.Response {
	status := http.StatusBadGateway
	if t.Side == "client" {
		status = http.StatusBadRequest
	}
	x.answer = refusal(status, t.Reason, t.Text, t.Hint)
	if t.TLS != nil {
		x.conn.OriginTLS = t.TLS
	}
	if t.Resolved != nil || t.Tried != nil {
		x.conn.Resolved, x.conn.Tried = t.Resolved, t.Tried
	}
	x.mu.Lock()
	x.silent = x.silent || x.failure != nil && x.failure.Op == "abort"
	x.failLocked(t.Side, t.Op, t.Text)
	x.mu.Unlock()
	return x.answerView(nil)
}

// badBody is the trouble with a request whose body turned out to be malformed, or was not sent to its end.
func (x *exchange) badBody() *wire.Trouble {
	f := x.failed()
	return &wire.Trouble{Reason: wire.BadChunk, Failure: *f,
		Hint: "the request ended here; the row in why403 shows what was sent before"}
}

// answerView is the answer as goproxy sees it; the bytes are written by WriteTo.
func (x *exchange) answerView(r *http.Request) *http.Response {
	return &http.Response{StatusCode: x.answer.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{Mark: {string(x.answer.reason)}}, ContentLength: -1, Body: x, Request: r}
}

// writeAnswer writes our own answer and records it.
func (x *exchange) writeAnswer() error {
	if x.silent {
		return errNoAnswer
	}
	if _, err := x.c.conn.Write(x.answer.bytes(x.req.Method)); err != nil {
		x.note("client", "abort", "the client closed the connection before our answer was complete")
		return err
	}
	id := x.begin()
	m := x.answer.message(x.req.Method)
	body := m.Body.Data
	m.Body.Data = nil
	store := x.store()
	store.Append(id, flow.Part{Kind: flow.ResponseHead, At: time.Now(), Head: m})
	if len(body) > 0 {
		store.Append(id, flow.Part{Kind: flow.ResponseBody, At: time.Now(), Data: body})
	}
	return nil
}
