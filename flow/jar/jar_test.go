package jar_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/jar"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// answer is a flow that was answered at a minute past noon.
func answer(id flow.ID, minute int, url string, set ...string) *flow.Flow {
	scheme, rest, _ := strings.Cut(url, "://")
	host, path, _ := strings.Cut(rest, "/")
	f := &flow.Flow{ID: id, Scheme: scheme, Authority: host,
		Request:  &flow.Message{Proto: "HTTP/1.1", Method: "POST", Target: "/" + path},
		Response: &flow.Message{Proto: "HTTP/1.1", Status: 200}}
	for _, s := range set {
		f.Response.Header.Add("Set-Cookie", s)
	}
	f.Times.End = noon.Add(time.Duration(minute) * time.Minute)
	return f
}

func TestNewestCookies(t *testing.T) {
	target := answer(9, 30, "https://api.shop.test:8443/v1/orders?x=1")
	for _, c := range []struct {
		name  string
		flows []*flow.Flow
		want  string
	}{
		{"the newest answer wins, whatever the order", []*flow.Flow{
			answer(2, 20, "https://api.shop.test:8443/login", "sid=two; Path=/"), answer(1, 10, "https://api.shop.test:8443/login", "sid=one; Path=/")}, "sid=two(2)"},
		{"for the whole host, whatever the port", []*flow.Flow{answer(1, 1, "https://api.shop.test/login", "sid=a")}, "sid=a(1)"},
		{"of another host", []*flow.Flow{answer(1, 1, "https://www.shop.test/login", "sid=a")}, ""},
		{"of another host, for the domain", []*flow.Flow{answer(1, 1, "https://www.shop.test/login", "sid=a; Domain=.Shop.test")}, "sid=a(1)"},
		{"for a domain that the host is not in", []*flow.Flow{answer(1, 1, "https://api.shop.test/login", "sid=a; Domain=other.test")}, ""},
		{"set by a stranger for our domain", []*flow.Flow{answer(1, 1, "https://evil.test/login", "sid=a; Domain=shop.test")}, ""},
		{"for the path", []*flow.Flow{answer(1, 1, "https://api.shop.test/v1/login", "a=1", "b=2; Path=/v1/orders", "c=3; Path=/v2", "d=4; Path=/v1/ord")}, "a=1(1) b=2(1)"},
		{"deleted later", []*flow.Flow{answer(1, 1, "https://api.shop.test/", "sid=a"), answer(2, 2, "https://api.shop.test/", "sid=; Max-Age=0")}, "sid=(2 gone)"},
		{"set again after that", []*flow.Flow{answer(1, 1, "https://api.shop.test/", "sid=; Max-Age=0"), answer(2, 2, "https://api.shop.test/", "sid=a")}, "sid=a(2)"},
		{"ended by now", []*flow.Flow{answer(1, 1, "https://api.shop.test/", "sid=a; Max-Age=60", "t=b; Max-Age=86400")}, "t=b(1)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, k := range jar.Newest(target, c.flows, noon.Add(time.Hour)) {
				gone := ""
				if k.Gone {
					gone = " gone"
				}
				got = append(got, fmt.Sprintf("%s=%s(%d%s)", k.Name, k.Value, k.From, gone))
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("got %q, want %q", s, c.want)
			}
		})
	}
}

func TestSecureCookiesStayOnSecureWays(t *testing.T) {
	flows := []*flow.Flow{answer(1, 1, "https://api.shop.test/", "sid=a; Secure"), answer(2, 1, "https://app.localhost/", "sid=a; Secure")}
	if got := jar.Newest(answer(9, 9, "http://api.shop.test/"), flows, noon); len(got) != 0 {
		t.Errorf("over http: %+v", got)
	}
	if got := jar.Newest(answer(9, 9, "http://app.localhost:8080/"), flows, noon); len(got) != 1 {
		t.Errorf("on loopback: %+v", got)
	}
}

func TestARequestWithTheCookiesOfTheNewestLogin(t *testing.T) {
	f := answer(9, 30, "https://shop.test/orders?csrf=tok%2Bold-1")
	f.Request.Header = flow.Header{
		{Name: "Host", Value: "shop.test"},
		{Name: "cookie", Value: "theme=dark; sid=old-session; csrftoken=tok+old-1; gone=x;", Raw: "cookie:theme=dark; …"},
		{Name: "X-CSRF-Token", Value: "tok+old-1"},
		{Name: "X-XSRF-TOKEN", Value: "a=b=c=d="},
		{Name: "Content-Length", Value: "26"},
	}
	f.Request.SetBody([]byte("a=1&csrf=tok%2Bold-1&b=old"))
	f.Request.Header[1].Value += " XSRF-TOKEN=a%3Db%3Dc%3Dd%3D"
	m, changed := jar.Refresh(f, []*flow.Flow{
		answer(1, 1, "https://shop.test/login", "sid=old-session", "csrftoken=tok+old-1"),
		answer(2, 2, "https://shop.test/login", "sid=new-session; HttpOnly", "csrftoken=tok+new", "gone=; Max-Age=0", "lang=en", "XSRF-TOKEN=e%3Df%3D"),
	}, noon)
	want := "/orders?csrf=tok%2Bnew | theme=dark; sid=new-session; csrftoken=tok+new; XSRF-TOKEN=e%3Df%3D; lang=en | tok+new | e=f= | 24 | a=1&csrf=tok%2Bnew&b=old"
	got := strings.Join([]string{m.Target, m.Header.Get("Cookie"), m.Header.Get("X-CSRF-Token"), m.Header.Get("X-XSRF-TOKEN"), m.Header.Get("Content-Length"), string(m.Body.Data)}, " | ")
	if got != want || len(changed) != 5 {
		t.Errorf("got  %s\nwant %s\nchanged %+v", got, want, changed)
	}
	if f.Request.Header.Get("X-CSRF-Token") != "tok+old-1" || f.Request.Header[1].Raw == "" {
		t.Error("the recorded request was changed")
	}

	same, changed := jar.Refresh(f, nil, noon)
	if len(changed) != 0 || same.Header[1] != f.Request.Header[1] {
		t.Errorf("without a login: %+v, %+v", changed, same.Header)
	}
	bare := answer(9, 9, "https://shop.test/x")
	if m, _ := jar.Refresh(bare, []*flow.Flow{answer(1, 1, "https://shop.test/login", "sid=a")}, noon); m.Header.Get("Cookie") != "sid=a" {
		t.Errorf("without cookies before: %+v", m.Header)
	}
	only := answer(9, 9, "https://shop.test/x")
	only.Request.Header.Add("Cookie", "sid=a")
	if m, _ := jar.Refresh(only, []*flow.Flow{answer(1, 1, "https://shop.test/logout", "sid=; Max-Age=0")}, noon); m.Header.Has("Cookie") {
		t.Errorf("after a logout: %+v", m.Header)
	}
}
