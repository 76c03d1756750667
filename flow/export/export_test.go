package export

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/flow/har"
)

// exchange reads a request and an answer as HTTP/1 heads and bodies, with raw lines.
func exchange(id flow.ID, request, requestBody, response, responseBody string) *flow.Flow {
	f := &flow.Flow{ID: id, Scheme: "https", Authority: "api.test", Request: message(request, requestBody), Response: message(response, responseBody)}
	line, _, _ := strings.Cut(request, "\r\n")
	f.Request.Method, f.Request.Target, _ = cut3(line)
	line, _, _ = strings.Cut(response, "\r\n")
	f.Response.Status, f.Response.Reason = 403, line[len("HTTP/1.1 403 "):]
	return f
}

func cut3(line string) (a, b, c string) {
	a, line, _ = strings.Cut(line, " ")
	b, c, _ = strings.Cut(line, " ")
	return a, b, c
}

func message(head, body string) *flow.Message {
	head = strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n"
	head = strings.ReplaceAll(head, "\r\r", "\r")
	h, ok := har.ParseHead([]byte(head))
	if !ok {
		panic("bad head in test")
	}
	m := &flow.Message{Proto: "HTTP/1.1", Header: h, Head: []byte(head)}
	m.SetBody([]byte(body))
	return m
}

func plain() *flow.Flow {
	return exchange(3, "POST /orders?x=1 HTTP/1.1\r\nHost: api.test\r\nuser-AGENT:app\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: 7", `{"a":1}`,
		"HTTP/1.1 403 No\r\nServer: x\r\nContent-Length: 6", "denied")
}

func write(t *testing.T, name string, o Options, flows ...*flow.Flow) string {
	t.Helper()
	for _, f := range Formats {
		if f.Name == name {
			var b bytes.Buffer
			if err := Write(&b, f, flows, o); err != nil {
				t.Fatal(err)
			}
			return b.String()
		}
	}
	t.Fatalf("there is no form %q", name)
	return ""
}

func TestRawIsByteForByte(t *testing.T) {
	want := "POST /orders?x=1 HTTP/1.1\r\nHost: api.test\r\nuser-AGENT:app\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}"
	for _, o := range []Options{{Reveal: true}, {}} {
		if got := write(t, "raw-request", o, plain()); got != want {
			t.Errorf("%+v: got\n%q", o, got)
		}
		if got := write(t, "raw", o, plain()); got != want+"\r\nHTTP/1.1 403 No\r\nServer: x\r\nContent-Length: 6\r\n\r\ndenied" {
			t.Errorf("%+v: got\n%q", o, got)
		}
	}
}

func TestRawOfWhatWasNotHTTP1(t *testing.T) {
	f := plain()
	f.Request.Proto, f.Request.Head = "HTTP/2.0", nil
	f.Request.Header = flow.Header{{Name: "x-a", Value: "1\r\nevil: 1"}}
	f.Response.Head, f.Response.Header = nil, flow.Header{{Name: "Transfer-Encoding", Value: "chunked"}}
	f.Response.Trailers = flow.Header{{Name: "T", Value: "1"}}
	want := "POST /orders?x=1 HTTP/1.1\r\nHost: api.test\r\nx-a: 1  evil: 1\r\nContent-Length: 7\r\n\r\n{\"a\":1}\r\nHTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndenied\r\n0\r\nT: 1\r\n\r\n"
	if got := write(t, "raw", Options{Reveal: true}, f); got != want {
		t.Errorf("got\n%q", got)
	}
}

func TestCurlOfSeveral(t *testing.T) {
	cut, other := plain(), plain()
	cut.ID, cut.Request.Body.Size = 4, 100
	got := write(t, "curl", Options{Reveal: true}, plain(), cut, other)
	if strings.Count(got, "\ncurl ") != 2 || !strings.Contains(got, "# 4: POST https://api.test/orders?x=1 was answered 403\n# cannot be written: curl: only 7 of the body's 100 bytes are here\n") {
		t.Errorf("got\n%s", got)
	}
	if err := Write(&bytes.Buffer{}, curlFormat, []*flow.Flow{cut}, Options{Reveal: true}); err == nil {
		t.Error("a request that cannot be written is no error")
	}
}

