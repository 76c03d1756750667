// Package redact masks secrets before anything leaves the machine, each by a
// stable name: the same secret has the same name in all that one Masker sees, on
// both sides of a diff and through a whole export.
//
// What is secret is told by its place (Authorization, Cookie, Set-Cookie, fields
// and parameters with such names), by its form (what known issuers issue, tokens,
// private keys, user:password@ in URLs) and, in paths, parameters and header
// fields of unknown meaning, by its randomness. What was found once is then masked
// wherever it occurs: as it is, percent-encoded, in base64 at any offset, in hex, and
// with the escapes of JSON and HTML. Names of things, schemes, attributes of cookies
// and the claims of tokens stay readable.
//
// Two limits. A secret that is a plain word or a short number (a password
// "summer", a PIN) is masked in its field and in Basic credentials, but not
// wherever the word occurs. The number of a payment card is told by its form anywhere. And an identifier without a telling name or form
// cannot be told from the secret that it may be: ids of requests and objects stay.
//
// A Masker is not safe for concurrent use. Time is linear in what is masked,
// whatever the number of secrets.
package redact

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
)

// Prefix is what all names begin with: WHY403_SECRET_A, WHY403_SECRET_B …
const Prefix = "WHY403_SECRET_"

// Bounds.
const (
	maxSecrets = 1 << 16  // secrets that are looked for everywhere; more are masked only where they are found
	maxSecret  = 16 << 10 // bytes of a secret that is looked for everywhere
	maxShort   = 16       // secrets of 4 or 5 bytes that are looked for everywhere
	maxBody    = 64 << 20 // bytes of a body after its content coding is undone
	maxTree    = 4 << 20  // bytes of JSON that are read as a tree; longer ones are read as text
)

// Masker gives secrets their names.
type Masker struct {
	runnable bool
	ours     bool // the text may hold names that were given
	secrets  map[string]*secret
	derived  map[string]string // text of an encoded secret: its own name (runnable)
	taken    map[string]string // name: what it stands for
	values   map[string]string // name: text
	counter  int
	index    index
	short    []*secret // those too short for the index
	notes    []string
}

// secret is one value that may not be shown.
type secret struct {
	text  string
	about string // what it was when first met
	name  string // "" until it is masked for the first time
}

// New returns a Masker that writes names as words. They are made of letters,
// digits and "_" alone, so that URLs, headers, JSON and tokens stay well-formed.
func New() *Masker {
	return &Masker{secrets: map[string]*secret{}, derived: map[string]string{}, taken: map[string]string{}, values: map[string]string{}}
}

// Runnable returns a Masker that writes names as "$NAME", for what a shell or
// a program fills in again. There each encoded form of a secret is a variable of its
// own (WHY403_SECRET_A_URL), for the bytes must come out the same.
func Runnable() *Masker {
	m := New()
	m.runnable = true
	return m
}

// Flows are masked copies. All are looked through before the first is masked:
// what is secret in one is masked in all.
func (m *Masker) Flows(list []*flow.Flow) []*flow.Flow {
	for _, f := range list {
		m.Learn(f)
	}
	masked := make([]*flow.Flow, len(list))
	for i, f := range list {
		masked[i] = m.mask(f)
	}
	return masked
}

// Flow is a masked copy of f.
func (m *Masker) Flow(f *flow.Flow) *flow.Flow {
	m.Learn(f)
	return m.mask(f)
}

// Text is free text (a log line, evidence, a report, JSON) with all secrets masked that are
// known or can be told in it. Names that were given stay, so that text may be masked twice.
func (m *Masker) Text(s string) string {
	m.ours = true
	defer func() { m.ours = false }()
	return m.replace(s, m.find(s))
}

// Part is the name of the known secret of which s is a part, or which s is; ok is false when there is
// none. A quotation that was cut then has the name of the whole.
func (m *Masker) Part(s string) (name string, ok bool) {
	const least, most = 8, 1 << 12 // bytes of s; secrets that are looked through
	if len(s) < least || len(m.secrets) > most {
		return "", false
	}
	var of *secret
	for text, k := range m.secrets {
		if strings.Contains(text, s) && (of == nil || len(text) < len(of.text) || len(text) == len(of.text) && text < of.text) {
			of = k // the shortest, whatever the order of a map
		}
	}
	if of == nil {
		return "", false
	}
	return m.nameOf(of, of.text, asIs), true
}

