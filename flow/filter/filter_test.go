package filter_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// order is a refused POST, as a row of the list knows it.
func order() filter.Subject {
	return filter.Subject{
		Now: now, ID: 12, Start: now.Add(-4 * time.Minute), Duration: 1500 * time.Millisecond,
		Method: "POST", Scheme: "https", Authority: "API.shop.test:8443", Target: "/v1/Orders/7?page=2&next=/home",
		Status: 403, RequestBytes: 24, ResponseBytes: 2_000_000, ContentType: "application/json; charset=utf-8",
		Refused: true, Cause: "csrf-missing", Layer: "cdn-waf", Vendor: "django", Headline: "CSRF header missing", Comment: "Größe prüfen",
	}
}

func TestMatch(t *testing.T) {
	for expr, want := range map[string]bool{
		"":                               true,
		"  ":                             true,
		"method:post":                    true,
		"method:POS":                     false,
		"METHOD:Post":                    true,
		"method:get,post":                true,
		"method:/^p/":                    true,
		"status:403":                     true,
		"status:404":                     false,
		"status:401,403":                 true,
		"status:4xx":                     true,
		"status:40x":                     true,
		"status:5XX":                     false,
		"status:4**":                     true,
		"status:>=500":                   false,
		"status:>=4xx":                   true,
		"status:>4xx":                    false,
		"status:<500":                    true,
		"status:<=403":                   true,
		"status:=403":                    true,
		"status:400-404":                 true,
		"status:none":                    false,
		"host:api":                       true,
		"host:api.shop.test:8443":        true,
		"host:web":                       false,
		`host:/^api\./`:                  true,
		"path:/orders":                   true,
		"path:/orders/":                  true,
		"path:/order/":                   false, // no regular expression: nothing in it says so
		`path:/orders\/\d+$/`:            true,
		"path:page":                      false,
		"query:page=2":                   true,
		"query:orders":                   false,
		"url:https://api":                true,
		"url:test:8443/v1":               true,
		"scheme:https":                   true,
		"scheme:http":                    false,
		"type:json":                      true,
		"type:html":                      false,
		"refused:yes":                    true,
		"refused:no":                     false,
		"is:refused":                     true,
		"is:error":                       false,
		"is:error,refused":               true,
		"is:pending":                     false,
		"is:websocket":                   false,
		"is:tunnel":                      false,
		"is:replay":                      false,
		"marked:no":                      true,
		"marked:yes":                     false,
		"cause:csrf":                     true,
		"layer:waf":                      true,
		"vendor:Django":                  true,
		"vendor:cloudflare":              false,
		"comment:GRÖSSE":                 false, // ß is no SS here
		"comment:größe":                  true,
		"comment:GRÖß":                   true,
		"id:12":                          true,
		"id:1,2":                         false,
		"id:10-20":                       true,
		"id:>12":                         false,
		"time:<5m":                       true,
		"time:<3m":                       false,
		"time:>1m30s":                    true,
		"time:>1d":                       false,
		"dur:>1s":                        true,
		"dur:1s-2s":                      true,
		"dur:<1s":                        false,
		"size:>1mb":                      true,
		"size:>2mb":                      false,
		"size:>=2mb":                     true,
		"size:>1.9MB":                    true,
		"size:>1.95mib":                  false,
		"upload:<1kb":                    true,
		"orders":                         true,
		"ORDERS/7":                       true,
		"csrf":                           true,
		"django":                         true,
		"json":                           true,
		"403":                            true,
		"40":                             true,
		"03":                             false,
		"shop.test:8443/v1":              true, // reaches from the host into the path
		"https://api":                    true,
		"/v1":                            true,
		"nothing":                        false,
		`"header missing"`:               true,
		`'header missing'`:               true,
		`"header  missing"`:              false,
		`/csrf\sheader/`:                 true,
		"/^get$|^post$/":                 true,
		"/(?-i)ORDERS/":                  false,
		"(/orders/)":                     true,
		"!method:get":                    true,
		"!csrf":                          false,
		"!!csrf":                         true,
		"! csrf":                         false,
		"method:post status:403":         true,
		"method:post and status:404":     false,
		"method:get or status:403":       true,
		"method:get or nothing":          false,
		"nothing and csrf or json":       true, // and binds closer
		"nothing and (csrf or json)":     false,
		"(nothing or csrf)json":          true,
		"!(csrf or json)":                false,
		"!(nothing and csrf) OR nothing": true,
		`"or"`:                           true, // in Orders
		`"and"`:                          false,
		`path:"/v1/orders"`:              true,
		`"quo\"te"`:                      false,
		"localhost:8080":                 false,
		"a-b":                            false,
	} {
		e, err := filter.Compile(expr, filter.Rows)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if e.Match(order()) != want {
			t.Errorf("%s: matches %v", expr, !want)
		}
		if e.String() != expr {
			t.Errorf("%s is shown as %s", expr, e)
		}
	}
}

