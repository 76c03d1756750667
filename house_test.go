// Package why403_test holds the rules of the house: which room may import which,
// and what may stand at the top level. It reads the source; it needs no build.
package why403_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/why403/why403"

// floors has every room there is or may be. A room imports rooms of lower floors.
var floors = map[string]int{
	"cmd/why403": 8, "cmd/why403/demo": 8, "cmd/screenshot": 8,
	"ui": 7, "ui/safe": 7, "ui/picture": 7, "ui/terminal": 7,
	"proxy/launch": 6,
	"proxy":        5, "proxy/replay": 5, "inspect/explain": 5, "inspect/pinpoint": 5, "inspect/report": 5,
	"proxy/wire": 4, "proxy/h2": 4, "inspect": 4, "inspect/vendors": 4, "inspect/waf": 4, "inspect/openapi": 4, "inspect/logs": 4,
	"flow/session": 3, "flow/hold": 3, "flow/rewrite": 3, "flow/export": 3, "certs": 3,
	"flow/diff": 2, "flow/filter": 2, "flow/har": 2, "flow/curl": 2, "flow/paste": 2, "flow/transcript": 2, "flow/redact": 2, "flow/jar": 2,
	"flow/decode": 1,
	"flow":        0,
}

// children are the rooms that the room they stand in may import though both are on one floor.
var children = map[string][]string{
	"cmd/why403": {"cmd/why403/demo"},
	"ui":         {"ui/safe"},
	"inspect":    {"inspect/vendors"},
}

// strangers never import each other, whatever their floors; "x/..." is x and all below it.
var strangers = []struct{ from, to string }{
	{"proxy/...", "inspect/..."},
	{"inspect/...", "proxy/..."},
	{"ui/...", "proxy"},
	{"ui/...", "proxy/wire"},
}

// keepers are the rooms that alone import a module, so that it can be replaced in one place.
var keepers = []struct{ module, room string }{
	{"github.com/elazarl/goproxy", "proxy"},
	{"charm.land/bubbletea", "ui/..."},
	{"charm.land/bubbles", "ui/..."},
	{"charm.land/lipgloss", "ui/..."},
	{"github.com/charmbracelet/bubbletea", "ui/..."},
	{"github.com/charmbracelet/bubbles", "ui/..."},
	{"github.com/charmbracelet/lipgloss", "ui/..."},
	{"github.com/atotto/clipboard", "ui/..."},
	{"modernc.org/sqlite", "flow/session"},
	{"github.com/corazawaf", "inspect/waf"},
	{"github.com/spf13/cobra", "cmd/..."},
	{"charm.land/fang", "cmd/..."},
}

// bare are the rooms that import the standard library alone.
var bare = []string{"flow"}

// topLevel is what may stand beside the files whose names begin with a dot.
var topLevel = []string{
	"cmd", "certs", "flow", "inspect", "proxy", "ui", "docs",
	"go.mod", "go.sum", "goreleaser.yaml", "house_test.go", "README.md", "LICENSE",
	"why403", "why403.exe", "dist", // what a build leaves behind
}

func TestRoomsImportOnlyWhatStandsBelowThem(t *testing.T) {
	for _, fault := range checkImports(t, os.DirFS(".")) {
		t.Error(fault)
	}
}

func TestTopLevelHoldsOnlyTheRooms(t *testing.T) {
	for _, fault := range checkTop(t, os.DirFS(".")) {
		t.Error(fault)
	}
}

func TestTheListOfRoomsAgreesWithItself(t *testing.T) {
	for parent, list := range children {
		for _, child := range list {
			if path.Dir(child) != parent || floors[child] != floors[parent] {
				t.Errorf("children: %s is not in the folder of %s and on its floor", child, parent)
			}
		}
	}
	for _, k := range keepers {
		if _, known := floors[strings.TrimSuffix(k.room, "/...")]; !known && k.room != "cmd/..." {
			t.Errorf("keepers: %s is kept by %s, which is no room", k.module, k.room)
		}
	}
}

