package demo

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	burst   = 5               // requests of one client in one window
	window  = 5 * time.Second // short, so that a demo recovers while somebody looks
	clients = 256             // windows kept; the oldest ones go first
)

// limiter counts requests per client in windows that begin with a client's first request.
type limiter struct {
	now func() time.Time

	mu      sync.Mutex
	windows map[string]*span
}

type span struct {
	from time.Time
	used int
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, windows: make(map[string]*span)}
}

// take counts one request of client, and says how many are left and when the window ends.
func (l *limiter) take(client string) (left int, reset time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	w := l.windows[client]
	if w == nil || !now.Before(w.from.Add(window)) {
		l.forget(now)
		w = &span{from: now}
		l.windows[client] = w
	}
	reset = w.from.Add(window).Sub(now)
	if w.used >= burst {
		return 0, reset, false
	}
	w.used++
	return burst - w.used, reset, true
}

// forget drops the windows that are over, and the oldest one while there are too many.
func (l *limiter) forget(now time.Time) {
	for c, w := range l.windows {
		if !now.Before(w.from.Add(window)) {
			delete(l.windows, c)
		}
	}
	for len(l.windows) >= clients {
		var oldest string
		for c, w := range l.windows {
			if oldest == "" || w.from.Before(l.windows[oldest].from) {
				oldest = c
			}
		}
		delete(l.windows, oldest)
	}
}

// limited refuses a client's requests beyond the burst with 429, Retry-After
// (RFC 9110, 10.2.3: seconds) and the RateLimit fields in the form that most
// servers send (draft-ietf-httpapi-ratelimit-headers-06). Who the client is
// comes from the API key, else from the token's subject.
func (s *Server) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		left, reset, ok := s.limiter.take(r.Pattern + " " + subject(r))
		seconds := strconv.Itoa(int((reset + time.Second - 1) / time.Second))
		h := w.Header()
		h.Set("RateLimit-Policy", fmt.Sprintf("%d;w=%d", burst, int(window.Seconds())))
		h.Set("RateLimit-Limit", strconv.Itoa(burst))
		h.Set("RateLimit-Remaining", strconv.Itoa(left))
		h.Set("RateLimit-Reset", seconds)
		if ok {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Retry-After", seconds)
		answerJSON(w, http.StatusTooManyRequests, map[string]any{
			"error":   "too_many_requests",
			"message": fmt.Sprintf("Rate limit of %d requests in %d s exceeded, try again in %s s.", burst, int(window.Seconds()), seconds),
		})
	})
}
