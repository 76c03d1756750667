package launch

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy"
)

// answerWithin is how long a living proxy may take to answer on loopback; one that is gone refuses at once.
const answerWithin = 5 * time.Second

// Running finds the proxy that clients of this user are to use: the youngest
// that takes clients without a login and answers on its port. Those that run
// one command of their own (run) and the demo come last.
func Running(ctx context.Context, dirs ...string) (Instance, bool) {
	var second *Instance
	for _, i := range Instances(dirs...) {
		if !i.Joinable() {
			continue
		}
		if i.Kind == "screen" || i.Kind == "capture" {
			if _, ok := i.Last(ctx); ok {
				return i, true
			}
		} else if second == nil {
			second = &i
		}
	}
	if second != nil {
		if _, ok := second.Last(ctx); ok {
			return *second, true
		}
	}
	return Instance{}, false
}

// Joinable reports whether clients can be sent to it.
func (i Instance) Joinable() bool {
	return len(i.Addresses) > 0 && !i.Reverse && !i.Login && i.CA != ""
}

// Last asks a proxy for the ID of the newest flow that came in, 0 for none.
// False: no proxy of ours answers at its address that tells.
func (i Instance) Last(ctx context.Context) (flow.ID, bool) {
	last, err := strconv.ParseInt(ask(ctx, i.Addresses[0]).Get(proxy.Last), 10, 64)
	return flow.ID(last), err == nil
}

// Answers reports whether a proxy of ours answers on addr: it marks its help page.
func Answers(ctx context.Context, addr string) bool { return ask(ctx, addr).Get(proxy.Mark) != "" }

// ask gets the head of the help page at addr, nil if there is none.
func ask(ctx context.Context, addr string) http.Header {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://"+addr+"/", nil)
	if err != nil {
		return nil
	}
	t := &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext}
	res, err := t.RoundTrip(req)
	if err != nil {
		return nil
	}
	_ = res.Body.Close()
	return res.Header
}
