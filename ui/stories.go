package ui

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

// Bounds of the search for what a request led to.
const (
	storyWindow = 10 * time.Second // a client goes on by itself within this time of the answer
	storyReach  = 200              // flows that are looked at
	storySteps  = 12               // of one story that are told
	storiesMost = 4096             // steps that are remembered
	storiesOnce = 32               // rows that are looked into by one command
	storyAgain  = time.Second      // between two looks at one row
)

// stepKind is why one request led to another.
type stepKind uint8

const (
	redirected stepKind = iota
	challenged          // a 401 that the client answered by itself
	preflight           // a browser's question whether it may send the other (Fetch, 4.8)
)

// step is what is known of a request that leads to another.
type step struct {
	kind   stepKind
	to     flow.ID // 0: none came
	method string  // that was asked for, or the redirected request's
	as     string  // the method of what came, if it is another
	denied string  // what a preflight's answer does not allow; "" it allows it
	final  bool    // nothing will come any more
}

// stories are the steps between the flows of a session, found when their rows are looked at.
// The screen and its commands use it at the same time.
type stories struct {
	mu    sync.Mutex
	next  map[flow.ID]step
	prev  map[flow.ID]flow.ID
	asked map[flow.ID]look      // when a step was looked for in vain
	loose map[flow.ID]time.Time // those that something may follow until then
}

// look is a search that found nothing: when it was, and the newest flow there was.
type look struct {
	at   time.Time
	last flow.ID
}

func newStories() *stories {
	return &stories{next: map[flow.ID]step{}, prev: map[flow.ID]flow.ID{}, asked: map[flow.ID]look{}, loose: map[flow.ID]time.Time{}}
}

// leads reports whether a row may lead to another.
func leads(r *session.Row) bool {
	if r == nil || r.Kind != flow.Exchange || r.Parent != 0 || !ended(r) {
		return false
	}
	switch r.Status {
	case 301, 302, 303, 307, 308, 401:
		return true
	}
	return r.Method == "OPTIONS"
}

// of is the step that leads on from a flow.
func (s *stories) of(id flow.ID) (step, bool) {
	if s == nil {
		return step{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.next[id]
	return st, ok
}

// before is the flow that led to id; 0: none that is known.
func (s *stories) before(id flow.ID) flow.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prev[id]
}

// hides reports whether a flow is a part of the story of a later one.
func (s *stories) hides(id flow.ID) bool {
	st, ok := s.of(id)
	return ok && st.to != 0
}

// count is how many flows led to id, at most storySteps.
func (s *stories) count(id flow.ID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for at := s.prev[id]; at != 0 && n < storySteps; at = s.prev[at] {
		n++
	}
	return n
}

// keep remembers a step.
func (s *stories) keep(id flow.ID, st step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.next) >= storiesMost { // those met first are found again when they are looked at
		clear(s.next)
		clear(s.prev)
		clear(s.asked)
		clear(s.loose)
	}
	s.next[id] = st
	delete(s.asked, id)
	delete(s.loose, id)
	if st.to != 0 {
		s.prev[st.to] = id
	}
}

// wanted are the ids among rows whose step is to be looked for now.
func (s *stories) wanted(rows []*session.Row, last flow.ID, now time.Time) []flow.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.loose, func(id flow.ID, until time.Time) bool {
		if now.After(until) {
			delete(s.asked, id) // a last look
			return true
		}
		return false
	})
	var ids []flow.ID
	for _, r := range rows {
		if !leads(r) || len(ids) == storiesOnce {
			continue
		}
		if _, known := s.next[r.ID]; known {
			continue
		}
		if asked, ok := s.asked[r.ID]; ok && (asked.last >= last || now.Sub(asked.at) < storyAgain) {
			continue
		}
		ids = append(ids, r.ID)
	}
	return ids
}

// waiting reports whether something may yet follow a flow that was looked at.
func (s *stories) waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.loose) > 0
}

// lead is what would be the next step of a flow.
type lead struct {
	step
	methods []string
	where   string // key of its URL
	until   time.Time
}