func TestHARCarriesVerdicts(t *testing.T) {
	o := Options{Version: "1", Verdict: func(*flow.Flow) json.RawMessage { return json.RawMessage(`{"cause":"csrf-missing"}`) }}
	for _, o.Reveal = range []bool{true, false} {
		got := write(t, "har", o, plain())
		flows, err := har.Read(strings.NewReader(got))
		if err != nil || len(flows) != 1 || string(flows[0].Request.Head) != string(plain().Request.Head) || !strings.Contains(got, `"verdict":{"cause":"csrf-missing"}`) {
			t.Errorf("error %v, written\n%s", err, got)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	if err := Write(&bytes.Buffer{}, Format{Name: "x"}, []*flow.Flow{plain()}, Options{}); err == nil || err.Error() != `export: "x" is no form; there are [curl httpie python httpx go js powershell http hurl har raw raw-request test]` {
		t.Error(err)
	}
	if err := Write(&bytes.Buffer{}, harFormat, nil, Options{}); err == nil {
		t.Error("no flows are no error")
	}
}

// marker is the secret of the next test: no form of it may be found in what leaves.
const marker = "zQ7-mArKeR_9x4Tq.81Lw"

func traces(s string) []string {
	s = strings.ReplaceAll(s, "\n", "") // base64 in a here-document is broken into lines
	var found []string
	for name, form := range map[string]string{
		"plain": marker, "percent": url.QueryEscape(marker), "hex": hex.EncodeToString([]byte(marker)),
		"base64 at 0": base64.RawStdEncoding.EncodeToString([]byte(marker))[:24],
		"base64 at 1": base64.RawStdEncoding.EncodeToString([]byte("x" + marker))[2:26],
		"base64 at 2": base64.RawStdEncoding.EncodeToString([]byte("xx" + marker))[3:27],
	} {
		if strings.Contains(strings.ToLower(s), strings.ToLower(form)) {
			found = append(found, name)
		}
	}
	return found
}

func TestSecretsLeaveNoTrace(t *testing.T) {
	token := "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"me","exp":1780000000}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(marker))
	basic := base64.StdEncoding.EncodeToString([]byte("me:" + marker))
	for name, f := range map[string]*flow.Flow{
		"bearer":        exchange(1, "GET / HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer "+marker, "", "HTTP/1.1 403 No\r\nX-Echo: Bearer "+marker, "no: "+marker),
		"jwt":           exchange(1, "GET / HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer "+token, "", "HTTP/1.1 403 No", ""),
		"basic":         exchange(1, "GET / HTTP/1.1\r\nHost: api.test\r\nAuthorization: Basic "+basic, "", "HTTP/1.1 403 No", ""),
		"cookie":        exchange(1, "GET / HTTP/1.1\r\nHost: api.test\r\nCookie: a=1; sessionid="+marker, "", "HTTP/1.1 403 No\r\nSet-Cookie: sessionid="+marker+"; Path=/", ""),
		"api key":       exchange(1, "GET / HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: "+marker, "", "HTTP/1.1 403 No", ""),
		"query":         exchange(1, "GET /x?api_key="+marker+"&b=1 HTTP/1.1\r\nHost: api.test", "", "HTTP/1.1 403 No\r\nLocation: /login?next=/x%3Fapi_key="+marker, ""),
		"json":          exchange(1, "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Type: application/json\r\nContent-Length: 60", `{"user":"me","password":"`+marker+`"}`, "HTTP/1.1 403 No", `{"access_token":"`+marker+`"}`),
		"form":          exchange(1, "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 40", "user=me&password="+marker, "HTTP/1.1 403 No", ""),
		"binary answer": exchange(1, "GET / HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: "+marker, "", "HTTP/1.1 403 No", "\xff\x00"+marker+"\xff"),
		"multipart":     exchange(1, "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Type: multipart/form-data; boundary=B", "--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n"+marker+"\r\n--B--\r\n", "HTTP/1.1 403 No", ""),
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Verdict: func(*flow.Flow) json.RawMessage {
				if name == "jwt" {
					return nil // of a token only the signature as it is written is secret
				}
				return json.RawMessage(`{"evidence":[{"quote":"` + marker + `"}]}`)
			}}
			for _, form := range Names() {
				if got := write(t, form, o, f); len(traces(got)) > 0 {
					t.Errorf("%s: %v in\n%s", form, traces(got), got)
				}
				if got := write(t, form, Options{Reveal: true}, f); name != "jwt" && name != "basic" && len(traces(got)) == 0 {
					t.Errorf("%s: not there when it is asked for\n%s", form, got)
				}
			}
		})
	}
}

func TestMaskedCopyIsACopy(t *testing.T) {
	f := exchange(1, "GET / HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer "+marker, "", "HTTP/1.1 403 No", "")
	write(t, "har", Options{}, f)
	if tok, _ := decode.Bearer(f.Request.Header); tok != marker || !bytes.Contains(f.Request.Head, []byte(marker)) {
		t.Error("the flow itself was masked")
	}
}
