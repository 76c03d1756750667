package logs

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// stamp is one way in which logs write the time.
type stamp struct {
	re     *regexp.Regexp
	layout []string
	zone   bool // the text names its zone
}

var stamps = []stamp{
	// RFC 3339, and ISO 8601 with a space or a comma: most applications, PostgreSQL, journald
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z| ?[+-]\d\d:?\d\d)`), []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05 -0700", "2006-01-02T15:04:05 -07:00"}, true},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?`), []string{"2006-01-02T15:04:05"}, false},
	// nginx error log, Go's log package
	{regexp.MustCompile(`\b\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?`), []string{"2006/01/02T15:04:05"}, false},
	// common log format; HAProxy
	{regexp.MustCompile(`\b\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?:\.\d{1,6})? [+-]\d{4}`), []string{"02/Jan/2006:15:04:05 -0700"}, true},
	{regexp.MustCompile(`\b\d\d/[A-Z][a-z]{2}/\d{4}[: ]\d\d:\d\d:\d\d(?:\.\d{1,6})?`), []string{"02/Jan/2006:15:04:05"}, false},
	// Apache error log
	{regexp.MustCompile(`\b[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,6})? \d{4}\b`), []string{"Mon Jan _2 15:04:05 2006"}, false},
	// PHP
	{regexp.MustCompile(`\b\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d`), []string{"02-Jan-2006 15:04:05"}, false},
	// NestJS
	{regexp.MustCompile(`\b\d{1,2}/\d{1,2}/\d{4}, \d{1,2}:\d\d:\d\d [AP]M`), []string{"1/2/2006, 3:04:05 PM"}, false},
	// syslog (RFC 3164): no year
	{regexp.MustCompile(`^(?:<\d+>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d`), []string{"Jan _2 15:04:05"}, false},
}

// seconds since 1970, as JSON loggers (zap, Caddy, pino in ms), Squid and the audit system write them.
var epoch = regexp.MustCompile(`^(\d{10}\.\d{1,6})\b|"(?:ts|time|timestamp)":\s*(\d{10}(?:\.\d+)?|\d{13})\b|\baudit\((\d{10}\.\d{3}):|\bStart: (\d{10}\.\d+)`)

// timeOf is the time that a line carries near its beginning, zero if it
// carries none, and whether it names its zone. ref gives the year where the line does not.
func timeOf(line string, ref time.Time) (time.Time, bool) {
	head := line[:min(len(line), 400)]
	if m := epoch.FindStringSubmatch(head); m != nil {
		for _, v := range m[1:] {
			if v == "" {
				continue
			}
			f, err := strconv.ParseFloat(v, 64)
			if err == nil {
				if f > 1e12 {
					f /= 1000
				}
				return time.Unix(0, int64(f*1e9)).UTC(), true
			}
		}
	}
	best, at, zone := len(head), time.Time{}, false
	for i := range stamps {
		s := &stamps[i]
		loc := s.re.FindStringIndex(head)
		if loc == nil || loc[0] >= best {
			continue
		}
		text := strings.Replace(head[loc[0]:loc[1]], ",", ".", commas(s))
		if i < 3 {
			text = strings.Replace(text, " ", "T", 1)
		}
		if i == 8 && strings.HasPrefix(text, "<") {
			text = text[strings.IndexByte(text, '>')+1:]
		}
		if i == 4 {
			text = strings.Replace(text, " ", ":", 1)
		}
		for _, l := range s.layout {
			t, err := time.Parse(l, text)
			if err != nil {
				continue
			}
			if t.Year() == 0 {
				t = withYear(t, ref)
			}
			best, at, zone = loc[0], t.UTC(), s.zone
			break
		}
	}
	return at, zone
}

func commas(s *stamp) int {
	if strings.Contains(s.layout[0], ",") {
		return 0
	}
	return 1
}

// withYear gives a syslog time the year that brings it nearest to ref.
func withYear(t, ref time.Time) time.Time {
	best := time.Time{}
	for y := ref.Year() - 1; y <= ref.Year()+1; y++ {
		c := time.Date(y, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		if best.IsZero() || c.Sub(ref).Abs() < best.Sub(ref).Abs() {
			best = c
		}
	}
	return best
}
