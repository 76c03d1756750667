package ui

import (
	"strconv"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/ui/safe"
)

// tab is one view of a flow.
type tab int

const (
	tabWhy tab = iota
	tabDiff
	tabRequest
	tabResponse
	tabMessages // of flows that have messages, see has
	tabTiming
	tabLogs // of flows that lines of logs belong to, see has
	tabAttempts
	tabCount
)

var tabNames = [tabCount]words{"Why", "Diff", "Request", "Response", "Messages", "Timing", "Logs", "Attempts"}

// dossier is everything about one flow, gathered in a command.
type dossier struct {
	row     session.Row
	flow    *flow.Flow
	exp     *inspect.Explained // nil: not refused, or not explained yet
	partner *flow.Flow         // what Diff compares with
	compare compare
	parent  *session.Row // of a replay
	fixedBy flow.ID      // a replay of it that was accepted
	tries   []session.Row
	story   []chapter // nil: it is an exchange of its own
	request document
	answer  document
	raw     bool
	// messages of an upgraded connection or a body; nil: there are none
	messages *messages
	shown    *dossier // what is drawn in stage mode; nil: this one
	// full: request, response are shown with the whole body, or are being read whole.
	full [2]bool
	err  error
}

// lacking is the side whose body the open tab shows only in part though the session has more.
func (v *inspector) lacking() (side session.Side, ok bool) {
	d := v.d
	if d == nil || d.flow == nil || !ended(&d.row) {
		return 0, false
	}
	m := d.flow.Request
	switch v.tab {
	case tabRequest:
	case tabResponse:
		side, m = session.ResponseSide, d.flow.Response
	default:
		return 0, false
	}
	if m == nil || d.full[side] {
		return 0, false
	}
	b := m.Body
	return side, int64(len(b.Data)) < b.Kept && b.Kept <= wholeLimit
}

// inspector shows the flow under the cursor.
type inspector struct {
	tab    tab
	d      *dossier // nil: not loaded yet
	id     flow.ID
	veil   *veil
	row    *session.Row // from the list, until more is loaded
	held   *heldView    // nil: it does not wait
	off    [tabCount]int
	line   [tabCount]int // row of the cursor in the tabs that have one, see lined
	path   pathFilter
	leads  map[int]target // where rows of the tab Why lead to, as it was drawn last
	jumped bool           // the open tab was gone to from such a row
	wanted int            // number of the quotation to go to, from 1, once it is there; 0: none
	checks bool           // the checklist is open
	raw    bool           // bodies as sent
	fold   int            // depth at which JSON is folded, see folds
	diff   diffMode
	nums   bool // lines of bodies have their numbers before them
	search search
	sought []string // texts that the filter looks for in bodies, in lower case
	try    int      // the attempt that the keys act on
	// messages is how the tab of that name stands
	messages messageView
	// of the last drawing
	h, rows int
	tight   bool // the tabs have short names
}

// show turns to another flow. What was loaded of the old one is not shown a moment longer.
func (v *inspector) show(id flow.ID) {
	if id == v.id {
		return
	}
	v.id, v.d, v.checks, v.try = id, nil, false, 0
	v.leads, v.jumped, v.wanted = nil, false, 0
	if v.tab == tabMessages && v.messages.otherwise == tabWhy { // it was not a person who turned there
		v.tab = tabWhy
	}
	v.messages = messageView{want: -1, otherwise: tabResponse}
	v.off, v.line = [tabCount]int{}, [tabCount]int{}
}

// load takes in what a command gathered; ticks and places stay.
func (v *inspector) load(d *dossier) {
	if v.d != nil && v.d.row.ID == d.row.ID && len(v.d.compare.changes) == len(d.compare.changes) {
		d.compare.cur, d.compare.ticked = v.d.compare.cur, v.d.compare.ticked
		if v.d.raw == d.raw && v.d.row.State == d.row.State && (v.d.exp == nil) == (d.exp == nil) {
			d.full = v.d.full
			if d.full[session.RequestSide] {
				d.request = v.d.request
			}
			if d.full[session.ResponseSide] {
				d.answer = v.d.answer
			}
		}
	}
	v.d = d
	v.applyFold()
	if !v.has(v.tab) {
		v.tab = v.messages.otherwise
	}
}

