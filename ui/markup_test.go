package ui

import (
	"strings"
	"testing"
	"time"
)

func TestMarkupIsIndented(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		html           bool
	}{
		{"elements", `<?xml version="1.0"?><a><b id="1">text</b><c/><d><e>x</e></d></a>`,
			"<?xml version=\"1.0\"?>\n<a>\n  <b id=\"1\">text</b>\n  <c/>\n  <d>\n    <e>x</e>\n  </d>\n</a>", false},
		{"white space between", "<a>\n\n   <b>  x   y </b>\n</a>\n", "<a>\n  <b>x y</b>\n</a>", false},
		{"text and elements", "<p>one <q>two</q> three</p>", "<p>one\n  <q>two</q>\n  three\n</p>", false},
		{"comment and CDATA", "<a><!-- x\n  y --><![CDATA[ 1 < 2\n3 ]]></a>", "<a>\n  <!-- x\n    y -->\n  <![CDATA[ 1 < 2\n  3 ]]>\n</a>", false},
		{"a > in a value", `<a x="1>2" y='"'><b/></a>`, "<a x=\"1>2\" y='\"'>\n  <b/>\n</a>", false},
		{"a < that begins no tag", "<a>1 < 2</a>", "<a>1 < 2</a>", false},
		{"a tag over lines", "<a\n   x=\"1\"\n   y=\"2  3\"><b/></a>", "<a x=\"1\" y=\"2  3\">\n  <b/>\n</a>", false},
		{"an end that fits nothing", "<a></b></a>", "<a>\n  </b>\n</a>", false},
		{"cut off", "<a><b attr=\"", "<a>\n  <b attr=\"", false},
		{"a page", "<!doctype html><html><head><meta charset=utf-8><title>403 Forbidden</title></head><body><center><h1>403</h1></center><hr>nginx</body></html>",
			"<!doctype html>\n<html>\n  <head>\n    <meta charset=utf-8>\n    <title>403 Forbidden</title>\n  </head>\n  <body>\n    <center>\n      <h1>403</h1>\n    </center>\n    <hr>\n    nginx\n  </body>\n</html>", true},
		{"inline elements", "<p>Go <b>away</b>, <a href=/x>here</a>.<br>Now</p>", "<p>Go <b>away</b>, <a href=/x>here</a>.<br>Now</p>", true},
		{"a script keeps its lines", "<script>\nif (a<b) {\n  x()\n}\n</script>", "<script>\n  if (a<b) {\n    x()\n  }\n</script>", true},
		{"an element that is left open", "<ul><li>a<li>b</ul><p>c", "<ul>\n  <li>a\n    <li>b\n</ul>\n<p>c", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := indentMarkup([]byte(c.in), c.html)
			if !ok || string(got) != c.want {
				t.Errorf("%v\n%s\nwant\n%s", ok, got, c.want)
			}
		})
	}
	deep := strings.Repeat("<a>", 1<<20)
	if got, ok := indentMarkup([]byte(deep), false); ok && len(got) > len(deep)+prettyLimit {
		t.Errorf("%d bytes became %d", len(deep), len(got))
	}
}

// FuzzMarkup: no text makes the indenting fail or lose a word.
func FuzzMarkup(f *testing.F) {
	f.Add([]byte("<a x='1'>b<!-- c --></a>"), true)
	f.Add([]byte("<script>a<b</script><p"), false)
	f.Fuzz(func(t *testing.T, data []byte, html bool) {
		got, ok := indentMarkup(data, html)
		if !ok {
			return
		}
		strip := func(b []byte) string {
			return strings.Join(strings.Fields(strings.ReplaceAll(string(b), "\f", " ")), "")
		}
		if strip(got) != strip(data) {
			t.Errorf("%q became %q", data, got)
		}
		d := newTextDoc(got, false)
		d.markup = true
		d.rows(40)
		d.foldTo(1)
		for i := range d.rows(40) {
			l := row(40)
			d.draw(dark(), i, l)
			l.end()
		}
	})
}

func TestBodiesAreMadeReadable(t *testing.T) {
	f := newFake()
	add := func(media, body string) {
		f.done(request(time.Second, "GET", "https://h.test/x", ""), time.Second, response(200, "OK", media, body))
	}
	add("application/xml", `<answer><error><code>AccessDenied</code><message>no</message></error></answer>`)
	add("image/png", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x02\x80\x00\x00\x01\xe0\x08\x06\x00\x00\x00")
	add("application/x-protobuf", "\x08\x96\x01\x12\x07testing")
	add("application/x-ndjson", "{\"a\":1}\n{\"b\":2}\n")
	add("application/pdf", "%PDF-1.7\x00\x01\x02\x03\xff\xfe")
	f.done(request(time.Second, "POST", "https://h.test/graphql", `{"operationName":"Cart","query":"query Cart {\n  cart { id }\n}"}`, "Content-Type", "application/json"), time.Second, response(200, "OK", "", ""))
	s := play(t, f, 160, 40)
	s.press("g", "tab", "l", "l", "l")
	s.sees("<answer>", "    <code>AccessDenied</code>")
	s.press("-")
	s.sees("<error> ... 2 lines </error>")
	s.press("b")
	s.sees("<answer><error><code>AccessDenied</code>")
	s.press("b", "+", "+", "tab", "j", "tab")
	s.sees("PNG image, 640 × 480 pixels, 8-bit RGBA, 29 B", "89 50 4e 47")
	s.press("tab", "j", "tab")
	s.sees("protobuf without its schema", "1: 150", `2: "testing"`)
	s.press("tab", "j", "tab")
	s.sees(`{"a":1}`, `{"b":2}`)
	s.seesNot("no valid JSON")
	s.press("tab", "j", "tab")
	s.sees("PDF document, 14 B")
	s.press("tab", "j", "tab", "h")
	s.sees("GraphQL", "query Cart", "  cart { id }")
}