func TestANilExpressionMatchesEverything(t *testing.T) {
	var e *filter.Expr
	if !e.Match(order()) || e.String() != "" || e.UsesClock() {
		t.Error("it does not")
	}
}

func TestStates(t *testing.T) {
	for _, c := range []struct {
		word string
		set  func(*filter.Subject)
	}{
		{"error", func(s *filter.Subject) { s.Err = "origin: dial: refused" }},
		{"pending", func(s *filter.Subject) { s.Live = true }},
		{"refused", func(s *filter.Subject) { s.Refused = true }},
		{"marked", func(s *filter.Subject) { s.Marked = true }},
		{"commented", func(s *filter.Subject) { s.Comment = "x" }},
		{"proven", func(s *filter.Subject) { s.Proven = true }},
		{"cut", func(s *filter.Subject) { s.Cut = true }},
		{"replay", func(s *filter.Subject) { s.Origin = flow.FromReplay }},
		{"import", func(s *filter.Subject) { s.Origin = flow.FromImport }},
		{"websocket", func(s *filter.Subject) { s.WebSocket = true }},
		{"sse", func(s *filter.Subject) { s.ContentType = "Text/Event-Stream; charset=utf-8" }},
		{"grpc", func(s *filter.Subject) { s.ContentType = "application/grpc+proto" }},
		{"tunnel", func(s *filter.Subject) { s.Kind = flow.Tunnel }},
		{"handshake", func(s *filter.Subject) { s.Kind = flow.Handshake }},
		{"rejected", func(s *filter.Subject) { s.Kind = flow.Rejected }},
	} {
		e := compile(t, "is:"+c.word, filter.Rows)
		s := filter.Subject{}
		if e.Match(s) {
			t.Errorf("is:%s holds of nothing", c.word)
		}
		if c.set(&s); !e.Match(s) {
			t.Errorf("is:%s does not hold where it should", c.word)
		}
	}
}

// TestARegexpIsNotSkippedWhereItMatches: a text that the expression must contain is looked for first.
func TestARegexpIsNotSkippedWhereItMatches(t *testing.T) {
	for _, c := range []struct {
		expr, comment string
		want          bool
	}{
		{"/gr(o|ö)sse/", "die GRÖSSE", true},
		{"/stra[sß]e/", "STRASE", true},
		{"/(abc)+d/", "xABCABCD", true},
		{"/(abc)*d/", "d", true},
		{"/(abc|xyz)d?/", "XYZ", true},
		{"/(abcd){2}/", "abcdabcd", true},
		{"/(abcd){0,2}e/", "e", true},
		{"/kiss/", "\u212aIſS", true}, // Kelvin sign and long s fold to k and s
		{"/kiss/", "kis", false},
		{"/a.*needle/", "a hay", false},
	} {
		if compile(t, c.expr, filter.Rows).Match(filter.Subject{Comment: c.comment}) != c.want {
			t.Errorf("%s of %s is not %v", c.expr, c.comment, c.want)
		}
	}
}

