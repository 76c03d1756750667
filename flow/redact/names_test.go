package redact_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/flow/redact"
)

// TestWhatIsLeftReadable shows a whole exchange: what helps to explain the refusal stays.
func TestWhatIsLeftReadable(t *testing.T) {
	const session = "s%3AkJ8dPq2LmZ91xVbN"
	jwt := token(`{"sub":"joe","exp":1772445600,"scope":"orders:write"}`, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
	f := exchange()
	f.Request.Target = "/v1/orders/550e8400-e29b-41d4-a716-446655440000?page=2&api_key=hunter2&q=blue+shoes"
	f.Request.Header = append(f.Request.Header, flow.Header{
		{Name: "Authorization", Value: "Bearer " + jwt},
		{Name: "Cookie", Value: "theme=dark; sid=" + session + "; empty="},
		{Name: "X-CSRF-Token", Value: "null"},
		{Name: "X-Request-Id", Value: "8f14e45fceea167a5a36dedd4bea2543"},
		{Name: "If-None-Match", Value: `"33a64df551425fcc55e4d42a148795d9f25f89d4"`},
		{Name: "Content-Length", Value: "46"},
	}...)
	body(f.Request, "application/json", `{"user":"joe","password":"hunter2","pin":1234}`)
	f.Response.Header.Add("Set-Cookie", "sid="+session+"; Path=/; Max-Age=3600; HttpOnly")
	f.Response.Header.Add("WWW-Authenticate", `Bearer error="invalid_token", error_description="The access token expired"`)
	body(f.Response, "application/json", `{"error":"forbidden","message":"token: expired","next_page_token":"abc123def456","errors":{"password":["is too short"]},"max_tokens":512}`)

	m := redact.New()
	g := m.Flow(f)
	for _, c := range []struct{ got, want string }{
		{g.Request.Target, "/v1/orders/550e8400-e29b-41d4-a716-446655440000?page=2&api_key=WHY403_SECRET_A&q=blue+shoes"},
		{g.Request.Header.Get("Cookie"), "theme=WHY403_SECRET_D; sid=WHY403_SECRET_E; empty="},
		{g.Request.Header.Get("X-CSRF-Token"), "null"},
		{g.Request.Header.Get("X-Request-Id"), "8f14e45fceea167a5a36dedd4bea2543"},
		{g.Request.Header.Get("If-None-Match"), `"33a64df551425fcc55e4d42a148795d9f25f89d4"`},
		{string(g.Request.Body.Data), `{"user":"joe","password":"WHY403_SECRET_A","pin":"WHY403_SECRET_B"}`},
		{g.Request.Header.Get("Content-Length"), "67"},
		{g.Response.Header.Get("Set-Cookie"), "sid=WHY403_SECRET_E; Path=/; Max-Age=3600; HttpOnly"},
		{g.Response.Header.Get("WWW-Authenticate"), f.Response.Header.Get("WWW-Authenticate")},
		{string(g.Response.Body.Data), string(f.Response.Body.Data)},
	} {
		if c.got != c.want {
			t.Errorf("got  %s\nwant %s", c.got, c.want)
		}
	}
	bearer, _ := decode.Bearer(g.Request.Header)
	masked, ok := decode.JWT(bearer)
	if !ok || masked.Subject() != "joe" || len(masked.Scopes()) != 1 || !strings.HasPrefix(masked.Signature, redact.Prefix) {
		t.Errorf("the token reads as %s", bearer)
	}
	for name, about := range map[string]string{"WHY403_SECRET_A": "parameter api_key", "WHY403_SECRET_B": "field pin", "WHY403_SECRET_C": "signature of the token in header Authorization", "WHY403_SECRET_E": "cookie sid"} {
		if m.Variables()[name] != about {
			t.Errorf("%s is %q, want %q", name, m.Variables()[name], about)
		}
	}
	if v, _ := m.Value("WHY403_SECRET_A"); v != "hunter2" {
		t.Errorf("the value of A is %q", v)
	}
	quote := `cookie sid ` + session + ` was refused, password hunter2`
	if got, want := m.Text(quote), `cookie sid WHY403_SECRET_E was refused, password WHY403_SECRET_A`; got != want || m.Text(got) != got {
		t.Errorf("text: %s, and again: %s", got, m.Text(got))
	}
}

func TestCredentialsKeepTheirForm(t *testing.T) {
	for in, want := range map[string]string{
		"Bearer abcdef12345":            "Bearer A",
		"bearer  abcdef12345 ":          "bearer  A ",
		"Bearer":                        "Bearer",
		"Bearer null":                   "Bearer null",
		"Bearer undefined":              "Bearer undefined",
		"Bearer Bearer abc12345":        "Bearer Bearer A",
		`Bearer "abc12345"`:             `Bearer "A"`,
		"abcdef12345":                   "A",
		"Token token=\"abc\", id=\"7\"": `Token token="A", id="7"`,
		`Digest username="joe", realm="r", nonce="abc", uri="/", response="0123456789abcdef"`:                                           `Digest username="joe", realm="r", nonce="abc", uri="/", response="A"`,
		"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260302/eu/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=fe5f80": "AWS4-HMAC-SHA256 Credential=A/20260302/eu/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=B",
		"NTLM TlRMTVNTUAABAAAA": "NTLM A",
	} {
		f := exchange()
		f.Request.Header.Add("Authorization", in)
		got := redact.New().Flow(f).Request.Header.Get("Authorization")
		if got = strings.ReplaceAll(got, redact.Prefix, ""); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// TestWhatIsNoSecretStays: a mask too many hides the cause.
func TestWhatIsNoSecretStays(t *testing.T) {
	m := redact.New()
	for _, s := range []string{
		"token: expired", "csrf: missing", "password: incorrect horse", `{"error":"invalid_token","password_policy":"min 8"}`,
		"2026-03-02T10:00:00Z POST /orders 403 id=8f14e45fceea167a5a36dedd4bea2543 cf-ray: 7d2f1a0b9c8e1234-FRA", "https://api.test/a?page=2#top", "mailto:joe@shop.test",
		`Bearer realm="example", authorization_uri="https://login.test/common"`, "use basic authentication, or a bearer token", "Authorization: Bearer", "Authorization header missing",
		`<input name="email" value="joe@shop.test">`, `<label for="password">Password</label>`, "total_tokens=812", "SELECT key, code FROM t WHERE code=403",
		"created=1764014400123 id=4111111111111112 0.4111111111111111 +4111111111111111 4111111111111111x order 2026-0302-1015-3012", "?bypass=true&refresh=1&access=read", "compass=north-east-1",
		"Cookie: ", "set-cookie", "sk-learn is a library, sk-something-or-other too", "eyJub3QiOiJhIHRva2VuIn0", "/static/app.3f2a9b8c7d6e5f40.js",
	} {
		if got := m.Text(s); got != s {
			t.Errorf("%s\nbecame %s", s, got)
		}
	}
	f := exchange()
	f.Request.Target = "/blog/product-catalog-2024-summer-sale-50-percent?id=8f14e45fceea167a5a36dedd4bea2543&v=8f14e45fceea167a5a36dedd4bea2543"
	f.Request.Header = append(f.Request.Header, flow.Field{Name: "traceparent", Value: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, flow.Field{Name: "User-Agent", Value: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"},
		flow.Field{Name: "Sec-WebSocket-Key", Value: "dGhlIHNhbXBsZSBub25jZQ=="}, flow.Field{Name: "Idempotency-Key", Value: "8f14e45fceea167a5a36dedd4bea2543"})
	body(f.Response, "image/png", "\x89PNG\r\n\x1a\n\x00\x00\xff")
	if got := everything(m.Flow(f)); got != everything(f) {
		t.Errorf("a request without secrets became\n%s", got)
	}
	if len(m.Variables()) > 0 || len(m.Notes()) > 0 {
		t.Errorf("variables %v, notes %v", m.Variables(), m.Notes())
	}
}

func TestBothSidesOfADiffHaveTheSameNames(t *testing.T) {
	m := redact.New()
	before, after := "Bearer abcdef12345", "Bearer zyxwvu98765"
	c := m.Change(flow.Change{Part: flow.InHeader, Name: "Authorization", Before: &before, After: &after})
	again := m.Change(flow.Change{Part: flow.InHeader, Name: "Authorization", Before: &after})
	if *c.Before != "Bearer WHY403_SECRET_A" || *c.After != "Bearer WHY403_SECRET_B" || *again.Before != *c.After || again.After != nil || before != "Bearer abcdef12345" {
		t.Errorf("%s, %s, %s", *c.Before, *c.After, *again.Before)
	}
	for _, c := range []struct {
		part          flow.Place
		name, v, want string
	}{
		{flow.InCookie, "sid", "abc", "C"},
		{flow.InQuery, "api_key", "api_key=abc", "api_key=C"},
		{flow.InForm, "a[password]", "a%5Bpassword%5D=abc", "a%5Bpassword%5D=C"},
		{flow.InJSON, "$.user.password", `"abc"`, `"C"`},
		{flow.InMultipart, "token", "abc", "C"},
		{flow.InPath, "", "/orders/7", "/orders/7"},
		{flow.InMethod, "", "POST", "POST"},
	} {
		got := *m.Change(flow.Change{Part: c.part, Name: c.name, After: &c.v}).After
		if got = strings.ReplaceAll(got, redact.Prefix, ""); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.part, c.name, got, c.want)
		}
	}
}

func TestWhatMaskingChangesIsNoted(t *testing.T) {
	f := exchange()
	places["gzip"](f, "abcdef123456")
	m := redact.New()
	g := m.Flow(f)
	if g.Response.Header.Has("Content-Encoding") || string(g.Response.Body.Data) != `{"token":"WHY403_SECRET_A"}` || !g.Response.Body.Whole() || len(m.Notes()) != 1 {
		t.Errorf("gzip: %+v, %s", g.Response, m.Notes())
	}
	f = exchange()
	places["unknown coding"](f, "x")
	m = redact.New()
	if g = m.Flow(f); g.Response.Body.Data != nil || g.Response.Body.Size != 1 || !g.Response.Body.Cut() || len(m.Notes()) != 1 {
		t.Errorf("unknown coding: %+v, %s", g.Response, m.Notes())
	}
	f = exchange()
	body(f.Response, "application/json", `{"token":"abcdef123456","a":`)
	f.Response.Body.Size, f.Response.Body.Kept = 5000, 5000 // a part, as read from a session
	m = redact.New()
	if g = m.Flow(f); g.Response.Body.Whole() || string(g.Response.Body.Data) != `{"token":"WHY403_SECRET_A","a":` || g.Response.Body.Size != 5000 {
		t.Errorf("a part: %+v", g.Response.Body)
	}
}

var variable = regexp.MustCompile(`\$WHY403_SECRET_[A-Z0-9_]+`)

// filled undoes the masks as a shell would.
func filled(m *redact.Masker, s string) string {
	return variable.ReplaceAllStringFunc(s, func(name string) string {
		v, ok := m.Value(name[1:])
		if !ok {
			return "UNKNOWN " + name
		}
		return v
	})
}

// TestVariablesGiveBackTheSameBytes for all places: what is run is what was captured.
func TestVariablesGiveBackTheSameBytes(t *testing.T) {
	for name, put := range places {
		f := exchange()
		put(f, random(rand.New(rand.NewPCG(3, 3)), 20))
		m := redact.Runnable()
		g := m.Flow(f)
		for _, c := range []struct{ got, want string }{
			{g.Request.Target, f.Request.Target},
			{headOf(g.Request), headOf(f.Request)},
			{string(g.Request.Body.Data), string(f.Request.Body.Data)},
			{string(g.Request.Head), string(f.Request.Head)},
		} {
			if got := filled(m, c.got); got != c.want {
				t.Errorf("%s: %q\nfrom %q\nwant %q", name, got, c.got, c.want)
			}
		}
		for name := range m.Variables() {
			if _, ok := m.Value(name); !ok {
				t.Errorf("%s has no value", name)
			}
		}
	}
}

func headOf(m *flow.Message) string {
	var b strings.Builder
	for _, f := range m.Header {
		b.WriteString(f.Name + ": " + f.Value + "\n")
	}
	return b.String()
}

func FuzzText(f *testing.F) {
	f.Add(`{"password":"a\"b","t":["x"]} Authorization: Basic am9lOmh1bnRlcjI=`, "hunter22")
	f.Add("?token=a%2Fb%25&x=1 <p:Password a='b'>x1y2</p> $WHY403_SECRET_A", "a/b%")
	f.Add("eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2ln https://joe:pw12@x/ Set-Cookie: a=b; Path=/", "é\xff12345")
	f.Fuzz(func(t *testing.T, s, secret string) {
		known := exchange()
		known.Request.Header.Add("X-Api-Key", secret)
		m := redact.Runnable()
		m.Flow(known)
		masked := m.Text(s)
		if strings.Contains(s, redact.Prefix) {
			return
		}
		if got := filled(m, masked); got != s {
			t.Errorf("%q\nmasked %q\nfilled %q", s, masked, got)
		}
		g := exchange()
		g.Request.Target, g.Request.Head = "/"+s, []byte("POST /"+s)
		g.Request.Header = append(g.Request.Header, flow.Field{Name: "Authorization", Value: s, Raw: "Authorization: " + s + "\r\n"}, flow.Field{Name: "Cookie", Value: s}, flow.Field{Name: "Location", Value: s})
		body(g.Response, "application/json", s)
		h := m.Flow(g)
		if got := filled(m, h.Request.Target+"\n"+headOf(h.Request)+string(h.Request.Head)); got != g.Request.Target+"\n"+headOf(g.Request)+string(g.Request.Head) {
			t.Errorf("%q gives %q", headOf(h.Request), got)
		}
	})
}

func BenchmarkFlow(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	var page strings.Builder
	page.WriteString(`{"items":[`)
	for page.Len() < 10<<20 {
		page.WriteString(`{"id":"` + random(r, 20) + `","name":"A thing of the shop","price":12.5,"url":"https://shop.test/things/7?page=2","tags":["a","b"]},`)
	}
	text := page.String()
	for name, secrets := range map[string]int{"10 secrets": 10, "10000 secrets": 10000} {
		b.Run(name, func(b *testing.B) {
			m := redact.New()
			for range secrets {
				f := exchange()
				f.Request.Header.Add("X-Api-Key", random(r, 24))
				m.Learn(f)
			}
			f := exchange()
			body(f.Response, "application/json", text)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				m.Flow(f)
			}
		})
	}
}

func TestEscapedFormsOfOneSecret(t *testing.T) {
	const secret = `p"w/d <x&y> 4711`
	m := redact.New()
	m.Learn(withHeader("X-Api-Key", secret))
	for form, text := range map[string]string{
		"JSON":  `{"note":"p\"w/d <x&y> 4711"}`,
		"slash": `p"w\/d <x&y> 4711`,
		"HTML":  "<b>p&#34;w/d &lt;x&amp;y&gt; 4711</b>",
		"plus":  `p"w/d+<x&y>+4711`,
		"form":  "a=p%22w%2Fd%20%3Cx%26y%3E%204711&b=1",
	} {
		if got := m.Text(text); !strings.Contains(got, redact.Prefix+"A") || strings.Contains(got, "4711") {
			t.Errorf("%s: %s", form, got)
		}
	}
}

func withHeader(name, value string) *flow.Flow {
	f := exchange()
	f.Request.Header.Add(name, value)
	return f
}

// TestWhatOnlyTheRawBytesTell: a field that the proxy took out of the header still stands in the head.
func TestWhatOnlyTheRawBytesTell(t *testing.T) {
	const secret = "abcdef123456"
	head := exchange()
	head.Request.Head = []byte("POST / HTTP/1.1\r\nProxy-Authorization: Bearer " + secret + "\r\n\r\n")
	f := exchange()
	f.Authority = secret + ".api.test"
	f.Request.Header = append(f.Request.Header, flow.Field{Name: "authorization", Value: "Bearer x7" + secret, Raw: "authorization:  Bearer\r\n\tx7" + secret + " \r\n"})
	list := redact.New().Flows([]*flow.Flow{f, head})
	if list[0].Authority != "WHY403_SECRET_A.api.test" {
		t.Errorf("authority %s", list[0].Authority)
	}
	if got := list[0].Request.Header[1].Line(); got != "authorization:  Bearer\r\n\tWHY403_SECRET_B \r\n" {
		t.Errorf("line %q", got)
	}
	if got := string(list[1].Request.Head); got != "POST / HTTP/1.1\r\nProxy-Authorization: Bearer WHY403_SECRET_A\r\n\r\n" {
		t.Errorf("head %q", got)
	}
}

// TestNumbersOfCards are masked under any name, as text, as a number and in groups; JSON stays JSON.
func TestNumbersOfCards(t *testing.T) {
	for in, want := range map[string]string{
		`{"n":"4111111111111111","b":1}`:     `{"n":"A","b":1}`,
		`{"n":4111111111111111,"b":1}`:       `{"n":"A","b":1}`,
		`{"n":["5555 5555 5555 4444"]}`:      `{"n":["A"]}`,
		`{"n":"3782-822463-10005"}`:          `{"n":"A"}`,
		`{"a":{"n":"6011000990139424 x"}}`:   `{"a":{"n":"A x"}}`,
		`{"n":4222222222222,"m":2223003122}`: `{"n":"A","m":2223003122}`,
	} {
		f := exchange()
		body(f.Request, "application/json", in)
		got := string(redact.New().Flow(f).Request.Body.Data)
		if got = strings.ReplaceAll(got, redact.Prefix, ""); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
		}
	}
	f := exchange()
	f.Request.Target = "/pay?x=4111+1111+1111+1111"
	if got := redact.New().Flow(f).Request.Target; got != "/pay?x=WHY403_SECRET_A" {
		t.Error(got)
	}
}

// TestAShortSecretIsKnownAsAWhole where it is quoted alone.
func TestAShortSecretIsKnownAsAWhole(t *testing.T) {
	f := exchange()
	f.Request.Target = "/orders?api_key=s3cre"
	m := redact.New()
	m.Learn(f)
	if got, ok := m.Whole("s3cre"); !ok || got != "WHY403_SECRET_A" {
		t.Errorf("%q %v", got, ok)
	}
	if _, ok := m.Whole("s3cr"); ok {
		t.Error("a part is not the whole")
	}
	if got := m.Text(`{"error":"no key s3cre, xs3cre"}`); got != `{"error":"no key WHY403_SECRET_A, xs3cre"}` {
		t.Error(got)
	}
}
