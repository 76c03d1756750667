package proxy

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

// wireCase is a request in origin form; {H} stands for the origin's address.
type wireCase struct{ name, raw string }

var wireCases = []wireCase{
	{"baseline", "GET / HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n"},
	{"header order", "GET /order HTTP/1.1\r\nHost: {H}\r\nZeta: 1\r\nAlpha: 2\r\nUser-Agent: x\r\nMid: 3\r\nAccept: */*\r\n\r\n"},
	{"host not first", "GET /hostpos HTTP/1.1\r\nUser-Agent: x\r\nAccept: */*\r\nHost: {H}\r\n\r\n"},
	{"lower-case names", "GET /lc HTTP/1.1\r\nhost: {H}\r\nuser-agent: x\r\naccept: */*\r\nx-api-key: k\r\n\r\n"},
	{"odd-case names", "GET /oc HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nSOAPAction: a\r\nX-CSRFToken: t\r\nDNT: 1\r\nETag: q\r\n\r\n"},
	{"duplicates interleaved", "GET /dup HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nX-A: 1\r\nX-B: 2\r\nX-A: 3\r\n\r\n"},
	{"duplicates of mixed case", "GET /dupmc HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nX-A: 1\r\nx-a: 2\r\n\r\n"},
	{"empty values", "GET /empty HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nX-Empty:\r\nX-Empty2: \r\n\r\n"},
	{"empty user agent", "GET /emptyua HTTP/1.1\r\nHost: {H}\r\nUser-Agent:\r\n\r\n"},
	{"no user agent", "GET /noua HTTP/1.1\r\nHost: {H}\r\nAccept: */*\r\n\r\n"},
	{"spaces around and in values", "GET /sp HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nX-S:   a  b\t c  \r\nX-T:nospace\r\n\r\n"},
	{"value not UTF-8", "GET /bin HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nX-Bin: caf\xe9 \xff\xfe\r\n\r\n"},
	{"value UTF-8", "GET /u8 HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nX-U: caf\xc3\xa9\r\n\r\n"},
	{"folded line", "GET /fold HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nX-Fold: a\r\n b\r\n\tc\r\nX-Next: 1\r\n\r\n"},
	{"odd name", "GET /us HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nx_under.score!: a\r\n\r\n"},
	{"invalid name", "GET /inv HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nX(bad): a\r\n\r\n"},
	{"line without colon", "GET /nc HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nnonsense\r\n\r\n"},
	{"escaped slash", "GET /a%2Fb%2fc/%7Euser HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\n\r\n"},
	{"double slashes and dots", "GET //a//b/../c/./d HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\n\r\n"},
	{"trailing question mark", "GET /q? HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\n\r\n"},
	{"odd query", "GET /q?a=b;c=d&x=%zz&[y]=|&u=\xc3\xa9&r=http://x/?y HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\n\r\n"},
	{"odd path bytes", "GET /p|q/[x]/\"y\"/{z}^` HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\n\r\n"},
	{"path not UTF-8", "GET /caf\xe9/\xff HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\n\r\n"},
	{"bad escapes", "GET /100%/x%zz HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\n\r\n"},
	{"space in the path", "GET /a b HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\n\r\n"},
	{"fragment", "GET /f#frag HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\n\r\n"},
	{"colon in first segment", "GET /a:b/c;d=1 HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\n\r\n"},
	{"path of 64 KiB", "GET /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\n\r\n"},
	{"path of 1.2 MiB", "GET /" + strings.Repeat("a", 1200<<10) + " HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\n\r\n"},
	{"cookie of 64 KiB", "GET /lh HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nCookie: " + strings.Repeat("c", 64<<10) + "\r\n\r\n"},
	{"accept-encoding", "GET /ae HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nAccept-Encoding: br;q=1.0, gzip;q=0.8, *;q=0.1\r\n\r\n"},
	{"connection keep-alive", "GET /ka HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nConnection: keep-alive\r\n\r\n"},
	{"connection TE", "GET /te HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nTE: trailers\r\nConnection: TE\r\n\r\n"},
	{"keep-alive field", "GET /kah HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nKeep-Alive: timeout=5\r\n\r\n"},
	{"POST with length", "POST /p HTTP/1.1\r\nHost: {H}\r\nContent-Type: application/json\r\nUser-Agent: x\r\nContent-Length: 7\r\nX-After: 1\r\n\r\n{\"a\":1}"},
	{"POST of length 0", "POST /p0 HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nContent-Length: 0\r\n\r\n"},
	{"POST without length", "POST /pn HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\n\r\n"},
	{"GET with body", "GET /gb HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nContent-Length: 3\r\n\r\nabc"},
	{"DELETE of length 0", "DELETE /d HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nContent-Length: 0\r\n\r\n"},
	{"POST of 200 KiB", "POST /big HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nContent-Length: 204800\r\n\r\n" + strings.Repeat("0123456789abcdef", 12800)},
	{"chunks with extensions", "POST /ch HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0004;ext=1;q=\"x;y\"\r\ndefg\r\n0\r\n\r\n"},
	{"chunks with trailers", "POST /cht HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\nx-more:  1\r\n\r\n"},
	{"chunk of 200 KiB", "POST /chb HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nTransfer-Encoding: chunked\r\n\r\n32000\r\n" + strings.Repeat("0123456789abcdef", 12800) + "\r\n0\r\n\r\n"},
	{"the same length twice", "POST /cl2 HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"},
	{"length with zeros", "POST /cl0 HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nContent-Length: 003\r\n\r\nabc"},
	{"lower-case method", "patch /m HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nContent-Length: 1\r\n\r\nz"},
	{"unusual method", "PROPFIND /m HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nDepth: 1\r\n\r\n"},
	{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\n\r\n"},
	{"HTTP/1.0", "GET /10 HTTP/1.0\r\nHost: {H}\r\nUser-Agent: x\r\n\r\n"},
	{"HTTP/1.0 keep-alive", "GET /10k HTTP/1.0\r\nHost: {H}\r\nConnection: Keep-Alive\r\nUser-Agent: x\r\n\r\n"},
	{"no host", "GET /nohost HTTP/1.0\r\n\r\n"},
	{"host differs", "GET /vh HTTP/1.1\r\nHost: other.example\r\nUser-Agent: x\r\n\r\n"},
	{"host upper case with dot", "GET /hu HTTP/1.1\r\nHost: LocalHost.:80\r\nUser-Agent: x\r\n\r\n"},
	{"two hosts", "GET /h2 HTTP/1.1\r\nHost: {H}\r\nHost: other.example\r\n\r\n"},
	{"lines end with LF", "GET /lf HTTP/1.1\nHost: {H}\nUser-Agent: x\n\n"},
	{"browser fields", "GET /sec HTTP/1.1\r\nHost: {H}\r\nsec-ch-ua: \"Chromium\"\r\nUpgrade-Insecure-Requests: 1\r\nSec-Fetch-Site: none\r\nUser-Agent: x\r\n\r\n"},
	{"via and forwarded kept", "GET /via HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nVia: 1.1 a\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n"},
	{"authorization", "GET /au HTTP/1.1\r\nHost: {H}\r\nauthorization: Bearer abc==\r\nUser-Agent: x\r\n\r\n"},
	{"three cookie lines", "GET /ck HTTP/1.1\r\nHost: {H}\r\nUser-Agent: x\r\nCookie: a=1\r\nCookie: b=2\r\ncookie: c=3\r\n\r\n"},
}

// wireAnswers are sent in turn.
var wireAnswers = []struct{ raw, body string }{
	{"HTTP/1.1 200 OK\r\nServer: raw\r\nX-lower-Case: 1\r\nset-cookie: a=1\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nset-cookie: b=2\r\ncontent-length: 2\r\nA-first: z\r\n\r\nok", "ok"},
	{"HTTP/1.1 403 Nope  custom reason\r\nserver: waf\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n3;e=1\r\nabc\r\n0004\r\ndefg\r\n0\r\nx-t: 1\r\n\r\n", "abcdefg"},
	{"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", ""},
	{"HTTP/1.1 200 \r\nX-Fold: a\r\n b\r\nx-bin: \xe9\r\nno colon here\r\nContent-Length: 3\n\r\nabc", "abc"},
	{"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000), strings.Repeat("x", 100000)},
}

// TestEveryByte sends each request over plain HTTP and over intercepted HTTPS, and
// compares the bytes at the origin, the bytes at the client, and the recording.
func TestEveryByte(t *testing.T) {
	both(t, func(t *testing.T, l *lab, config *tls.Config) {
		got, answer := make(chan string, 1), make(chan string, 1)
		o := l.origin(config, func(p *peer) {
			for {
				m, err := p.message()
				if err != nil {
					return
				}
				got <- m
				p.send(<-answer)
			}
		})
		for i, c := range wireCases {
			t.Run(c.name, func(t *testing.T) {
				want := strings.ReplaceAll(c.raw, "{H}", o.addr)
				reply := wireAnswers[i%len(wireAnswers)]
				answer <- reply.raw
				p, prefix := l.to(o)
				sent := want
				if method, rest, _ := strings.Cut(want, " "); prefix != "" {
					sent = method + " " + prefix + strings.TrimPrefix(rest, "*")
				}
				go p.send(sent)
				back, err := p.message()
				if err != nil {
					t.Fatalf("answer: %v after %.200q", err, back)
				}
				if g := <-got; g != want {
					t.Errorf("the origin got\n%.300q, want\n%.300q", g, want)
				}
				if back != reply.raw {
					t.Errorf("the client got\n%.300q, want\n%.300q", back, reply.raw)
				}
				checkRecording(t, l.tape.done(t, flow.ID(i+1)), sent, want, reply.raw, reply.body)
				p.Close()
			})
		}
	})
}

// checkRecording compares a flow with what went over the wire.
func checkRecording(t *testing.T, r *recorded, sent, forwarded, answer, content string) {
	t.Helper()
	f := r.flow
	head, body := cutHead(sent)
	if string(f.Request.Head) != head {
		t.Errorf("recorded request head\n%.300q, want\n%.300q", f.Request.Head, head)
	}
	if got := lines2(f.Request.Header); !strings.Contains(forwarded, got) {
		t.Errorf("recorded request fields\n%.300q are not in\n%.300q", got, forwarded)
	}
	if method, rest, _ := strings.Cut(forwarded, " "); f.Request.Method != method || !strings.HasPrefix(rest, f.Request.Target+" HTTP/") {
		t.Errorf("recorded %q %.100q, want those of %.100q", f.Request.Method, f.Request.Target, forwarded)
	}
	if f.Request.Body.Framing == flow.Chunked {
		body = unchunk(body)
	}
	if string(r.reqBody) != body || f.Request.Body.Size != int64(len(body)) {
		t.Errorf("recorded request body %.100q of %d, want %.100q", r.reqBody, f.Request.Body.Size, body)
	}
	head, _ = cutHead(answer)
	if f.Response == nil {
		t.Fatalf("no response recorded: %v", f.Err)
	}
	if string(f.Response.Head) != head || string(r.headPart.Head) != head {
		t.Errorf("recorded response head\n%.300q, want\n%.300q", f.Response.Head, head)
	}
	if string(r.respBody) != content || f.Response.Body.Size != int64(len(content)) {
		t.Errorf("recorded response body %.100q of %d, want %.100q", r.respBody, f.Response.Body.Size, content)
	}
	if f.Err != nil || len(f.Altered) > 0 {
		t.Errorf("recorded error %v, altered %v", f.Err, f.Altered)
	}
	if f.Times.Start.IsZero() || f.Times.FirstByte.Before(f.Times.Start) || f.Times.End.Before(f.Times.FirstByte) || f.Times.RequestSent.IsZero() {
		t.Errorf("recorded times %+v", f.Times)
	}
	if f.Conn.Client == "" || f.Conn.Origin == "" || f.Conn.Target == "" || f.Times.ConnectDone.IsZero() || f.Conn.Reused {
		t.Errorf("recorded connection %+v %+v", f.Conn, f.Times)
	}
	if f.Scheme == "https" && (f.Conn.OriginTLS == nil || !f.Conn.OriginTLS.Verified || f.Conn.OriginTLS.SHA256 == "" || f.Conn.ClientTLS == nil || f.Times.TLSDone.IsZero()) {
		t.Errorf("recorded TLS %+v and %+v", f.Conn.ClientTLS, f.Conn.OriginTLS)
	}
}

func lines2(h flow.Header) string {
	var b strings.Builder
	for _, f := range h {
		b.WriteString(f.Raw)
	}
	return b.String()
}

func cutHead(raw string) (head, body string) {
	for _, end := range []string{"\r\n\r\n", "\n\n", "\n\r\n"} {
		if i := strings.Index(raw, end); i >= 0 {
			return raw[:i+len(end)], raw[i+len(end):]
		}
	}
	return raw, ""
}

func unchunk(s string) (out string) {
	for {
		size, rest, _ := strings.Cut(s, "\r\n")
		size, _, _ = strings.Cut(size, ";")
		n := 0
		for _, c := range size {
			n = n*16 + strings.IndexRune("0123456789abcdef", c)
		}
		if n == 0 {
			return out
		}
		out, s = out+rest[:n], rest[n+2:]
	}
}