// Whole is the name of the known secret that s is, however short; ok is false when it is none. It is
// for what is quoted from where secrets stand: elsewhere a short word may mean another thing.
func (m *Masker) Whole(s string) (name string, ok bool) {
	k, ok := m.secrets[s]
	if !ok || trivial(s) {
		return "", false
	}
	return m.nameOf(k, k.text, asIs), true
}

// Change is a change with its secrets masked, by the rules of the place that it is about.
func (m *Masker) Change(c flow.Change) flow.Change {
	one := func(p *string) *string {
		if p == nil {
			return nil
		}
		return new(m.placed(c.Part, c.Name, *p))
	}
	c.Before, c.After = one(c.Before), one(c.After)
	return c
}

// placed masks a value that stands at a place of a request.
func (m *Masker) placed(place flow.Place, name, v string) string {
	switch place {
	case flow.InHeader:
		return m.replace(v, m.field(name, v))
	case flow.InCookie:
		return m.replace(v, m.value(v, 0, len(v), "cookie "+name, true))
	case flow.InQuery, flow.InForm:
		return m.replace(v, m.parameter(name, v))
	case flow.InPath:
		return m.replace(v, m.path(v, 0, len(v)))
	case flow.InMultipart:
		if isSecret(name) && !strings.HasPrefix(v, "Content-Disposition:") {
			return m.replace(v, m.value(v, 0, len(v), "part "+name, true))
		}
	case flow.InJSON, flow.InJWT:
		if isSecret(strings.TrimRight(name, "]0123456789[")) && strings.HasPrefix(v, `"`) && len(v) > 2 {
			return m.replace(v, m.value(v, 1, len(v)-1, "field "+name, true))
		}
	}
	return m.Text(v)
}

// Variables are the names given so far, with a few words about what each stands for.
func (m *Masker) Variables() map[string]string {
	list := make(map[string]string, len(m.taken))
	for name, about := range m.taken {
		list[name] = about
	}
	return list
}

// Forget forgets the secrets if there are more than most: memory is bounded in a run without end.
// No name is given twice; a secret that is met again gets another one.
func (m *Masker) Forget(most int) {
	if len(m.secrets) <= most {
		return
	}
	n := New()
	n.runnable, n.counter = m.runnable, m.counter
	*m = *n
}

// Value is what a name stands for.
func (m *Masker) Value(name string) (string, bool) {
	v, ok := m.values[name]
	return v, ok
}

// Notes say what masking changed or left out beyond the secrets, a line each.
func (m *Masker) Notes() []string { return slices.Clone(m.notes) }

func (m *Masker) note(f *flow.Flow, format string, args ...any) {
	line := fmt.Sprintf("#%d ", f.ID) + fmt.Sprintf(format, args...)
	if !slices.Contains(m.notes, line) {
		m.notes = append(m.notes, line)
	}
}

// add makes text a known secret.
func (m *Masker) add(text, about string) *secret {
	s, ok := m.secrets[text]
	if !ok {
		s = &secret{text: strings.Clone(text), about: about}
		m.secrets[s.text] = s
		if sweepable(text) && len(m.secrets) <= maxSecrets {
			m.index.add(s)
		}
		if len(m.short) < maxShort && isShortKey(text) && !strings.HasPrefix(about, "cookie") { // cookies hold settings as well
			m.short = append(m.short, s)
		}
	}
	return s
}

// nameOf is the mask for text, which is s itself or a form of it.
func (m *Masker) nameOf(s *secret, text, form string) string {
	if s.name == "" {
		s.name = m.next()
	}
	name := s.name
	if text != s.text && (m.runnable || form == part) {
		name = m.derive(s, text, form)
	} else if _, given := m.values[name]; !given {
		m.taken[name], m.values[name] = s.about, s.text
	}
	if m.runnable {
		return "$" + name
	}
	return name
}

// derive is the name of an encoded form of a secret.
func (m *Masker) derive(s *secret, text, form string) string {
	name, ok := m.derived[text]
	if ok {
		return name
	}
	for n := 1; ; n++ {
		name = s.name + "_" + cmp.Or(form, part)
		if n > 1 {
			name += "_" + strconv.Itoa(n)
		}
		if _, taken := m.values[name]; !taken {
			break
		}
	}
	text = strings.Clone(text)
	m.derived[text], m.taken[name], m.values[name] = name, s.about+", "+forms[cmp.Or(form, part)], text
	return name
}

// next is the next name: A to Z, AA, AB …
func (m *Masker) next() string {
	m.counter++
	letters := ""
	for n := m.counter; n > 0; n = (n - 1) / 26 {
		letters = string(rune('A'+(n-1)%26)) + letters
	}
	return Prefix + letters
}
