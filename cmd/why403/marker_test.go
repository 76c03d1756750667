package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/export"
	"github.com/why403/why403/flow/har"
	"github.com/why403/why403/flow/session"
)

// hiding are places for a secret, each with a way to put it there. What leaves is looked through for it.
var hiding = map[string]func(f *flow.Flow, s string){
	"path":          func(f *flow.Flow, s string) { f.Request.Target = "/hooks/" + s + "/orders" },
	"query":         func(f *flow.Flow, s string) { f.Request.Target = "/orders?page=1&api_key=" + s },
	"company key":   func(f *flow.Flow, s string) { f.Request.Header.Add("X-Company-Key", s) },
	"internal pass": func(f *flow.Flow, s string) { f.Request.Header.Add("X-Internal-Pass", s) },
	"hub signature": func(f *flow.Flow, s string) { f.Request.Header.Add("X-Hub-Signature-256", "sha256="+s) },
	"short names": func(f *flow.Flow, s string) {
		say(f.Request, "application/x-www-form-urlencoded", "user=joe&pw="+s+"&otp_code="+s+"&refresh="+s)
	},
	"a key that the answer names": func(f *flow.Flow, s string) {
		f.Request.Target = "/orders?api_key=" + s
		say(f.Response, "application/json", `{"error":"invalid api key"}`)
	},
	"authorization": func(f *flow.Flow, s string) { f.Request.Header.Add("Authorization", "Bearer "+s) },
	"basic":         func(f *flow.Flow, s string) { f.Request.Header.Add("Authorization", "Basic "+b64("joe:"+s)) },
	"api key":       func(f *flow.Flow, s string) { f.Request.Header.Add("X-Api-Key", s) },
	"cookie":        func(f *flow.Flow, s string) { f.Request.Header.Add("Cookie", "theme=dark; sessionid="+s) },
	"set-cookie":    func(f *flow.Flow, s string) { f.Response.Header.Add("Set-Cookie", "sessionid="+s+"; Path=/") },
	"location":      func(f *flow.Flow, s string) { f.Response.Header.Add("Location", "/cb#access_token="+s) },
	"json":          func(f *flow.Flow, s string) { say(f.Request, "application/json", `{"user":"joe","password":"`+s+`"}`) },
	"form": func(f *flow.Flow, s string) {
		say(f.Request, "application/x-www-form-urlencoded", "user=joe&password="+s)
	},
	"answer": func(f *flow.Flow, s string) {
		say(f.Response, "application/json", `{"error":"denied","access_token":"`+s+`"}`)
	},
	"token's seal": func(f *flow.Flow, s string) { f.Request.Header.Add("Authorization", "Bearer "+sealed(s)) },
	"credentials":  func(f *flow.Flow, s string) { f.Response.Header.Add("Location", "https://joe:"+s+"@shop.test/") },
	"echo": func(f *flow.Flow, s string) {
		f.Request.Header.Add("X-Api-Key", s)
		say(f.Response, "text/plain", "invalid key "+s+", in base64 "+b64(s))
	},
	"raw head": func(f *flow.Flow, s string) {
		f.Request.Head = []byte("POST /orders HTTP/1.1\r\nHost: shop.test\r\nProxy-Authorization: Bearer " + s + "\r\n\r\n")
	},
	"raw line": func(f *flow.Flow, s string) {
		f.Request.Header = append(f.Request.Header, flow.Field{Name: "authorization", Value: "Bearer " + s, Raw: "authorization:\tBearer " + s + " \r\n"})
	},
	"websocket": func(f *flow.Flow, s string) {
		f.Frames = []flow.Frame{{FromClient: true, Kind: flow.TextMessage, Data: []byte(`{"token":"` + s + `"}`)}, {Kind: flow.BinaryMessage, Data: []byte("\x00" + s)}}
	},
	"trailer":         func(f *flow.Flow, s string) { f.Response.Trailers = flow.Header{{Name: "X-Auth-Token", Value: s}} },
	"log line":        func(f *flow.Flow, s string) {},
	"earlier request": func(f *flow.Flow, s string) {},
	"what the accepted request has": func(f *flow.Flow, s string) { // a verdict quotes the difference
		say(f.Response, "text/plain", "Forbidden")
	},
	"binary answer": func(f *flow.Flow, s string) {
		f.Request.Header.Add("X-Api-Key", s)
		say(f.Response, "application/octet-stream", "\xff\x00"+s+"\xfe")
	},
	"hex in an answer": func(f *flow.Flow, s string) {
		f.Request.Header.Add("X-Api-Key", s)
		say(f.Response, "text/plain", "key "+hex.EncodeToString([]byte(s)))
	},
	"percent encoded": func(f *flow.Flow, s string) {
		f.Request.Header.Add("X-Api-Key", s)
		f.Response.Header.Add("Location", "/login?next="+percent("/x?k="+s))
	},
	"multipart": func(f *flow.Flow, s string) {
		say(f.Request, "multipart/form-data; boundary=B", "--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n"+s+"\r\n--B--\r\n")
	},
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func sealed(s string) string {
	b := base64.RawURLEncoding.EncodeToString
	return b([]byte(`{"alg":"HS256"}`)) + "." + b([]byte(`{"sub":"joe","exp":1780000000}`)) + "." + s
}

func percent(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func say(m *flow.Message, kind, text string) {
	m.Header.Set("Content-Type", kind)
	m.Header.Set("Content-Length", fmt.Sprint(len(text)))
	m.SetBody([]byte(text))
}

// tracesOf are the forms in which a secret stands in a text.
func tracesOf(secret, text string) (found []string) {
	text = strings.ReplaceAll(text, "\n", "") // base64 may be broken into lines
	for name, form := range map[string]string{"as it is": secret, "percent-encoded": percent(secret), "in hex": hex.EncodeToString([]byte(secret))} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			found = append(found, name)
		}
	}
	for shift := range 3 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			form := enc.EncodeToString([]byte(strings.Repeat("\x00", shift) + secret))
			if strings.Contains(text, form[(shift*8+5)/6:(shift+len(secret))*8/6]) {
				found = append(found, fmt.Sprintf("in base64, %d bytes in", shift))
			}
		}
	}
	return found
}

