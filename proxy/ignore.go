package proxy

import (
	"net/http"
	"os"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/wire"
)

// nowhere is the Recorder of what is ignored.
type nowhere struct{}

func (nowhere) Begin(*flow.Flow) flow.ID  { return 0 }
func (nowhere) Append(flow.ID, flow.Part) {}
func (nowhere) End(flow.ID, flow.Outcome) {}

// store is where x is recorded.
func (x *exchange) store() Recorder {
	if x.ignored {
		return nowhere{}
	}
	return x.c.s.opt.Store
}

// conclude ends the recording of flow id in rec, as soon as it is known which process the client is.
func (c *client) conclude(rec Recorder, id flow.ID, o flow.Outcome) {
	if process, ok := c.who.answer(); ok { // nearly always: then nothing is to be kept
		o.Conn.Process = process
		rec.End(id, o)
		return
	}
	c.concludeWith(rec, id, o, func(*flow.Outcome) {})
}

// concludeWith is conclude with last words for which the process is wanted.
func (c *client) concludeWith(rec Recorder, id flow.ID, o flow.Outcome, amend func(*flow.Outcome)) {
	c.s.serving.Add(1) // an end that waits counts as served no earlier than it is recorded
	c.who.then(func(process string) {
		defer c.s.serving.Done()
		o.Conn.Process = process
		amend(&o)
		rec.End(id, o)
	})
}

// opening is how the client asked for the tunnel that x is.
func (x *exchange) opening() string {
	if x.socks {
		return x.req.Proto
	}
	return http.MethodConnect
}

// CanTellUsers reports whether Options.SameUser can be kept to on this system.
func CanTellUsers() bool { return canTellUsers() }

const otherUser wire.Reason = "other-user"

// welcome turns a client away that runs as another user, where that matters.
func (c *client) welcome() bool {
	if !c.s.opt.SameUser {
		return true
	}
	uid, known := c.s.opt.userOf(addrPort(c.tcp.RemoteAddr()), addrPort(c.tcp.LocalAddr()))
	if known && (uid == os.Getuid() || uid == 0) {
		return true
	}
	f := &wire.Fault{Reason: otherUser, Text: "the client runs as another user than why403, which holds credentials that are not for everybody on this machine"}
	if !known {
		f.Text = "the client's user is not known, and why403 holds credentials that are not for everybody on this machine"
	}
	return c.reject(time.Now(), nil, f, "start why403 with --proxy-auth and give the client the login")
}
