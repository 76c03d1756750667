package decode

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestJSONPathsAndPlaces(t *testing.T) {
	const text = "\ufeff" + `{"items":[{"sku":"A1","qty":1e2},{"sku":"B\u00e9","qty":20.50}],"x-y":null,"a":1,"a":2,"":[],"é":"\ud83d\ude00"}`
	d, err := ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for path, v := range d.Leaves() {
		start, end := v.Span()
		if text[start:end] != v.Raw() {
			t.Errorf("%s: span holds %q, raw is %q", path, text[start:end], v.Raw())
		}
		if v.Path() != path {
			t.Errorf("path %s, while walking %s", v.Path(), path)
		}
		got = append(got, path+" = "+v.Raw())
	}
	want := []string{`$.items[0].sku = "A1"`, `$.items[0].qty = 1e2`, `$.items[1].sku = "B\u00e9"`, `$.items[1].qty = 20.50`,
		`$["x-y"] = null`, `$.a = 1`, `$.a = 2`, `$[""] = []`, `$["é"] = "\ud83d\ude00"`}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if s := d.Find(`$.items[1].sku`).Text(); s != "Bé" {
		t.Errorf("found %q", s)
	}
	if s := d.Find(`$["é"]`).Text(); s != "😀" {
		t.Errorf("found %q", s)
	}
	for _, path := range []string{"", "items", "$.items[2]", "$.items[", `$["x`, "$.", "$..a", "$.a.b", `$["x-y"`} {
		if d.Find(path).Exists() {
			t.Errorf("%q found something", path)
		}
	}
	start, end := d.Find("$.items[0].qty").MemberSpan()
	if text[start:end] != `"qty":1e2` {
		t.Errorf("member stands at %q", text[start:end])
	}
}

func TestJSONErrors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{``, "line 1, column 1: no value"},
		{" \n ", "line 2, column 2: no value"},
		{`{"a":1,}`, `line 1, column 8: '}' where a name in double quotes belongs`},
		{"{\n  'a': 1}", `line 2, column 3: '\'' where a name in double quotes belongs`},
		{`[1 2]`, `line 1, column 4: '2' where a comma or the end of the array belongs`},
		{`[1}`, `line 1, column 3: '}' where a comma or the end of the array belongs`},
		{`{"a" 1}`, `line 1, column 6: '1' where a colon belongs`},
		{`{"a":}`, `line 1, column 6: '}' where a value belongs`},
		{`{"a":[1`, "line 1, column 8: the text ends inside the array that begins at byte 5"},
		{`"ab`, "line 1, column 4: the text ends inside the string that begins at byte 0"},
		{`01`, "line 1, column 1: a number does not begin with 0"},
		{`1.`, "line 1, column 3: a digit belongs after the point"},
		{`{} x`, `line 1, column 4: 'x' after the end of the value`},
		{`None`, `line 1, column 1: 'N' where a value belongs`},
		{"\"a\nb\"", "line 1, column 3: byte 0x0A inside a string, where it has to be escaped"},
		{`"\x"`, `line 1, column 3: \x is no escape`},
		{`"\u12g4"`, `line 1, column 6: \u needs four hex digits`},
	} {
		if _, err := ParseJSON([]byte(c.in)); err == nil || err.Error() != c.want {
			t.Errorf("%q: %v\nwant %s", c.in, err, c.want)
		}
	}
}

func TestJSONCutOffKeepsWhatWasRead(t *testing.T) {
	d, err := ParseJSON([]byte(`{"error":{"code":"denied","message":"no ri`))
	if err == nil || d.Root().Dig("error", "code").Text() != "denied" {
		t.Errorf("code %q, error %v", d.Root().Dig("error", "code").Text(), err)
	}
}

func TestJSONDepth(t *testing.T) {
	const levels = 100_000
	d, err := ParseJSON([]byte(strings.Repeat(`{"a":[`, levels/2) + "1" + strings.Repeat("]}", levels/2)))
	if err != nil || d.Len() != levels+1 {
		t.Fatalf("%d values, error %v", d.Len(), err)
	}
	for path, v := range d.Leaves() {
		if v.Kind() != Object || len(path) > 4*WalkDepth {
			t.Errorf("leaf of kind %s at a path of %d bytes", v.Kind(), len(path))
		}
	}
	d, err = ParseJSON([]byte(strings.Repeat("[", levels)))
	if err == nil || d.Len() != levels {
		t.Errorf("unclosed: %d values, error %v", d.Len(), err)
	}
}

func TestZeroValue(t *testing.T) {
	var v Value
	if v.Exists() || v.Raw() != "" || v.Path() != "" || v.Get("a").Exists() || v.At(0).Exists() || v.Parent().Exists() || v.Name() != "" || v.Count() != 0 {
		t.Error("the zero value is there")
	}
	var tok Token
	if _, ok := tok.Expiry(); ok || tok.Exists() || tok.Algorithm() != "" || len(tok.Scopes()) > 0 {
		t.Error("the zero token is there")
	}
}

// The standard library is the judge of what is JSON and of what a string says.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,true,null,"x\u00e9\ud83d\ude00"]}`, `[]`, `"\""`, `-0.1`, `{"a":{"a":{}}}`, `nul`, `[1,]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseJSON(data)
		if strings.HasPrefix(string(data), "\ufeff") {
			return
		}
		if ok := json.Valid(data); ok != (err == nil) {
			t.Fatalf("valid %v, error %v", ok, err)
		}
		for path, v := range d.Leaves() {
			if v.Path() != path {
				t.Errorf("%s against %s", v.Path(), path)
			}
			if s, ok := v.Str(); ok && err == nil {
				var want string
				if e := json.Unmarshal([]byte(v.Raw()), &want); e == nil && strings.ToValidUTF8(s, "\ufffd") != want && !strings.Contains(want, "\ufffd") {
					t.Errorf("%s reads %q, want %q", v.Raw(), s, want)
				}
			}
		}
	})
}

func TestMeaning(t *testing.T) {
	number := func(text string) uint64 {
		d, err := ParseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return d.Meaning().Of(d.Root())
	}
	for _, c := range []struct {
		x, y string
		want bool
	}{
		{`{"a":1,"b":[true,null]}`, "{ \"b\" : [true,\nnull], \"\\u0061\":1 }", true},
		{`"é"`, `"\u00e9"`, true},
		{`1`, `1.0`, false},
		{`1`, `"1"`, false},
		{`[1,2]`, `[2,1]`, false},
		{`[[1],[]]`, `[[],[1]]`, false},
		{`[]`, `{}`, false},
		{`{"a":1}`, `{"a":2}`, false},
		{`{"a":1,"b":2}`, `{"a":2,"b":1}`, false},
		{`{"a":1,"a":2}`, `{"a":2,"a":1}`, false},
		{`{"a":1,"a":2}`, `{"a":1,"a":2}`, true},
		{`{"a":1,"a":1}`, `{"b":1,"b":1}`, false},
		{`null`, `false`, false},
	} {
		if got := number(c.x) == number(c.y); got != c.want {
			t.Errorf("%s and %s: the same is %v", c.x, c.y, got)
		}
	}
	const levels = 100_000
	deep := strings.Repeat(`[{"a":`, levels/2) + "1" + strings.Repeat("}]", levels/2)
	if number(deep) != number(strings.ReplaceAll(deep, ":", ": ")) {
		t.Error("depth changes the meaning")
	}
}