func TestWhatGoesOn(t *testing.T) {
	s := filter.Subject{Now: now, Start: now.Add(-30 * time.Second), Live: true}
	if !compile(t, "dur:>20s", filter.Rows).Match(s) {
		t.Error("the time so far does not count")
	}
	if !compile(t, "status:none is:pending", filter.Rows).Match(s) {
		t.Error("a flow without an answer is not found")
	}
	if compile(t, "time:<5m", filter.Rows).Match(filter.Subject{Now: now}) {
		t.Error("a flow without a time is young")
	}
	for expr, want := range map[string]bool{"time:<5m": true, "status:403 !(dur:>1s)": true, "status:403": false} {
		if compile(t, expr, filter.Rows).UsesClock() != want {
			t.Errorf("%s: UsesClock is not %v", expr, want)
		}
	}
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	for _, c := range []struct {
		expr   string
		phase  filter.Phase
		column int
		wrong  string // what is marked
		text   string // a part of what is said
	}{
		{"größe stat:403", filter.Rows, 7, "stat:", "use status:, such as status:403"},
		{"foobar:x", filter.Rows, 1, "foobar:", "unknown key foobar"},
		{"code:403", filter.Rows, 1, "code:", "use status:"},
		{"status:", filter.Rows, 8, "", "status: wants a value, such as status:403"},
		{"status: 403", filter.Rows, 8, "", "right behind the colon"},
		{"status:4o3", filter.Rows, 8, "4o3", "a status is wanted"},
		{"status:403,x", filter.Rows, 12, "x", "a status is wanted"},
		{"status:x03", filter.Rows, 8, "x03", "a status is wanted"},
		{"status:4x3", filter.Rows, 8, "4x3", "a status is wanted"},
		{"status:500-400", filter.Rows, 8, "500-400", "write 400-500"},
		{"status>=500", filter.Rows, 7, ">=500", "write status:>=500"},
		{"method:get,,post", filter.Rows, 8, "get,,post", "a word is missing"},
		{"dur:1s", filter.Rows, 5, "1s", "write >1s or <1s"},
		{"dur:>1", filter.Rows, 5, ">1", "with its unit"},
		{"dur:>-1s", filter.Rows, 5, ">-1s", "with its unit"},
		{"time:<5mm", filter.Rows, 6, "<5mm", "with its unit"},
		{"size:>1xb", filter.Rows, 6, ">1xb", "a size is wanted"},
		{"id:x", filter.Rows, 4, "x", "a number is wanted"},
		{"refused:maybe", filter.Rows, 9, "maybe", "yes, no"},
		{"is:refused,odd", filter.Rows, 12, "odd", "error, pending, refused"},
		{"a body:x", filter.Rows, 3, "body:", "body: is not known for the list; it can be used for requests, responses and flows"},
		{"header:x", filter.Rows, 1, "header:", "not known for the list"},
		{"process:x", filter.Rows, 1, "process:", "not known for the list"},
		{"status:403", filter.Requests, 1, "status:", "status: is not known for requests; it can be used for the list, responses and flows"},
		{"cause:csrf", filter.Responses, 1, "cause:", "not known for responses"},
		{"is:error", filter.Requests, 4, "error", "error is not known for requests"},
		{"(a", filter.Rows, 1, "(", "no ) belongs"},
		{"a)", filter.Rows, 2, ")", "no ( belongs"},
		{")", filter.Rows, 1, ")", "no ( belongs"},
		{"()", filter.Rows, 2, ")", "a term is wanted before )"},
		{"a or", filter.Rows, 5, "", "ends where a term is wanted"},
		{"a and !", filter.Rows, 8, "", "ends where a term is wanted"},
		{"or a", filter.Rows, 1, "or", `write "or"`},
		{"a and and b", filter.Rows, 7, "and", "and joins two terms"},
		{"a || b", filter.Rows, 3, "||", `write "or"`},
		{"a && b", filter.Rows, 3, "&&", `write "and"`},
		{`a "b`, filter.Rows, 3, `"`, "quote is not closed"},
		{`host:"b`, filter.Rows, 6, `"`, "quote is not closed"},
		{"/a(/", filter.Rows, 1, "/a(/", "missing closing )"},
		{"host:/[/", filter.Rows, 6, "/[/", "missing closing ]"},
		{strings.Repeat("(", 100) + "a" + strings.Repeat(")", 100), filter.Rows, 65, "(", "more than 64"},
		{strings.Repeat("!", 100) + "a", filter.Rows, 65, "!", "more than 64"},
		{strings.Repeat("a ", 3000), filter.Rows, 1, strings.Repeat("a ", 3000), "longer than"},
	} {
		e, err := filter.Compile(c.expr, c.phase)
		var fault *filter.Error
		if !errors.As(err, &fault) || e != nil {
			t.Errorf("%.20s: compiled as %v, error %v", c.expr, e, err)
			continue
		}
		if fault.Column != c.column || c.expr[fault.Pos:fault.End] != c.wrong || !strings.Contains(fault.Text, c.text) {
			t.Errorf("%.20s: column %d, %q: %s", c.expr, fault.Column, c.expr[fault.Pos:fault.End], fault.Text)
		}
	}
}

