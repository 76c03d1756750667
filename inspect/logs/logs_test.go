package logs

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 6, 2, 10, 15, 30, 0, time.UTC)

func query() Query {
	return Query{Start: at, End: at.Add(200 * time.Millisecond), Method: "POST", Path: "/orders", Status: 403}
}

// picked are the line numbers that belong to the exchange, with how.
func picked(q Query, lines ...string) string {
	var out []string
	for _, l := range Correlate([]Source{{Label: "log", Lines: lines}}, q) {
		out = append(out, fmt.Sprintf("%d %s", l.N, l.Tied))
	}
	return strings.Join(out, ", ")
}

func TestTimes(t *testing.T) {
	for name, line := range map[string]string{
		"RFC 3339":         `2026-06-02T10:15:30.120Z ERROR x`,
		"offset":           `2026-06-02T12:15:30+02:00 ERROR x`,
		"offset of log4j":  `2026-06-02 12:15:30,120 +0200 ERROR x`,
		"python":           `2026-06-02 10:15:30,293 WARNING x`,
		"postgres":         `2026-06-02 10:15:30.978 UTC [25333] app@shop ERROR:  42501`,
		"nginx":            `2026/06/02 10:15:30 [error] 31#31: *9 x`,
		"common log":       `127.0.0.1 - - [02/Jun/2026:10:15:30 +0000] "GET / HTTP/1.1" 403 1`,
		"haproxy":          `127.0.0.1:52446 [02/Jun/2026:10:15:30.494] web web/<NOSRV>`,
		"apache error":     `[Tue Jun 02 10:15:30.272121 2026] [authz_core:error] x`,
		"php":              `[02-Jun-2026 10:15:30 UTC] PHP Warning: x`,
		"nest":             `[Nest] 25216  - 06/02/2026, 10:15:30 AM    WARN x`,
		"syslog":           `Jun  2 10:15:30 web1 kernel: x`,
		"syslog with prio": `<134>Jun  2 10:15:30 web1 app: x`,
		"caddy":            `{"level":"error","ts":1780395330.27,"msg":"x"}`,
		"pino":             `{"level":50,"time":1780395330270,"msg":"x"}`,
		"audit":            `type=AVC msg=audit(1780395330.490:80061): avc:  denied`,
		"squid":            `1780395330.368      0 127.0.0.1 TCP_DENIED/403 3475 POST http://x/ - HIER_NONE/- -`,
		"rails":            `Started POST "/orders" for 127.0.0.1 at 2026-06-02 10:15:30 +0000`,
	} {
		got, _ := timeOf(line, at)
		if got.Truncate(time.Second) != at {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, line := range []string{"", "no time at all", "2026-13-45T99:99:99Z", "	at java.base/x(UnixException.java:90)", "1780395330 is not at once a time"} {
		if got, _ := timeOf(line, at); !got.IsZero() {
			t.Errorf("%q: %v", line, got)
		}
	}
}

func TestCorrelate(t *testing.T) {
	id := query()
	id.IDs = []string{"req-9b1d77"}
	for _, c := range []struct {
		name string
		q    Query
		want string
		logs []string
	}{
		{"the request's own line, not its neighbours'", query(), "2 request", []string{
			`2026/06/02 10:15:30 [error] 1#1: *1 access forbidden by rule, request: "POST /users HTTP/1.1"`,
			`2026/06/02 10:15:30 [error] 1#1: *2 access forbidden by rule, request: "POST /orders HTTP/1.1"`,
			`2026/06/02 10:15:30 [error] 1#1: *3 access forbidden by rule, request: "GET /orders HTTP/1.1"`,
			`2026/06/02 10:15:30 [error] 1#1: *4 access forbidden by rule, request: "POST /orders/7 HTTP/1.1"`,
			`2026/06/02 10:17:30 [error] 1#1: *5 access forbidden by rule, request: "POST /orders HTTP/1.1"`,
		}},
		{"a stack trace goes with its line", query(), "1 near, 2 near, 3 near", []string{
			`2026-06-02T10:15:30.120Z ERROR upload failed`,
			`java.nio.file.AccessDeniedException: /data/a.png`,
			`	at java.base/sun.nio.fs.UnixException.translateToIOException(UnixException.java:90)`,
			`2026-06-02T10:16:30.120Z INFO next`,
		}},
		{"by id, whatever the time says; another id stays out", id, "1 id", []string{
			`2026-06-02T11:00:00Z ERROR [req-9b1d77] denied`,
			`2026-06-02T10:15:30Z ERROR [req-0000aa] permission denied for table users`,
		}},
		{"blocks of Rails, told apart by the status", query(), "4 request, 5 request, 6 request", []string{
			`Started POST "/orders" for 127.0.0.1 at 2026-06-02 10:15:30 +0000`,
			`  Parameters: {"a"=>"1"}`,
			`Completed 201 Created in 1ms`,
			`Started POST "/orders" for 127.0.0.1 at 2026-06-02 10:15:30 +0000`,
			`Can't verify CSRF token authenticity.`,
			`Completed 403 Forbidden in 1ms`,
		}},
		{"what a console prints without a time before the line that has one", query(), "1 request, 2 request, 3 request", []string{
			`Invalid HTTP_HOST header: '10.0.0.9'. You may need to add '10.0.0.9' to ALLOWED_HOSTS.`,
			`Bad Request: /orders`,
			`[02/Jun/2026 10:15:30] "POST /orders HTTP/1.1" 400 154`,
		}},
		{"the same before another request's line", query(), "", []string{
			`Invalid HTTP_HOST header: '10.0.0.9'. You may need to add '10.0.0.9' to ALLOWED_HOSTS.`,
			`[02/Jun/2026 10:15:30] "POST /users HTTP/1.1" 400 154`,
		}},
		{"local time without a zone", query(), "1 request", []string{
			`2026-06-02 12:15:30,120 WARNING Forbidden: /orders`,
			`2026-06-02 12:16:30,120 WARNING Forbidden: /orders`,
		}},
		{"a zone is believed", query(), "", []string{`2026-06-02T12:15:30Z WARNING Forbidden: /orders`}},
		{"few lines without any time", query(), "1 near", []string{`Antiforgery token validation failed.`}},
		{"many lines without any time", query(), "", strings.Split(strings.Repeat("something denied\n", 50), "\n")},
		{"another day's log that names the request", query(), "1 near", []string{
			`2024/06/03 10:00:05 [error] 30#30: *3 access forbidden by rule, request: "POST /orders HTTP/1.1"`,
			`2024/06/03 10:00:06 [error] 30#30: *4 access forbidden by rule, request: "POST /else HTTP/1.1"`,
			`2024/06/03 10:00:07 [notice] 1#1: reopened`,
			`2024/06/03 10:00:08 [notice] 1#1: reopened`,
		}},
		{"nothing of it", query(), "", []string{`2026-06-02T09:00:00Z INFO start`, `2026-06-02T09:00:01Z ERROR denied`}},
	} {
		if got := picked(c.q, c.logs...); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestBounds(t *testing.T) {
	var lines []string
	for range 5000 {
		lines = append(lines, `2026-06-02T10:15:30Z ERROR denied POST /orders HTTP/1.1 `+strings.Repeat("x", 2000))
	}
	if got := Correlate([]Source{{Label: "a", Lines: lines}}, query()); len(got) != maxLines {
		t.Errorf("%d lines were kept, want %d", len(got), maxLines)
	}
}
