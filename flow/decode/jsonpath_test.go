package decode

import (
	"errors"
	"strings"
	"testing"
)

func TestJSONPath(t *testing.T) {
	const doc = `{"items":[{"id":1,"tags":["a","b"]},{"id":2,"more":{"id":7}},{"x":null}],"a.b":{"it's":true},"id":"top"}`
	tree, err := ParseJSON([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, want string
		single     bool
	}{
		{"$", doc, true},
		{"", doc, true},
		{"$.id", `"top"`, true},
		{"id", `"top"`, true},
		{"items[1].id", `2`, true},
		{"$.items[-1]", `{"x":null}`, true},
		{"$.items[9]", ``, true},
		{"$.items[*].id", `1 2`, false},
		{"$.items.*.id", `1 2`, false},
		{"$..id", `"top" 1 2 7`, false},
		{"$.items[0,2].*", `1 ["a","b"] null`, false},
		{"$.items[1:].id", `2`, false},
		{"$.items[:-1].id", `1 2`, false},
		{"$.items[::2].id", `1`, false},
		{`$['a.b']["it's"]`, `true`, true},
		{`$['a.b']['it\'s']`, `true`, true},
		{"*", `[{"id":1,"tags":["a","b"]},{"id":2,"more":{"id":7}},{"x":null}] {"it's":true} "top"`, false},
		{"$.id.no", ``, true},
		{"$.items[0].tags[ 1 ]", `"b"`, true},
	} {
		q, err := ParseJSONPath(c.path)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		var got []string
		q.Select(tree.Root(), func(v Value) bool { got = append(got, v.Raw()); return true })
		if s := strings.Join(got, " "); s != c.want || q.Single() != c.single {
			t.Errorf("%s: %s, want %s; single %v", c.path, s, c.want, q.Single())
		}
	}
	for _, c := range []struct {
		path string
		at   int
		want string
	}{
		{"$.", 2, "a name or *"}, {"$x", 1, "a . or ["}, {"$.a[", 4, "a ] is missing"}, {"$.a[x]", 4, `"x" is no index`}, {"$.a[1:x]", 4, "no slice"},
		{"$[?@.a]", 2, "filters"}, {"$['a", 4, "a quote"}, {"$[1 2]", 2, "no index"}, {"$['a' 1]", 6, "a , or ]"}, {"(", 0, "a path begins"}, {"$[::0]", 2, "no slice"},
	} {
		_, err := ParseJSONPath(c.path)
		var e *PathError
		if !errors.As(err, &e) || e.Pos != c.at || !strings.Contains(e.Text, c.want) {
			t.Errorf("%s: %+v, want %q at %d", c.path, err, c.want, c.at)
		}
	}
	n := 0
	q, _ := ParseJSONPath("$..*")
	q.Select(tree.Root(), func(Value) bool { n++; return n < 3 })
	if n != 3 {
		t.Errorf("it went on to %d", n)
	}

	// Descendants of descendants multiply; that ends.
	deep, err := ParseJSON([]byte(strings.Repeat("[", 400) + strings.Repeat("]", 400)))
	if err != nil {
		t.Fatal(err)
	}
	if q, _ = ParseJSONPath("$..*..*..*..x"); q.Select(deep.Root(), func(Value) bool { return true }) {
		t.Error("it did not give up")
	}
}
