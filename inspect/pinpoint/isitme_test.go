package pinpoint_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect/pinpoint"
)

func TestIsItMe(t *testing.T) {
	refusing := func(int, *flow.Message) answer { return answer{status: 403, body: denied} }
	accepting := func(int, *flow.Message) answer { return answer{status: 201} }
	onlyH2 := func(_ int, m *flow.Message) answer {
		if m.Proto == "HTTP/2.0" {
			return answer{status: 201}
		}
		return answer{status: 403, body: denied}
	}
	other := func(say func(int, *flow.Message) answer) pinpoint.Way {
		return pinpoint.Other("curl", func(ctx context.Context, f *flow.Flow) (*flow.Flow, error) {
			return (&server{say: say}).Send(ctx, pinpoint.Probe{Flow: f})
		})
	}
	silent := pinpoint.Other("curl", func(context.Context, *flow.Flow) (*flow.Flow, error) { return nil, errors.New("not installed") })
	for _, c := range []struct {
		name   string
		us     func(int, *flow.Message) answer
		other  pinpoint.Way
		ja4    string // of the client
		want   pinpoint.Blame
		says   string
		tunnel bool
	}{
		{"everybody is refused", refusing, other(refusing), "", pinpoint.NotUs, "not how it is sent", false},
		{"everybody is refused, and the client has a hello of its own", refusing, other(refusing), "t13d1516h2_aaaa_bbbb", pinpoint.NotUs, "--tunnel shop.test", true},
		{"only we are", refusing, other(accepting), "", pinpoint.Us, "it is us", true},
		{"the version decides", onlyH2, other(refusing), "", pinpoint.ByVersion, "accepted from why403 over HTTP/2", true},
		{"nobody any more", accepting, silent, "", pinpoint.NoMore, "not refused any more", false},
		{"no answers", func(int, *flow.Message) answer { return answer{err: errors.New("reset")} }, silent, "", pinpoint.Unclear, "no way", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := order(1, false)
			f.Conn.OriginTLS = &flow.TLS{JA4: "t13d1311h1_cccc_dddd"}
			if c.ja4 != "" {
				f.Conn.ClientTLS = &flow.TLS{JA4: c.ja4}
			}
			ways := append(pinpoint.Ours(&server{say: c.us}, f), c.other)
			me := pinpoint.IsItMe(t.Context(), f, ways, pinpoint.Options{})
			if me.Blame != c.want || !strings.Contains(strings.ToLower(me.Finding), c.says) && !strings.Contains(me.Finding, c.says) || (me.Tunnel != "") != c.tunnel || len(me.Answers) != 3 {
				t.Errorf("%s, tunnel %q: %s\n%+v", me.Blame, me.Tunnel, me.Finding, me.Answers)
			}
		})
	}
}
