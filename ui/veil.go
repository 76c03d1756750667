package ui

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/redact"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
)

// veil is stage mode: it masks secrets in what is drawn, by names that stay the
// same while the program runs. What is copied, sent and stored is not touched.
// A nil veil shows everything. Commands and the screen use it at the same time;
// who masks a large body makes the others wait that long.
type veil struct {
	mu    sync.Mutex
	mask  *redact.Masker
	known int // names given when over was made
	over  *strings.Replacer
}

// veilSweep is the length in bytes from which a secret is looked for in a whole
// frame: a shorter one may be a word that stands there for itself.
const veilSweep = 8

func newVeil() *veil { return &veil{mask: redact.New()} }

// text is free text with its secrets masked.
func (v *veil) text(s string) string {
	if v == nil || s == "" {
		return s
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.mask.Text(s)
}

// url is a URL or a target with its secrets masked.
func (v *veil) url(s string) string {
	if v == nil || s == "" {
		return s
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.mask.URL(s)
}

// data is the content of a message of the given media type, "" if it is not known.
func (v *veil) data(b []byte, media string) []byte {
	if v == nil || len(b) == 0 {
		return b
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.mask.Body(b, media)
}

// flow is a copy of f without its secrets.
func (v *veil) flow(f *flow.Flow) *flow.Flow {
	if v == nil || f == nil {
		return f
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.mask.Flow(f)
}

// change is a change with its values masked.
func (v *veil) change(c flow.Change) flow.Change {
	if v == nil {
		return c
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.mask.Change(c)
}

func (v *veil) changes(list []flow.Change) []flow.Change {
	if v == nil {
		return list
	}
	masked := make([]flow.Change, len(list))
	for i, c := range list {
		masked[i] = v.change(c)
	}
	return masked
}

// field is the value of a header field.
func (v *veil) field(name, value string) string {
	if v == nil || value == "" {
		return value
	}
	c := v.change(flow.Change{Part: flow.InHeader, Name: name, After: &value})
	return *c.After
}

// row is a row of the list without the secrets in its target and its texts.
func (v *veil) row(r *session.Row) *session.Row {
	if v == nil || r == nil {
		return r
	}
	c := *r
	c.Target, c.Err, c.Comment = v.url(r.Target), v.text(r.Err), v.text(r.Comment)
	if r.Verdict != nil {
		j := *r.Verdict
		j.Headline = v.text(j.Headline)
		c.Verdict = &j
	}
	return &c
}

// explained is an explanation without secrets. It goes through its JSON form, in
// which every text of it stands; nil if that cannot be done.
func (v *veil) explained(e *inspect.Explained) *inspect.Explained {
	if v == nil || e == nil {
		return e
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil
	}
	masked := &inspect.Explained{}
	if err := json.Unmarshal([]byte(v.text(string(text))), masked); err != nil {
		return nil
	}
	return masked
}

// dossier is what is drawn of d in its place.
func (v *veil) dossier(d *dossier) *dossier {
	if v == nil {
		return nil
	}
	c := *d
	c.row = *v.row(&d.row)
	c.flow, c.partner = v.flow(d.flow), v.flow(d.partner)
	c.exp = v.explained(d.exp)
	c.compare.changes = v.changes(d.compare.changes)
	c.compare.same, c.compare.muted = v.text(d.compare.same), v.text(d.compare.muted)
	if d.parent != nil {
		c.parent = v.row(d.parent)
	}
	c.tries = slices.Clone(d.tries)
	for i := range c.tries {
		c.tries[i] = *v.row(&c.tries[i])
	}
	return &c
}

// frame masks what is known to be secret in a frame that is drawn, cell for
// cell. It is the net under the panes: dialogs and messages that quote a value.
func (v *veil) frame(rows []string) {
	if v == nil {
		return
	}
	v.mu.Lock()
	names := v.mask.Variables()
	if v.over == nil || len(names) != v.known {
		v.known, v.over = len(names), v.replacer(names)
	}
	over := v.over
	v.mu.Unlock()
	for i := range rows {
		rows[i] = over.Replace(rows[i])
	}
}

// replacer puts as many dots in the place of each secret as it takes cells.
func (v *veil) replacer(names map[string]string) *strings.Replacer {
	var pairs []string
	for name := range names {
		secret, ok := v.mask.Value(name)
		if ok && len(secret) >= veilSweep && simple([]byte(secret)) {
			pairs = append(pairs, secret)
		}
	}
	slices.SortFunc(pairs, func(a, b string) int { return len(b) - len(a) }) // one may be a part of another
	both := make([]string, 0, 2*len(pairs))
	for _, p := range pairs {
		both = append(both, p, strings.Repeat("•", len(p)))
	}
	return strings.NewReplacer(both...)
}

// toggleStage turns stage mode on or off. What was drawn before is drawn anew.
func (m *model) toggleStage() {
	switch {
	case m.veil != nil:
		m.setVeil(nil)
		m.say(true, "secrets are shown again")
	default:
		if m.veiled == nil {
			m.veiled = newVeil()
		}
		m.setVeil(m.veiled)
		m.say(true, "stage mode: secrets are masked on the screen; "+string(keyOf(copyTrue))+" still copies the truth, "+string(keyOf(copyMasked))+" masks")
	}
}

func (m *model) setVeil(v *veil) {
	m.veil, m.list.veil, m.inspector.veil = v, v, v
	if m.editor != nil {
		m.editor.veil = v
	}
	m.redraw()
}

// redraw has everything made anew that commands made for the screen.
func (m *model) redraw() {
	m.loads++
	v := &m.inspector
	v.d, v.held = nil, nil
	v.messages.open, v.messages.want = nil, -1
}

// message is a message of a connection without its secrets.
func (v *veil) message(f *flow.Frame) *flow.Frame {
	if v == nil {
		return f
	}
	media := ""
	if f.Kind == flow.ServerEvent {
		media = "text/event-stream"
	}
	c := *f
	c.Data = v.data(f.Data, media)
	return &c
}
