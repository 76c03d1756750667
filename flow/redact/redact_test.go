package redact_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/flow/redact"
)

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func random(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return "q7" + string(b) + "Z3"
}

func exchange() *flow.Flow {
	f := &flow.Flow{
		ID: 1, Scheme: "https", Authority: "api.test",
		Request:  &flow.Message{Proto: "HTTP/1.1", Method: "POST", Target: "/orders", Header: flow.Header{{Name: "Host", Value: "api.test"}}},
		Response: &flow.Message{Proto: "HTTP/1.1", Status: 403, Reason: "Forbidden", Header: flow.Header{{Name: "Date", Value: "Mon, 02 Mar 2026 10:00:00 GMT"}}},
	}
	return f
}

func body(m *flow.Message, kind, text string) {
	m.Header.Set("Content-Type", kind)
	m.SetBody([]byte(text))
}

func token(claims, sig string) string {
	b := base64.RawURLEncoding.EncodeToString
	return b([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + b([]byte(claims)) + "." + sig
}

// places are where a secret may stand, each with a way to put it there.
var places = map[string]func(f *flow.Flow, s string){
	"path":           func(f *flow.Flow, s string) { f.Request.Target = "/hooks/" + s + "/send" },
	"query by name":  func(f *flow.Flow, s string) { f.Request.Target = "/orders?page=2&access_token=" + s + "&x=1" },
	"query key":      func(f *flow.Flow, s string) { f.Request.Target = "/orders?key=" + s },
	"query code":     func(f *flow.Flow, s string) { f.Request.Target = "/callback?code=" + s + "&state=x" },
	"query sig":      func(f *flow.Flow, s string) { f.Request.Target = "/blob?sv=2020&sig=" + s },
	"query by form":  func(f *flow.Flow, s string) { f.Request.Target = "/orders?x=" + s + s },
	"presigned":      func(f *flow.Flow, s string) { f.Request.Target = "/a?X-Amz-Signature=" + s + "&X-Amz-Date=1" },
	"bearer":         func(f *flow.Flow, s string) { f.Request.Header.Add("Authorization", "Bearer "+s) },
	"bearer twice":   func(f *flow.Flow, s string) { f.Request.Header.Add("authorization", "Bearer Bearer "+s) },
	"bare token":     func(f *flow.Flow, s string) { f.Request.Header.Add("Authorization", s) },
	"unknown scheme": func(f *flow.Flow, s string) { f.Request.Header.Add("Authorization", "Acme-V1 "+s) },
	"basic": func(f *flow.Flow, s string) {
		f.Request.Header.Add("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("joe:"+s)))
	},
	"digest": func(f *flow.Flow, s string) {
		f.Request.Header.Add("Authorization", `Digest username="joe", uri="/", response="`+s+`", nc=1`)
	},
	"aws": func(f *flow.Flow, s string) {
		f.Request.Header.Add("Authorization", "AWS4-HMAC-SHA256 Credential="+s+"/20260302/eu/s3/aws4_request, SignedHeaders=host, Signature="+s)
	},
	"proxy":             func(f *flow.Flow, s string) { f.Request.Header.Add("Proxy-Authorization", "Bearer "+s) },
	"cookie":            func(f *flow.Flow, s string) { f.Request.Header.Add("Cookie", "theme=dark; sid="+s+"; lang=en") },
	"quoted cookie":     func(f *flow.Flow, s string) { f.Request.Header.Add("Cookie", `sid="`+s+`"`) },
	"api key header":    func(f *flow.Flow, s string) { f.Request.Header.Add("X-Api-Key", s) },
	"csrf header":       func(f *flow.Flow, s string) { f.Request.Header.Add("X-XSRF-TOKEN", s) },
	"a company's key":   func(f *flow.Flow, s string) { f.Request.Header.Add("X-Company-Key", s) },
	"a password's word": func(f *flow.Flow, s string) { f.Request.Header.Add("X-Internal-Pass", s) },
	"hook's signature":  func(f *flow.Flow, s string) { f.Request.Header.Add("X-Hub-Signature-256", "sha256="+s) },
	"short names in a form": func(f *flow.Flow, s string) {
		body(f.Request, "application/x-www-form-urlencoded", "user=joe&pw="+s+"1&otp_code="+s+"2&refresh="+s+"3&db_pass="+s+"4")
	},
	"refresh in json": func(f *flow.Flow, s string) {
		body(f.Response, "application/json", `{"access":"`+s+`a","refresh":"`+s+`r"}`)
	},
	"header by form":    func(f *flow.Flow, s string) { f.Request.Header.Add("X-Acme", s+s) },
	"token in a header": func(f *flow.Flow, s string) { f.Request.Header.Add("X-Acme", "a "+token(`{"sub":"joe"}`, s)) },
	"referer":           func(f *flow.Flow, s string) { f.Request.Header.Add("Referer", "https://web.test/reset?token="+s) },
	"head alone": func(f *flow.Flow, s string) {
		f.Request.Head = []byte("POST /orders?token=" + s + " HTTP/1.1\r\nHost: api.test\r\nProxy-Authorization: Bearer\r\n " + s + "\r\nCookie: a=" + s + "\r\n\r\n")
	},
	"raw line": func(f *flow.Flow, s string) {
		f.Request.Header = append(f.Request.Header, flow.Field{Name: "authorization", Value: "Bearer " + s, Raw: "authorization:   Bearer\r\n  " + s + "\r\n"})
	},
	"absolute form": func(f *flow.Flow, s string) {
		f.Request.Head = []byte("GET http://joe:" + s + "@api.test/ HTTP/1.1\r\n\r\n")
	},
	"set-cookie": func(f *flow.Flow, s string) { f.Response.Header.Add("Set-Cookie", "sid="+s+"; Path=/; HttpOnly") },
	"location": func(f *flow.Flow, s string) {
		f.Response.Header.Add("Location", "https://web.test/cb#access_token="+s+"&token_type=bearer")
	},
	"userinfo": func(f *flow.Flow, s string) { f.Response.Header.Add("Location", "https://joe:"+s+"@web.test/") },
	"interim": func(f *flow.Flow, s string) {
		f.Interim = []*flow.Message{{Status: 103, Header: flow.Header{{Name: "Set-Cookie", Value: "sid=" + s}}}}
	},
	"trailer": func(f *flow.Flow, s string) { f.Response.Trailers = flow.Header{{Name: "X-Auth-Token", Value: s}} },
	"json": func(f *flow.Flow, s string) {
		body(f.Request, "application/json", `{"user":{"name":"joe","password":"`+s+`"},"n":1}`)
	},
	"json with escapes": func(f *flow.Flow, s string) { body(f.Request, "application/json", `{"pass\u0077ord":"a\"`+s+`\n"}`) },
	"json array":        func(f *flow.Flow, s string) { body(f.Request, "application/json", `{"password":["`+s+`"]}`) },
	"json pair": func(f *flow.Flow, s string) {
		body(f.Request, "application/json", `{"headers":[{"name":"X-Api-Key","value":"`+s+`"}]}`)
	},
	"json in json": func(f *flow.Flow, s string) {
		body(f.Request, "application/json", `{"raw":"{\"client_secret\":\"`+s+`\"}"}`)
	},
	"half json": func(f *flow.Flow, s string) {
		body(f.Request, "application/json", `{"a":[1,{"refresh_token":"`+s+`","b":`)
	},
	"json of a response": func(f *flow.Flow, s string) {
		body(f.Response, "application/json", `{"access_token":"`+s+`","token_type":"bearer","expires_in":3600}`)
	},
	"form": func(f *flow.Flow, s string) {
		body(f.Request, "application/x-www-form-urlencoded", "user%5Bpassword%5D="+s+"&a=b")
	},
	"multipart": func(f *flow.Flow, s string) {
		body(f.Request, "multipart/form-data; boundary=B", "--B\r\nContent-Disposition: form-data; name=\"api_key\"\r\n\r\n"+s+"\r\n--B--\r\n")
	},
	"json in multipart": func(f *flow.Flow, s string) {
		body(f.Request, "multipart/form-data; boundary=B", "--B\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Type: application/json\r\n\r\n{\"pin\":\""+s+"\"}\r\n--B--\r\n")
	},
	"websocket message": func(f *flow.Flow, s string) {
		f.Frames = []flow.Frame{{FromClient: true, Kind: flow.TextMessage, Data: []byte(`{"type":"auth","token":"` + s + `"}`)}, {Kind: flow.TextMessage, Data: []byte("hello " + s)}}
	},
	"websocket bytes": func(f *flow.Flow, s string) {
		f.Frames = []flow.Frame{{FromClient: true, Kind: flow.TextMessage, Data: []byte(`{"password":"` + s + `"}`)}, {Kind: flow.BinaryMessage, Data: []byte("\x00\x10" + s + "\xff")}}
	},
	"close reason": func(f *flow.Flow, s string) {
		f.Request.Header.Add("Authorization", "Bearer "+s)
		f.Frames = []flow.Frame{{Kind: flow.CloseMessage, Data: []byte("\x03\xf0bad token " + s)}}
	},
	"server-sent event": func(f *flow.Flow, s string) {
		body(f.Response, "text/event-stream", "id: 1\r\ndata: {\"a\":1,\"access_token\":\""+s+"\"}\r\n\r\n")
		f.Frames = []flow.Frame{{Kind: flow.ServerEvent, Data: []byte("data: {\"refresh_token\":\"" + s + "x\"}\n")}}
	},
	"html form": func(f *flow.Flow, s string) {
		body(f.Response, "text/html", `<form><input type="hidden" name="csrf_token" value="`+s+`"></form>`)
	},
	"html meta": func(f *flow.Flow, s string) {
		body(f.Response, "text/html", `<meta content="`+s+`" name="csrf-token">`)
	},
	"xml": func(f *flow.Flow, s string) {
		body(f.Request, "text/xml", `<s:Body><wsse:Password Type="text">`+s+`</wsse:Password></s:Body>`)
	},
	"script": func(f *flow.Flow, s string) { body(f.Response, "text/javascript", `var cfg = {apiKey: '`+s+`', a: 1}`) },
	"issued": func(f *flow.Flow, s string) { body(f.Response, "text/plain", "try ghp_"+s+"abcdefghij, please") },
	"token": func(f *flow.Flow, s string) {
		body(f.Response, "text/plain", "the token "+token(`{"sub":"joe"}`, s)+" is bad")
	},
	"secret claim": func(f *flow.Flow, s string) {
		f.Request.Header.Add("Authorization", "Bearer "+token(`{"sub":"joe","client_secret":"`+s+`"}`, "c2lnbmF0dXJl"))
	},
	"private key": func(f *flow.Flow, s string) {
		body(f.Response, "text/plain", "-----BEGIN RSA PRIVATE KEY-----\n"+s+"\n-----END RSA PRIVATE KEY-----\n")
	},
	"gzip": func(f *flow.Flow, s string) {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		fmt.Fprintf(w, `{"token":"%s"}`, s)
		w.Close()
		f.Response.Header.Add("Content-Encoding", "gzip")
		body(f.Response, "application/json", b.String())
	},
	"unknown coding": func(f *flow.Flow, s string) {
		f.Response.Header.Add("Content-Encoding", "rot13")
		body(f.Response, "text/plain", s)
	},
	"utf-16": func(f *flow.Flow, s string) {
		wide := "\xff\xfe"
		for _, c := range `{"token":"` + s + `"}` {
			wide += string([]byte{byte(c), 0})
		}
		body(f.Response, "application/json; charset=utf-16", wide)
	},
	"log line": func(f *flow.Flow, s string) { f.Err = &flow.Failure{Text: "origin said: Authorization: Bearer " + s} },
	"upstream": func(f *flow.Flow, s string) { f.Conn.Upstream = "http://me:" + s + "@proxy.test:3128" },
	"altered":  func(f *flow.Flow, s string) { f.Altered = []string{"removed Cookie: sid=" + s} },
}

// everything is all that a flow holds, as one text, bodies also decoded.
func everything(f *flow.Flow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v %+v %+v", f.Conn, f.Altered, f.Err)
	fmt.Fprint(&b, f.URL())
	for _, m := range append(f.Interim, f.Request, f.Response) {
		if m == nil {
			continue
		}
		text, _, _ := decode.Text(m, 0)
		fmt.Fprintf(&b, "%s %s %s %+q %+q %s %s %s", m.Method, m.Target, m.Reason, m.Header, m.Trailers, m.Head, m.Body.Data, text)
	}
	for _, fr := range f.Frames {
		fmt.Fprintf(&b, " %s", fr.Data)
	}
	return b.String()
}

// traces are the forms in which text must not be found in out.
func traces(out, text string) []string {
	var found []string
	look := func(form, s string) {
		if strings.Contains(out, s) {
			found = append(found, form)
		}
	}
	look("as it is", text)
	look("hex", hex.EncodeToString([]byte(text)))
	look("HEX", strings.ToUpper(hex.EncodeToString([]byte(text))))
	all := ""
	for _, c := range []byte(text) {
		all += fmt.Sprintf("%%%02X", c)
	}
	look("percent", all)
	look("percent", strings.ToLower(all))
	for shift := range 3 {
		in := strings.Repeat("\x00", shift) + text
		b := base64.RawURLEncoding.EncodeToString([]byte(in))
		look(fmt.Sprint("base64+", shift), b[shift+1:len(b)-2])
	}
	return found
}

func TestNoTraceOfASecretWhereverItStands(t *testing.T) {
	for name, put := range places {
		for seed := range uint64(8) {
			secret := random(rand.New(rand.NewPCG(seed, 1)), 20)
			f := exchange()
			put(f, secret)
			if before := everything(f); name != "gzip" && name != "basic" && len(traces(before, secret)) == 0 {
				t.Fatalf("%s: the secret is not in the flow", name)
			}
			was := everything(f)
			for kind, m := range map[string]*redact.Masker{"names": redact.New(), "variables": redact.Runnable()} {
				g := m.Flow(f)
				if found := traces(everything(g), secret); len(found) > 0 {
					t.Errorf("%s, %s: found %s in\n%s", name, kind, found, everything(g))
				}
				if name != "unknown coding" && !strings.Contains(everything(g), redact.Prefix+"A") {
					t.Errorf("%s, %s: no mask in\n%s", name, kind, everything(g))
				}
			}
			if everything(f) != was {
				t.Errorf("%s: the flow itself was changed", name)
			}
		}
	}
}

// TestASecretFoundInOnePlaceIsMaskedInAllOthers: the other places would not tell it.
func TestASecretFoundInOnePlaceIsMaskedInAllOthers(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 2))
		secret := random(r, 4+r.IntN(30))
		known := exchange()
		known.Request.Header.Add("Authorization", "Bearer "+secret)
		f := exchange()
		text := "plain " + secret + " hex " + hex.EncodeToString([]byte(secret)) + " HEX " + strings.ToUpper(hex.EncodeToString([]byte(secret)))
		for shift := range 3 {
			text += " b64 " + base64.StdEncoding.EncodeToString([]byte("xyz"[:shift]+secret+"tail")) + " url " + base64.URLEncoding.EncodeToString([]byte("??>"[:shift]+secret+"??>"))
		}
		all := ""
		for _, c := range []byte(secret) {
			all += fmt.Sprintf("%%%02x", c)
		}
		text += " pct " + all + " twice " + url.QueryEscape(all) + " claim " + token(`{"sub":"`+secret+`"}`, "x")
		f.Request.Target = "/" + secret + "/" + all
		f.Request.Method = "X-" + secret
		f.Response.Reason = "no " + secret
		f.Conn.OriginTLS = &flow.TLS{ServerName: secret + ".test", SANs: []string{secret + ".test"}}
		f.Response.Header.Add("X-Request-Id", secret)
		f.Response.Header.Add("ETag", `"`+secret+`"`)
		body(f.Response, "application/octet-stream", "\x00\xff"+text)
		for _, m := range []*redact.Masker{redact.New(), redact.Runnable()} {
			g := m.Flows([]*flow.Flow{f, known})[0] // what is told by the later flow is masked in the earlier one too
			out := everything(g) + m.Text(text)
			if found := traces(out, secret); len(found) > 0 || strings.Contains(out, url.QueryEscape(all)) {
				t.Fatalf("%s: found %s in\n%s", secret, found, out)
			}
			if strings.Contains(fmt.Sprintf("%v %v", g.Conn.OriginTLS.SANs, g.Conn.OriginTLS.ServerName), secret) {
				t.Fatal("found in what is known of TLS")
			}
		}
	}
}