// leadOf reads off an answer what should come next.
func leadOf(f *flow.Flow) (lead, bool) {
	q, a := f.Request, f.Response
	if q == nil || a == nil {
		return lead{}, false
	}
	end := f.Times.End
	if end.IsZero() {
		end = f.Times.Start
	}
	l := lead{where: placeKey(f.Scheme, f.Authority, q.Target), until: end.Add(storyWindow)}
	l.method = q.Method
	switch {
	case a.Status == 401 && a.Header.Has("WWW-Authenticate"):
		l.kind, l.methods = challenged, []string{q.Method}
	case a.Status > 300 && a.Status < 309 && a.Header.Has("Location"):
		to, ok := redirectTarget(f, a.Header.Get("Location"))
		if !ok {
			return lead{}, false
		}
		l.kind, l.where, l.methods = redirected, to, []string{q.Method}
		if a.Status < 304 { // these may become a GET (RFC 9110, 15.4)
			l.methods = append(l.methods, "GET")
		}
	case q.Method == "OPTIONS" && q.Header.Has("Access-Control-Request-Method"):
		l.kind, l.method = preflight, q.Header.Get("Access-Control-Request-Method")
		l.methods, l.denied = []string{l.method}, denied(f)
	default:
		return lead{}, false
	}
	return l, true
}

// redirectTarget is the key of the URL that a Location names (RFC 9110, 10.2.2).
func redirectTarget(f *flow.Flow, location string) (string, bool) {
	base, err := url.Parse(f.URL())
	if err != nil {
		return "", false
	}
	to, err := base.Parse(location)
	if err != nil || to.Host == "" {
		return "", false
	}
	return placeKey(to.Scheme, flow.Canonical(to.Scheme, to.Host), to.RequestURI()), true
}

// placeKey is a URL as two spellings of it compare equal.
func placeKey(scheme, authority, target string) string {
	if u, err := url.ParseRequestURI(target); err == nil && strings.HasPrefix(target, "/") {
		target = u.Path + "?" + u.RawQuery
	}
	return scheme + "://" + authority + target
}

// denied says what the answer to a preflight does not allow of what was asked, "" nothing
// (Fetch, 4.8 "CORS-preflight fetch"). Whether credentials go along it cannot see.
func denied(f *flow.Flow) string {
	q, a := f.Request.Header, f.Response.Header
	origin := q.Get("Origin")
	if f.Response.Status < 200 || f.Response.Status > 299 {
		return "it was answered " + strconv.Itoa(f.Response.Status)
	}
	switch allowed, ok := a.Lookup("Access-Control-Allow-Origin"); {
	case !ok:
		return "the answer has no Access-Control-Allow-Origin"
	case allowed != "*" && allowed != origin:
		return "the answer allows the origin " + allowed + " and not " + origin
	}
	method := q.Get("Access-Control-Request-Method")
	if method != "GET" && method != "HEAD" && method != "POST" && !listed(a, "Access-Control-Allow-Methods", method) {
		return "the answer does not allow " + method
	}
	for name := range q.Tokens("Access-Control-Request-Headers") {
		if !listed(a, "Access-Control-Allow-Headers", name) {
			return "the answer does not allow the header " + name
		}
	}
	return ""
}

func listed(h flow.Header, name, value string) bool {
	for v := range h.Tokens(name) {
		if v == "*" || strings.EqualFold(v, value) {
			return true
		}
	}
	return false
}

