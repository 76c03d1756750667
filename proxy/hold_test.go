package proxy

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/hold"
)

// holding is a lab with somebody at the gate.
func holding(t *testing.T, points ...hold.Point) (*lab, *hold.Gate) {
	t.Helper()
	g := hold.New(time.Minute, 0)
	l := newLab(t, func(o *Options) { o.Hold = g })
	t.Cleanup(g.Attach())
	if err := g.SetPoints(points); err != nil {
		t.Fatal(err)
	}
	return l, g
}

// next waits until something is held.
func next(t testing.TB, g *hold.Gate) hold.Held {
	t.Helper()
	late := time.After(patience)
	for {
		changed := g.Changed()
		if list := g.Held(); len(list) > 0 {
			return list[0]
		}
		select {
		case <-changed:
		case <-late:
			t.Fatal("nothing is held")
		}
	}
}

func TestAHeldRequestIsEditedAndSent(t *testing.T) {
	l, g := holding(t, requests)
	server, came := l.echo(nil, fine)
	p := l.dial()
	p.send("POST http://" + server.addr + "/a HTTP/1.1\r\nHost:x\r\nX-Odd:  kept\r\nContent-Length: 5\r\n\r\nhello")
	h := next(t, g)
	if h.ID != 1 || h.Stage != filter.Requests || string(h.Flow.Request.Body.Data) != "hello" || h.NoBody != "" || h.Flow.Authority != server.addr {
		t.Fatalf("%+v", h)
	}
	if server.conns() != 0 {
		t.Error("the server was asked already")
	}
	e := *h.Flow
	e.Request = e.Request.Clone()
	e.Request.Method, e.Request.Target = "PUT", "/b"
	e.Request.Header.Set("Content-Length", "3")
	e.Request.SetBody([]byte("new"))
	if err := g.Answer(1, filter.Requests, hold.Decision{Edited: &e}); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, came); got != "PUT /b HTTP/1.1\r\nHost:x\r\nX-Odd:  kept\r\nContent-Length: 3\r\n\r\nnew" {
		t.Errorf("the server got %q", got)
	}
	if got, _ := p.message(); got != fine {
		t.Errorf("the client got %q", got)
	}
	r := l.tape.done(t, 1)
	if f := r.flow; f.Request.Method != "PUT" || f.Request.Target != "/b" || string(r.reqBody) != "new" || len(f.Altered) != 1 || !strings.Contains(f.Altered[0], "as you edited it") ||
		!strings.HasPrefix(string(f.Request.Head), "POST ") {
		t.Errorf("%+v %q", f.Request, f.Altered)
	}
	p.send("GET http://" + server.addr + "/free HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := receive(t, came); !strings.HasPrefix(got, "GET /free") {
		t.Errorf("what is not to be held: %q", got)
	}
}

func TestAHeldRequestGoesOnAsItCame(t *testing.T) {
	l, g := holding(t, requests)
	server, came := l.echo(nil, fine)
	p := l.dial()
	const rest = "Host:x\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\nok\r\n0\r\n\r\n"
	p.send("POST http://" + server.addr + "/ HTTP/1.1\r\n" + rest)
	next(t, g)
	g.ResumeAll()
	if got := receive(t, came); got != "POST / HTTP/1.1\r\n"+rest {
		t.Errorf("the server got %q", got)
	}
	p.message()
	if f := l.tape.done(t, 1).flow; f.Fidelity != (flow.Fidelity{Request: flow.Same, Response: flow.Same}) || len(f.Altered) != 1 || !strings.HasPrefix(f.Altered[0], "held the request for ") {
		t.Errorf("%v %q", f.Fidelity, f.Altered)
	}
}