func TestKeysOfAPhaseCompileInIt(t *testing.T) {
	for p := filter.Rows; p <= filter.Flows; p++ {
		for _, k := range filter.Keys(p) {
			if k.Help == "" {
				t.Errorf("%s has no help", k.Name)
			}
			examples := strings.Split(k.Example, ", ")
			if k.Name == "is" {
				examples = nil
			}
			for _, v := range k.Values {
				examples = append(examples, k.Name+":"+v)
			}
			for _, x := range examples {
				if !strings.HasPrefix(x, k.Name+":") {
					t.Errorf("%s: the example %s is of another key", k.Name, x)
				}
				compile(t, x, p)
			}
		}
	}
	known := func(p filter.Phase, name string) bool {
		return slices.ContainsFunc(filter.Keys(p), func(k filter.Key) bool { return k.Name == name })
	}
	if !known(filter.Rows, "cause") || known(filter.Rows, "body") || known(filter.Requests, "status") || !known(filter.Flows, "header") {
		t.Error("the phases know other keys than they should")
	}
}

// TestWholeFlows looks into what a list does not hold.
func TestWholeFlows(t *testing.T) {
	f := &flow.Flow{
		ID: 3, Scheme: "https", Authority: "api.test",
		Request: &flow.Message{
			Method: "POST", Target: "/orders",
			Header: flow.Header{{Name: "X-CSRF-Token", Value: "abc"}, {Name: "Accept", Value: "text/html"}, {Name: "Content-Type", Value: "text/plain"}},
		},
		Response: &flow.Message{
			Status: 403, Header: flow.Header{{Name: "Content-Type", Value: "text/html; charset=iso-8859-1"}},
			Trailers: flow.Header{{Name: "Grpc-Status", Value: "7"}},
		},
		Interim: []*flow.Message{{Status: 103, Header: flow.Header{{Name: "Link", Value: "</style.css>"}}}},
		Conn:    flow.Conn{Process: "node (123)"},
		Times:   flow.Timings{Start: now.Add(-time.Hour), End: now.Add(-time.Hour + time.Second)},
		Err:     &flow.Failure{Side: "origin", Op: "read", Text: "reset"},
	}
	f.Request.SetBody([]byte(`{"name":"a"}`))
	f.Response.SetBody([]byte("Zugriff f\xfcr Sie GESPERRT"))
	note := flow.Annotation{
		Verdict: &flow.Judgement{Refused: true, Cause: "policy-deny", Layer: "web-server", Vendor: "nginx", Headline: "denied by rule"},
		Mark:    new(true), Comment: new("see"), ProvenBy: new(flow.ID(9)),
	}
	for expr, want := range map[string]bool{
		"header:x-csrf":                       true,
		"header:abc":                          true,
		`header:"accept: text"`:               true,
		`header:/^x-csrf.*abc$/`:              true,
		"header:x-other":                      false,
		`header:"token abc"`:                  false,
		"header:grpc-status":                  true,
		"header:style.css":                    true,
		"body:gesperrt":                       true,
		"body:für":                            true,
		`body:'"name":"a"'`:                   true,
		"body:nothing":                        false,
		"type:html":                           true,
		"type:plain":                          false,
		"process:NODE":                        true,
		"is:error":                            true,
		"is:marked is:proven is:commented":    true,
		"reset":                               true,
		"dur:>=1s":                            true,
		"cause:policy vendor:nginx layer:web": true,
		"refused:yes":                         true,
		"size:>20 upload:>20":                 false,
	} {
		if compile(t, expr, filter.Flows).Match(filter.Of(f, &note, now)) != want {
			t.Errorf("%s: matches %v", expr, !want)
		}
	}
	f.Response, f.Err, f.Times.End = nil, nil, time.Time{}
	s := filter.Of(f, nil, now)
	if !compile(t, "header:x-csrf type:plain", filter.Requests).Match(s) || !compile(t, "status:none is:pending", filter.Flows).Match(s) {
		t.Error("a request that waits is not found")
	}
}

