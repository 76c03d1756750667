package har

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// summary says of a flow what the tests look at.
func summary(f *flow.Flow) string {
	side := func(m *flow.Message) string {
		if m == nil {
			return "none"
		}
		var b strings.Builder
		for _, h := range m.Header {
			fmt.Fprintf(&b, "%s: %s; ", h.Name, h.Value)
		}
		for _, h := range m.Trailers {
			fmt.Fprintf(&b, "trailer %s: %s; ", h.Name, h.Value)
		}
		content, _, err := decode.Content(m, 0)
		s := fmt.Sprintf("%s%q", b.String(), content)
		if err != nil {
			s += " " + err.Error()
		}
		if m.Body.Cut() {
			s += fmt.Sprintf(" cut from %d", m.Body.Size)
		}
		return s
	}
	s := fmt.Sprintf("%d %s %s %s | %s\n", f.ID, f.Request.Method, f.URL(), f.Request.Proto, side(f.Request))
	if f.Err != nil {
		return s + "error " + f.Err.Error()
	}
	return s + fmt.Sprintf("%d %s %s | %s", f.Response.Status, f.Response.Reason, f.Response.Proto, side(f.Response))
}

func archive(entries ...string) string {
	return `{"log":{"version":"1.2","creator":{"name":"x","version":"1"},"entries":[` + strings.Join(entries, ",") + `]}}`
}

