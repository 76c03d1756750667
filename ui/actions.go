package ui

import (
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/hold"
)

// do is what an action does; keys, palette, mouse and footer all end here.
func (m *model) do(a action) tea.Cmd {
	switch a {
	case goDown, goUp, goPageDown, goPageUp, goTop, goEnd, goHalfDown, goHalfUp:
		m.walk(a)
	case nextRefusal:
		m.seekTab = m.inspector.tab
		return m.seek(true)
	case prevRefusal:
		m.seekTab = m.inspector.tab
		return m.seek(false)
	case open:
		return m.enter()
	case back:
		return m.goBack()
	case nextPane:
		m.otherPane()
	case nextTab:
		m.inspector.turn(1)
		m.openInspector()
	case prevTab:
		m.inspector.turn(-1)
		m.openInspector()
	case sortFlows:
		m.push(newSortMenu(m))
	case listEndpoints:
		e, cmd := newEndpoints(m)
		m.push(e)
		return cmd
	case chooseColumns:
		m.push(&columnMenu{shown: &m.list.shown})
	case filterFlows:
		m.openFilter()
	case searchTab:
		m.openInspector()
		s := &m.inspector.search
		s.open, s.row = true, -1
	case nextHit:
		if len(m.inspector.texts()) > 0 || !m.nextCite(true) {
			m.seekText(m.inspector.search.row+1, true)
		}
	case prevHit:
		if len(m.inspector.texts()) > 0 || !m.nextCite(false) {
			m.seekText(m.inspector.search.row-1, false)
		}
	case presetAll, presetRefused, presetPost403:
		return m.setFilter(presets[a-presetAll].expr)
	case pick:
		if m.focus == inInspector && m.inspector.tab == tabDiff && m.inspector.d != nil {
			m.inspector.d.compare.tick()
			return nil
		}
		return m.toggleMark()
	case markShown:
		return m.markShown()
	case saveFlows:
		m.openSave()
	case compareMarked:
		m.compareMarked()
	case partnerBefore:
		return m.otherPartner(-1)
	case partnerAfter:
		return m.otherPartner(1)
	case filterJSON:
		m.openInspector()
		m.openPath()
	case numberLines:
		m.numberLines()
	case diffView:
		m.turnDiff()
	case storyBack:
		return m.goStep(false)
	case storyOn:
		return m.goStep(true)
	case foldStories:
		return m.toggleStories()
	case newRequest:
		m.newRequest()
	case toggleRaw:
		m.inspector.raw = !m.inspector.raw
	case foldJSON:
		m.foldMore()
	case unfoldJSON:
		m.foldLess()
	case zoom:
		m.zoomed = !m.zoomed
		m.opened = m.focus == inInspector
		m.arrange()
	case toggleMouse:
		m.mouse = !m.mouse
		if m.mouse {
			m.say(true, "the mouse works here again")
		} else {
			m.say(true, "the mouse selects text now; "+string(keyOf(toggleMouse))+" gives it back")
		}
	case commentFlow:
		m.askComment()
	case deleteFlow:
		m.askDelete()
	case clearFlows:
		m.askClear()
	case pauseCapture:
		m.togglePause()
	case ignoreHost:
		m.toggleIgnore()
	case chooseTheme:
		m.push(newThemeMenu(m))
	case stageMode:
		m.toggleStage()
	case showHelp:
		m.push(&help{})
	case palette:
		m.push(newPalette(m))
	case quit:
		return m.leave()
	case editReplay:
		if h, ok := m.heldHere(); ok {
			m.editHeld(h)
			return nil
		}
		return m.askEditor()
	case replay:
		return m.replay()
	case replayNewest:
		return m.replayCookies()
	case applyFix:
		return m.askFix()
	case pinpointIt:
		return m.pinpoint()
	case showPoints:
		m.openPoints()
	case showHeld:
		m.openHeld()
	case resumeHeld:
		m.decideHere(hold.Decision{})
	case dropHeld:
		m.decideHere(hold.Decision{Verb: hold.Drop})
	case resumeHeldAll:
		m.resumeAll()
	case showRules:
		m.openRules()
	case copyTrue:
		m.push(newCopyMenu(m, false))
	case copyMasked:
		m.push(newCopyMenu(m, true))
	}
	return nil
}

// walk moves in the focused pane.
func (m *model) walk(a action) {
	if m.focus == inInspector {
		v := &m.inspector
		v.scroll(map[action]int{goDown: 1, goUp: -1, goPageDown: max(1, v.h-1), goPageUp: -max(1, v.h-1), goHalfDown: max(1, v.h/2), goHalfUp: -max(1, v.h/2), goTop: -1 << 30, goEnd: 1 << 30}[a])
		return
	}
	l := &m.list
	switch a {
	case goDown:
		l.move(1)
	case goUp:
		l.move(-1)
	case goPageDown:
		l.move(max(1, l.h-1))
	case goPageUp:
		l.move(-max(1, l.h-1))
	case goHalfDown:
		l.move(max(1, l.h/2))
	case goHalfUp:
		l.move(-max(1, l.h/2))
	case goTop:
		l.first()
	case goEnd:
		l.end()
	}
}

func (m *model) openInspector() {
	if !m.opened || m.focus != inInspector {
		m.opened = true
		if m.w < wide || m.zoomed {
			m.focus = inInspector
		}
		m.arrange()
	}
}

