package ui

import "testing"

// reading is a session that was opened to be read.
func reading(t *testing.T, path string) *stage {
	s := play(t, shop(), 140, 40)
	s.m.o.Sender, s.m.o.Listen, s.m.o.ReadOnly, s.m.o.SessionPath = nil, "", true, path
	return s
}

func TestASessionThatIsReadNamesTheCommandThatSends(t *testing.T) {
	for _, c := range []struct{ key, path, want string }{
		{"f", "/tmp/shop.har", "why403 replay /tmp/shop.har 5 --apply-fix"},
		{"r", "/tmp/shop.har", "why403 replay /tmp/shop.har 5"},
		{"e", "/tmp/shop.har", "why403 replay /tmp/shop.har 5 --header 'Name: value'"},
		{"p", "/tmp/shop.har", "why403 pinpoint /tmp/shop.har 5"},
		{"f", "/tmp/it's mine.har", `why403 replay '/tmp/it'\''s mine.har' 5 --apply-fix`},
	} {
		s := reading(t, c.path)
		s.press("N", "N", c.key)
		s.sees("Nothing is sent from a session opened to be read", c.want, "enter copy the command")
		s.press("enter")
		if s.clip.text != c.want {
			t.Errorf("%s: copied %q, want %q", c.key, s.clip.text, c.want)
		}
	}
	s := reading(t, "/tmp/shop.har")
	s.press("N", "f") // a verdict without a fix
	s.sees("the verdict knows no change that would be accepted")
	s = reading(t, "-") // what was read from standard input is not there again
	s.press("N", "N", "r")
	s.sees("nothing is sent from a session opened to be read")
	s.seesNot("why403 replay")
}
