package demo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Client plays people and programs that use the shop: they log in, carry
// cookies and tokens, look at pages, and make one mistake per Scenario.
// It holds the cookies and tokens of one visit at a time.
type Client struct {
	Proxy  *url.URL       // where all requests go; nil is straight to Server
	Roots  *x509.CertPool // trusted for the shop's names; nil is Server.Roots, for use without Proxy
	Server *Server
	Pace   time.Duration // pause between two scenarios after the first tour; 0 is 3 s

	wrap func(http.RoundTripper) http.RoundTripper // nil, or what a test listens with
}

// Run makes one tour without pauses, then goes on with one scenario or a look around at
// a time, Pace apart, until ctx ends, which is no error. A request that is
// answered otherwise than expected ends its scenario and nothing else; the only
// error is a first tour without any scenario that worked: no proxy, no trust.
func (c *Client) Run(ctx context.Context) error {
	transports := c.transports()
	defer transports.close()

	if failed := c.tour(ctx, c.visit(transports, 0)); len(failed) > len(Scenarios()) && ctx.Err() == nil {
		return failed[0] // the others say the same
	}
	pace := c.Pace
	if pace <= 0 {
		pace = 3 * time.Second
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for round := 1; ; round++ {
		v := c.visit(transports, round)
		steps := []func(context.Context, *visit) error{lookAround}
		for i, s := range Scenarios() {
			steps = append(steps, func(ctx context.Context, v *visit) error { return s.play(ctx, v, s) })
			if i%4 == 3 {
				steps = append(steps, lookAround)
			}
		}
		steps = append(steps, waitAWhile)
		for _, step := range steps {
			select {
			case <-tick.C:
				step(ctx, v) // what was refused or failed is on the screen; the client goes on
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// Tour plays everything once, without pauses: a look around, all scenarios,
// the slow answers. It reports every scenario that went otherwise than declared.
func (c *Client) Tour(ctx context.Context) error {
	transports := c.transports()
	defer transports.close()
	failed := c.tour(ctx, c.visit(transports, 0))
	return errors.Join(append(failed, ctx.Err())...)
}

// Play plays one scenario alone, with the logins it needs.
func (c *Client) Play(ctx context.Context, s Scenario) error {
	transports := c.transports()
	defer transports.close()
	if err := s.play(ctx, c.visit(transports, 0), s); err != nil {
		return fmt.Errorf("demo: %s: %w", s.Name, err)
	}
	return nil
}

// tour returns the errors of what went otherwise than declared, at most one
// for each scenario and two for the ordinary traffic.
func (c *Client) tour(ctx context.Context, v *visit) (failed []error) {
	note := func(what string, err error) {
		if err != nil {
			failed = append(failed, fmt.Errorf("demo: %s: %w", what, err))
		}
	}
	note("look around", lookAround(ctx, v))
	var beside sync.WaitGroup
	var slow error
	beside.Go(func() { slow = waitAWhile(ctx, v) })
	for _, s := range Scenarios() {
		if ctx.Err() == nil {
			note(s.Name, s.play(ctx, v, s))
		}
	}
	beside.Wait()
	note("slow answers", slow)
	return failed
}

// transports are one connection pool per persona.
type transports struct{ browser, curl, requests, node *http.Transport }

func (c *Client) transports() transports {
	one := func() *http.Transport {
		t := &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
			DisableCompression:  true, // each persona says itself what it can decode
			MaxIdleConnsPerHost: 2,
			IdleConnTimeout:     30 * time.Second,
		}
		if c.Proxy != nil {
			t.Proxy = http.ProxyURL(c.Proxy)
			return t
		}
		t.DialContext = c.Server.Dial
		if c.Roots == nil {
			t.TLSClientConfig.RootCAs = c.Server.Roots()
		}
		return t
	}
	return transports{one(), one(), one(), one()}
}

func (t transports) close() {
	for _, one := range []*http.Transport{t.browser, t.curl, t.requests, t.node} {
		one.CloseIdleConnections()
	}
}

// A visit is one round through the shop, with its cookies and tokens.
type visit struct {
	server                        *Server
	round                         int // varies what is ordered, paid and asked
	browser, curl, requests, node *persona
	preflights                    *persona // the browser without its cookies (Fetch, 4.8)

	signedIn bool
	oldForm  string            // token of a form that was opened before the login
	tokens   map[string]string // by user, audience and scope
}

func (c *Client) visit(t transports, round int) *visit {
	through := func(rt http.RoundTripper) http.RoundTripper {
		if c.wrap != nil {
			return c.wrap(rt)
		}
		return rt
	}
	return &visit{
		server: c.Server, round: round, tokens: make(map[string]string),
		browser: browser(through(t.browser)), preflights: withoutCookies(through(t.browser)), curl: curl(through(t.curl)),
		requests: requests(through(t.requests)), node: node(through(t.node)),
	}
}

// signIn logs the browser in as maria, once a visit. A checkout page stays open from before.
func (v *visit) signIn(ctx context.Context) error {
	if v.signedIn {
		return nil
	}
	checkout, err := v.browser.want(ctx, 200, "GET", "https://www.shop.test/checkout/", "", opening)
	if err != nil {
		return err
	}
	const login = "https://www.shop.test/login/"
	form, err := v.browser.want(ctx, 200, "GET", login, "", opening)
	if err != nil {
		return err
	}
	body := csrfField + "=" + hidden(form.body) + "&username=maria&password=" + accounts["maria"].password
	if _, err := v.browser.want(ctx, 200, "POST", login, body, submitting, []string{"Referer", login}); err != nil {
		return err
	}
	if v.browser.cookie(sessionCookie) == "" {
		return errors.New("the login gave no session cookie")
	}
	v.signedIn, v.oldForm = true, hidden(checkout.body)
	return nil
}

// csrf is the header that the shop's pages take from the cookie.
func (v *visit) csrf() []string { return []string{csrfHeader, v.browser.cookie(csrfCookie)} }

// token asks id.shop.test for an access token, once a visit for each kind.
func (v *visit) token(ctx context.Context, p *persona, user, audience, scope string) (string, error) {
	kind := user + " " + audience + " " + scope
	if t := v.tokens[kind]; t != "" {
		return t, nil
	}
	form := url.Values{"grant_type": {"password"}, "client_id": {"shop-cli"}, "username": {user},
		"password": {accounts[user].password}, "audience": {audience}, "scope": {scope}}
	a, err := p.want(ctx, 200, "POST", "https://id.shop.test/oauth/token", form.Encode(), []string{"Content-Type", "application/x-www-form-urlencoded"})
	if err != nil {
		return "", err
	}
	var granted struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(a.body), &granted); err != nil || granted.AccessToken == "" {
		return "", errors.New("the token endpoint's answer holds no access token")
	}
	v.tokens[kind] = granted.AccessToken
	return granted.AccessToken, nil
}

// lookAround is ordinary traffic: pages, a redirect, a script that is fetched and then
// found unchanged, lists, a CORS preflight.
func lookAround(ctx context.Context, v *visit) error {
	const app = "https://cdn.shop.test/app.9f2c.js"
	asScript := []string{"Accept", "*/*", "Referer", homePage, "Sec-Fetch-Dest", "script", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Site", "same-site"}
	preflight := []string{"Accept", "*/*", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,x-csrftoken"}
	_, err := v.browser.want(ctx, 200, "GET", "http://www.shop.test/", "", opening)
	if err != nil {
		return err
	}
	file, err := v.browser.want(ctx, 200, "GET", app, "", asScript)
	if err != nil {
		return err
	}
	if err := v.signIn(ctx); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error {
			_, err := v.browser.want(ctx, 304, "GET", app, "", asScript, []string{"If-None-Match", file.header.Get("ETag")})
			return err
		},
		func() error {
			_, err := v.browser.want(ctx, 200, "GET", "https://api.shop.test/v1/cart", "", calling)
			return err
		},
		func() error {
			_, err := v.preflights.want(ctx, 204, "OPTIONS", "https://api.shop.test/v1/orders", "", calling, preflight)
			return err
		},
		func() error {
			_, err := v.browser.want(ctx, 200, "GET", fmt.Sprintf("https://api.shop.test/v1/orders?page=%d", 1+v.round%9), "", calling)
			return err
		},
		func() error {
			_, err := v.curl.want(ctx, 200, "GET", "https://id.shop.test/.well-known/openid-configuration", "")
			return err
		},
		func() error {
			_, err := v.requests.want(ctx, 200, "GET", "https://catalog.shop.test/v1/products?sort=price", "")
			return err
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// waitAWhile opens the stream of events and the slow report.
func waitAWhile(ctx context.Context, v *visit) error {
	stream := []string{"Accept", "text/event-stream", "Cache-Control", "no-cache", "Referer", homePage,
		"Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin"}
	if _, err := v.browser.want(ctx, 200, "GET", "https://www.shop.test/events/", "", stream); err != nil {
		return err
	}
	_, err := v.browser.want(ctx, 200, "GET", "https://www.shop.test/report/", "", opening)
	return err
}
