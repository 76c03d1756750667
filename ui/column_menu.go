package ui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// columnSet is a choice of the columns that can be left out of the list.
type columnSet uint8

const (
	timeColumn columnSet = 1 << iota
	hostColumn
	sizeColumn
	typeColumn
	tookColumn
	ageColumn
)

// usualColumns are shown unless somebody chose others.
const usualColumns = timeColumn | hostColumn | tookColumn

// choices are these columns in the order in which they stand.
var choices = []struct {
	column columnSet
	key    words
	name   words // also on the command line
	about  words
}{
	{timeColumn, "t", "time", "when it began"},
	{ageColumn, "a", "age", "how long ago it began"},
	{hostColumn, "h", "host", "host and port"},
	{sizeColumn, "b", "size", "bytes of the answer"},
	{typeColumn, "c", "type", "content type of the answer"},
	{tookColumn, "d", "took", "how long it took"},
}

// ColumnNames are the names that ParseColumns knows.
func ColumnNames() string {
	var names []string
	for _, c := range choices {
		names = append(names, string(c.name))
	}
	return strings.Join(names, ",")
}

// ParseColumns reads names with commas between. The columns for number, method,
// status, path and the reason are always there. "" is the usual choice.
func ParseColumns(text string) (Columns, error) {
	if strings.TrimSpace(text) == "" {
		return Columns{usualColumns}, nil
	}
	var set columnSet
names:
	for name := range strings.SplitSeq(text, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		for _, c := range choices {
			if name == string(c.name) {
				set |= c.column
				continue names
			}
		}
		return Columns{}, fmt.Errorf("no column %q: there are %s", name, ColumnNames())
	}
	return Columns{set}, nil
}

// Columns is what ParseColumns has read; the zero value is the usual choice.
type Columns struct{ set columnSet }

// hide takes the columns out that are not in the set.
func (s columnSet) hide(c *columns) {
	for column, width := range map[columnSet]*int{timeColumn: &c.clock, hostColumn: &c.host, sizeColumn: &c.size, typeColumn: &c.kind, tookColumn: &c.took, ageColumn: &c.age} {
		if s&column == 0 {
			*width = 0
		}
	}
}

// columnMenu turns columns on and off.
type columnMenu struct {
	cur   int
	shown *columnSet // the list's
}

func (c *columnMenu) name() words { return "Columns" }

func (c *columnMenu) key(m *model, name, _ string) tea.Cmd {
	switch name {
	case "esc", "q", "ctrl+c", string(keyOf(chooseColumns)):
		m.pop()
	case "down", "j", "tab":
		c.cur = min(c.cur+1, len(choices)-1)
	case "up", "k", "shift+tab":
		c.cur = max(c.cur-1, 0)
	case "enter", "space", " ":
		*c.shown ^= choices[c.cur].column
	default:
		for i, x := range choices {
			if string(x.key) == name {
				c.cur = i
				*c.shown ^= x.column
			}
		}
	}
	return nil
}

func (c *columnMenu) point(i int) bool {
	if i < len(choices) {
		c.cur = i
	}
	return i < len(choices)
}

func (c *columnMenu) view(th *theme, w, _ int) []string {
	w = min(w, 48)
	var out []string
	for i, x := range choices {
		base, sign := th.box, words("  ")
		if i == c.cur {
			base, sign = th.cursor, signCursor+" "
		}
		tick := words("[ ] ")
		if *c.shown&x.column != 0 {
			tick = "[x] "
		}
		out = append(out, row(w).on(base).put(th.key, sign).put(th.key, x.key).gap(2).put(th.text, tick).put(th.bright, x.name).to(18).put(th.muted, x.about).end())
	}
	return append(out, row(w).on(th.box).end(), row(w).on(th.box).put(th.muted, "a narrow list leaves some of them out").end())
}
