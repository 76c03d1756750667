package ui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/diff"
	"github.com/why403/why403/flow/hold"
	"github.com/why403/why403/flow/session"
)

// editLimit is the size in bytes up to which a body is edited on the screen; above it, in $EDITOR.
const editLimit = 64 << 10

// fieldID is where the cursor is in the form.
type fieldID struct {
	part part
	row  int // header
	col  int // 0 name, 1 value
}

type part int

const (
	partMethod part = iota
	partURL
	partHeader
	partBody
)

// head is a row of the header table.
type head struct {
	orig        flow.Field // as sent; its raw line is sent again if nothing was changed
	name, value input
	off         bool    // left out
	auto        bool    // Content-Length follows the body
	from        flow.ID // taken from this accepted flow
}

// form is what is edited; undo keeps copies of it.
type form struct {
	method, url input
	heads       []head
	body        area
	bytes       []byte // of a body that is not edited on the screen
	asText      bool   // body holds it, else bytes
	out         []leftOutPart
}

// editor changes a request and sends it as a new flow. The flow it came from is never touched.
type editor struct {
	form
	at       fieldID
	parent   *flow.Flow
	row      session.Row
	partner  *flow.Flow // accepted flow to take values from
	compare  compare
	undo     []form
	tries    []try
	problem  string // why it cannot be sent as it stands
	top      int    // first header on the screen
	answer   document
	answered int // scroll of the answer
	noBody   string
	held     *hold.Held // the message that waits; nil: this is to be a new flow
	answers  bool       // held is a response: method and url hold its status and reason
	extended time.Time  // when held was last kept waiting
	touched  time.Time  // when the last key was pressed
	now      time.Time  // of the frame: tokens expire
	raw      *rawText   // the form as one text; nil: it is a form
	veil     *veil      // stage mode: what is not under the cursor is masked
	pasted   bool
	// of the last drawing: rows of the parts of the form, from formTop on
	formTop, headTop, headRows, bodyTop, formW int
	// accepted are requests that were accepted, whose names and values are offered: the partner and others of the endpoint.
	accepted []*flow.Flow
}

// try is one sending from this editor.
type try struct {
	id     flow.ID
	status int
	reason string
	took   time.Duration
	began  time.Time
	err    string
	done   bool
}

func newEditor(f *flow.Flow, body []byte, row session.Row, partner *flow.Flow, c compare) *editor {
	e := &editor{parent: f, row: row, partner: partner, compare: c}
	if f.Request.Body.Cut() {
		e.noBody = fmt.Sprintf("only %s of the body's %s were kept: it cannot be sent again", size(f.Request.Body.Kept), size(f.Request.Body.Size))
	}
	e.form = newForm(f, body)
	e.at = fieldID{partHeader, 0, 1}
	if len(e.heads) == 0 {
		e.at = fieldID{part: partURL}
	}
	return e
}

// fresh is the form of the message as it was.
func (e *editor) fresh() form {
	var g form
	if e.answers {
		g = answerForm(e.parent.Response)
	} else {
		g = newForm(e.parent, e.original())
	}
	if e.held != nil && e.noBody != "" { // what is here of the body is not to be edited
		g.asText, g.body, g.bytes = false, area{}, e.original()
	}
	return g
}

func answerForm(m *flow.Message) form {
	g := form{method: newInput(strconv.Itoa(m.Status)), url: newInput(m.Reason)}
	g.fill(m, m.Body.Data)
	return g
}

func newForm(f *flow.Flow, body []byte) form {
	m := f.Request
	g := form{method: newInput(m.Method), url: newInput(f.URL())}
	if !strings.HasPrefix(m.Target, "/") && !strings.HasPrefix(m.Target, "?") {
		g.url = newInput(f.Scheme + "://" + f.Authority + m.Target) // "*" of OPTIONS
	}
	g.fill(m, body)
	return g
}

// fill takes over the header and the body of m.
func (g *form) fill(m *flow.Message, body []byte) {
	for _, h := range m.Header {
		r := head{orig: h, name: newInput(h.Name), value: newInput(h.Value)}
		r.auto = strings.EqualFold(h.Name, "Content-Length") && h.Value == strconv.Itoa(len(body))
		g.heads = append(g.heads, r)
	}
	g.asText = len(body) <= editLimit && utf8.Valid(body) && isText(body)
	if g.asText {
		g.body = newArea(string(body))
	} else {
		g.bytes = body
	}
}

// content is the body as it would be sent.
func (g *form) content() []byte {
	if g.asText {
		return []byte(g.body.s)
	}
	return g.bytes
}

func (g *form) copy() form {
	c := *g
	c.heads = slices.Clone(g.heads)
	c.out = slices.Clone(g.out)
	c.body.rows = nil
	return c
}