// resolve looks for what flow id led to. last is the newest flow there is.
func (s *stories) resolve(ctx context.Context, feed Feed, id, last flow.ID, now time.Time) (step, bool) {
	if st, ok := s.of(id); ok {
		return st, true
	}
	f, err := feed.Flow(ctx, id)
	if err != nil {
		return step{}, false
	}
	l, ok := leadOf(f)
	if !ok {
		st := step{final: true}
		s.keep(id, st)
		return st, false
	}
	page, err := feed.Page(ctx, id+1, storyReach)
	if err != nil {
		return step{}, false
	}
	st := l.step
	st.final = now.After(l.until) || len(page) == storyReach
	for i := range page {
		r := &page[i]
		if r.Start.After(l.until) {
			st.final = true
			break
		}
		if r.Kind != flow.Exchange || r.Parent != 0 || !slices.Contains(l.methods, r.Method) || placeKey(r.Scheme, r.Authority, r.Target) != l.where {
			continue
		}
		g, err := feed.Flow(ctx, r.ID)
		if err != nil || !sameClient(f, g) || l.kind == challenged && g.Request.Header.Get("Authorization") == f.Request.Header.Get("Authorization") {
			continue
		}
		st.to, st.final = r.ID, true
		if r.Method != l.method {
			st.as = r.Method
		}
		break
	}
	if st.final {
		s.keep(id, st)
		return st, true
	}
	s.mu.Lock()
	s.asked[id], s.loose[id] = look{now, last}, l.until
	s.mu.Unlock()
	return st, false
}

// sameClient reports whether two requests may come from one program.
func sameClient(f, g *flow.Flow) bool {
	if f.Request == nil || g.Request == nil || f.Request.Header.Get("User-Agent") != g.Request.Header.Get("User-Agent") {
		return false
	}
	host := func(addr string) string { return addr[:max(0, strings.LastIndexByte(addr, ':'))] }
	return host(f.Conn.Client) == host(g.Conn.Client)
}

// storyMsg says which flows turned out to be parts of the story of others.
type storyMsg struct{ hidden []flow.ID }

// findStories looks for the steps of rows on the screen.
func (m *model) findStories() tea.Cmd {
	if m.telling || m.rushing() { // what flies by is not looked into
		return nil
	}
	l := &m.list
	var rows []*session.Row
	for i := l.top; i < min(l.top+l.h, l.len()); i++ {
		if r, _ := l.rows.get(l.at(i)); r != nil {
			rows = append(rows, r)
		}
	}
	ids := m.stories.wanted(rows, l.last, m.now)
	if len(ids) == 0 {
		return nil
	}
	m.telling = true
	return m.resolveStories(ids)
}

func (m *model) resolveStories(ids []flow.ID) tea.Cmd {
	s, feed, ctx, last, now := m.stories, m.o.Feed, m.ctx, m.list.last, m.now
	return m.crew.cmd(func() tea.Msg {
		var msg storyMsg
		for _, id := range ids {
			if st, ok := s.resolve(ctx, feed, id, last, now); ok && st.to != 0 {
				msg.hidden = append(msg.hidden, id)
			}
		}
		return msg
	})
}

func (m *model) storyCame(msg storyMsg) {
	m.telling = false
	if match := m.list.match; match != nil && match.folded != nil {
		var out []session.Row
		for _, id := range msg.hidden {
			if r, _ := m.list.rows.get(id); r != nil {
				out = append(out, *r)
			}
		}
		m.list.tried(nil, out)
	}
}

// toggleStories folds the steps of stories away, or shows them.
func (m *model) toggleStories() tea.Cmd {
	m.folded = !m.folded
	if m.folded {
		m.say(true, "redirects, preflights and challenges are folded into the request that they led to; "+string(keyOf(foldStories))+" shows them")
	} else {
		m.say(true, "every request has its row again")
	}
	return m.refilter(m.filterText())
}

// goStep goes to the next or the previous step of the story.
func (m *model) goStep(on bool) tea.Cmd {
	to := m.stories.before(m.list.cur)
	if on {
		st, _ := m.stories.of(m.list.cur)
		to = st.to
	}
	switch {
	case to != 0:
		return m.goTo(to)
	case on:
		m.say(true, "this request led to no other one")
	default:
		m.say(true, "no other request led to this one")
	}
	return nil
}

// foldArrived looks for what rows that came belong to, while stories are folded.
func (m *model) foldArrived(rows []session.Row) tea.Cmd {
	if !m.folded {
		return nil
	}
	var list []*session.Row
	for i := range rows {
		list = append(list, &rows[i])
	}
	if ids := m.stories.wanted(list, m.list.last, m.now); len(ids) > 0 {
		return m.resolveStories(ids)
	}
	return nil
}
