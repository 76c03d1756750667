package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// A persona is one program that talks to the shop: what it sends with every
// request, and the cookies it keeps. Fields go out under the names written here.
type persona struct {
	name   string
	agent  string
	fields []string // names and values in turn
	client *http.Client
}

const (
	firefox  = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	homePage = "https://www.shop.test/"
)

func browser(rt http.RoundTripper) *persona {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // never, without options
	}
	return &persona{"browser", firefox,
		[]string{"Accept-Language", "en-US,en;q=0.5", "Accept-Encoding", "gzip, deflate, br, zstd"},
		&http.Client{Transport: rt, Jar: jar}}
}

func withoutCookies(rt http.RoundTripper) *persona {
	p := browser(rt)
	p.client.Jar = nil
	return p
}

func curl(rt http.RoundTripper) *persona {
	return &persona{"curl", "curl/8.14.1", []string{"Accept", "*/*"},
		&http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func requests(rt http.RoundTripper) *persona {
	return &persona{"requests", "python-requests/2.32.4", []string{"Accept-Encoding", "gzip, deflate", "Accept", "*/*"},
		&http.Client{Transport: rt}}
}

func node(rt http.RoundTripper) *persona {
	return &persona{"node", "node", []string{"accept", "*/*", "accept-language", "*", "sec-fetch-mode", "cors", "accept-encoding", "gzip, deflate"},
		&http.Client{Transport: rt}}
}

// What a browser adds when somebody opens a page, sends a form, or a page calls another host of the shop.
var (
	opening = []string{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Upgrade-Insecure-Requests", "1",
		"Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none", "Sec-Fetch-User", "?1"}
	submitting = []string{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Upgrade-Insecure-Requests", "1",
		"Content-Type", "application/x-www-form-urlencoded", "Origin", "https://www.shop.test",
		"Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-User", "?1"}
	calling = []string{"Accept", "application/json", "Origin", "https://www.shop.test", "Referer", homePage,
		"Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-site"}
	asJSON = []string{"Content-Type", "application/json"}
)

// An answer is what a persona looks at: the first 64 KB of the body are enough for it.
type answer struct {
	status int
	header http.Header
	body   string
}

// send asks and reads the whole answer. Lists of fields may repeat a name: the last one counts.
func (p *persona) send(ctx context.Context, method, target, body string, fields ...[]string) (answer, error) {
	var rd io.Reader
	if body != "" {
		rd = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, rd)
	if err != nil {
		return answer{}, err
	}
	spelling := make(map[string]string)
	for _, list := range append([][]string{{"User-Agent", p.agent}, p.fields}, fields...) {
		for i := 0; i+1 < len(list); i += 2 {
			key := strings.ToLower(list[i])
			delete(req.Header, spelling[key])
			spelling[key] = list[i]
			req.Header[list[i]] = []string{list[i+1]}
		}
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body) // so that the connection can be used again
	}
	return answer{resp.StatusCode, resp.Header, string(text)}, err
}

// want sends and insists on a status.
func (p *persona) want(ctx context.Context, status int, method, target, body string, fields ...[]string) (answer, error) {
	a, err := p.send(ctx, method, target, body, fields...)
	if err == nil && a.status != status {
		err = fmt.Errorf("%s %s answered %d, expected %d", method, target, a.status, status)
	}
	return a, err
}

// cookie is the value that the persona would send to the shop; "" is none.
func (p *persona) cookie(name string) string {
	u, _ := url.Parse(homePage)
	for _, c := range p.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}
