package diff

import (
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// applyJSON edits a JSON text in place: the bytes of what is not changed stay,
// blanks and line breaks included.
func applyJSON(text []byte, changes []flow.Change) ([]byte, error) {
	doc, err := decode.ParseJSON(text)
	if err != nil {
		return nil, &NotApplicable{changes[0], "the body is no JSON: " + err.Error()}
	}
	var list []splice
	holders := map[int]*holder{} // by where the array or object begins
	for _, c := range changes {
		if c.After != nil {
			if _, err := decode.ParseJSON([]byte(*c.After)); err != nil {
				return nil, &NotApplicable{c, "the new value is no JSON: " + err.Error()}
			}
		}
		v := doc.Find(c.Name)
		switch {
		case c.Before != nil && !v.Exists():
			return nil, &NotApplicable{c, "the body has no such path"}
		case c.Before != nil && c.After != nil:
			start, end := v.Span()
			list = append(list, splice{start, end, *c.After, c})
		case c.Before != nil:
			if !v.Parent().Exists() {
				return nil, &NotApplicable{c, "without its root there is no JSON; change the whole body"}
			}
			h := holderOf(holders, v.Parent())
			h.remove(v, c)
		case c.After != nil:
			parent, name, pos, ok := decode.SplitPath(c.Name)
			up := doc.Find(parent)
			switch {
			case !ok || !up.Exists():
				return nil, &NotApplicable{c, "there is nothing at " + parent + " to put it into"}
			case pos >= 0 && up.Kind() != decode.Array, pos < 0 && up.Kind() != decode.Object:
				return nil, &NotApplicable{c, parent + " is of another kind: " + up.Kind().String()}
			case pos < 0 && v.Exists() && !removed(changes, c.Name):
				return nil, &NotApplicable{c, "the body has that already"}
			}
			h := holderOf(holders, up)
			item := *c.After
			if pos < 0 {
				item = decode.QuoteJSON(name) + h.colon() + item
			}
			h.fresh = append(h.fresh, fresh{pos, item, c})
		}
	}
	for _, h := range holders {
		list = append(list, h.splices(text)...)
	}
	return splices(text, list)
}

func removed(changes []flow.Change, path string) bool {
	return slices.ContainsFunc(changes, func(c flow.Change) bool { return c.Name == path && c.Before != nil && c.After == nil })
}

// holder is an array or object that loses or gains members.
type holder struct {
	v     decode.Value
	gone  map[int]flow.Change // by where the member begins
	fresh []fresh
}

type fresh struct {
	pos  int // place in the result; -1: the end
	text string
	c    flow.Change
}

func holderOf(all map[int]*holder, v decode.Value) *holder {
	start, _ := v.Span()
	if all[start] == nil {
		all[start] = &holder{v: v, gone: map[int]flow.Change{}}
	}
	return all[start]
}

func (h *holder) remove(v decode.Value, c flow.Change) {
	start, _ := v.MemberSpan()
	h.gone[start] = c
}

// colon is how this object writes what stands between name and value.
func (h *holder) colon() string {
	for m := range h.v.Children() {
		start, end := m.MemberSpan()
		vStart, _ := m.Span()
		raw := h.v.Slice(start, end)
		if between := raw[:vStart-start]; strings.HasSuffix(between, ": ") {
			return ": "
		}
		return ":"
	}
	return ":"
}

// splices turns removals and additions into edits of the text. A member goes
// with the comma and the blanks in front of it, the first ones with those behind
// them. New members are separated the way the first two are.
func (h *holder) splices(text []byte) []splice {
	var list []splice
	type place struct{ start, end int }
	var all, kept []place
	for m := range h.v.Children() {
		start, end := m.MemberSpan()
		all = append(all, place{start, end})
	}
	begin, finish := h.v.Span()
	separator := ","
	if len(all) > 1 {
		separator = string(text[all[0].end:all[1].start])
	}
	leading := true // all before this one are gone as well
	for i, p := range all {
		c, gone := h.gone[p.start]
		switch {
		case !gone:
			leading = false
			kept = append(kept, p)
		case leading && i+1 < len(all):
			list = append(list, splice{p.start, all[i+1].start, "", c})
		case leading:
			list = append(list, splice{p.start, p.end, "", c})
		default:
			list = append(list, splice{all[i-1].end, p.end, "", c})
		}
	}
	slices.SortStableFunc(h.fresh, func(a, b fresh) int {
		if a.pos < 0 || b.pos < 0 {
			return 0
		}
		return a.pos - b.pos
	})
	// before[i] goes in front of kept[i]; tail goes behind all that is kept.
	before := make([]string, len(kept))
	var tail []string
	var about flow.Change
	done := 0 // new elements placed so far
	for _, f := range h.fresh {
		at := f.pos - done
		if f.pos >= 0 && at >= 0 && at < len(kept) {
			before[at] += f.text + separator
		} else {
			tail = append(tail, f.text)
		}
		about = f.c
		done++
	}
	for i, s := range before {
		if s != "" {
			list = append(list, splice{kept[i].start, kept[i].start, s, about})
		}
	}
	if len(tail) == 0 {
		return list
	}
	if len(kept) > 0 {
		at := kept[len(kept)-1].end
		return append(list, splice{at, at, separator + strings.Join(tail, separator), about})
	}
	at := begin + 1
	if len(all) == 0 {
		at = finish - 1
	}
	return append(list, splice{at, at, strings.Join(tail, separator), about})
}
