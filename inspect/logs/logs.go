// Package logs finds the lines of server logs that belong to one exchange: by an
// id that both hold, else by time, path and method. Lines of other requests are
// left out; a line that says nothing of which request it belongs to is taken
// only when its time fits closely.
//
// A line without a time continues the one before it (a stack trace, the lines
// under Rails' "Started POST").
package logs

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Source is the lines of one log.
type Source struct {
	Label string
	Lines []string
	// Before is how many lines of the log stand before these: numbers count on from it.
	Before int
	// Came is when each line came, of a log that is followed; nil: it was read as a
	// whole. It is the time of lines in a log without times.
	Came []time.Time
}

// Query is what is known of the exchange.
type Query struct {
	Start, End time.Time // of the exchange; the server's clock where it is known
	Method     string
	Path       string   // as sent, without the query
	Status     int      // of the answer
	IDs        []string // request, correlation and trace ids of this exchange
	Client     string   // its address as the server sees it; "" is not known
	// Sent and Done are the beginning and the end by our own clock, for lines of a
	// followed log that carry no time; zero: as Start and End.
	Sent, Done time.Time
}

// Line is a line that belongs to the exchange.
type Line struct {
	Label string
	N     int // in its source, from 1
	Time  time.Time
	Text  string
	Tied  string // "id", "request" or "near"
}

const (
	slack      = 2 * time.Second // between the clocks of client and server, and for buffered logs
	maxLines   = 60              // of one source that are kept for an exchange
	fewLines   = 20              // a source without times is only taken when it has no more
	aloneLines = 3               // a log of so few lines was cut out for this exchange
	maxLine    = 64 << 10        // bytes of a line that are looked at
	maxSource  = 200_000         // lines of one source that are looked at, the newest
)

// Correlate finds the lines of all sources that belong to the exchange, source by source, in order.
func Correlate(sources []Source, q Query) []Line {
	var out []Line
	for i := range sources {
		out = append(out, correlate(&sources[i], q)...)
	}
	return out
}

// group is a line with a time and those that continue it.
type group struct {
	from, to int // line indices, to excluded
	at       time.Time
	zone     bool // the time names its zone
	tied     string
}

func correlate(s *Source, q Query) []Line {
	first := max(0, len(s.Lines)-maxSource)
	groups := split(s.Lines[first:], q.Start)
	timed := false
	for i := range groups {
		timed = timed || !groups[i].at.IsZero()
	}
	switch {
	case s.Came != nil && (!timed || !overlaps(groups, q)):
		groups = byArrival(s.Lines[first:], s.Came[first:])
		if !q.Sent.IsZero() {
			q.Start, q.End = q.Sent, q.Done
		}
		for i := range groups {
			groups[i].tied = tie(&groups[i], s.Lines[first:], q)
		}
	case !timed && len(s.Lines) <= fewLines:
		groups = []group{{from: 0, to: len(s.Lines) - first, tied: "near"}}
	default:
		if len(groups) > 1 && groups[0].at.IsZero() && groups[0].to <= fewLines {
			// A console prints warnings without a time before the access line that has one (Django's runserver).
			groups[1].from, groups = 0, groups[1:]
		}
		if !overlaps(groups, q) {
			q.Start = time.Time{} // clocks or days that do not meet: only what names the request is taken
		}
		for i := range groups {
			groups[i].tied = tie(&groups[i], s.Lines[first:], q)
		}
	}
	return collect(s, first, groups, q)
}

// overlaps reports whether the log has a line within a day of the exchange.
func overlaps(groups []group, q Query) bool {
	return slices.ContainsFunc(groups, func(g group) bool {
		return !g.at.IsZero() && g.at.Sub(q.Start).Abs() < 24*time.Hour
	})
}

// split makes groups of lines.
func split(lines []string, ref time.Time) []group {
	var groups []group
	for i, l := range lines {
		at, zone := timeOf(l, ref)
		if at.IsZero() && len(groups) > 0 {
			groups[len(groups)-1].to = i + 1
			continue
		}
		groups = append(groups, group{from: i, to: i + 1, at: at, zone: zone})
	}
	return groups
}

// byArrival makes groups of lines that carry no time: each came when it came; an
// indented one continues the one before.
func byArrival(lines []string, came []time.Time) []group {
	var groups []group
	for i, l := range lines {
		if len(groups) > 0 && l != "" && (l[0] == ' ' || l[0] == '\t') {
			groups[len(groups)-1].to = i + 1
			continue
		}
		groups = append(groups, group{from: i, to: i + 1, at: came[i], zone: true})
	}
	return groups
}

// tie says how a group belongs to the exchange, "" if it does not.
func tie(g *group, lines []string, q Query) string {
	text := strings.Join(lines[g.from:g.to], "\n")
	if len(text) > maxLine {
		text = text[:maxLine]
	}
	for _, id := range q.IDs {
		if len(id) >= 6 && strings.Contains(text, id) {
			return "id"
		}
	}
	gap, fits := q.gap(g)
	path, method := mentions(text, q)
	switch {
	case q.Start.IsZero():
		if path == yes && method != no || path == silent && len(lines) <= aloneLines {
			return "near"
		}
		return ""
	case !fits:
		return ""
	case path == no || method == no:
		return ""
	case path == yes:
		return "request"
	case gap <= slack/2:
		return "near"
	}
	return ""
}

type answer int

const (
	silent answer = iota
	yes
	no
)

