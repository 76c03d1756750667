package decode

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
)

func header(lines ...string) flow.Header {
	var h flow.Header
	for _, l := range lines {
		n, v, _ := strings.Cut(l, ":")
		h.Add(n, strings.TrimSpace(v))
	}
	return h
}

func TestMediaType(t *testing.T) {
	for _, c := range []struct{ in, kind, param string }{
		{"application/json", "application/json", ""},
		{"Application/JSON; Charset=UTF-8", "application/json", "UTF-8"},
		{`text/plain;charset="a\"b;c" ; x=1`, "text/plain", `a"b;c`},
		{"text/html; charset=a; charset=b", "text/html", "a"},
		{"text/html;; ;charset = utf-8", "text/html", "utf-8"},
		{`text/html; charset="open`, "text/html", "open"},
		{"text/html, text/html; charset=x", "text/html", "x"},
		{"", "", ""},
	} {
		kind, params := ParseMediaType(c.in)
		if kind != c.kind || params["charset"] != c.param {
			t.Errorf("%q: %q %q", c.in, kind, params)
		}
	}
}

func TestCookies(t *testing.T) {
	h := header("Cookie: a=1; b=\"x y\" ;a=2;; flag ; =n", "X: y", "cookie: c=d=e")
	var got []string
	for _, c := range Cookies(h) {
		got = append(got, fmt.Sprintf("%s|%s|%s", c.Name, c.Value, h[c.Field].Value[c.Start:c.End]))
	}
	want := []string{"a|1|a=1", `b|"x y"|b="x y"`, "a|2|a=2", "|flag|flag", "|n|=n", "c|d=e|c=d=e"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if v, ok := CookieValue(h, "a"); v != "1" || !ok {
		t.Errorf("first a is %q", v)
	}
}

func TestSetCookies(t *testing.T) {
	now := time.Date(2026, 6, 2, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		in      string
		end     string
		deletes bool
	}{
		{"sid=abc; Path=/; HttpOnly", "", false},
		{"sid=; Max-Age=0", "2026-06-02T10:00:00Z", true},
		{"sid=x; Max-Age=-5; Expires=Thu, 01 Jan 2030 00:00:00 GMT", "2026-06-02T09:59:59Z", true},
		{"sid=x; Expires=Thu, 01-Jan-1970 00:00:01 GMT", "1970-01-01T00:00:01Z", true},
		{"sid=x; max-age=3600", "2026-06-02T11:00:00Z", false},
		{"sid=x; Max-Age=99999999999999", "2126-05-09T10:00:00Z", false},
		{"sid=x; Max-Age=soon", "", false},
	} {
		s, ok := ParseSetCookie(c.in)
		end, ends := s.End(now)
		got := ""
		if ends {
			got = end.Format(time.RFC3339)
		}
		if !ok || got != c.end || s.Deletes(now) != c.deletes {
			t.Errorf("%s: ends %q, deletes %v", c.in, got, s.Deletes(now))
		}
	}
	list := SetCookies(header("Set-Cookie: a=b=c; Secure; SameSite=None; Domain=.Example.test", "Set-Cookie: ;"))
	want := []SetCookie{{Name: "a", Value: "b=c", Secure: true, SameSite: "None", Domain: "example.test"}}
	if d := cmp.Diff(want, list); d != "" {
		t.Error(d)
	}
}

func token(head, claims string) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(head)) + "." + e([]byte(claims)) + ".c2ln"
}

func TestJWT(t *testing.T) {
	tok, ok := JWT(token(`{"alg":"RS256","kid":"k1"}`, `{"iss":"https://id","sub":7,"aud":["a","b"],"exp":1780000000.5,"nbf":1700000000,"scope":"read write","scp":["write","admin"],"realm_access":{"roles":["ops"]},"roles":"dev"}`))
	if !ok {
		t.Fatal("not read")
	}
	exp, _ := tok.Expiry()
	got := fmt.Sprint(tok.Algorithm(), tok.KeyID(), tok.Issuer(), tok.Subject(), tok.Audience(), tok.Scopes(), tok.Roles(), exp.Format(time.RFC3339Nano))
	if want := "RS256k1https://id7[a b] [read write admin] [dev ops]2026-05-28T20:26:40.5Z"; strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for _, c := range []struct {
		at   int64
		want bool
	}{{1699999999, false}, {1700000000, true}, {1780000000, true}, {1780000001, false}} {
		if tok.ValidAt(time.Unix(c.at, 0)) != c.want {
			t.Errorf("at %d valid is %v", c.at, !c.want)
		}
	}
}

func TestNoJWT(t *testing.T) {
	b64 := base64.RawURLEncoding.EncodeToString
	for name, s := range map[string]string{
		"Flask session":         b64([]byte(`{"user_id":1}`)) + ".ZkX1bQ.3vQ9y3Vt1vZ8",
		"Flask with alg inside": b64([]byte(`{"alg":"x"}`)) + ".ZkX1bQ.3vQ9y3Vt1vZ8",
		"Laravel cookie":        base64.StdEncoding.EncodeToString([]byte(`{"iv":"x","value":"y","mac":"z"}`)),
		"JWE":                   b64([]byte(`{"alg":"RSA-OAEP","enc":"A256GCM"}`)) + ".a.b.c.d",
		"two parts":             b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(`{}`)),
		"header is an array":    b64([]byte(`["alg"]`)) + "." + b64([]byte(`{}`)) + ".x",
		"alg is a number":       token(`{"alg":5}`, `{}`),
		"claims are text":       token(`{"alg":"HS256"}`, `hello`),
		"not base64":            "eyJ!.eyJ!.x",
		"a host name":           "www.example.com",
		"empty":                 "",
		"dots":                  "..",
	} {
		if _, ok := JWT(s); ok {
			t.Errorf("%s taken for a token", name)
		}
	}
}