// TestNoSecretLeavesInAnyForm plants a random value in each place of an exchange and looks
// for it in all that the commands write of it, from a HAR and from a session.
func TestNoSecretLeavesInAnyForm(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	var forms [][]string
	for _, form := range append(export.Names(), "markdown") {
		forms = append(forms, []string{"export", "FILE", "--as", form})
	}
	for _, form := range []string{"text", "json", "markdown"} {
		forms = append(forms, []string{"explain", "FILE", "--log", "app=LOG", "--format", form})
	}
	for _, form := range []string{"text", "json"} {
		forms = append(forms, []string{"diff", "FILE", "1", "2", "--format", form})
	}
	forms = append(forms, []string{"pinpoint", "FILE", "2", "--dry-run"})
	for name, put := range hiding {
		t.Run(name, func(t *testing.T) {
			secret := rand.Text() // 26 letters and digits
			for len(regexp.MustCompile(`[0-9]`).FindAllString(secret, -1)) < 3 || len(regexp.MustCompile(`[0-9]+`).FindAllString(secret, -1)) < 3 {
				secret = rand.Text() // one in twenty could be a name by its shape; keys of services are longer and more mixed
			}
			refused := refusedOrder(2, time.Date(2026, 6, 2, 10, 15, 30, 0, time.UTC))
			put(refused, secret)
			success := refusedOrder(1, time.Date(2026, 6, 2, 10, 14, 30, 0, time.UTC))
			success.Response = &flow.Message{Proto: "HTTP/1.1", Status: 201, Reason: "Created"}
			line := "nothing"
			switch name {
			case "log line":
				line = "2026-06-02T10:15:30Z WARN POST /orders 403 id=req-4711-a token=" + secret
			case "earlier request":
				success.Request.Header.Add("Authorization", "Bearer "+secret)
			case "what the accepted request has":
				success.Request.Header.Add("X-Token", secret)
			}
			dir := t.TempDir()
			log := filepath.Join(dir, "app.log")
			if err := os.WriteFile(log, []byte(line+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			shown := false
			for _, file := range []string{inHAR(t, dir, success, refused), inSession(t, dir, success, refused)} {
				for _, form := range forms {
					args := strings.Split(strings.NewReplacer("FILE", file, "LOG", log).Replace(strings.Join(form, "\n")), "\n")
					_, out, errs := command(t, args...)
					if got := tracesOf(secret, out+errs); len(got) > 0 {
						t.Errorf("%v: it is there %v\n%s%s", form, got, out, errs)
					}
					_, out, _ = command(t, append(args, "--reveal")...)
					shown = shown || len(tracesOf(secret, out)) > 0
				}
			}
			if !shown {
				t.Error("it is not there when it is asked for: this test could not fail")
			}
		})
	}
}

func refusedOrder(id flow.ID, at time.Time) *flow.Flow {
	f := &flow.Flow{ID: id, Scheme: "https", Authority: "shop.test",
		Request:  &flow.Message{Proto: "HTTP/1.1", Method: "POST", Target: "/orders", Header: flow.Header{{Name: "Host", Value: "shop.test"}, {Name: "X-Request-Id", Value: "req-4711-a"}}},
		Response: &flow.Message{Proto: "HTTP/1.1", Status: 403, Reason: "Forbidden"}}
	say(f.Response, "application/json", `{"detail":"CSRF Failed: CSRF token missing."}`)
	f.Times.Start, f.Times.End = at, at.Add(time.Second)
	return f
}

func inHAR(t *testing.T, dir string, flows ...*flow.Flow) string {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "x.har"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := har.Write(f, flows, har.Options{}); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func inSession(t *testing.T, dir string, flows ...*flow.Flow) string {
	t.Helper()
	s, err := session.Create(filepath.Join(dir, "x.why403"), session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range flows {
		if _, err := s.Add(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "x.why403")
}

// TestAShortSecretDoesNotLeave: a key of five bytes is masked where it is quoted, and so is the number of a card.
func TestAShortSecretDoesNotLeave(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	refused := refusedOrder(1, time.Date(2026, 6, 2, 10, 15, 30, 0, time.UTC))
	refused.Request.Target = "/orders?api_key=s3cre"
	say(refused.Request, "application/json", `{"n":4111111111111111,"m":"5555 5555 5555 4444"}`)
	say(refused.Response, "application/json", `{"error":"invalid api key s3cre"}`)
	refused.Response.Status = 401
	har := inHAR(t, t.TempDir(), refused)
	for _, args := range [][]string{
		{"explain", har}, {"explain", har, "--format", "json"}, {"explain", har, "--format", "markdown"},
		{"export", har, "--as", "har"}, {"export", har, "--as", "markdown"}, {"export", har, "--as", "curl"},
		{"pinpoint", har, "1", "--dry-run"}, {"replay", har, "1"},
	} {
		_, out, errs := command(t, args...)
		for _, secret := range []string{"s3cre", "4111111111111111", "5555 5555"} {
			if strings.Contains(out+errs, secret) {
				t.Errorf("%v: %s is in\n%s%s", args, secret, out, errs)
			}
		}
		if out+errs == "" {
			t.Errorf("%v printed nothing", args)
		}
	}
}
