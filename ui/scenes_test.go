package ui

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryPaneHasItsFrames looks for a pane of the screen that no golden frame shows: a tab, a
// dialog, the editor in one of its forms.
func TestEveryPaneHasItsFrames(t *testing.T) {
	shown := map[string]bool{}
	for _, c := range scenes {
		s := play(t, c.feed(), 120, 40)
		s.press(c.keys...)
		for _, d := range s.m.dialogs {
			shown[strings.TrimPrefix(fmt.Sprintf("%T", d), "*ui.")] = true
		}
		for name, on := range map[string]bool{
			"the filter line": s.m.filter.open, "the search line": s.m.inspector.search.open, "the JSONPath line": s.m.inspector.path.open,
			"the list": s.m.editor == nil && s.m.list.last > 0, "the first screen": s.m.list.last == 0, "a pane alone": s.m.zoomed,
			"the editor's form": s.m.editor != nil && s.m.editor.raw == nil, "the editor's text": s.m.editor != nil && s.m.editor.raw != nil,
			"the editor of what is held": s.m.editor != nil && s.m.editor.held != nil,
		} {
			shown[name] = shown[name] || on
		}
		if s.m.editor == nil && s.m.lay.inspector.h > 0 && s.m.inspector.d != nil {
			shown["tab "+string(tabNames[s.m.inspector.tab])] = true
		}
	}
	want := dialogTypes(t)
	for _, name := range tabNames {
		want = append(want, "tab "+string(name))
	}
	for name := range shown {
		want = append(want, name)
	}
	for _, name := range want {
		if !shown[name] {
			t.Errorf("no scene shows %s", name)
		}
	}
}

// dialogTypes are the types that have what a dialog has: a title.
func dialogTypes(t *testing.T) (types []string) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || f.Name.Name != "name" || f.Type.Params.NumFields() > 0 {
				continue
			}
			if star, ok := f.Recv.List[0].Type.(*ast.StarExpr); ok {
				types = append(types, star.X.(*ast.Ident).Name)
			}
		}
	}
	if len(types) < 10 {
		t.Fatalf("only %v are dialogs", types)
	}
	return types
}

// TestFramesAreThereInEachSize finds golden frames that lack a size or colours, or belong to no scene.
func TestFramesAreThereInEachSize(t *testing.T) {
	want := map[string]bool{}
	for _, c := range scenes {
		want[c.name+".golden"], want[c.name+".colour.golden"] = true, true
	}
	for _, th := range themes[1:] {
		want["theme-"+string(th.name)+".colour.golden"] = true
	}
	for name := range want {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, size := range [][2]int{{60, 15}, {80, 24}, {120, 40}, {200, 60}} {
			if !strings.Contains(string(text), fmt.Sprintf("-- %d×%d --\n", size[0], size[1])) {
				t.Errorf("%s has no frame of %d×%d", name, size[0], size[1])
			}
		}
		if colours := strings.Contains(string(text), "␛["); colours != strings.Contains(name, ".colour.") {
			t.Errorf("%s: with colours: %v", name, colours)
		}
	}
	have, err := filepath.Glob(filepath.Join("testdata", "*.golden"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range have {
		if !want[filepath.Base(path)] {
			t.Errorf("%s belongs to no scene", path)
		}
	}
}