// TestTheCheckFindsWhatItIsFor gives the check one small house for each rule.
func TestTheCheckFindsWhatItIsFor(t *testing.T) {
	for _, c := range []struct {
		name, file, imports string
		want                string // a part of the one fault; "" is none
	}{
		{"a lower floor", "flow/diff/a.go", module + "/flow/decode", ""},
		{"the standard library", "flow/a.go", "net/netip", ""},
		{"a listed child", "ui/a.go", module + "/ui/safe", ""},
		{"a replay for the command", "cmd/why403/a.go", module + "/proxy/replay", ""},
		{"goproxy at home", "proxy/a.go", "github.com/elazarl/goproxy", ""},
		{"cobra at home", "cmd/why403/a.go", "github.com/spf13/cobra", ""},
		{"a test may look anywhere", "flow/a_test.go", module + "/cmd/why403", ""},
		{"testdata is no code", "flow/testdata/a.go", module + "/cmd/why403", ""},
		{"a hidden folder is no room", ".ci/e2e/a.go", module + "/ui", ""},
		{"a higher floor", "flow/diff/a.go", module + "/flow/session", "flow/diff/a.go imports flow/session (floor 3) from floor 2"},
		{"the same floor", "flow/diff/a.go", module + "/flow/har", "flow/diff/a.go imports flow/har (floor 2) from floor 2"},
		{"a child back to its parent", "ui/safe/a.go", module + "/ui", "ui/safe/a.go imports ui (floor 7) from floor 7"},
		{"a child that is not listed", "proxy/a.go", module + "/proxy/replay", "add it to children"},
		{"a room that is not listed", "flow/extra/a.go", "net", "flow/extra/a.go is in a room that is not on the list: add flow/extra to floors"},
		{"an import that is not listed", "ui/a.go", module + "/flow/extra", "ui/a.go imports flow/extra, which is not on the list"},
		{"inspect in proxy", "proxy/launch/a.go", module + "/inspect", "proxy/launch/a.go imports inspect"},
		{"proxy in inspect", "inspect/pinpoint/a.go", module + "/proxy/wire", "inspect/pinpoint/a.go imports proxy/wire"},
		{"proxy in ui", "ui/a.go", module + "/proxy", "ui/a.go imports proxy"},
		{"wire in ui", "ui/a.go", module + "/proxy/wire", "ui/a.go imports proxy/wire"},
		{"goproxy elsewhere", "proxy/wire/a.go", "github.com/elazarl/goproxy/ext/auth", "only proxy imports github.com/elazarl/goproxy"},
		{"a major version elsewhere", "inspect/report/a.go", "charm.land/lipgloss/v2", "only ui/... imports charm.land/lipgloss"},
		{"clipboard elsewhere", "cmd/why403/a.go", "github.com/atotto/clipboard", "only ui/... imports"},
		{"sqlite elsewhere", "flow/export/a.go", "modernc.org/sqlite/lib", "only flow/session imports"},
		{"coraza elsewhere", "inspect/a.go", "github.com/corazawaf/coraza/v3", "only inspect/waf imports"},
		{"cobra elsewhere", "ui/a.go", "github.com/spf13/cobra", "only cmd/... imports"},
		{"fang elsewhere", "ui/a.go", "charm.land/fang/v2", "only cmd/... imports"},
		{"a module in flow", "flow/a.go", "golang.org/x/net/http2", "flow/a.go imports golang.org/x/net/http2: flow uses the standard library alone"},
		{"code at the root", "a.go", "net", "a.go stands in no room"},
		{"a file of another system", "flow/har/a_windows.go", module + "/ui", "flow/har/a_windows.go imports ui"},
	} {
		t.Run(c.name, func(t *testing.T) {
			house := fstest.MapFS{c.file: {Data: []byte("package a\n\nimport _ " + strconv.Quote(c.imports) + "\n")}}
			faults := checkImports(t, house)
			switch {
			case c.want == "" && len(faults) > 0:
				t.Errorf("want no fault, got %q", faults)
			case c.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], c.want)):
				t.Errorf("want one fault with %q, got %q", c.want, faults)
			}
		})
	}
}

