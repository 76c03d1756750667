package ui

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/har"
)

// saving is shop where commands may finish, in a folder of its own.
func saving(t *testing.T) (*stage, string) {
	s := play(t, shop(), 140, 40)
	s.m.ctx = context.Background()
	dir := t.TempDir()
	t.Chdir(dir)
	return s, dir
}

func TestTheFlowsShownAreSavedAsHAR(t *testing.T) {
	s, dir := saving(t)
	s.press("2", "w")
	s.sees("Save", "› the 2 flows shown as HAR, secrets masked", "file why403.har")
	s.press("enter")
	s.sees("2 flows saved in why403.har")
	text, err := os.ReadFile(filepath.Join(dir, "why403.har"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "kH3vXq0a") || !strings.Contains(string(text), "csrf-missing") {
		t.Errorf("the file holds a secret, or lacks the verdict:\n%s", text)
	}
	if info, _ := os.Stat("why403.har"); info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v", info.Mode())
	}
	var urls []string
	err = har.Each(strings.NewReader(string(text)), func(f *flow.Flow) error { urls = append(urls, f.Authority+f.Request.Target); return nil })
	if err != nil || strings.Join(urls, " ") != "api.shop.test/v1/orders id.shop.test/oauth/token" {
		t.Errorf("%v %v", urls, err)
	}
	s.press("w", "enter")
	s.sees("that file is there already")
	s.press("ctrl+u")
	s.write("all.har")
	s.press("down", "enter") // a name that was typed stays
	s.sees("2 flows saved in all.har")
	if text, _ := os.ReadFile("all.har"); !strings.Contains(string(text), "kH3vXq0a") {
		t.Error("secrets were asked for as they are, and are masked")
	}
}

func TestMarkedFlowsAreSaved(t *testing.T) {
	s, _ := saving(t)
	s.press("g", "space", "space", "w")
	s.sees("2 marked flows as HAR")
	s.press("enter")
	s.sees("2 flows saved in why403.har")
}

func TestABodyIsSavedByteForByte(t *testing.T) {
	s, _ := saving(t)
	s.press("g", "j", "j", "j", "j", "j", "w", "up", "enter") // flow 6, a picture without a request body
	s.sees("saved in logo.png")
	if got, err := os.ReadFile("logo.png"); err != nil || string(got) != string(s.feed.flows[6].Response.Body.Data) {
		t.Errorf("%q %v", got, err)
	}
}

func TestWhatCannotBeSavedLeavesNoFile(t *testing.T) {
	s, _ := saving(t)
	s.press("/")
	s.write("path:/v1/pay") // under way
	s.press("enter", "w", "enter")
	s.sees("none of them is an exchange that has ended")
	if _, err := os.Stat("why403.har"); !os.IsNotExist(err) {
		t.Errorf("a file is left: %v", err)
	}
	s.press("w", "ctrl+u")
	s.write("nowhere/x.har")
	s.press("enter")
	s.sees("there is no folder nowhere")
}

func TestAllShownAreMarked(t *testing.T) {
	s, _ := saving(t)
	s.press("/")
	s.write("path:/v1/cart")
	s.press("enter", "*")
	s.sees("2 flows marked")
	for id := flow.ID(1); id <= 3; id++ {
		if a := s.feed.notes[id]; (a.Mark != nil && *a.Mark) != (id < 3) {
			t.Errorf("flow %d: %+v", id, a)
		}
	}
	s.press("1", "D")
	s.sees("The 2 marked flows are deleted")
	s.press("esc", "/")
	s.write("path:/v1/cart")
	s.press("enter", "*")
	s.sees("the marks of 2 flows taken away")
	if len(s.m.marks) != 0 || *s.feed.notes[1].Mark {
		t.Errorf("still marked: %v", s.m.marks)
	}
}

func TestHalfAPage(t *testing.T) {
	s := play(t, fifty(), 140, 30)
	s.press("g", "ctrl+d")
	if got := int(s.m.list.cur) - 1; got != s.m.list.h/2 {
		t.Errorf("half a page is %d of %d rows", got, s.m.list.h)
	}
	s.press("ctrl+u")
	if s.m.list.cur != 1 {
		t.Errorf("back at %d", s.m.list.cur)
	}
}
