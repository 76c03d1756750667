package launch

import (
	"context"
	"net"
	"net/http"
	"time"

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
			if Answers(ctx, i.Addresses[0]) {
				return i, true
			}
		} else if second == nil {
			second = &i
		}
	}
	if second != nil && Answers(ctx, second.Addresses[0]) {
		return *second, true
	}
	return Instance{}, false
}

// Joinable reports whether clients can be sent to it.
func (i Instance) Joinable() bool {
	return len(i.Addresses) > 0 && !i.Reverse && !i.Login && i.CA != ""
}

// Answers reports whether a proxy of ours answers on addr: it marks its help page.
func Answers(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/", nil)
	if err != nil {
		return false
	}
	t := &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext}
	res, err := t.RoundTrip(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.Header.Get(proxy.Mark) != ""
}
