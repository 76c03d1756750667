package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/why403/why403/flow/hold"
)

func TestBreakpointsAreReadAndWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	const before = "# mine\nlisten: 127.0.0.1:0\nrules:\n  - match: host:a\n    delay: 10ms\n"
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	lookup := func(string) (string, bool) { return path, true }
	want := []hold.Point{{Match: `method:post path:"/a b"`, Requests: true}, {Match: "status:403", Responses: true, Off: true}, {Requests: true, Responses: true}}
	for range 2 { // writing again changes nothing
		if err := (pointFile{path}).Save(want); err != nil {
			t.Fatal(err)
		}
	}
	got, file, err := breakpoints(lookup)
	if err != nil || file.Path() != path || !slices.Equal(got, want) {
		t.Errorf("read %+v from %v, %v", got, file, err)
	}
	data, _ := os.ReadFile(path)
	if !strings.HasPrefix(string(data), before) {
		t.Errorf("the rest of the file was changed:\n%s", data)
	}
	if err := (pointFile{path}).Save(nil); err != nil {
		t.Fatal(err)
	}
	if got, _, err := breakpoints(lookup); err != nil || len(got) != 0 {
		t.Errorf("after deleting all: %+v, %v", got, err)
	}
}

func TestWrongBreakpointsAreToldWithTheirLine(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"listen: 127.0.0.1:0\nbreakpoints: 3\n", "f:2: breakpoints: a list"},
		{"breakpoints:\n  - match: 'sttus:4'\n", "f:2: breakpoints: "},
		{"breakpoints:\n  - match: host:a\n    at: [answers]\n", `not "answers"`},
		{"breakpoints:\n  - where: host:a\n", `no key "where"`},
		{"breakpoints:\n  - host:a\n", "match and at"},
		{"breakpoints:\n  - {match: 'status:4xx', at: [requests]}\n", "status"},
	} {
		if _, err := readPoints("f", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
	if got, err := readPoints("f", []byte("breakpoints:\n  - match: host:a\n")); err != nil || len(got) != 1 || !got[0].Requests {
		t.Errorf("without at: %+v, %v", got, err)
	}
}
