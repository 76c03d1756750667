package ui

import (
	"errors"
	"slices"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/hold"
	"github.com/why403/why403/ui/safe"
)

// PointStore keeps breakpoints from one run to the next.
type PointStore interface {
	Path() string // the file, for people
	Save([]hold.Point) error
}

// pointsBox lists the breakpoints; in it one is written, by the filter language.
type pointsBox struct {
	m      *model
	points []hold.Point
	cur    int
	top    int // first one on the screen

	typing bool
	at     int // the point that is written; len(points): a new one
	in     input
	p      hold.Point // the stages chosen
	err    error
}

func (m *model) openPoints() {
	if why := m.holdable(); why != "" {
		m.say(false, why)
		return
	}
	b := &pointsBox{m: m, points: m.o.Hold.Points()}
	if len(b.points) == 0 {
		b.write(0)
	}
	m.push(b)
}

func (b *pointsBox) name() words { return "Breakpoints" }

// write opens the line for point i; a new one stands for requests like the one under the cursor.
func (b *pointsBox) write(i int) {
	b.typing, b.at, b.err = true, i, nil
	if i < len(b.points) {
		b.p, b.in = b.points[i], newInput(b.points[i].Match)
		return
	}
	b.p, b.in = hold.Point{Requests: true}, newInput("")
}

func (b *pointsBox) key(m *model, name, text string) tea.Cmd {
	if b.typing {
		return b.typeKey(m, name, text)
	}
	n := len(b.points)
	switch lookup(inPoints, name) {
	case boxDown:
		b.cur = min(b.cur+1, max(0, n-1))
	case boxUp:
		b.cur = max(b.cur-1, 0)
	case boxClose:
		m.pop()
	case boxAdd:
		b.write(n)
	case showHeld:
		m.pop()
		m.openHeld()
	case boxEdit:
		if n > 0 {
			b.write(b.cur)
		}
	case boxToggle:
		if n > 0 {
			b.points[b.cur].Off = !b.points[b.cur].Off
			return b.set(m, b.points)
		}
	case boxDelete:
		if n > 0 {
			return b.set(m, slices.Delete(slices.Clone(b.points), b.cur, b.cur+1))
		}
	}
	return nil
}

func (b *pointsBox) typeKey(m *model, name, text string) tea.Cmd {
	switch name {
	case "esc", "ctrl+c":
		if b.typing = false; len(b.points) == 0 {
			m.pop()
		}
	case "tab":
		switch {
		case b.p.Requests && b.p.Responses:
			b.p.Responses = false
		case b.p.Requests:
			b.p.Requests, b.p.Responses = false, true
		default:
			b.p.Requests = true
		}
		b.check()
	case "right":
		if b.in.s == "" && b.suggestion() != "" {
			b.in = newInput(b.suggestion())
			b.check()
			return nil
		}
		b.in.key(name, text)
	case "enter":
		if b.check(); b.err != nil {
			return nil
		}
		b.p.Match, b.p.Off = b.in.s, false
		points := slices.Clone(b.points)
		if b.at < len(points) {
			points[b.at] = b.p
		} else {
			points = append(points, b.p)
		}
		b.typing, b.cur = false, b.at
		return b.set(m, points)
	default:
		if b.in.key(name, text) {
			b.check()
		}
	}
	return nil
}

// check compiles what is written, for each stage.
func (b *pointsBox) check() {
	p := b.p
	p.Match = b.in.s
	b.err = hold.Check(p)
}

// set puts the breakpoints to work and saves them.
func (b *pointsBox) set(m *model, points []hold.Point) tea.Cmd {
	if err := m.o.Hold.SetPoints(points); err != nil {
		m.fail("breakpoints", err)
		return nil
	}
	b.points = points
	b.cur = max(0, min(b.cur, len(points)-1))
	m.keepHeld(m.o.Hold.Held())
	store := m.o.Points
	if store == nil {
		return nil
	}
	list := slices.Clone(points)
	return m.crew.cmd(func() tea.Msg {
		if err := store.Save(list); err != nil {
			return toastMsg{false, "the breakpoints are at work, but not saved: " + err.Error()}
		}
		return nil
	})
}

// suggestion is a filter that would hold what is like the flow under the cursor.
func (b *pointsBox) suggestion() string {
	if r := b.m.list.current(); r != nil && r.Method != "" && r.Authority != "" {
		return likeRow(r)
	}
	return ""
}

func (b *pointsBox) point(i int) bool {
	if i += b.top; i < len(b.points) && !b.typing {
		b.cur = i
	}
	return false
}

func (b *pointsBox) view(th *theme, w, h int) []string {
	w = min(w, 90)
	var out []string
	n := max(1, min(len(b.points), h-6))
	top := max(0, b.cur-n+1)
	b.top = top
	for i := top; i < min(len(b.points), top+n); i++ {
		p := &b.points[i]
		base, sign := th.box, words("  ")
		if i == b.cur && !b.typing {
			base, sign = th.cursor, signCursor+" "
		}
		s, dot, ds := th.text, words(signOn+" "), th.good
		if p.Off {
			s, dot, ds = th.faint, signOff+" ", th.muted
		}
		l := row(w).on(base).put(th.key, sign).put(ds, dot).left(th.accent, safe.Of(stages(*p)), 22)
		if p.Match == "" {
			l.put(th.muted, "everything")
		} else {
			l.text(s, safe.Of(p.Match))
		}
		out = append(out, l.end())
	}
	if len(b.points) > 0 {
		out = append(out, row(w).on(th.box).end())
	}
	if !b.typing {
		out = append(out, boxKeys(th, w, inPoints)...)
		l := row(w).on(th.box)
		if s := b.m.o.Points; s != nil && s.Path() != "" {
			l.put(th.muted, "saved in ").text(th.muted, safe.Of(s.Path()))
		} else {
			l.put(th.muted, "kept until why403 ends")
		}
		return append(out, l.end())
	}
	l := row(w).on(th.box).put(th.muted, "hold ").left(th.accent, safe.Of(stages(b.p)), 22).put(th.muted, " that match")
	out = append(out, l.end())
	l = row(w).on(th.field).put(th.key, signCursor+" ")
	if b.in.s == "" && b.suggestion() != "" {
		b.in.draw(th, l, th.text, 2, true)
		l.text(th.faint, safe.Of(b.suggestion()))
	} else {
		b.in.draw(th, l, th.bright, w-3, true)
	}
	out = append(out, l.end())
	l = row(w).on(th.box)
	switch {
	case b.err != nil:
		text := b.err.Error()
		if e := (*filter.Error)(nil); errors.As(b.err, &e) {
			text = e.Error() // there is but one breakpoint here
		}
		l.put(th.bad, signNo+" ").text(th.warn, safe.Of(text))
	case b.in.s == "":
		l.put(th.muted, "no filter holds everything")
	default:
		l.put(th.good, signYes+" ").put(th.muted, "the language of the filter line")
	}
	out = append(out, l.end())
	l = row(w).on(th.box).put(th.key, "enter ").put(th.muted, "set   ").put(th.key, "tab ").put(th.muted, "requests, responses or both   ")
	if b.in.s == "" && b.suggestion() != "" {
		l.put(th.key, signTo+" ").put(th.muted, "like this flow   ")
	}
	return append(out, l.put(th.key, "esc ").put(th.muted, "back").end())
}

func stages(p hold.Point) string {
	switch {
	case p.Requests && p.Responses:
		return "requests and responses"
	case p.Responses:
		return "responses"
	}
	return "requests"
}