func TestTheCheckOfTheTopLevelFindsWhatItIsFor(t *testing.T) {
	house := fstest.MapFS{"flow/a.go": {}, "utils/a.go": {}, ".ci/run": {}, "go.mod": {}, "notes.md": {}}
	faults := checkTop(t, house)
	if len(faults) != 2 || !strings.Contains(faults[0], "notes.md") || !strings.Contains(faults[1], "utils") {
		t.Errorf("want notes.md and utils named, got %q", faults)
	}
}

// checkImports gives one line for each import that breaks a rule, naming the file and what to do.
func checkImports(t *testing.T, house fs.FS) (faults []string) {
	t.Helper()
	unlisted := map[string]bool{}
	err := fs.WalkDir(house, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if file != "." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_")) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		room := path.Dir(file)
		if _, known := floors[room]; !known {
			switch {
			case room == ".":
				faults = append(faults, file+" stands in no room: move it into the folder whose subject it shares")
			case !unlisted[room]:
				faults = append(faults, fmt.Sprintf("%s is in a room that is not on the list: add %s to floors in house_test.go, on the lowest floor that its imports allow", file, room))
			}
			unlisted[room] = true
			return nil
		}
		source, err := fs.ReadFile(house, file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if fault := judge(room, imported); fault != "" {
				faults = append(faults, file+" imports "+fault)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

// judge says what is wrong with room importing imported, "" if nothing is.
func judge(room, imported string) string {
	if target, ours := strings.CutPrefix(imported, module+"/"); ours {
		return judgeRoom(room, target)
	}
	for _, k := range keepers {
		if within(imported, k.module+"/...") && !within(room, k.room) {
			return fmt.Sprintf("%s: only %s imports %s; ask that room for what you need", imported, k.room, k.module)
		}
	}
	domain, _, _ := strings.Cut(imported, "/")
	if strings.Contains(domain, ".") && slices.Contains(bare, room) {
		return fmt.Sprintf("%s: %s uses the standard library alone; put the code into a room above it", imported, room)
	}
	return ""
}

func judgeRoom(room, target string) string {
	floor, known := floors[target]
	if !known {
		return fmt.Sprintf("%s, which is not on the list: add it to floors in house_test.go, on the lowest floor that its imports allow", target)
	}
	for _, s := range strangers {
		if within(room, s.from) && within(target, s.to) {
			return fmt.Sprintf("%s: these two never know each other; let cmd hand one to the other through an interface where it is used", target)
		}
	}
	switch mine := floors[room]; {
	case floor < mine, slices.Contains(children[room], target):
		return ""
	case floor == mine && path.Dir(target) == room:
		return fmt.Sprintf("%s (floor %d) from floor %d: if the parent means to build on this child, add it to children in house_test.go", target, floor, mine)
	default:
		return fmt.Sprintf("%s (floor %d) from floor %d: only lower floors may be imported; take what is needed as an argument, or move what both share down", target, floor, mine)
	}
}

// within reports whether name is pattern, or at or below x for a pattern "x/...".
func within(name, pattern string) bool {
	root, tree := strings.CutSuffix(pattern, "/...")
	return name == root || tree && strings.HasPrefix(name, root+"/")
}

func checkTop(t *testing.T, house fs.FS) (faults []string) {
	t.Helper()
	entries, err := fs.ReadDir(house, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, ".") && !slices.Contains(topLevel, name) {
			faults = append(faults, name+" has no place at the top level: move it into a room, docs or .ci")
		}
	}
	return faults
}
