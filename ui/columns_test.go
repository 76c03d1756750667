package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

func drawn(host, path, headline string) *session.Row {
	r := &session.Row{ID: 1, State: session.Done, Start: day, Duration: 38 * time.Millisecond, Method: "POST", Scheme: "https", Authority: host, Target: path, Status: 200}
	if headline != "" {
		r.Status, r.Verdict = 403, &flow.Judgement{Refused: true, Headline: headline}
	}
	return r
}

func needOf(rows ...*session.Row) *needs {
	var n needs
	for _, r := range rows {
		n.see(dark(), r, day)
	}
	return &n
}

// TestColumns: what is cut, in which order, when a shop's rows get less and less room.
func TestColumns(t *testing.T) {
	n := needOf(
		drawn("catalog.shop.test", "/v1/products?sort=price", ""),
		drawn("pay.shop.test", "/v1/invoices/4711/cancel", "object belongs to somebody else"),
	)
	for _, c := range []struct {
		w                            int
		clock, host, path, took, why int
		domain                       string
	}{
		{131, 8, 17, 24, 6, 53, ""},
		{111, 8, 17, 24, 6, 33, ""}, // everything fits
		{110, 0, 17, 24, 6, 41, ""}, // the clock goes first
		{100, 0, 17, 22, 6, 33, ""},
		{99, 0, 8, 24, 6, 39, ".shop.test"}, // then what all hosts end in
		{83, 0, 8, 14, 6, 33, ".shop.test"}, // the path next; the verdict stands
		{81, 0, 8, 14, 6, 31, ".shop.test"},
		{73, 0, 8, 14, 0, 30, ".shop.test"}, // how long it took, before the verdict
		{64, 0, 0, 14, 0, 30, ""},
		{59, 0, 0, 14, 0, 25, ""},
	} {
		got := n.columns(c.w, 80, usualColumns)
		if got.clock != c.clock || got.host != c.host || got.path != c.path || got.took != c.took || got.why != c.why || got.domain != c.domain {
			t.Errorf("%d cells: %+v, want %+v", c.w, got, c)
		}
	}
}

func TestColumnsFillTheRow(t *testing.T) {
	for name, n := range map[string]*needs{
		"empty": needOf(),
		"short": needOf(drawn("a.test", "/", "")),
		"long":  needOf(drawn(strings.Repeat("host.", 30), strings.Repeat("/path", 60), strings.Repeat("word ", 30))),
	} {
		for w := minWidth - 2; w <= 300; w++ {
			c := n.columns(w, 1_234_567, usualColumns)
			if c.width() != w {
				t.Fatalf("%s at %d: %d cells: %+v", name, w, c.width(), c)
			}
			if c.path < 8 || c.why < 17 || c.host != 0 && c.host < 8 {
				t.Fatalf("%s at %d: too narrow: %+v", name, w, c)
			}
		}
	}
}

// TestColumnsStay: rows that need less than what is there move nothing; another filter may.
func TestColumnsStay(t *testing.T) {
	f := newFake()
	f.done(request(0, "GET", "https://"+strings.Repeat("long", 5)+".test/"+strings.Repeat("p", 30), ""), time.Millisecond, response(200, "OK", "text/plain", ""))
	s := play(t, f, 120, 15)
	head := func() string { return strings.Split(s.screen(), "\n")[3] }
	before := head()
	for i := range 30 {
		f.done(request(time.Duration(i)*time.Second, "GET", "https://a.test/", ""), time.Millisecond, response(200, "OK", "text/plain", ""))
		s.arrive()
		if head() != before {
			t.Fatalf("after row %d:\n%s\n%s", i+2, before, head())
		}
	}
	s.press("2", "1")
	if head() == before {
		t.Error("the columns keep what nothing needs any more")
	}
}

func TestDomain(t *testing.T) {
	for _, c := range []struct{ hosts, want string }{
		{"api.shop.test", ".shop.test"},
		{"api.shop.test www.shop.test", ".shop.test"},
		{"api.shop.test eu.api.shop.test", ".shop.test"},
		{"api.shop.test:8443 www.shop.test:8443", ".shop.test:8443"},
		{"api.shop.test api.bank.test", ".test"},
		{"shop.test www.shop.test", ".test"},
		{"api.shop.test example.com", ""},
		{"api.shop.test example.com www.shop.test", ""},
		{"127.0.0.1:8080", ""},
		{"10.0.0.1 11.0.0.1", ""},
		{"localhost:8080", ""},
		{"[::1]:8080 [::ffff:1.2.3.4]", ""},
	} {
		var n needs
		for h := range strings.FieldsSeq(c.hosts) {
			n.see(dark(), drawn(h, "/", ""), day)
		}
		if n.domain != c.want {
			t.Errorf("%s: %q, want %q", c.hosts, n.domain, c.want)
		}
	}
}
