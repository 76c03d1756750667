package ui

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rebinding gives an action of the list in keys.go other keys; none takes them away.
type Rebinding struct {
	Action string // as docs/keys.md names it
	Keys   []string
}

// RebindError says which of the list of rebindings is wrong.
type RebindError struct {
	At   int // index in the list
	Text string
	Hint string
}

func (e *RebindError) Error() string { return e.Text }

// id is the name of a binding in the configuration: its words with "-" between
// them, behind the place where it stands if that is no pane.
func (b *binding) id() string {
	place := ""
	switch {
	case b.where&(inList|inInspector) != 0:
	case b.where == inEditor:
		place = "editor."
	case b.where == inHeld:
		place = "held."
	case b.where == inRule:
		place = "rule."
	default:
		place = "box."
	}
	words := strings.FieldsFunc(string(b.name), func(r rune) bool { return !unicode.IsLetter(r) })
	return place + strings.ToLower(strings.Join(words, "-"))
}

// Rebind gives actions other keys, for the whole program: help, footer, palette
// and messages name them from then on. It is called before a screen runs. If
// one is wrong, none is changed and the error is a *RebindError.
func Rebind(list []Rebinding) error {
	changed := slices.Clone(bindings)
	at := map[int]int{} // by binding: the rebinding that changed it
	for i, r := range list {
		b := slices.IndexFunc(changed, func(b binding) bool { return b.id() == r.Action })
		if b < 0 {
			return &RebindError{i, fmt.Sprintf("there is no action %q", r.Action), nearestAction(r.Action)}
		}
		for _, k := range r.Keys {
			switch typed, ok := validKey(k); {
			case !ok:
				return &RebindError{i, fmt.Sprintf("%s: %q is no key", r.Action, k), "a key is a character, or a name such as enter, f5, ctrl+x, alt+up"}
			case typed && changed[b].where&(inEditor|inRule) != 0:
				return &RebindError{i, fmt.Sprintf("%s: %q is typed there", r.Action, k), "in a text only keys with ctrl or alt and named ones do something"}
			}
		}
		changed[b].keys = slices.Clone(r.Keys)
		at[b] = i
	}
	for b, i := range at {
		for o := range changed {
			if o == b || changed[o].where&changed[b].where == 0 || changed[o].do == changed[b].do {
				continue
			}
			for _, k := range changed[b].keys {
				if slices.Contains(changed[o].keys, k) {
					if j, also := at[o]; also {
						i = max(i, j)
					}
					return &RebindError{i, fmt.Sprintf("%q would be both %s and %s", k, changed[b].id(), changed[o].id()), "give one of the two another key"}
				}
			}
		}
	}
	if i := slices.IndexFunc(changed, func(b binding) bool { return b.do == quit }); len(changed[i].keys) == 0 {
		return &RebindError{at[i], "quit: there must be a key to leave", "give it one, such as ctrl+q"}
	}
	bindings = changed
	return nil
}

// nearestAction is a hint for an action that does not exist.
func nearestAction(name string) string {
	want := strings.ToLower(name)
	for i := range bindings {
		if id := bindings[i].id(); want != "" && (strings.Contains(id, want) || strings.Contains(want, id)) {
			return "did you mean " + id + "?"
		}
	}
	return "docs/keys.md lists the names of actions"
}

// keyNames are the keys that are named rather than written.
var keyNames = strings.Fields("enter esc tab space backspace delete insert up down left right home end pgup pgdown")

// validKey reports whether a terminal can tell of a key by that name, and
// whether in a text it would be typed.
func validKey(k string) (typed, ok bool) {
	base, mods := k, 0
	for _, m := range []string{"ctrl+", "alt+", "shift+"} {
		if rest, cut := strings.CutPrefix(base, m); cut && rest != "" {
			base = rest
			mods++
		}
	}
	if slices.Contains(keyNames, base) {
		return base == "space" && mods == 0, true
	}
	if n, found := strings.CutPrefix(base, "f"); found && len(n) > 0 && len(n) <= 2 && strings.Trim(n, "0123456789") == "" {
		return false, n[0] != '0' && (len(n) == 1 || n[0] == '1' && n[1] <= '2')
	}
	r, n := utf8.DecodeRuneInString(base)
	return mods == 0, n == len(base) && n > 0 && r != utf8.RuneError && unicode.IsGraphic(r) && r != ' '
}

// first is the first of keys, "" if there is none.
func first(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return keys[0]
}