func TestTokens(t *testing.T) {
	tok := token(`{"alg":"HS256"}`, `{"sub":"x"}`)
	var got []string
	for _, s := range Tokens(header("authorization: Bearer "+tok, "X-Token: "+tok, "X-Q: \""+tok+"\"", "Cookie: a=b; jwt="+tok, "Host: a.b.c")) {
		got = append(got, s.Where)
	}
	if want := []string{"authorization", "X-Token", "X-Q", "Cookie jwt"}; !slices.Equal(got, want) {
		t.Errorf("found in %q", got)
	}
}

func TestCredentials(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte("user:pa:ss"))
	for _, c := range []struct{ in, scheme, fault string }{
		{"Bearer abc.def", "Bearer", ""},
		{"Basic " + basic, "Basic", ""},
		{"Digest username=\"a b\"", "Digest", ""},
		{"", "", "the value is empty"},
		{"Bearer", "Bearer", "no credentials follow the scheme"},
		{"Bearer:", "Bearer", "no credentials follow the scheme"},
		{"abc.def", "", "no scheme stands before the credentials"},
		{"Bearer: abc", "Bearer", "a colon follows the scheme"},
		{"Bearer  abc", "Bearer", "more than one space follows the scheme"},
		{"Bearer bearer abc", "Bearer", "the scheme stands twice|the token has whitespace in it"},
		{"Bearer \"abc\"", "Bearer", "the token has quotes around it"},
		{"Bearer undefined", "Bearer", "the token is the word undefined, what a program writes for a value that is missing"},
		{"Bearer a{b}", "Bearer", "the token has '{' in it, which a bearer token cannot have"},
		{"Basic user:pass", "Basic", "user and password are not base64-encoded"},
		{"Basic " + base64.StdEncoding.EncodeToString([]byte("user")), "Basic", "no colon stands between user and password"},
		{"Basic " + base64.StdEncoding.EncodeToString([]byte("user:pass\n")), "Basic", "the password ends with a line break, as from echo without -n"},
	} {
		got := ParseCredentials(c.in)
		if got.Scheme != c.scheme || strings.Join(got.Faults, "|") != c.fault {
			t.Errorf("%q: scheme %q, faults %q", c.in, got.Scheme, got.Faults)
		}
	}
	u, p, ok := Basic(header("Authorization: basic " + basic))
	if u != "user" || p != "pa:ss" || !ok {
		t.Errorf("basic: %q %q %v", u, p, ok)
	}
	if tok, ok := Bearer(header("AUTHORIZATION: bearer x")); tok != "x" || !ok {
		t.Errorf("bearer: %q %v", tok, ok)
	}
}

func TestChallenges(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`Basic realm="simple"`, `Basic[realm=simple]`},
		{`Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple"`, `Newauth[realm=apps type=1 title=Login to "apps"] Basic[realm=simple]`},
		{`Bearer error="invalid_token", error_description="expired, renew"`, `Bearer[error=invalid_token error_description=expired, renew]`},
		{`Negotiate`, `Negotiate[]`},
		{`Negotiate YIIB+/=, NTLM`, `Negotiate:YIIB+/=[] NTLM[]`},
		{`, Basic , realm = "x" ,`, `Basic[realm=x]`},
		{`realm="lost"`, `[realm=lost]`},
	} {
		var got []string
		for _, ch := range Challenges(header("WWW-Authenticate: "+c.in), "www-authenticate") {
			s := ch.Scheme
			if ch.Token68 != "" {
				s += ":" + ch.Token68
			}
			var ps []string
			for _, p := range ch.Params {
				ps = append(ps, p.Name+"="+p.Value)
			}
			got = append(got, s+"["+strings.Join(ps, " ")+"]")
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.in, strings.Join(got, " "), c.want)
		}
	}
}

func FuzzHeads(f *testing.F) {
	f.Add("a=1; b=\"c\"; ;x", "Bearer eyJ.a.b")
	f.Add("sid=x; Max-Age=1; Expires=Thu", `Basic realm="a\"b", Negotiate abc==`)
	f.Fuzz(func(t *testing.T, cookie, auth string) {
		h := flow.Header{{Name: "Cookie", Value: cookie}, {Name: "Authorization", Value: auth}, {Name: "Set-Cookie", Value: cookie}, {Name: "WWW-Authenticate", Value: auth}, {Name: "Content-Type", Value: auth}}
		for _, c := range Cookies(h) {
			piece := cookie[c.Start:c.End]
			if strings.Contains(piece, ";") || !strings.HasPrefix(piece, c.Name) || !strings.HasSuffix(piece, c.Value) {
				t.Errorf("%q: %+v", cookie, c)
			}
		}
		SetCookies(h)
		Challenges(h, "WWW-Authenticate")
		Authorization(h, "Authorization")
		Tokens(h)
		MediaType(h)
	})
}
