package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/export"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/ui/safe"
)

// Bounds of what is written to a HAR file from here; why403 export writes more.
const (
	saveFlowsMost = 2000
	saveBytesMost = 256 << 20 // of bodies
)

// saveItem is something that can be written to a file.
type saveItem struct {
	what string
	name string // of the file, until somebody changes it
	make func(ctx context.Context, w io.Writer) (string, error)
}

// saveBox asks what to write, and to which file.
type saveBox struct {
	items []saveItem
	cur   int
	in    input
	typed bool // the name was changed
	fault string
}

// openSave offers the flows that are marked, else those shown, as a HAR, and the bodies of the flow under the cursor.
func (m *model) openSave() {
	b := &saveBox{}
	ids, what := m.chosen()
	r := m.list.current()
	switch {
	case len(ids) > saveFlowsMost:
		m.say(false, count(int64(len(ids)))+" flows are too many from here; mark or filter some, or in a shell: why403 export FILE --as har")
		return
	case len(ids) == 0:
		m.say(false, "there is no flow to save")
		return
	}
	b.items = append(b.items,
		saveItem{what + " as HAR, secrets masked", "why403.har", m.harOf(ids, false)},
		saveItem{what + " as HAR, secrets as they are", "why403.har", m.harOf(ids, true)})
	if r != nil && r.Kind == flow.Exchange && r.RespBytes > 0 {
		b.items = append(b.items, saveItem{"body of the answer of #" + id(r.ID) + ", as it came", bodyName(r, "answer"), m.bodyOf(r.ID, session.ResponseSide)})
	}
	if r != nil && r.Kind == flow.Exchange && r.ReqBytes > 0 {
		b.items = append(b.items, saveItem{"body of the request of #" + id(r.ID) + ", as it came", bodyName(r, "request"), m.bodyOf(r.ID, session.RequestSide)})
	}
	b.in = newInput(b.items[0].name)
	m.push(b)
}

// chosen are the flows that are marked, else those that are shown, with words for them.
func (m *model) chosen() ([]flow.ID, string) {
	if n := len(m.marks); n > 0 {
		ids := slices.Clone(m.marks)
		slices.Sort(ids)
		return ids, plural(int64(n), "marked flow")
	}
	n := m.list.len()
	ids := make([]flow.ID, 0, min(n, saveFlowsMost+1))
	for i := range n {
		if ids = append(ids, m.list.at(i)); len(ids) > saveFlowsMost {
			break
		}
	}
	return ids, "the " + plural(int64(n), "flow") + " shown"
}

// bodyName is a name for the file of a body: the last part of the path, or what it is.
func bodyName(r *session.Row, side string) string {
	target, _, _ := strings.Cut(r.Target, "?")
	name := target[strings.LastIndexByte(target, '/')+1:]
	if side == "request" || name == "" || len(name) > 100 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != "" || strings.HasPrefix(name, ".") {
		return side + "-" + id(r.ID)
	}
	return name
}

// harOf writes flows as a HAR, with the verdicts of those refused.
func (m *model) harOf(ids []flow.ID, reveal bool) func(context.Context, io.Writer) (string, error) {
	feed, explain, version := m.o.Feed, m.o.Explain, m.o.Version
	return func(ctx context.Context, w io.Writer) (string, error) {
		var flows []*flow.Flow
		verdicts := map[flow.ID]json.RawMessage{}
		room := int64(saveBytesMost)
		for _, at := range ids {
			r, err := feed.Row(ctx, at)
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			if err != nil || r.Kind != flow.Exchange || !ended(&r) {
				continue // it is gone, under way, or no exchange
			}
			f, err := wholeFlow(ctx, feed, at, &room)
			if err != nil {
				return "", err
			}
			flows = append(flows, f)
			if explain == nil || r.Verdict == nil {
				continue
			}
			if e, err := explain(ctx, at); err == nil && e.Verdict != nil {
				if verdicts[at], err = json.Marshal(e.Verdict); err != nil {
					return "", err
				}
			}
		}
		if len(flows) == 0 {
			return "", errors.New("none of them is an exchange that has ended")
		}
		i := slices.IndexFunc(export.Formats, func(f export.Format) bool { return f.Name == "har" })
		err := export.Write(w, export.Formats[i], flows, export.Options{Reveal: reveal, Version: version, Verdict: func(f *flow.Flow) json.RawMessage { return verdicts[f.ID] }})
		return plural(int64(len(flows)), "flow"), err
	}
}