// same reports whether two forms would send the same.
func (g *form) same(o *form) bool {
	return g.method.s == o.method.s && g.url.s == o.url.s && string(g.content()) == string(o.content()) &&
		slices.EqualFunc(g.heads, o.heads, func(a, b head) bool {
			return a.name.s == b.name.s && a.value.s == b.value.s && a.off == b.off && a.auto == b.auto
		}) && slices.Equal(g.out, o.out)
}

// changed reports whether something would be lost by closing.
func (e *editor) changed() bool {
	if e.raw != nil && e.raw.s != e.raw.was {
		return true
	}
	f := e.fresh()
	return !e.form.same(&f)
}

func (e *editor) original() []byte {
	if e.answers {
		return e.parent.Response.Body.Data
	}
	return e.parent.Request.Body.Data
}

// keep remembers the form before a change; typing into one field is one step.
func (e *editor) keep() {
	const steps = 100
	e.undo = append(e.undo, e.form.copy())
	if len(e.undo) > steps {
		e.undo = e.undo[1:]
	}
}

func (e *editor) takeBack() {
	if n := len(e.undo); n > 0 {
		e.form = e.undo[n-1]
		e.undo = e.undo[:n-1]
		e.at.row = max(0, min(e.at.row, len(e.heads)-1))
	}
}

func (e *editor) reset() {
	e.keep()
	e.form = e.fresh()
	e.at.row = max(0, min(e.at.row, len(e.heads)-1))
	e.problem = ""
}

// field is the input under the cursor, nil in the body.
func (e *editor) field() *input {
	switch e.at.part {
	case partMethod:
		return &e.method
	case partURL:
		return &e.url
	case partHeader:
		if e.at.row < len(e.heads) {
			if e.at.col == 0 {
				return &e.heads[e.at.row].name
			}
			return &e.heads[e.at.row].value
		}
	}
	return nil
}

// next goes to the next field, or back.
func (e *editor) next(by int) {
	order := []fieldID{{part: partMethod}, {part: partURL}}
	for i := range e.heads {
		order = append(order, fieldID{partHeader, i, 0}, fieldID{partHeader, i, 1})
	}
	order = append(order, fieldID{part: partBody})
	i := slices.Index(order, e.at)
	if i < 0 {
		i = 0
	}
	e.at = order[(i+by+len(order))%len(order)]
}

// vertical goes up or down in the form.
func (e *editor) vertical(by int) {
	switch e.at.part {
	case partMethod, partURL:
		if by > 0 {
			e.at = fieldID{partHeader, 0, e.at.col}
			if len(e.heads) == 0 {
				e.at = fieldID{part: partBody}
			}
		}
	case partHeader:
		switch r := e.at.row + by; {
		case r < 0:
			e.at = fieldID{part: partURL}
		case r >= len(e.heads):
			e.at = fieldID{part: partBody}
		default:
			e.at.row = r
		}
	case partBody:
		if by < 0 {
			e.at = fieldID{partHeader, len(e.heads) - 1, 1}
			if len(e.heads) == 0 {
				e.at = fieldID{part: partURL}
			}
		}
	}
}

// add puts an empty header below the cursor.
func (e *editor) add() {
	e.keep()
	at := len(e.heads)
	if e.at.part == partHeader {
		at = min(e.at.row+1, len(e.heads))
	}
	e.heads = slices.Insert(e.heads, at, head{})
	e.at = fieldID{partHeader, at, 0}
}

func (e *editor) double() {
	if e.at.part == partHeader && e.at.row < len(e.heads) {
		e.keep()
		h := e.heads[e.at.row]
		h.orig = flow.Field{}
		e.heads = slices.Insert(e.heads, e.at.row+1, h)
		e.at.row++
	}
}

func (e *editor) remove() {
	if e.at.part == partHeader && e.at.row < len(e.heads) {
		e.keep()
		e.heads = slices.Delete(e.heads, e.at.row, e.at.row+1)
		if e.at.row = min(e.at.row, len(e.heads)-1); e.at.row < 0 {
			e.at = fieldID{part: partURL}
		}
	}
}

// toggle leaves the header out, or puts it back. A Content-Length goes on from following the body to being
// fixed as it stands, and then to being left out.
func (e *editor) toggle() {
	if e.at.part != partHeader || e.at.row >= len(e.heads) {
		return
	}
	e.keep()
	h := &e.heads[e.at.row]
	switch length := strings.EqualFold(h.name.s, "Content-Length"); {
	case length && h.auto && !h.off:
		h.value.set(strconv.Itoa(len(e.content())))
		h.auto = false
	case length && h.off:
		h.off, h.auto = false, true
	default:
		h.off = !h.off
	}
}

