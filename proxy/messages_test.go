package proxy

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// said is a message in a line: who sent it, what it is, what it says.
func said(f flow.Frame) string {
	arrow := "<"
	if f.FromClient {
		arrow = ">"
	}
	text := string(f.Data)
	if f.Kind == flow.Remark {
		return arrow + " note: " + text[strings.Index(text, ": ")+2:]
	}
	if f.Kind == flow.CloseMessage {
		code, meaning, reason := decode.CloseCode(f.Data)
		text = fmt.Sprintf("%d %s, %q", code, meaning, reason)
	} else if len(text) > 40 {
		text = fmt.Sprintf("%.8s… %d bytes", text, len(text))
	}
	flags := ""
	if f.Packed {
		flags += " packed"
	}
	if f.Cut {
		flags += " cut"
	}
	return fmt.Sprintf("%s %s%s %s", arrow, f.Kind, flags, text)
}

// bySide are the messages of the client, then those of the server.
func bySide(r *recorded) []string {
	var list []string
	for _, client := range []bool{true, false} {
		for _, f := range r.messages {
			if f.FromClient == client {
				list = append(list, said(f))
			}
		}
	}
	return list
}

func TestWebSocketMessagesAreRecorded(t *testing.T) {
	for name, mode := range map[string]websocket.CompressionMode{
		"plain": websocket.CompressionDisabled, "compressed": websocket.CompressionNoContextTakeover, "with context": websocket.CompressionContextTakeover,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: mode, CompressionThreshold: 10})
				if err != nil {
					return
				}
				defer c.CloseNow()
				c.SetReadLimit(1 << 20)
				for range 3 {
					kind, data, err := c.Read(r.Context())
					if err != nil {
						return
					}
					c.Write(r.Context(), kind, bytes.ToUpper(data))
				}
				c.Close(websocket.StatusPolicyViolation, "not for you")
			}))
			defer server.Close()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			client := l.client()
			defer client.CloseIdleConnections()
			c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(server.URL, "http"), &websocket.DialOptions{HTTPClient: client, CompressionMode: mode, CompressionThreshold: 10})
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			c.SetReadLimit(1 << 20)
			large := strings.Repeat("hello again ", 9000)
			for _, text := range []string{"a", "hello again hello again", large} {
				w, err := c.Writer(ctx, websocket.MessageText)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprint(w, text[:len(text)/2]) // in fragments
				fmt.Fprint(w, text[len(text)/2:])
				w.Close()
				if _, got, err := c.Read(ctx); err != nil || string(got) != strings.ToUpper(text) {
					t.Fatalf("got %.20q %v", got, err)
				}
			}
			if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
				t.Errorf("the client was told %v", err)
			}
			r := l.tape.done(t, flow.ID(l.tape.count()))
			packed := " packed"
			if mode == websocket.CompressionDisabled {
				packed = ""
			}
			want := []string{
				"> text" + packed + " a", "> text" + packed + " hello again hello again", "> text" + packed + " hello ag… 108000 bytes", `> close 1008 against the policy, "not for you"`,
				"< text A", "< text" + packed + " HELLO AGAIN HELLO AGAIN", "< text" + packed + " HELLO AG… 108000 bytes", `< close 1008 against the policy, "not for you"`,
			}
			got := bySide(r)
			for i := range got { // a library may leave a short message as it is
				if strings.HasSuffix(got[i], " a") {
					want[i] = got[i]
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			if mode != websocket.CompressionDisabled && r.sizes[flow.ClientFrame] > 20_000 {
				t.Errorf("%d bytes of the client, though they were compressed", r.sizes[flow.ClientFrame])
			}
		})
	}
}

func TestWhatIsNoWebSocketAfterTheAgreementIsPassedOnAndSaid(t *testing.T) {
	l := newLab(t)
	o := l.origin(nil, func(p *peer) {
		p.head()
		p.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n\x81\x02hi\x83\x00rest")
		p.all()
	})
	p := l.dial()
	p.send(request("GET", "http://"+o.addr+"/", o.addr, "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02no mask"))
	p.head()
	p.Conn.(*net.TCPConn).CloseWrite()
	if got := p.all(); got != "\x81\x02hi\x83\x00rest" {
		t.Errorf("the client got %q", got)
	}
	r := l.tape.done(t, 1)
	want := []string{
		"> note: a frame of the client without a mask", "> bytes \x81\x02", "> bytes no mask",
		"< text hi", "< note: opcode 3, which has no meaning", "< bytes \x83\x00", "< bytes rest",
	}
	if d := cmp.Diff(want, bySide(r)); d != "" {
		t.Error(d)
	}
	if r.flow.Err != nil {
		t.Error(r.flow.Err)
	}
}

func TestServerSentEventsAreRecordedAsTheyCome(t *testing.T) {
	for _, coded := range []bool{false, true} {
		l := newLab(t)
		next := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			send := func(s string) { fmt.Fprint(w, s) }
			if coded {
				w.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(w)
				defer z.Close()
				send = func(s string) { fmt.Fprint(z, s); z.Flush() }
			}
			send(": hello\n\n")
			for i := range 3 {
				send(fmt.Sprintf("id: %d\r\ndata: {\"n\":%d}\r\n\r\n", i, i))
				w.(http.Flusher).Flush()
				select {
				case <-next:
				case <-r.Context().Done():
				}
			}
			send("data: half")
		}))
		client := l.client()
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			eventually(t, func() bool { // before the next one is sent
				l.tape.mu.Lock()
				defer l.tape.mu.Unlock()
				return len(l.tape.flows[1].messages) == i+2
			}, func() string { return fmt.Sprintf("event %d is not recorded (gzip: %v)", i, coded) })
			next <- struct{}{}
		}
		r := l.tape.done(t, 1)
		want := []string{"< event : hello\n", "< event id: 0\ndata: {\"n\":0}\n", "< event id: 1\ndata: {\"n\":1}\n", "< event id: 2\ndata: {\"n\":2}\n", "< event cut data: half"}
		if d := cmp.Diff(want, bySide(r)); d != "" {
			t.Errorf("gzip %v: %s", coded, d)
		}
		if len(r.respBody) == 0 {
			t.Error("the body itself is not recorded")
		}
		resp.Body.Close()
		client.CloseIdleConnections()
		server.Close()
	}
}