func TestMatchOfARowAllocatesNothing(t *testing.T) {
	e := compile(t, `method:post (status:4xx or status:>=500) host:api !path:/login orders/7 cause:csrf time:<1h size:>1kb is:refused header`, filter.Rows)
	s := order()
	if !e.Match(s) {
		t.Fatal("no match")
	}
	if n := testing.AllocsPerRun(100, func() { e.Match(s) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func compile(t testing.TB, expr string, p filter.Phase) *filter.Expr {
	t.Helper()
	e, err := filter.Compile(expr, p)
	if err != nil {
		t.Fatalf("%s for %s: %v", expr, p, err)
	}
	return e
}

// FuzzCompile checks that whatever is typed is either an expression that can be
// evaluated, or an error with a place in it.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{"method:post status:403", "!(a or /b+/) and \"c\\\"\"", "status:>=4xx,500-599 dur:1s-2s", "path:/x/ body:'y'", "host:\xff é:x ((", "a:/[/"} {
		f.Add(s, uint8(0))
	}
	whole := &flow.Flow{Request: &flow.Message{Method: "GET", Target: "/é?x=\xff"}, Response: &flow.Message{Status: 403}}
	whole.Response.SetBody([]byte("İstanbul \xff denied"))
	f.Fuzz(func(t *testing.T, s string, phase uint8) {
		e, err := filter.Compile(s, filter.Phase(phase%4))
		var fault *filter.Error
		switch {
		case err == nil:
			e.Match(order())
			e.Match(filter.Of(whole, nil, now))
		case !errors.As(err, &fault) || fault.Pos < 0 || fault.End < fault.Pos || fault.End > len(s) || fault.Column < 1 || fault.Text == "":
			t.Errorf("%q: %#v", s, err)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	const rows = 100_000
	list := make([]filter.Subject, rows)
	for i := range list {
		list[i] = order()
		list[i].ID = flow.ID(i)
		if i%10 != 0 {
			list[i].Status, list[i].Method, list[i].Refused, list[i].Cause = 200, "GET", false, ""
		}
	}
	for _, expr := range []string{"method:post status:403", "refused:yes", "nowhere", "shop/nowhere", `/orders\/\d+x/`, "(host:web or cause:csrf) time:<5m !status:5xx"} {
		b.Run(expr, func(b *testing.B) {
			e := compile(b, expr, filter.Rows)
			b.ReportAllocs()
			for b.Loop() { // one operation is a hundred thousand rows
				for i := range list {
					e.Match(list[i])
				}
			}
		})
	}
}

func TestSoughtIsWhatCanBePointedOut(t *testing.T) {
	for expr, want := range map[string][]string{
		"":                        nil,
		"status:403 denied":       nil,
		`body:"Denied by"`:        {"denied by"},
		"body:a !body:b":          {"a"},
		"(body:a or body:C) get":  {"a", "c"},
		"body:/den.ed/ body:x":    {"x"},
		"!(body:a or status:404)": nil,
	} {
		got := compile(t, expr, filter.Flows).Sought()
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: %q", expr, got)
		}
	}
}
