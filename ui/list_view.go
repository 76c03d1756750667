package ui

import (
	"strconv"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/ui/safe"
)

// header names the columns.
func (c *columns) header(th *theme, s sorting, w int) string {
	st, title := s.title(th, byNumber, "#")
	r := row(w).gap(1).right(st, title, c.id).gap(1)
	name := func(name words, by sortBy, w int) {
		if w > 0 {
			st, title := s.title(th, by, name)
			r.left(st, title, w).gap(1)
		}
	}
	if c.clock > 0 {
		r.left(th.muted, safe.Of("time"), c.clock).gap(1)
	}
	if c.age > 0 {
		r.right(th.muted, safe.Of("age"), c.age).gap(1)
	}
	name("method", byMethod, c.method)
	name("st", byStatus, c.status)
	name("host", byHost, c.host)
	name("path", byPath, c.path)
	if c.size > 0 {
		st, title := s.title(th, bySize, "size")
		r.right(st, title, c.size).gap(1)
	}
	name("type", byType, c.kind)
	if c.took > 0 {
		st, title := s.title(th, byTook, "took")
		r.right(st, title, c.took).gap(1)
	}
	st, title = s.title(th, byWhy, "why")
	return r.gap(1).left(st, title, c.why).end()
}

// view draws h rows of w cells, the first with the names of the columns.
func (l *list) view(th *theme, w, h int, focused bool, now time.Time, zone *time.Location) []string {
	if l.w != w {
		l.w, l.need = w, needs{}
	}
	for i := l.top; i < min(l.top+h-1, l.len()); i++ {
		r, _ := l.rows.get(l.at(i))
		l.need.see(th, l.veil.row(r), now)
		if r != nil && r.Kind != flow.Handshake && r.Kind != flow.Rejected {
			_, why := l.why(th, l.veil.row(r), now)
			l.need.why = max(l.need.why, why.Width())
		}
	}
	if l.sorting().by == byMethod {
		l.need.method = max(l.need.method, len("method")+1) // its name has an arrow then
	}
	c := l.need.columns(w, l.last, l.shown)
	l.drawn = c
	out := make([]string, 0, h)
	out = append(out, c.header(th, l.sorting(), w))
	for i := l.top; i < l.len() && len(out) < h; i++ {
		id := l.at(i)
		r, known := l.rows.get(id)
		out = append(out, l.row(th, &c, w, id, l.veil.row(r), known, id == l.cur, focused, now, zone))
	}
	return fill(out, w, h)
}

func (l *list) row(th *theme, c *columns, w int, id flow.ID, r *session.Row, known, cur, focused bool, now time.Time, zone *time.Location) string {
	out := row(w)
	gutter := words(" ")
	refused := r != nil && r.Refused() && ended(r)
	loud := refused && changes(r.Method)
	switch {
	case cur && refused && focused:
		out.over = th.cursorBad
	case cur && refused:
		out.over = th.cursorBadOff
	case cur && focused:
		out.base = th.cursor
	case cur:
		out.base = th.cursorOff
	case loud:
		out.base = th.refused
	}
	if loud {
		gutter = signLoud
	}
	if cur {
		gutter = signCursor
		if loud {
			gutter = signLoudCursor
		}
	}
	out.put(th.bad, gutter)
	mark := style(th.muted)
	if r != nil && r.Marked {
		mark = th.key
	}
	out.right(mark, safe.Of(strconv.FormatInt(int64(id), 10)), c.id)
	if r != nil && r.Marked {
		out.put(th.key, signMarked)
	} else {
		out.gap(1)
	}
	if r == nil {
		if known {
			return out.put(th.faint, "not in the session").end()
		}
		return out.put(th.faint, signMore).end()
	}
	if c.clock > 0 {
		out.left(th.muted, safe.Of(r.Start.In(zone).Format("15:04:05")), c.clock).gap(1)
	}
	if c.age > 0 {
		out.right(th.muted, safe.Of(age(now.Sub(r.Start))), c.age).gap(1)
	}
	if r.Kind == flow.Handshake || r.Kind == flow.Rejected {
		return special(out, th, r)
	}
	method, ms := r.Method, th.safe
	if r.Kind == flow.Tunnel {
		method, ms = "tunnel", th.muted
	} else if changes(r.Method) {
		ms = th.verb
	}
	out.left(ms, safe.Of(method), c.method).gap(1)
	status, ss := statusText(th, r)
	out.left(ss, status, c.status).gap(1)
	if c.host > 0 {
		out.left(th.text, c.hostOf(r), c.host).gap(1)
	}
	out.left(th.text, safe.Of(pathOf(r)), c.path).gap(1)
	if c.size > 0 {
		out.right(th.text, safe.Of(size(r.RespBytes)), c.size).gap(1)
	}
	if c.kind > 0 {
		out.left(th.muted, safe.Of(mediaOf(r)), c.kind).gap(1)
	}
	if c.took > 0 {
		out.right(th.text, safe.Of(span(took(r, now))), c.took).gap(1)
	}
	out.gap(1)
	ws, why := l.why(th, r, now)
	return out.left(ws, why, c.why).end()
}

