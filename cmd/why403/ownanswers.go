package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/redact"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/proxy"
)

// ownAnswers are the answers that clients got from us rather than from a server,
// and the handshakes that clients broke off because they do not trust us. They
// are no refusals, but the user looks for their reason all the same.
type ownAnswers struct {
	suspects []session.Row // that may be some, the first maxTold
	all      []ownAnswer
}

// ownAnswer is one, or several that say the same.
type ownAnswer struct {
	id           flow.ID // of the first
	method, url  string
	status       int // 0: none, the client did not trust us
	reason, next string
	times        int
}

// suspect takes down a row that may be one; look finds out.
func (o *ownAnswers) suspect(row *session.Row) {
	if row.Err != "" && len(o.suspects) < maxTold && (row.Status >= 400 || row.Kind == flow.Handshake) {
		o.suspects = append(o.suspects, *row)
	}
}

// maxOwnBody is more than an answer of ours has, in bytes.
const maxOwnBody = 4 << 10

// look reads of the store what the suspects are.
func (o *ownAnswers) look(ctx context.Context, store *session.Store) {
	for i := range o.suspects {
		if f, err := store.Prefix(ctx, o.suspects[i].ID, 0, maxOwnBody); err == nil {
			o.take(f)
		}
	}
}

// take adds a flow that is one.
func (o *ownAnswers) take(f *flow.Flow) {
	if f.Err == nil {
		return
	}
	one := ownAnswer{id: f.ID, url: f.URL(), reason: f.Err.Text, times: 1}
	if f.Request != nil {
		one.method = f.Request.Method
	}
	switch m := f.Response; {
	case f.Kind == flow.Handshake:
		var distrust bool
		if one.reason, one.next, distrust = strings.Cut(one.reason, ". "); !distrust {
			return // it went away, as browsers do with connections that they had in reserve
		}
	case m != nil && m.Header.Has(proxy.Mark):
		one.status = m.Status
		one.next = hintOf(string(m.Body.Data))
	default:
		return
	}
	for i := range o.all {
		if a := &o.all[i]; a.reason == one.reason && a.status == one.status {
			a.times++
			return
		}
	}
	if len(o.all) < maxTold {
		o.all = append(o.all, one)
	}
}

// hintOf is what an answer of ours says is to be done.
func hintOf(body string) string {
	_, after, _ := strings.Cut(body, "\nwhy403: hint: ")
	line, _, _ := strings.Cut(after, "\n")
	return line
}

func (o *ownAnswers) print(w io.Writer, mask *redact.Masker) {
	for _, a := range o.all {
		subject, what := strings.TrimSpace(a.method+" "+a.url), fmt.Sprintf("why403 itself answered %d", a.status)
		if a.status == 0 {
			subject, what = a.url, "the client did not accept why403's certificate"
		}
		times := ""
		if a.times > 1 {
			times = fmt.Sprintf(" (and %d more)", a.times-1)
		}
		fmt.Fprintf(w, "why403: ! #%d %s%s: %s: %s\n", a.id, mask.Text(oneLine(subject)), times, what, mask.Text(oneLine(a.reason)))
		if a.next != "" {
			fmt.Fprintf(w, "why403:   → %s\n", mask.Text(oneLine(a.next)))
		}
	}
}