func TestReadVariants(t *testing.T) {
	for _, c := range []struct{ name, entry, want string }{
		{"Chrome, HTTP/2 with pseudo fields", `{"_initiator":{"type":"script"},"_priority":"High","cache":{},"connection":"443","pageref":"page_1","startedDateTime":"2026-06-02T10:15:30.123Z","time":41.5,"serverIPAddress":"[2606:4700::1]",
"request":{"method":"POST","url":"https://api.test/o?a=%20b#frag","httpVersion":"http/2.0","headers":[{"name":":authority","value":"api.test"},{"name":":method","value":"POST"},{"name":"accept","value":"*/*"},{"name":"x-B","value":"1"},{"name":"accept","value":"2"}],"queryString":[],"cookies":[],"headersSize":-1,"bodySize":7,"postData":{"mimeType":"application/json","text":"{\"a\":1}"}},
"response":{"status":403,"statusText":"","httpVersion":"http/2.0","headers":[{"name":"content-encoding","value":"br"},{"name":"set-cookie","value":"a=1\nb=2"}],"cookies":[],"content":{"size":6,"mimeType":"text/html","text":"denied","compression":3},"redirectURL":"","headersSize":-1,"bodySize":-1,"_transferSize":90,"_error":null}}`,
			"1 POST https://api.test/o?a=%20b HTTP/2.0 | accept: */*; x-B: 1; accept: 2; \"{\\\"a\\\":1}\"\n403  HTTP/2.0 | content-encoding: br; set-cookie: a=1; set-cookie: b=2; \"denied\""},
		{"Chrome, nothing came back", `{"startedDateTime":"2026-06-02T10:15:30Z","request":{"method":"GET","url":"https://API.test:443","httpVersion":"unknown","headers":[]},"response":{"status":0,"statusText":"","_error":"net::ERR_CERT_AUTHORITY_INVALID","content":{"size":0}}}`,
			"1 GET https://api.test/ HTTP/1.1 | \"\"\nerror origin: tls: net::ERR_CERT_AUTHORITY_INVALID"},
		{"Firefox, cookies and port as connection", `{"startedDateTime":"2026-06-02T12:15:30.001+02:00","connection":"8443","request":{"bodySize":0,"method":"GET","url":"https://a.test:8443/x","httpVersion":"HTTP/1.1","headers":[{"name":"Host","value":"a.test:8443"}],"cookies":[{"name":"s","value":"1=2"},{"name":"t","value":"3"}]},"response":{"status":200,"statusText":"OK","httpVersion":"HTTP/1.1","headers":[],"content":{"mimeType":"image/png","size":4,"encoding":"base64","text":"iVBORw=="}}}`,
			"1 GET https://a.test:8443/x HTTP/1.1 | Host: a.test:8443; Cookie: s=1=2; t=3; \"\"\n200 OK HTTP/1.1 | \"\\x89PNG\""},
		{"Charles, form as parameters alone", `{"startedDateTime":"2026-06-02T10:15:30.000+0000","request":{"method":"POST","url":"http://a.test/f","httpVersion":"HTTP/1.1","headers":[{"name":"Content-Type","value":"application/x-www-form-urlencoded"}],"postData":{"mimeType":"application/x-www-form-urlencoded","params":[{"name":"a b","value":"1&2"},{"name":"c","value":""}]},"bodySize":11},"response":{"status":"302","statusText":"Found","httpVersion":"HTTP/1.1","headers":[{"name":"Location","value":"/"}],"content":{"size":0}}}`,
			"1 POST http://a.test/f HTTP/1.1 | Content-Type: application/x-www-form-urlencoded; \"a+b=1%262&c=\"\n302 Found HTTP/1.1 | Location: /; \"\""},
		{"our own: binary request and trailers", `{"request":{"method":"PUT","url":"wss://a.test/b","httpVersion":"HTTP/2","headers":[],"postData":{"mimeType":"","text":"AP8=","encoding":"base64"}},"response":{"status":200,"httpVersion":"HTTP/2","headers":[],"_trailers":[{"name":"grpc-status","value":"7"}],"content":{}}}`,
			"1 PUT https://a.test/b HTTP/2.0 | \"\\x00\\xff\"\n200  HTTP/2.0 | trailer grpc-status: 7; \"\""},
		{"mitmproxy: a body that was left out", `{"request":{"method":"POST","url":"http://a.test/","httpVersion":"HTTP/1.1","headers":[{"name":"Content-Length","value":"900"}],"bodySize":900},"response":{"status":413,"statusText":"No","httpVersion":"HTTP/1.1","headers":[{"name":"content-length","value":"5"}],"content":{"size":5,"text":"large"}}}`,
			"1 POST http://a.test/ HTTP/1.1 | Content-Length: 900; \"\" cut from 900\n413 No HTTP/1.1 | content-length: 5; \"large\""},
		{"Insomnia: null instead of values", `{"startedDateTime":null,"time":null,"request":{"method":null,"url":"a.test/x y?é","httpVersion":null,"headers":null,"cookies":null,"postData":null},"response":{"status":204,"statusText":null,"headers":null,"content":null}}`,
			"1 GET http://a.test/x%20y?%C3%A9 HTTP/1.1 | \"\"\n204  HTTP/1.1 | \"\""},
		{"a converter: no response at all", `{"request":{"method":"GET","url":"http://u:p@a.test/?x","headers":[]}}`, "1 GET http://a.test/?x HTTP/1.1 | \"\"\nerror origin: read: no response in the file"},
		{"content already coded", `{"request":{"method":"GET","url":"http://a/","headers":[]},"response":{"status":200,"headers":[{"name":"Content-Encoding","value":"gzip"}],"content":{"encoding":"base64","text":"H4sIAAAAAAAA/8tIzcnJBwCGphA2BQAAAA=="}}}`, "1 GET http://a/ HTTP/1.1 | \"\"\n200  HTTP/1.1 | Content-Encoding: gzip; \"hello\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			flows, err := Read(strings.NewReader(archive(c.entry)))
			if err != nil || len(flows) != 1 {
				t.Fatalf("%d flows, error %v", len(flows), err)
			}
			if d := cmp.Diff(c.want, summary(flows[0])); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestReadTimes(t *testing.T) {
	flows, err := Read(strings.NewReader(archive(`{"startedDateTime":"2026-06-02T10:00:00.000Z","time":100,"timings":{"blocked":5,"dns":5,"connect":30,"ssl":20,"send":1,"wait":38,"receive":21},"serverIPAddress":"10.0.0.1","request":{"method":"GET","url":"https://a/","headers":[]},"response":{"status":200,"headers":[]}}`)))
	if err != nil {
		t.Fatal(err)
	}
	f := flows[0]
	at := func(ms int) time.Time { return time.Date(2026, 6, 2, 10, 0, 0, ms*1e6, time.UTC) }
	want := flow.Timings{Start: at(0), DNSDone: at(10), ConnectStart: at(10), ConnectDone: at(20), TLSDone: at(40), RequestSent: at(41), FirstByte: at(79), End: at(100)}
	if d := cmp.Diff(want, f.Times); d != "" {
		t.Error(d)
	}
	if f.Conn.Origin != "10.0.0.1:443" {
		t.Errorf("origin %q", f.Conn.Origin)
	}
}

func TestReadNumbersFlowsAsTheyStand(t *testing.T) {
	entry := func(url string) string {
		return `{"request":{"method":"GET","url":"` + url + `","headers":[]},"response":{"status":200,"headers":[]}}`
	}
	flows, err := Read(strings.NewReader(archive(entry("http://a/1"), entry("data:text/plain,x"), `"odd"`, entry("chrome-extension://x/y"), entry("http://a/5"))))
	if err != nil || len(flows) != 2 || flows[0].ID != 1 || flows[1].ID != 5 {
		t.Errorf("%d flows, error %v", len(flows), err)
	}
}

func TestReadEncodings(t *testing.T) {
	text := archive(`{"request":{"method":"GET","url":"http://a/é","headers":[{"name":"X","value":"é"}]},"response":{"status":200,"headers":[]}}`)
	wide := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	for name, data := range map[string][]byte{"byte order mark": []byte("\ufeff" + text), "UTF-16": wide, "entries without log": []byte(strings.TrimSuffix(strings.TrimPrefix(text, `{"log":`), "}"))} {
		flows, err := Read(bytes.NewReader(data))
		if err != nil || len(flows) != 1 || flows[0].Request.Header.Get("x") != "é" || flows[0].Request.Target != "/%C3%A9" {
			t.Errorf("%s: %d flows, error %v", name, len(flows), err)
		}
	}
}

func TestReadErrors(t *testing.T) {
	good := `{"request":{"method":"GET","url":"http://a/","headers":[]},"response":{"status":200,"headers":[]}}`
	for _, c := range []struct {
		name, in, want, hint string
		flows                int
	}{
		{"empty", "", "har: line 1, byte 0: the file is empty", hintNoHAR, 0},
		{"a web page", "<!DOCTYPE html>", "har: line 1, byte 0: this is no HAR, which is JSON (invalid character '<' looking for beginning of value)", hintNoHAR, 0},
		{"a list", "[1]", "har: line 1, byte 1: this is no HAR, which is a JSON object", hintNoHAR, 0},
		{"other JSON", "{\n\"a\": {\"log\":1}\n}\n", "har: line 3, byte 18: this is JSON, but has no log.entries", hintNoHAR, 0},
		{"log is text", `{"log":"x"}`, `har: line 1, byte 10: "log" is no object`, hintNoHAR, 0},
		{"entries is an object", `{"log":{"entries":{}}}`, `har: line 1, byte 19: "entries" is no array`, hintNoHAR, 0},
		{"cut off in the third entry", "{\"log\":{\"entries\":[\n" + good + ",\n" + good + ",\n" + good[:40], "har: line 4, byte 260, entry 3: the file ends too early", hintTruncated, 2},
		{"cut off between entries", "{\"log\":{\"entries\":[\n" + good + ",", "har: line 2, byte 119, entry 2: the file ends too early", hintTruncated, 1},
		{"cut off after the entries", `{"log":{"entries":[` + good + `]`, "har: line 1, byte 118: the file ends too early", hintTruncated, 1},
		{"broken inside", "{\"log\":{\"entries\":[\n" + good + ",\n{\"request\":{oops}}]}}", "har: line 3, byte 132, entry 2: 'o' where a name in double quotes belongs", hintNoHAR, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			flows, err := Read(strings.NewReader(c.in))
			var e *Error
			if !errors.As(err, &e) || err.Error() != c.want || e.Hint != c.hint || len(flows) != c.flows {
				t.Errorf("%d flows, error %v\nwant %s", len(flows), err, c.want)
			}
		})
	}
	broken := errors.New("disk on fire")
	if _, err := Read(io.MultiReader(strings.NewReader(`{"log":{"entries":[`), errReader{broken})); !errors.Is(err, broken) {
		t.Errorf("a reader's error becomes %v", err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// endless gives an archive of n entries without ever holding it.
type endless struct {
	n    int
	rest string
}

func (e *endless) Read(p []byte) (int, error) {
	if e.rest == "" {
		if e.n == 0 {
			return 0, io.EOF
		}
		e.n--
		e.rest = `{"request":{"method":"GET","url":"http://a/","headers":[]},"response":{"status":200,"headers":[],"content":{"text":"` + strings.Repeat("x", 100_000) + "\"}}},\n"
		if e.n == 0 {
			e.rest = "null]}}"
		}
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func TestEachHoldsOneEntryAtATime(t *testing.T) {
	e := &endless{n: 201, rest: `{"log":{"entries":[`}
	n := 0
	err := Each(e, func(*flow.Flow) error {
		if n++; e.n < 201-n-5 {
			t.Fatalf("entry %d is given out when %d are left to read", n, e.n)
		}
		return nil
	})
	if n != 200 || err != nil {
		t.Errorf("%d flows, error %v", n, err)
	}
	stop := errors.New("enough")
	if err := Each(&endless{n: 1 << 30, rest: `{"log":{"entries":[`}, func(*flow.Flow) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopping gives %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(archive(`{"startedDateTime":"2026-06-02T10:15:30.123Z","request":{"method":"POST","url":"https://a/","headers":[{"name":"a","value":"b"}],"postData":{"text":"x"}},"response":{"status":403,"headers":[],"content":{"text":"aGk=","encoding":"base64"}},"_why403":{"requestHead":"POST / HTTP/1.1\r\na: b\r\n\r\n"}}`)))
	f.Add([]byte(`{"log":{"entries":[{"request":{`))
	f.Fuzz(func(t *testing.T, data []byte) {
		flows, err := Read(bytes.NewReader(data))
		if err != nil {
			_ = err.Error()
		}
		var b bytes.Buffer
		if err := Write(&b, flows, Options{}); err != nil {
			t.Fatal(err)
		}
		again, err := Read(&b)
		if err != nil || len(again) != len(flows) {
			t.Fatalf("written and read: %d flows of %d, error %v", len(again), len(flows), err)
		}
		for i := range flows {
			flows[i].ID, again[i].ID = 0, 0
			if x, y := summary(flows[i]), summary(again[i]); flows[i].Err == nil && x != y {
				t.Errorf("\n%s\n%s", x, y)
			}
		}
	})
}

// TestPrograms reads the files of testdata, each in the shape in which that
// program writes it.
func TestPrograms(t *testing.T) {
	denied := strconv.Quote(`{"detail":"CSRF Failed: CSRF token missing."}`)
	for name, want := range map[string][]string{
		"chrome": {
			"1 POST https://shop.test/orders?a=1 HTTP/2.0 | content-type: application/json; cookie: s=1; \"{\\\"a\\\":1}\"\n403  HTTP/2.0 | content-encoding: gzip; content-type: application/json; set-cookie: a=1; Path=/; set-cookie: b=2; " + denied,
			"2 GET https://cdn.test/x HTTP/1.1 | Referer: https://shop.test/; \"\"\nerror client: abort: net::ERR_BLOCKED_BY_CLIENT",
			"3 GET https://shop.test/live HTTP/1.1 | Upgrade: websocket; \"\"\n101 Switching Protocols HTTP/1.1 | Upgrade: websocket; \"\"",
		},
		"firefox": {
			"1 POST https://shop.test/orders HTTP/3.0 | Host: shop.test; Content-Type: application/x-www-form-urlencoded; Content-Length: 13; Cookie: s=1; \"a=1&b=x%20y&c\"\n403  HTTP/3.0 | content-type: application/json; content-encoding: br; " + denied,
			"2 GET https://gone.test/ HTTP/1.1 | Host: gone.test; \"\"\nerror origin: read: no response in the file",
		},
		"safari": {
			"1 POST https://shop.test/orders HTTP/2.0 | Accept: */*; Content-Type: text/plain; Priority: u=3, i; Cookie: s=1; \"hello\"\n403  HTTP/2.0 | Content-Type: application/octet-stream; Content-Encoding: gzip; \"\\x00\\x01\\xfe\\xff\"",
		},
		"charles": {
			"1 POST https://shop.test/orders?= HTTP/1.1 | Host: shop.test; User-Agent: Shop/4.6.3; Content-Type: application/x-www-form-urlencoded; Content-Length: 7; \"a=1&b=2\"\n403 Forbidden HTTP/1.1 | Content-Type: text/html; Content-Length: 9; \"</denied>\"",
			"2 CONNECT https://gone.test/ HTTP/1.1 | Host: gone.test:443; \"\"\nerror origin: dial: Failed to connect to remote host",
		},
		"mitmproxy": {
			"1 POST https://shop.test/orders HTTP/2.0 | content-type: application/octet-stream; content-length: 3; \"\\x00\\xfe\\x01\"\n403  HTTP/2.0 | content-type: application/json; content-encoding: zstd; content-length: 58; " + denied,
			"2 GET https://gone.test/ HTTP/1.1 | Host: gone.test; \"\"\nerror origin: dial: [Errno 111] Connection refused",
		},
		"insomnia": {
			"1 POST http://localhost:3000/orders HTTP/1.1 | Content-Type: application/json; \"{\\n\\t\\\"a\\\": 1\\n}\"\n403 Forbidden HTTP/1.1 | Content-Type: application/json; Transfer-Encoding: chunked; " + denied,
			"2 GET http://localhost:3000/ HTTP/1.1 | \"\"\nerror origin: read: no response in the file",
		},
		"postman": {
			"1 POST http://shop.test/orders?q=a%20b HTTP/1.1 | Content-Type: application/json; Postman-Token: b3a1; \"{\\\"a\\\":1}\"\n403  HTTP/1.1 | Content-Type: application/json; " + denied,
		},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := os.Open("testdata/" + name + ".har")
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			flows, err := Read(file)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range flows {
				got = append(got, summary(f))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			if at := flows[0].Times.Start; at.Truncate(time.Millisecond) != time.Date(2026, 6, 2, 10, 15, 30, 123e6, time.UTC) {
				t.Errorf("it starts at %v", at)
			}
			if f := flows[0].Times; f.End.Before(f.Start) || f.FirstByte.After(f.End) || !f.FirstByte.IsZero() && f.FirstByte.Before(f.Start) {
				t.Errorf("times out of order: %+v", f)
			}
		})
	}
}