// why is what the last column says: the reason, the place in a story, the comment.
func (l *list) why(th *theme, r *session.Row, now time.Time) (style, safe.Text) {
	if h, ok := l.held[r.ID]; ok {
		return heldReason(th, h, now)
	}
	s, why := reason(th, r)
	switch ts, told := l.stories.told(th, r, l.folded()); {
	case told.Empty():
	case why.Empty() || r.Refused() && r.Verdict == nil && r.Status == 401:
		s, why = ts, told
	default:
		why = safe.Join(why, safe.Of(" · "), told)
	}
	if l.edited[r.ID] {
		why = safe.Join(safe.Of(signEdited+" "), why)
	}
	if r.Comment != "" && why.String() != safe.Of(r.Comment).String() {
		why = safe.Join(why, safe.Of(" · "), safe.Of(r.Comment))
	}
	return s, why
}

// folded reports whether steps of stories are hidden.
func (l *list) folded() bool { return l.match != nil && l.match.folded != nil }

// age is how long ago something was, in at most six cells.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return count(int64(d.Hours()/24)) + " d"
}

// aging is how soon the ages on the screen change.
func (l *list) aging(now time.Time) time.Duration {
	every := time.Minute
	for i := l.top; i < min(l.top+l.h, l.len()); i++ {
		if r, _ := l.rows.get(l.at(i)); r != nil && now.Sub(r.Start) < time.Minute {
			return time.Second
		}
	}
	return every
}

// mediaOf is the content type of the answer without its parameters.
func mediaOf(r *session.Row) string {
	media, _, _ := strings.Cut(r.ContentType, ";")
	return strings.TrimSpace(strings.TrimPrefix(media, "application/"))
}

// special is a row that is no exchange.
func special(out *line, th *theme, r *session.Row) string {
	if r.Kind == flow.Handshake {
		out.left(th.warn, safe.Of("tls"), 7).gap(1)
		out.text(th.muted, safe.Of(firstOf(r.Err, "handshake with the client did not succeed")))
		if r.Authority != "" {
			out.put(th.faint, " · ").text(th.muted, safe.Of(r.Authority))
		}
		return out.put(th.faint, " · ").put(th.key, "enter").put(th.muted, " for the cure").end()
	}
	out.left(th.warn, safe.Of("400"), 7).gap(1)
	return out.put(th.warn, "not forwarded: ").text(th.muted, safe.Of(firstOf(r.Err, "no request that we may forward"))).end()
}