// has reports whether a tab is there: Messages and Logs only where there are any.
func (v *inspector) has(t tab) bool {
	if t == tabLogs {
		return v.d == nil && v.tab == tabLogs || v.d.hasLogs()
	}
	return t != tabMessages || v.d == nil && v.tab == tabMessages || v.d != nil && v.d.messages != nil
}

// turnTo goes to tab t, which every flow has.
func (v *inspector) turnTo(t tab) {
	if v.tab != t {
		v.tab, v.jumped, v.wanted = t, false, 0
	}
}

// turn goes to another tab.
func (v *inspector) turn(by int) {
	v.jumped, v.wanted = false, 0
	for {
		v.tab = tab((int(v.tab) + by + int(tabCount)) % int(tabCount))
		if v.has(v.tab) {
			return
		}
	}
}

// scroll moves the view; in Diff it moves the cursor.
func (v *inspector) scroll(by int) {
	if v.tab == tabAttempts && v.d != nil && (by == 1 || by == -1) {
		v.try = max(0, min(v.try+by, len(v.d.tries)-1))
		return
	}
	if v.tab == tabMessages && v.d != nil && v.d.messages != nil && v.messages.open == nil {
		v.messages.move(v.d.messages, by)
		return
	}
	if v.tab == tabDiff && v.d != nil && len(v.d.compare.changes) > 0 && (by == 1 || by == -1) {
		v.d.compare.move(by)
		return
	}
	if v.lined() {
		v.moveLine(by)
		return
	}
	if v.tab == tabWhy && (by == 1 || by == -1) && v.moveLead(by) {
		return
	}
	v.off[v.tab] = max(0, min(v.off[v.tab]+by, v.rows-v.h))
}

// toggleChecks opens the checklist and scrolls to it, or closes it.
func (v *inspector) toggleChecks() {
	v.checks = !v.checks
	v.off[tabWhy], v.line[tabWhy] = 0, 0
	if v.checks {
		const closed = 3 // rows of the closed checklist, the last of the tab
		v.off[tabWhy] = max(0, v.rows-closed)
		v.line[tabWhy] = v.off[tabWhy]
	}
}

// doc is what the open tab shows at w cells.
func (v *inspector) doc(th *theme, w int, focused bool, now time.Time, zone *time.Location) document {
	d := v.d
	if d == nil {
		return pieces{}
	}
	if d.err != nil {
		p := &writer{w: w}
		p.say(nil, 0, th.warn, safe.Of(d.err.Error()))
		return p.out
	}
	if h := v.held; h != nil {
		switch {
		case v.tab == tabWhy:
			v.leads = nil
			return h.why(th, w, now)
		case v.tab == tabRequest && h.Stage == filter.Requests, v.tab == tabResponse && h.Stage == filter.Responses:
			return v.narrowed(th, h.message(th, v.veil, v.raw))
		}
	}
	if s := d.shown; s != nil {
		s.compare.cur, s.compare.ticked = d.compare.cur, d.compare.ticked
		s.request, s.answer, s.messages, s.story = d.request, d.answer, d.messages, d.story
		d = s
	}
	switch v.tab {
	case tabDiff:
		doc, top, end := d.compare.doc(th, d, w, focused, v.besides(w))
		off := &v.off[tabDiff]
		if end > *off+v.h {
			*off = end - v.h
		}
		if top < *off {
			*off = top
		}
		return doc
	case tabRequest:
		return v.narrowed(th, d.request)
	case tabResponse:
		return v.narrowed(th, d.answer)
	case tabMessages:
		return v.narrowed(th, v.messagesDoc(focused))
	case tabTiming:
		return timingDoc(th, d, w, now, zone)
	case tabLogs:
		return logsDoc(th, d, w, zone)
	case tabAttempts:
		v.try = max(0, min(v.try, len(d.tries)-1))
		return attemptsDoc(th, d, w, v.try, focused)
	}
	page := whyDoc(th, d, v.veil, w, v.checks, now)
	v.leads = page.to
	return page
}

