package ui

import "testing"

func TestAFilterThatIsThereIsSelected(t *testing.T) {
	for _, c := range []struct {
		name string
		keys []string
		want string
	}{
		{"typing takes its place", []string{"h", "o"}, "ho"},
		{"backspace clears it", []string{"backspace"}, ""},
		{"delete clears it", []string{"delete"}, ""},
		{"right edits its end", []string{"right", "x"}, "refused:yesx"},
		{"end edits its end", []string{"end", "backspace"}, "refused:ye"},
		{"left edits its beginning", []string{"left", "x"}, "xrefused:yes"},
		{"home edits its beginning", []string{"home", "delete"}, "efused:yes"},
		{"enter keeps it", []string{"enter"}, "refused:yes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := play(t, shop(), 140, 40)
			s.press("/")
			s.seesNot("type to replace it")
			s.write("refused:yes")
			s.press("enter", "/")
			s.sees("type to replace it")
			s.press(c.keys...)
			s.seesNot("type to replace it")
			if c.keys[0] == "enter" {
				if got := s.m.filterText(); got != c.want {
					t.Errorf("filter %q, want %q", got, c.want)
				}
				return
			}
			if got := s.m.filter.in.s; got != c.want {
				t.Errorf("the field holds %q, want %q", got, c.want)
			}
			s.press("esc")
			if got := s.m.filterText(); got != "refused:yes" {
				t.Errorf("esc leaves the filter %q", got)
			}
		})
	}
}

// TestAKeyThatWasCompletedWantsItsValue types what only whole flows hold: the list knows it, too.
func TestAKeyThatWasCompletedWantsItsValue(t *testing.T) {
	s := play(t, shop(), 160, 40)
	s.press("/")
	s.write("bod")
	s.press("tab")
	s.sees("body: wants a value, such as")
	s.seesNot("is not known for")
	s.write("CSRF")
	s.sees("1 match")
}