// reason is what the last column says.
func reason(th *theme, r *session.Row) (style, safe.Text) {
	head := ""
	if r.Verdict != nil {
		head = r.Verdict.Headline
		if r.Verdict.Cause == string(inspect.UnknownCause) { // ✗ says that it was refused
			head = strings.TrimPrefix(head, "refused; the ")
		}
	}
	switch {
	case r.State == session.Waiting:
		return th.muted, safe.Of("waiting")
	case r.Status == 101:
		return th.muted, safe.Of(signUpgraded + " upgraded " + size(r.RespBytes))
	case r.State == session.Streaming:
		return th.muted, safe.Of("streaming " + size(r.RespBytes))
	case r.Parent != 0 && r.Refused():
		return th.bad, safe.Join(safe.Of(signReplay+" of "+strconv.FormatInt(int64(r.Parent), 10)+": "+signNo+" "), safe.Of(firstOf(head, strconv.Itoa(r.Status))))
	case r.Parent != 0:
		text := signReplay + " of " + strconv.FormatInt(int64(r.Parent), 10)
		if r.Status != 0 {
			text += ": " + strconv.Itoa(r.Status)
		}
		if r.Status >= 200 && r.Status < 300 {
			return th.good, safe.Of(text + " " + signYes)
		}
		return th.warn, safe.Join(safe.Of(text+" "), safe.Of(r.Err))
	case r.Refused():
		s := th.bad
		if !changes(r.Method) || r.Status == 401 || r.Status == 429 {
			s = th.warn
		}
		return s, safe.Join(safe.Of(signNo+" "), safe.Of(firstOf(head, "refused")))
	case r.Err != "":
		return th.warn, safe.Join(safe.Of(signTrouble+" "), safe.Of(r.Err))
	case r.Kind == flow.Tunnel:
		return th.muted, safe.Of("not read")
	}
	return th.muted, safe.Of(r.Comment)
}

func statusText(th *theme, r *session.Row) (safe.Text, style) {
	if r.Status == 0 {
		switch {
		case !ended(r):
			return safe.Of(signMore), th.muted
		case r.Err != "":
			return safe.Of("err"), th.warn
		}
		return safe.Of("–"), th.muted
	}
	return safe.Of(strconv.Itoa(r.Status)), statusStyle(th, r.Status, r.Refused())
}

func statusStyle(th *theme, status int, refused bool) style {
	switch {
	case status == 401 || status == 407 || status == 429:
		return th.warn
	case refused:
		return th.bad
	case status >= 500:
		return th.warn
	case status >= 400:
		return th.text
	case status >= 300:
		return th.muted
	case status >= 200:
		return th.good
	}
	return th.accent
}

// changes reports whether a method asks for something to be changed (RFC 9110, 9.2.1 "safe").
func changes(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "CONNECT", "":
		return false
	}
	return true
}

// span is a duration in at most seven cells.
func span(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < 10*time.Millisecond:
		return trimZero(strconv.FormatFloat(float64(d)/1e6, 'f', 1, 64)) + " ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + ":" + pad2(int(d.Seconds())%60)
	}
	return strconv.Itoa(int(d.Hours())) + " h " + strconv.Itoa(int(d.Minutes())%60)
}

func trimZero(s string) string { return strings.TrimSuffix(s, ".0") }

func pad2(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// size is a number of bytes in few cells, in powers of 1000 as sizes in HTTP tools are.
func size(n int64) string {
	switch {
	case n < 1000:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1000*1000:
		return trimZero(strconv.FormatFloat(float64(n)/1e3, 'f', 1, 64)) + " kB"
	case n < 1000*1000*1000:
		return trimZero(strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64)) + " MB"
	}
	return trimZero(strconv.FormatFloat(float64(n)/1e9, 'f', 1, 64)) + " GB"
}

// count is a number with thousands set apart.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func firstOf(ss ...string) string {
	for _, s := range ss {
		if s != "" {
			return s
		}
	}
	return ""
}

// ended reports whether nothing more will come for a flow.
func ended(r *session.Row) bool { return r.State >= session.Done }

// plural is a number of things, such as "1 flow" and "1,204 flows".
func plural(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return count(n) + " " + thing + "s"
}
