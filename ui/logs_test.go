package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect"
)

// shown is the text of a document, a row a line.
func shown(p pieces) string {
	var b strings.Builder
	for _, row := range p {
		var l strings.Builder
		for _, x := range row {
			l.WriteString(x.text.String())
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	return b.String()
}

func TestLogsStandOnOneTimeLine(t *testing.T) {
	at := time.Date(2026, 6, 2, 10, 15, 30, 120e6, time.UTC)
	d := &dossier{
		flow: &flow.Flow{Response: &flow.Message{Status: 403}, Times: flow.Timings{Start: at, RequestSent: at.Add(2e6), FirstByte: at.Add(30e6), End: at.Add(31e6)}},
		exp: &inspect.Explained{
			Refused: true,
			Verdict: &inspect.Verdict{Evidence: []inspect.Evidence{{Where: "log:nginx:7"}}},
			Logs: []inspect.Line{
				{Label: "nginx", N: 7, Time: at.Truncate(time.Second), Text: "access forbidden by rule\x1b[2J", Tied: "request"}, // whole seconds
				{Label: "app", N: 3, Time: at.Add(20e6 - 7*time.Hour), Text: "denied for 42", Tied: "id"},                        // local time
				{Label: "app", N: 4, Time: at.Add(40e6), Text: "slow query", Tied: "near"},
			},
		},
	}
	want := ` 10:15:30.120  client  begins the request
 10:15:30.122  why403  has passed the request on
 10:15:30.122  nginx   access forbidden by rule\x1b[2J
 10:15:30.140  app     denied for 42
 10:15:30.150  why403  gets the answer: 403
 10:15:30.151  client  has the answer
 10:15:30.160  app     ? slow query

? is a line that names no request; only its time fits.
`
	if got := shown(logsDoc(dark(), d, 100, time.UTC).pieces); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := shown(logsDoc(dark(), d, 40, time.UTC).pieces); !strings.Contains(got, "nginx\n   access forbidden") {
		t.Errorf("narrow:\n%s", got)
	}
	v := &inspector{d: d}
	if !v.has(tabLogs) || v.tabName(tabLogs) != "Logs 3" {
		t.Errorf("the tab is called %q", v.tabName(tabLogs))
	}
	d.exp.Logs = nil
	if v.has(tabLogs) {
		t.Error("the tab is there without lines")
	}
}
