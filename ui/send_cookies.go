package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/flow/jar"
	"github.com/why403/why403/flow/session"
)

// cookiesFrom is how many flows, the newest, are looked through for cookies.
const cookiesFrom = 20_000

// replayCookies shows what of the request changes with the cookies that the newest answers
// set, those of the newest login among them, and then sends it so.
func (m *model) replayCookies() tea.Cmd {
	if m.unsent("replay", "--newest-cookies") {
		return nil
	}
	feed, ctx, id, now := m.o.Feed, m.ctx, m.list.cur, m.now
	return m.crew.cmd(func() tea.Msg {
		msg := fixMsg{title: "Send with the newest cookies?"}
		if msg.f, msg.err = whole(ctx, feed, id); msg.err != nil {
			return msg
		}
		set, err := settingCookies(ctx, feed)
		if err != nil {
			msg.err = err
			return msg
		}
		var changed []jar.Cookie
		if msg.req, changed = jar.Refresh(msg.f, set, now); len(changed) == 0 {
			msg.err = errors.New("no answer set newer cookies for it: log in through the proxy, then once more")
			return msg
		}
		var from []flow.ID
		for _, c := range changed {
			ch := flow.Change{Part: flow.InCookie, Name: c.Name}
			if old, had := decode.CookieValue(msg.f.Request.Header, c.Name); had {
				ch.Before = &old
			}
			if !c.Gone {
				ch.After = &c.Value
			}
			msg.patch = append(msg.patch, ch)
			if !slices.Contains(from, c.From) {
				from = append(from, c.From)
			}
		}
		msg.text = fmt.Sprintf("As the answer of #%d set them; where an old value stands elsewhere in the request, the new one follows.", from[0])
		if len(from) > 1 {
			msg.text = fmt.Sprintf("As %d answers up to #%d set them; where an old value stands elsewhere in the request, the new one follows.", len(from), slices.Max(from))
		}
		return msg
	})
}

// settingCookies are the newest flows whose answers set cookies, with as much of each as a jar reads.
func settingCookies(ctx context.Context, feed Feed) ([]*flow.Flow, error) {
	var out []*flow.Flow
	last := feed.Last()
	err := feed.Back(ctx, max(1, last-cookiesFrom+1), last, 0, func(_ *session.Row, f *flow.Flow) bool {
		if f.Request != nil && f.Response != nil && f.Response.Header.Has("Set-Cookie") {
			out = append(out, &flow.Flow{ID: f.ID, Kind: f.Kind, Scheme: f.Scheme, Authority: f.Authority, Times: f.Times,
				Request: &flow.Message{Proto: f.Request.Proto, Method: f.Request.Method, Target: f.Request.Target}, Response: &flow.Message{Header: slices.Clone(f.Response.Header)}})
		}
		return true
	})
	if errors.Is(err, session.ErrNoBody) { // bodies are not looked at
		err = nil
	}
	return out, err
}