func (e *editor) shift(by int) {
	to := e.at.row + by
	if e.at.part == partHeader && to >= 0 && to < len(e.heads) {
		e.keep()
		e.heads[e.at.row], e.heads[to] = e.heads[to], e.heads[e.at.row]
		e.at.row = to
	}
}

// typed handles a key in the field under the cursor.
func (e *editor) typed(name, text string) bool {
	if name == "right" && e.accept() {
		return true
	}
	before := e.form.copy()
	ok := false
	if f := e.field(); f != nil {
		was := f.s
		ok = f.key(name, text)
		if ok && f.s != was && e.at.part == partHeader {
			e.heads[e.at.row].auto = false
		}
	} else if e.at.part == partBody && e.asText {
		ok = e.body.key(name, text)
	}
	if ok && !e.form.same(&before) {
		if n := len(e.undo); n == 0 || !sameField(&e.undo[n-1], &before, e.at) {
			e.undo = append(e.undo, before)
		}
		e.problem = ""
	}
	return ok
}

// sameField reports whether the forms differ in the field at alone, so that one undo takes back all
// that was typed there.
func sameField(a, b *form, at fieldID) bool {
	if len(a.heads) != len(b.heads) {
		return false
	}
	x, y := a.copy(), b.copy()
	switch at.part {
	case partMethod:
		x.method = y.method
	case partURL:
		x.url = y.url
	case partBody:
		x.body.s = y.body.s
	case partHeader:
		if at.col == 0 {
			x.heads[at.row].name = y.heads[at.row].name
		} else {
			x.heads[at.row].value = y.heads[at.row].value
		}
	}
	return x.same(&y) && !a.same(b)
}

func (e *editor) paste(text string) {
	if e.raw != nil {
		e.raw.insert(text)
		return
	}
	e.keep()
	if f := e.field(); f != nil {
		f.insert(text)
		if e.at.part == partHeader {
			e.heads[e.at.row].auto = false
		}
	} else if e.asText {
		e.body.insert(text)
	}
	e.problem = ""
}

// take brings a value of the accepted flow into the form: that of the header under the cursor if it
// differs, else the change given.
func (e *editor) take(ch flow.Change) error {
	to, req, err := e.request()
	if err != nil {
		return err
	}
	to.Request = req
	got, err := diff.ApplyTo(to, flow.Patch{ch})
	if err != nil {
		return err
	}
	e.keep()
	now := newForm(got, got.Request.Body.Data)
	for i := range now.heads { // rows that were there keep what they know
		h := &now.heads[i]
		if j := slices.IndexFunc(e.heads, func(o head) bool { return o.name.s == h.name.s && o.value.s == h.value.s }); j >= 0 {
			h.orig, h.from, h.auto = e.heads[j].orig, e.heads[j].from, e.heads[j].auto
		} else if e.partner != nil && !h.auto {
			h.from = e.partner.ID
			e.at = fieldID{partHeader, i, 1}
		}
	}
	for i, h := range e.heads { // what is off stays in the table
		if h.off {
			now.heads = slices.Insert(now.heads, min(i, len(now.heads)), h)
		}
	}
	e.form = now
	return nil
}

// wanted is the change that the cursor asks for: the accepted value of the header it is on.
func (e *editor) wanted() (flow.Change, bool) {
	if e.at.part != partHeader || e.at.row >= len(e.heads) {
		return flow.Change{}, false
	}
	name := e.heads[e.at.row].name.s
	for _, ch := range e.compare.changes {
		if ch.Part == flow.InHeader && strings.EqualFold(ch.Name, name) && ch.After != nil {
			return ch, true
		}
	}
	return flow.Change{}, false
}

// scroll moves through the answer.
func (e *editor) scroll(by int) { e.answered = max(0, e.answered+by) }

// click puts the cursor into the field at column x of row y, as they were drawn last.
func (e *editor) click(x, y int) {
	y -= e.formTop
	if e.raw != nil {
		e.raw.click(x-1, y)
		return
	}
	if x >= e.formW {
		return
	}
	to := e.at
	switch {
	case y == 0 && x <= 1+max(7, len(e.method.s)+1):
		to = fieldID{part: partMethod}
	case y == 0:
		to = fieldID{part: partURL}
	case y >= e.headTop && y < e.headTop+e.headRows && e.top+y-e.headTop < len(e.heads):
		to = fieldID{partHeader, e.top + y - e.headTop, 1}
		if x >= 1 && x < 5 { // the dot
			e.at = to
			e.toggle()
			return
		}
		if x < 5+nameWidth {
			to.col = 0
		}
	case y >= e.bodyTop:
		to = fieldID{part: partBody}
		if e.asText {
			e.body.click(x-1, y-e.bodyTop)
		}
	}
	e.at = to
}
