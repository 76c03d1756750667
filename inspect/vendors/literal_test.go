package vendors

import (
	"slices"
	"testing"

	"github.com/why403/why403/flow"
)

func TestNeeded(t *testing.T) {
	for expr, want := range map[string][]string{
		`(?i)error code: 1020\b`:                      {"error code: 1020"},
		`(?i)<center>nginx(/[0-9.]+)?</center>`:       {"<center>nginx"},
		`(?i)(open|stat)\(\) ".{1,400}" failed`:       {`" failed`},
		`(?i)AH0161[78]: user`:                        {"ah0161"},
		`(?i)^(\w+) \d+`:                              {" "},
		`(?i)\d+`:                                     nil,
		`(?i)denied|\d+`:                              nil,
		`(?i)Access (denied|forbidden) by (rule|acl)`: {"access "},
		`(?i)gesperrt: .*grün`:                        {"gesperrt: "},
	} {
		got := needed(expr)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("needed(%q) = %q, want %q", expr, got, want)
		}
	}
}

func TestNeededNeverHidesAMatch(t *testing.T) {
	for _, v := range All() {
		for _, s := range append(slices.Clone(v.Decisions), v.Answered...) {
			for _, c := range s.Conds {
				if c.Op == "like" && c.need() != nil && shortest(c.need()) == 0 {
					t.Errorf("%s: an empty text is needed", v.ID)
				}
			}
		}
	}
}

func TestReason(t *testing.T) {
	c, err := condition("reason", `"ModSecurity Action"`)
	if err != nil {
		t.Fatal(err)
	}
	for reason, want := range map[string]bool{"ModSecurity Action": true, "Forbidden": false, "": false} {
		x := &Exchange{Response: &flow.Message{Status: 403, Reason: reason}}
		if _, ok := c.match(x); ok != want {
			t.Errorf("reason %q: matched %v", reason, ok)
		}
	}
}