func (m *model) enter() tea.Cmd {
	if m.focus == inList {
		if m.list.cur == 0 {
			return nil
		}
		m.opened, m.focus = true, inInspector
		m.inspector.listen(m.list.current())
		m.arrange()
		return nil
	}
	switch m.inspector.tab {
	case tabWhy:
		if cmd, ok := m.follow(); ok {
			return cmd
		}
		m.inspector.toggleChecks()
	case tabDiff:
		return m.replayTicked()
	case tabMessages:
		if m.inspector.messages.open == nil {
			return m.openMessage(m.inspector.messages.cur)
		}
		m.unfoldHere()
	case tabRequest, tabResponse:
		m.unfoldHere()
	case tabAttempts:
		if d := m.inspector.d; d != nil && len(d.tries) > 0 {
			return m.goTo(d.tries[min(m.inspector.try, len(d.tries)-1)].ID)
		}
	}
	return nil
}

// goTo puts the cursor on a flow, for which a filter that hides it is dropped.
func (m *model) goTo(id flow.ID) tea.Cmd {
	m.list.last = max(m.list.last, id) // it may not have been told yet
	var cmd tea.Cmd
	if match := m.list.match; match != nil {
		if _, shown := match.index(id); !shown {
			m.folded = false
			cmd = m.refilter("")
		}
		if match = m.list.match; match != nil && match.sorted != nil {
			if _, shown := match.index(id); !shown {
				match.sorted.put(id, sortKey{}) // it finds its place when it is told
			}
		}
	}
	m.list.place(id)
	return cmd
}

func (m *model) goBack() tea.Cmd {
	switch {
	case m.focus == inInspector && m.inspector.search.text != "":
		m.inspector.search = search{row: -1}
	case m.focus == inInspector && m.dropPath():
	case m.focus == inInspector && m.inspector.closeMessage():
	case m.focus == inInspector && m.inspector.jumped:
		m.inspector.tab, m.inspector.jumped, m.inspector.wanted = tabWhy, false, 0
	case m.focus == inInspector:
		m.opened, m.focus = false, inList
		m.arrange()
	case m.zoomed:
		m.zoomed = false
		m.arrange()
	case m.filterText() != "":
		return m.setFilter("")
	case m.sorting != (sorting{}):
		m.sorting = sorting{}
		return m.refilter("")
	case m.folded:
		return m.toggleStories()
	}
	return nil
}

func (m *model) otherPane() {
	if m.focus == inList {
		m.focus, m.opened = inInspector, true
	} else {
		m.focus, m.opened = inList, false
	}
	m.arrange()
}

// toggleMark marks the flow under the cursor, or takes the mark away.
func (m *model) toggleMark() tea.Cmd {
	r := m.list.current()
	if r == nil {
		return nil
	}
	if m.o.ReadOnly {
		m.say(false, "this session is open read-only: nothing can be marked")
		return nil
	}
	marked := *r
	marked.Marked = !r.Marked
	m.marks = slices.DeleteFunc(m.marks, func(id flow.ID) bool { return id == r.ID })
	if marked.Marked {
		m.marks = append(m.marks, r.ID)
	}
	m.list.rows.put(marked)
	m.list.move(1)
	feed, id, on := m.o.Feed, marked.ID, marked.Marked
	return m.crew.cmd(func() tea.Msg {
		if err := feed.Note(id, flow.Annotation{Mark: &on}); err != nil {
			return toastMsg{false, fmt.Sprintf("mark %d: %v", id, err)}
		}
		return nil
	})
}

// marksMost is how many flows are marked at once.
const marksMost = 1000

// markShown marks all flows that are shown; where all of them are marked, it takes the marks away.
func (m *model) markShown() tea.Cmd {
	n := m.list.len()
	switch {
	case m.o.ReadOnly:
		m.say(false, "this session is open read-only: nothing can be marked")
		return nil
	case n == 0:
		m.say(false, "there is no flow to mark")
		return nil
	case n > marksMost:
		m.say(false, count(int64(n))+" flows are too many to mark at once; a filter shows fewer")
		return nil
	}
	marked := make(map[flow.ID]bool, len(m.marks))
	for _, id := range m.marks {
		marked[id] = true
	}
	var ids []flow.ID
	on := false
	for i := range n {
		at := m.list.at(i)
		ids = append(ids, at)
		on = on || !marked[at]
	}
	if m.marks = slices.DeleteFunc(m.marks, func(id flow.ID) bool { return slices.Contains(ids, id) }); on {
		m.marks = append(m.marks, ids...)
		m.say(true, plural(int64(len(ids)), "flow")+" marked")
	} else {
		m.say(true, "the marks of "+plural(int64(len(ids)), "flow")+" taken away")
	}
	for _, id := range ids {
		if r, _ := m.list.rows.get(id); r != nil {
			c := *r
			c.Marked = on
			m.list.rows.put(c)
		}
	}
	feed, ctx := m.o.Feed, m.ctx
	return m.crew.cmd(func() tea.Msg {
		for _, id := range ids {
			if err := feed.Note(id, flow.Annotation{Mark: &on}); err != nil {
				return toastMsg{false, fmt.Sprintf("mark %d: %v", id, err)}
			}
			if ctx.Err() != nil {
				return nil
			}
		}
		return nil
	})
}

// leave quits, after asking if something is under way.
func (m *model) leave() tea.Cmd {
	what := ""
	if m.running > 0 {
		what = "a replay is under way"
	}
	if m.o.Busy != nil && what == "" {
		what = m.o.Busy()
	}
	if what == "" {
		return tea.Quit
	}
	m.push(&confirm{title: "Quit?", text: what, yes: "quit", do: func(*model) tea.Cmd { return tea.Quit }})
	return nil
}

// say shows a short message that goes away by itself.
func (m *model) say(good bool, text string) { m.toast.set(good, text, m.now) }

// fail shows what did not work.
func (m *model) fail(what string, err error) { m.say(false, what+": "+err.Error()) }
