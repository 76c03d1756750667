package proxy

import (
	"errors"
	"io"
	"net"
	"sync"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/proxy/wire"
)

// observer looks at bytes that have gone to the other side.
type observer interface {
	Add(p []byte)
	Close() // no more come
}

// upgrade passes the origin's agreement (101, or 2xx to a CONNECT) on, and
// then both directions until both have ended. What passes is recorded as
// frames: the messages of a WebSocket, of anything else the bytes.
func (x *exchange) upgrade() error {
	x.stopUpload() // of a body that should not be there
	x.c.gone.stop()
	if _, err := x.c.conn.Write(x.resp.Raw); err != nil {
		x.clientGone(err)
		return err
	}
	x.recordHead()
	x.mu.Lock()
	x.final = true
	x.mu.Unlock()
	fromClient, fromOrigin := x.observers()
	x.relay(x.up, fromClient, fromOrigin)
	return nil
}

func (x *exchange) observers() (fromClient, fromOrigin observer) {
	if answer := x.resp.Message(); decode.IsWebSocket(x.req.Message(), answer) {
		return wire.NewMessages(x.store(), decode.NewWebSocket(true, answer.Header), x.begin),
			wire.NewMessages(x.store(), decode.NewWebSocket(false, answer.Header), x.begin)
	}
	return x.tape(flow.ClientFrame, x.begin), x.tape(flow.OriginFrame, x.begin)
}

// relay passes bytes both ways between the client and u until both directions
// have ended or one has failed. The end of one direction is passed on: many
// protocols still send in the other. Nobody looks on where
// an observer is nil.
func (x *exchange) relay(u *wire.Upstream, fromClient, fromOrigin observer) {
	c := x.c
	c.gone.stop()
	var both sync.WaitGroup
	one := func(n *int64, from, to string, dst, src net.Conn, r *wire.Reader, o observer) {
		both.Go(func() {
			var err error
			if *n, err = pipe(dst, src, r, o); err == nil {
				return
			}
			side, op, failed := from, "read", (*net.OpError)(nil)
			if errors.As(err, &failed) && failed.Op == "write" {
				side, op = to, "write"
			}
			if side != "client" { // how clients end a connection is their own affair
				x.note(side, op, "the connection broke: "+wire.Readable(err))
			}
			c.conn.Close() // the other direction ends with it
			u.Close()
		})
	}
	one(&x.relayedIn, "client", "origin", u.Conn, c.conn, c.r, fromClient)
	one(&x.relayedOut, "origin", "client", c.conn, u.Conn, u.R, fromOrigin)
	both.Wait()
}

// pipe copies src to dst to its end, and passes the end on.
func pipe(dst, src net.Conn, r *wire.Reader, o observer) (n int64, err error) {
	if o == nil {
		n, err = pipePlain(dst, src, r)
	} else {
		n, err = pipeObserved(dst, r, o)
		o.Close()
	}
	if err == nil {
		wire.CloseWrite(dst) // if dst has gone meanwhile, its own direction tells
	}
	return n, err
}

// pipePlain moves bytes without looking at them; between two TCP connections
// the kernel does it, without a buffer of ours.
func pipePlain(dst, src net.Conn, r *wire.Reader) (int64, error) {
	early := r.Buffered()
	n, err := dst.Write(early)
	r.Discard(n)
	if err != nil {
		return int64(n), err
	}
	r.Release()
	m, err := io.Copy(dst, src)
	return int64(n) + m, err
}

// fewBytes read at once do not need a large buffer.
const fewBytes = 2 << 10

func pipeObserved(dst net.Conn, r *wire.Reader, o observer) (n int64, err error) {
	for {
		for len(r.Buffered()) > 0 {
			b := r.Buffered()
			if _, err := dst.Write(b); err != nil {
				return n, err
			}
			o.Add(b)
			n += int64(len(b))
			full := r.Full()
			if r.Discard(len(b)); full {
				r.Grow() // much comes
			} else if len(b) < fewBytes {
				r.Release() // little does, perhaps for long
			}
		}
		if err := r.Fill(); err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, err
		}
	}
}