// wholeFlow is a flow with all that was kept of its bodies and its messages, of which room holds the bytes.
func wholeFlow(ctx context.Context, feed Feed, at flow.ID, room *int64) (*flow.Flow, error) {
	read, err := feed.Flow(ctx, at)
	if err != nil {
		return nil, err
	}
	f := *read
	tooLarge := errors.New("what they hold is larger than " + size(saveBytesMost) + "; in a shell: why403 export FILE --as har")
	for side, m := range map[session.Side]**flow.Message{session.RequestSide: &f.Request, session.ResponseSide: &f.Response} {
		if *m == nil {
			continue
		}
		b := (*m).Body
		if *room -= b.Kept; *room < 0 {
			return nil, tooLarge
		}
		if int64(len(b.Data)) >= b.Kept {
			continue
		}
		r, _, err := feed.Body(ctx, at, side)
		if err != nil {
			return nil, err
		}
		one := **m
		one.Body.Data, err = io.ReadAll(&cancellable{ctx, r})
		r.Close()
		if err != nil {
			return nil, err
		}
		*m = &one
	}
	for {
		const page = 1000
		more, err := feed.Frames(ctx, at, int64(len(f.Frames)), page, 0)
		if err != nil {
			return nil, err
		}
		for _, fr := range more {
			if *room -= int64(len(fr.Data)); *room < 0 {
				return nil, tooLarge
			}
			f.Frames = append(f.Frames, fr)
		}
		if len(more) < page {
			return &f, nil
		}
	}
}

// bodyOf writes what was kept of a body, byte for byte.
func (m *model) bodyOf(of flow.ID, side session.Side) func(context.Context, io.Writer) (string, error) {
	feed := m.o.Feed
	return func(ctx context.Context, w io.Writer) (string, error) {
		r, whole, err := feed.Body(ctx, of, side)
		if err != nil {
			return "", err
		}
		defer r.Close()
		n, err := io.Copy(w, &cancellable{ctx, r})
		text := size(n)
		if n < whole {
			text += " of " + size(whole) + ", which is what was kept,"
		}
		return text, err
	}
}

// cancellable is a reader that ends with a context.
type cancellable struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func (b *saveBox) name() words { return "Save" }

func (b *saveBox) key(m *model, name, text string) tea.Cmd {
	switch name {
	case "esc", "ctrl+c":
		m.pop()
		return nil
	case "down", "tab", "up", "shift+tab":
		by := 1
		if name == "up" || name == "shift+tab" {
			by = len(b.items) - 1
		}
		b.cur = (b.cur + by) % len(b.items)
		if !b.typed {
			b.in = newInput(b.items[b.cur].name)
		}
	case "enter":
		to, err := fileFor(strings.TrimSpace(b.in.s), m.o.Getenv)
		if err != nil {
			b.fault = err.Error()
			return nil
		}
		m.pop()
		return m.save(b.items[b.cur], to)
	default:
		if b.in.key(name, text) {
			b.typed, b.fault = true, ""
		}
	}
	return nil
}

// fileFor is the file that a name means: a leading ~ is the home folder. It must not be there yet.
func fileFor(name string, getenv func(string) string) (string, error) {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		if home := getenv("HOME"); home != "" {
			name = filepath.Join(home, rest)
		}
	}
	switch info, err := os.Stat(name); {
	case name == "":
		return "", errors.New("the file needs a name")
	case err == nil && info.IsDir():
		return "", errors.New("that is a folder")
	case err == nil:
		return "", errors.New("that file is there already: another name, please")
	}
	if info, err := os.Stat(filepath.Dir(name)); err != nil || !info.IsDir() {
		return "", errors.New("there is no folder " + filepath.Dir(name))
	}
	return name, nil
}

// save writes a file of its own, which only its owner may read; what could not be written whole is taken away.
func (m *model) save(it saveItem, to string) tea.Cmd {
	ctx := m.ctx
	m.say(true, "writing "+to)
	return m.crew.cmd(func() tea.Msg {
		var done string
		f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			done, err = it.make(ctx, f)
			if cerr := f.Close(); err == nil {
				err = cerr
			}
			if err != nil {
				os.Remove(to)
			}
		}
		if err != nil {
			return toastMsg{false, fmt.Sprintf("save %s: %v", to, err)}
		}
		return toastMsg{true, done + " saved in " + to}
	})
}

func (b *saveBox) point(i int) bool {
	if i < len(b.items) {
		b.cur = i
		if !b.typed {
			b.in = newInput(b.items[i].name)
		}
	}
	return false
}

func (b *saveBox) view(th *theme, w, _ int) []string {
	w = min(w, 76)
	var out []string
	for i, it := range b.items {
		base, sign := th.box, words("  ")
		if i == b.cur {
			base, sign = th.cursor, signCursor+" "
		}
		out = append(out, row(w).on(base).put(th.key, sign).text(th.text, safe.Of(it.what)).end())
	}
	l := row(w).on(th.field).put(th.muted, "file ")
	b.in.draw(th, l, th.bright, w-5, true)
	out = append(out, row(w).on(th.box).end(), l.end())
	l = row(w).on(th.box)
	if b.fault != "" {
		l.put(th.bad, signNo+" ").text(th.warn, safe.Of(b.fault))
	}
	return append(out, l.end(), row(w).on(th.box).put(th.key, "enter ").put(th.muted, "save   ").put(th.key, "↓ ↑ ").put(th.muted, "what   ").put(th.key, "esc ").put(th.muted, "back").end())
}