// gap is how far the group is from the exchange in time. A time without a zone
// may be local: a difference of whole half hours is then none.
func (q Query) gap(g *group) (time.Duration, bool) {
	if g.at.IsZero() || q.Start.IsZero() {
		return 0, false
	}
	end := q.End
	if end.Before(q.Start) {
		end = q.Start
	}
	outside := func(at time.Time) time.Duration {
		switch {
		case at.Before(q.Start):
			return q.Start.Sub(at)
		case at.After(end):
			return at.Sub(end)
		}
		return 0
	}
	d := outside(g.at)
	if d <= slack || g.zone {
		return d, d <= slack
	}
	for h := -28; h <= 28; h++ {
		if e := outside(g.at.Add(time.Duration(h) * 30 * time.Minute)); e <= slack {
			return slack, true // fits, and is not as close as one in UTC
		}
	}
	return d, false
}

var requestLine = regexp.MustCompile(`\b(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|CONNECT|PROPFIND)\s+"?((?:https?://[^\s"?]*?)?(/[^\s"?\\]*))`)

// Fields of structured lines (JSON, logfmt, ModSecurity's brackets) that name the
// request. A "path" may also be a file's: it counts beside a method alone.
var (
	uriField    = regexp.MustCompile(`(?:"(?:uri|url|request_?uri|http\.(?:target|url))"\s*:\s*"|\b(?:uri|url|request_uri)="?|\[uri ")(?:https?://[^/\s"]*)?(/[^\s"?\\\]]*)`)
	pathField   = regexp.MustCompile(`(?:"(?:path|request_?path|http\.path)"\s*:\s*"|\bpath="?)(/[^\s"?\\]*)`)
	methodField = regexp.MustCompile(`(?:"(?:method|http\.method|request_method|verb)"\s*:\s*"|\b(?:method|verb)="?)([A-Z]{3,10})\b`)
)

// mentions says whether text speaks of this path and method, of others, or of none.
func mentions(text string, q Query) (path, method answer) {
	for _, m := range requestLine.FindAllStringSubmatch(text, 20) {
		p := no
		if whole := strings.TrimRight(m[3], ":;,.)'"); m[3] == q.Path || whole == q.Path || strings.HasSuffix(m[2], q.Path) && q.Path != "/" {
			p = yes
		}
		if p == yes && m[1] == q.Method {
			return yes, yes
		}
		path, method = no, answer(no)
	}
	if path == no {
		return no, no
	}
	if m := methodField.FindStringSubmatch(text); m != nil {
		method = no
		if m[1] == q.Method {
			method = yes
		}
	}
	fields := uriField.FindAllStringSubmatch(text, 20)
	if method != silent {
		fields = append(fields, pathField.FindAllStringSubmatch(text, 20)...)
	}
	for _, m := range fields {
		if m[1] == q.Path || strings.HasSuffix(m[1], q.Path) && q.Path != "/" {
			return yes, method
		}
		path = no
	}
	if path == no {
		return no, no
	}
	if q.Path != "" && q.Path != "/" && holdsPath(text, q.Path) {
		return yes, method
	}
	return silent, silent
}

// holdsPath reports whether text holds path as a whole, not as the beginning of a longer one.
func holdsPath(text, path string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], path)
		if i < 0 {
			return false
		}
		end := from + i + len(path)
		if end == len(text) || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/.", rune(text[end])) {
			return true
		}
		from = end
	}
}

// collect takes the lines of the groups that belong to the exchange. Where some
// groups are tied by an id, or tell the status of the answer, those that do not are another request's.
func collect(s *Source, first int, groups []group, q Query) []Line {
	byID := slices.ContainsFunc(groups, func(g group) bool { return g.tied == "id" })
	status := " " + strconv.Itoa(q.Status)
	tells := func(g group) answer {
		text := strings.Join(s.Lines[first+g.from:first+g.to], "\n")
		if m := statusWord.FindStringSubmatch(text); m != nil {
			if m[1] == strings.TrimSpace(status) {
				return yes
			}
			return no
		}
		return silent
	}
	anyTells := slices.ContainsFunc(groups, func(g group) bool { return g.tied == "request" && tells(g) == yes })
	var out []Line
	for i, g := range groups {
		switch {
		case g.tied == "":
			continue
		case byID && g.tied == "near" && foreign(s, first, groups, i):
			continue
		case g.tied == "request" && anyTells && tells(g) == no:
			continue
		}
		for n := g.from; n < g.to && len(out) < maxLines; n++ {
			out = append(out, Line{Label: s.Label, N: s.Before + first + n + 1, Time: g.at, Text: s.Lines[first+n], Tied: g.tied})
		}
	}
	return out
}

var (
	statusWord = regexp.MustCompile(`(?:Completed |HTTP/[0-9.]+"? |"status(?:_code)?":|status=)(\d{3})\b`)
	bracketed  = regexp.MustCompile(`\[((?:[A-Za-z]+-)[0-9a-f]{4,}[0-9a-f-]*|[0-9a-f]{8,}[0-9a-f-]*)\]|\b(?:req(?:uest)?_?id|trace_?id|correlation_?id)["']?[=:]\s*"?([0-9A-Za-z-]{6,})`)
)

// foreign reports whether a group carries a request id, in a source where this exchange's lines carry theirs.
func foreign(s *Source, first int, groups []group, i int) bool {
	return bracketed.MatchString(s.Lines[first+groups[i].from])
}