// view draws h rows of w cells, the first with the tabs.
func (v *inspector) view(th *theme, w, h int, focused bool, now time.Time, zone *time.Location) []string {
	out := make([]string, 0, h)
	inner := w - 2
	top := 2
	if h >= 14 {
		top = 3
	}
	v.h = h - top
	doc := v.doc(th, inner, focused, now, zone)
	v.rows = doc.rows(inner)
	off := &v.off[v.tab]
	*off = max(0, min(*off, v.rows-v.h))
	out = append(out, v.tabs(th, w, focused), v.what(th, w))
	if top == 3 {
		out = append(out, blank(w))
	}
	v.line[v.tab] = max(0, min(v.line[v.tab], v.rows-1))
	for i := *off; i < v.rows && len(out) < h; i++ {
		l := row(inner)
		if focused && (i == v.line[v.tab] && v.lined() || v.tab == tabWhy && v.onLead(i)) {
			l.on(th.cursor)
		}
		doc.draw(th, i, l)
		drawn := l.end()
		for _, text := range v.texts() {
			drawn = highlight(th, drawn, text)
		}
		out = append(out, " "+drawn+" ")
	}
	return fill(out, w, h)
}

// what is the row that says which flow this is.
func (v *inspector) what(th *theme, w int) string {
	l := row(w).gap(1)
	r := v.row
	if v.d != nil && v.d.row.Rev != 0 {
		r = &v.d.row
	}
	if r == nil || r.ID != v.id {
		return l.end()
	}
	r = v.veil.row(r)
	l.text(th.muted, safe.Of("#"+id(r.ID)+" "))
	if r.Method != "" {
		l.text(th.verb, safe.Of(r.Method)).gap(1)
	}
	url := safe.Join(safe.Of(r.Scheme+"://"), safe.Of(r.Authority), safe.Of(r.Target))
	if r.Scheme == "" {
		url = safe.Of(r.Authority)
	}
	tail := 0
	if r.Status != 0 {
		tail = 4
	}
	l.text(th.text, url.Cut(l.room()-tail-1))
	if r.Status != 0 {
		l.gap(1).text(statusStyle(th, r.Status, r.Refused()), safe.Of(strconv.Itoa(r.Status)))
	}
	return l.end()
}

// tabs is the row of tabs; where says which one is at a column.
func (v *inspector) tabs(th *theme, w int, focused bool) string {
	l := row(w).gap(1)
	pad := v.tabPad(w)
	for t := range tabCount {
		if !v.has(t) {
			continue
		}
		s := th.muted
		if t == v.tab {
			s = th.chip
			if !focused {
				s = th.bright
			}
		}
		l.text(s, safe.Of(pad+v.tabName(t)+pad))
		if pad == "" {
			l.gap(1)
		}
	}
	if v.rows > v.h && v.h > 0 {
		at := strconv.Itoa(min(v.rows, v.off[v.tab]+v.h)) + "/" + strconv.Itoa(v.rows)
		if l.room() > len(at)+1 {
			l.to(w-len(at)-1).text(th.muted, safe.Of(at))
		}
	}
	return l.end()
}

// tabPad is what stands on both sides of a tab's name: nothing where the tabs would not fit.
func (v *inspector) tabPad(w int) string {
	total := func() int {
		n := 2
		for t := range tabCount {
			if v.has(t) {
				n += len(v.tabName(t)) + 2
			}
		}
		return n
	}
	v.tight = false
	if total() <= w {
		return " "
	}
	v.tight = total()-int(tabCount)-1 > w // with one space between them
	return ""
}

// tabName is a tab's name with the number of things in it.
func (v *inspector) tabName(t tab) string {
	name := string(tabNames[t])
	if v.d == nil {
		return name
	}
	n := 0
	switch t {
	case tabDiff:
		n = len(v.d.compare.changes)
	case tabMessages:
		if v.tight {
			name = "Msgs"
		}
		if v.d.messages != nil {
			return name + " " + count(v.d.messages.total)
		}
	case tabLogs:
		if v.d.hasLogs() {
			n = len(v.d.exp.Logs)
		}
	case tabAttempts:
		n = len(v.d.tries)
	}
	if n > 0 {
		name += " " + strconv.Itoa(n)
	}
	return name
}

// tabAt is the tab drawn at column x of the pane.
func (v *inspector) tabAt(x, width int) (tab, bool) {
	at, around := 1, 2*len(v.tabPad(width))
	around = max(around, 1)
	for t := range tabCount {
		if !v.has(t) {
			continue
		}
		w := safe.Of(v.tabName(t)).Width() + around
		if x >= at && x < at+w {
			return t, true
		}
		at += w
	}
	return 0, false
}
