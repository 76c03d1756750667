package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/why403/why403/flow"
)

func TestOtherUpgrades(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		for _, upgrade := range []string{"tcp", "websocket"} {
			t.Run(upgrade, func(t *testing.T) {
				o := l.origin(config, func(p *peer) {
					p.head()
					p.send("HTTP/1.1 101 UPGRADED\r\nUpgrade: " + upgrade + "\r\nConnection: Upgrade\r\n\r\nhi")
					p.send(p.take(4))
					p.all()
					p.send("bye") // after the client's end
				})
				p, prefix := l.to(o)
				p.send(request("POST", prefix+"/", o.addr, "Connection: Upgrade\r\nUpgrade: "+upgrade+"\r\n\r\nping"))
				if h := p.head(); !strings.HasPrefix(h, "HTTP/1.1 101 UPGRADED\r\n") {
					t.Fatalf("got %q", h)
				}
				if got := p.take(6); got != "hiping" {
					t.Fatalf("got %q", got)
				}
				p.Conn.(interface{ CloseWrite() error }).CloseWrite()
				if got := p.all(); got != "bye" {
					t.Errorf("got %q", got)
				}
				r := l.tape.done(t, flow.ID(l.tape.count()))
				if string(r.frames[flow.ClientFrame]) != "ping" || string(r.frames[flow.OriginFrame]) != "hipingbye" || r.flow.Err != nil || r.flow.Status() != 101 {
					t.Errorf("recorded %q, error %v", r.frames, r.flow.Err)
				}
			})
		}
	})
}

func TestWebSocketWithARealPeer(t *testing.T) {
	l := newLab(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		c.SetReadLimit(1 << 20)
		for {
			kind, data, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if string(data) == "close" {
				c.Close(websocket.StatusGoingAway, "as asked")
				return
			}
			c.Write(r.Context(), kind, bytes.ToUpper(data))
		}
	}))
	server.TLS = l.origins.config()
	server.StartTLS()
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := l.client()
	defer client.CloseIdleConnections()
	for _, who := range []string{"client", "server"} {
		c, _, err := websocket.Dial(ctx, "wss"+strings.TrimPrefix(server.URL, "https")+"/chat", &websocket.DialOptions{HTTPClient: client})
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{1, 200, 70_000} {
			want := strings.Repeat("a", size)
			c.SetReadLimit(1 << 20)
			c.Write(ctx, websocket.MessageText, []byte(want))
			if _, got, err := c.Read(ctx); err != nil || string(got) != strings.ToUpper(want) {
				t.Fatalf("%d bytes: got %.20q %v", size, got, err)
			}
		}
		if who == "client" {
			if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
				t.Errorf("close by the client: %v", err)
			}
		} else {
			c.Write(ctx, websocket.MessageText, []byte("close"))
			if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
				t.Errorf("close by the server: %v", err)
			}
			c.CloseNow()
		}
		r := l.tape.done(t, flow.ID(l.tape.count()))
		if r.flow.Status() != 101 || r.sizes[flow.ClientFrame] < 70_000 || r.sizes[flow.OriginFrame] < 70_000 {
			t.Errorf("recorded status %d, %v bytes", r.flow.Status(), r.sizes)
		}
	}
}