func TestADroppedRequestReachesNobody(t *testing.T) {
	l, g := holding(t, requests)
	server, _ := l.echo(nil, fine)
	p := l.dial()
	p.send("POST http://" + server.addr + "/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
	next(t, g)
	if err := g.Answer(1, filter.Requests, hold.Decision{Verb: hold.Drop}); err != nil {
		t.Fatal(err)
	}
	if got := p.all(); got != "" {
		t.Errorf("the client got %q", got)
	}
	r := l.tape.done(t, 1)
	if server.conns() != 0 || r.flow.Err == nil || r.flow.Err.Text != "dropped by you" || string(r.reqBody) != "hello" {
		t.Errorf("%d connections, %+v, body %q", server.conns(), r.flow.Err, r.reqBody)
	}
}

func TestAClientThatGoesAwayIsNotHeld(t *testing.T) {
	l, g := holding(t, requests)
	server, _ := l.echo(nil, fine)
	p := l.dial()
	p.send("POST http://" + server.addr + "/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
	next(t, g)
	p.Conn.(*net.TCPConn).SetLinger(0)
	p.Close()
	f := l.tape.done(t, 1).flow
	if f.Err == nil || f.Err.Side != "client" || f.Err.Op != "abort" || len(g.Held()) != 0 || server.conns() != 0 {
		t.Errorf("%+v, %d held", f.Err, len(g.Held()))
	}
}

func TestExpectContinueIsAnsweredToSeeTheBody(t *testing.T) {
	l, g := holding(t, requests)
	server := l.origin(nil, func(p *peer) {
		h := p.head()
		p.send("HTTP/1.1 100 Continue\r\n\r\n")
		p.rest(h)
		p.send(fine)
	})
	p := l.dial()
	p.send("POST http://" + server.addr + "/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if got := p.head(); got != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("got %q", got)
	}
	p.send("hello")
	if h := next(t, g); string(h.Flow.Request.Body.Data) != "hello" {
		t.Errorf("held %q", h.Flow.Request.Body.Data)
	}
	g.ResumeAll()
	if got, _ := p.message(); got != fine {
		t.Errorf("got %q", got)
	}
	if f := l.tape.done(t, 1).flow; !strings.Contains(f.Altered[0], "100-continue") {
		t.Errorf("%q", f.Altered)
	}
}

func TestAHeldAnswerIsEditedAndHandedOn(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		g := hold.New(time.Minute, 0)
		l.server.gate.hold = g
		defer g.Attach()()
		if err := g.SetPoints([]hold.Point{responses}); err != nil {
			t.Fatal(err)
		}
		server, came := l.echo(config, refusedAnswer)
		p, prefix := l.to(server)
		p.send("GET " + prefix + "/ HTTP/1.1\r\nHost: x\r\n\r\n")
		receive(t, came)
		h := next(t, g)
		if h.Stage != filter.Responses || string(h.Flow.Response.Body.Data) != "no" || h.Flow.Request.Method != "GET" {
			t.Fatalf("%+v", h)
		}
		l.tape.wait(t, 1, func(r *recorded) bool { return r.headPart != nil && r.headPart.Status == 403 }) // it is shown while it waits
		e := *h.Flow
		e.Response = e.Response.Clone()
		e.Response.Status, e.Response.Reason = 200, "Fine"
		e.Response.SetBody([]byte("yes"))
		e.Response.Header.Set("Content-Length", "3")
		if err := g.Answer(1, filter.Responses, hold.Decision{Edited: &e}); err != nil {
			t.Fatal(err)
		}
		if got, _ := p.message(); got != "HTTP/1.1 200 Fine\r\nX-Odd:  kept\r\nContent-Length: 3\r\n\r\nyes" {
			t.Errorf("the client got %q", got)
		}
		r := l.tape.done(t, 1)
		if f := r.flow; f.Response.Status != 200 || string(r.respBody) != "yes" || !strings.HasPrefix(string(f.Response.Head), "HTTP/1.1 403") || f.Fidelity.Response == flow.Differs {
			t.Errorf("%+v %q %v", f.Response, r.respBody, f.Fidelity)
		}
		p.send("GET " + prefix + "/again HTTP/1.1\r\nHost: x\r\n\r\n")
		receive(t, came)
		next(t, g)
		g.ResumeAll()
		if got, _ := p.message(); got != refusedAnswer || server.conns() != 1 {
			t.Errorf("the next one: %q on connection %d", got, server.conns())
		}
	})
}

func TestADroppedAnswerReachesNobody(t *testing.T) {
	l, g := holding(t, responses)
	server, _ := l.echo(nil, refusedAnswer)
	p := l.dial()
	p.send("GET http://" + server.addr + "/ HTTP/1.1\r\nHost: x\r\n\r\n")
	next(t, g)
	g.Answer(1, filter.Responses, hold.Decision{Verb: hold.Drop})
	if got := p.all(); got != "" {
		t.Errorf("the client got %q", got)
	}
	r := l.tape.done(t, 1)
	if r.flow.Err == nil || r.flow.Err.Text != "dropped by you" || r.headPart.Status != 403 || string(r.respBody) != "no" {
		t.Errorf("%+v %q", r.flow.Err, r.respBody)
	}
}

func TestWhatCannotBeSentAsEditedIsNotSent(t *testing.T) {
	l, g := holding(t, requests)
	server, _ := l.echo(nil, fine)
	p := l.dial()
	p.send("POST http://" + server.addr + "/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
	h := next(t, g)
	e := *h.Flow
	e.Request = e.Request.Clone()
	e.Request.Header.Add("Transfer-Encoding", "chunked")
	g.Answer(1, filter.Requests, hold.Decision{Edited: &e})
	if got := p.all(); !strings.HasPrefix(got, "HTTP/1.1 502 ") || !strings.Contains(got, "X-Why403: edited") || !strings.Contains(got, "both Transfer-Encoding and Content-Length") {
		t.Errorf("got %q", got)
	}
	if f := l.tape.done(t, 1).flow; server.conns() != 0 || f.Err == nil || f.Err.Side != "why403" {
		t.Errorf("%d connections, %+v", server.conns(), f.Err)
	}
}

func TestARequestEditedToGoElsewhere(t *testing.T) {
	l, g := holding(t, requests)
	asked, _ := l.echo(nil, fine)
	other, came := l.echo(nil, fine)
	p := l.dial()
	p.send("POST http://" + asked.addr + "/ HTTP/1.1\r\nHost: " + asked.addr + "\r\nContent-Length: 0\r\n\r\n")
	h := next(t, g)
	e := *h.Flow
	e.Authority = other.addr
	g.Answer(1, filter.Requests, hold.Decision{Edited: &e})
	receive(t, came)
	p.message()
	if f := l.tape.done(t, 1).flow; f.Authority != other.addr || asked.conns() != 0 {
		t.Errorf("%s, %d connections to the one asked", f.Authority, asked.conns())
	}
}
