package ui

import (
	"fmt"
	"net"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/ui/safe"
)

// capturing says why nothing can be told the proxy, "" if something can.
func (m *model) capturing() string {
	if m.o.Capture == nil {
		return "nothing is recorded from here: this session was opened without a proxy"
	}
	return ""
}

func (m *model) paused() (on bool, omitted int64) {
	if m.o.Capture == nil {
		return false, 0
	}
	return m.o.Capture.Paused()
}

// togglePause stops recording, or goes on with it.
func (m *model) togglePause() {
	if why := m.capturing(); why != "" {
		m.say(false, why)
		return
	}
	on, omitted := m.paused()
	m.o.Capture.Pause(!on)
	if on {
		m.say(true, "recording goes on; "+plural(omitted, "flow")+" went through unrecorded")
	} else {
		m.say(false, "recording is paused: traffic goes through and is not kept; "+string(keyOf(pauseCapture))+" goes on")
	}
}

// toggleIgnore has the host under the cursor passed through unrecorded, or recorded again.
func (m *model) toggleIgnore() {
	if why := m.capturing(); why != "" {
		m.say(false, why)
		return
	}
	r := m.list.current()
	if r == nil || r.Authority == "" {
		m.say(false, "there is no host here to ignore")
		return
	}
	host := r.Authority
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if slices.Contains(m.o.Capture.Ignored(), host) {
		m.o.Capture.Heed(host)
		m.say(true, host+" is recorded again")
		return
	}
	m.push(&confirm{title: "Ignore this host?", text: host + " is passed through unread and not recorded, until why403 ends. What has been recorded stays.",
		rows: []piece{{"", safe.Text{}}, said(m.th.muted, "ignore: ["+host+"] in the configuration does that for good")}, yes: "ignore", do: func(m *model) tea.Cmd {
			m.o.Capture.Ignore(host)
			m.say(true, host+" is ignored from now on; "+string(keyOf(ignoreHost))+" on one of its rows takes that back")
			return nil
		}})
}

// removedMsg says which flows were deleted.
type removedMsg struct {
	ids []flow.ID // nil: all that had ended
	n   int
	err error
}

// askDelete asks before the flow under the cursor, or those that were marked, are deleted.
func (m *model) askDelete() {
	if m.o.ReadOnly {
		m.say(false, "this session is open read-only: nothing can be deleted")
		return
	}
	ids, what := []flow.ID{m.list.cur}, "Flow #"+id(m.list.cur)+" is"
	if n := len(m.marks); n > 0 {
		ids, what = slices.Clone(m.marks), "The "+plural(int64(n), "marked flow")+" are"
		if n == 1 {
			what = "The marked flow #" + id(ids[0]) + " is"
		}
	}
	if ids[0] == 0 {
		m.say(false, "there is no flow to delete")
		return
	}
	m.push(&confirm{title: "Delete?", text: what + " deleted from the session and overwritten on disk. That cannot be taken back.", yes: "delete", do: func(m *model) tea.Cmd {
		feed, ctx := m.o.Feed, m.ctx
		m.running++
		return m.crew.cmd(func() tea.Msg {
			return removedMsg{ids: ids, n: len(ids), err: feed.Remove(ctx, ids...)}
		})
	}})
}

// askClear asks before all flows that have ended are deleted.
func (m *model) askClear() {
	switch {
	case m.o.ReadOnly:
		m.say(false, "this session is open read-only: nothing can be deleted")
		return
	case m.stats.Flows == 0:
		m.say(false, "there is no flow to delete")
		return
	}
	text := "All " + plural(m.stats.Flows, "flow") + " that have ended are deleted from the session and overwritten on disk"
	if n := m.stats.Live; n > 0 {
		text += "; " + count(n) + " under way stay"
	}
	m.push(&confirm{title: "Clear the session?", text: text + ". That cannot be taken back.", yes: "delete all", do: func(m *model) tea.Cmd {
		feed, ctx := m.o.Feed, m.ctx
		m.running++
		m.say(true, "deleting …")
		return m.crew.cmd(func() tea.Msg {
			n, err := feed.Clear(ctx)
			return removedMsg{n: n, err: err}
		})
	}})
}

// removed takes deleted flows out of all that is shown.
func (m *model) removed(msg removedMsg) tea.Cmd {
	m.running--
	m.now = m.o.Now()
	if msg.err != nil {
		m.fail("delete", msg.err)
	} else {
		m.say(true, plural(int64(msg.n), "flow")+" deleted")
	}
	m.stats = m.o.Feed.Stats()
	gone := func(id flow.ID) bool { return msg.ids == nil || slices.Contains(msg.ids, id) }
	m.marks = slices.DeleteFunc(m.marks, gone)
	m.gaps = true
	l := &m.list
	keep := newRows()
	for id, r := range l.rows.have {
		if r != nil && (!gone(id) || msg.ids == nil && !ended(r)) {
			keep.put(*r)
		}
	}
	l.rows = keep
	m.redraw()
	m.inspector.id = 0
	return m.refilter(m.filterText())
}

// commentBox is a line in which a comment is written.
type commentBox struct {
	id flow.ID
	in input
}

// maxComment is the length of a comment in bytes.
const maxComment = 1000

func (m *model) askComment() {
	r := m.list.current()
	switch {
	case r == nil:
		m.say(false, "there is no flow to comment on")
	case m.o.ReadOnly:
		m.say(false, "this session is open read-only: nothing can be written beside a flow")
	default:
		m.push(&commentBox{id: r.ID, in: newInput(r.Comment)})
	}
}

func (c *commentBox) name() words { return "Comment" }

func (c *commentBox) key(m *model, name, text string) tea.Cmd {
	switch name {
	case "esc", "ctrl+c":
		m.pop()
	case "enter":
		m.pop()
		return m.comment(c.id, strings.TrimSpace(c.in.s))
	default:
		if len(c.in.s)+len(text) <= maxComment {
			c.in.key(name, text)
		}
	}
	return nil
}

func (c *commentBox) view(th *theme, w, h int) []string {
	w = min(w, 76)
	l := row(w).on(th.field).put(th.key, signCursor+" ")
	c.in.draw(th, l, th.bright, w-2, true)
	return []string{l.end(), row(w).on(th.box).end(), row(w).on(th.box).text(th.muted, safe.Of("beside #"+id(c.id)+"   ")).put(th.key, "enter ").put(th.muted, "keep   ").put(th.key, "esc ").put(th.muted, "back   an empty one is taken away").end()}
}

// comment puts text beside a flow.
func (m *model) comment(of flow.ID, text string) tea.Cmd {
	if r, _ := m.list.rows.get(of); r != nil {
		c := *r
		c.Comment = text
		m.list.rows.put(c)
	}
	feed := m.o.Feed
	return m.crew.cmd(func() tea.Msg {
		if err := feed.Note(of, flow.Annotation{Comment: &text}); err != nil {
			return toastMsg{false, fmt.Sprintf("comment on %d: %v", of, err)}
		}
		return nil
	})
}
