package ui

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/ui/safe"
)

const (
	messagesMost  = 5000 // messages of one flow that are listed, the newest
	messagePrefix = 512  // bytes of a message that the list holds
	messageBody   = 8 << 20
)

// messages are what went over an upgraded connection, or what a body is a
// sequence of, as the list shows it: the beginning of each of the newest.
type messages struct {
	list   []flow.Frame // nobody changes what is in it; it grows
	first  int64        // number of list[0], from 0
	total  int64        // how many there are
	origin time.Time    // what times are counted from
	whole  []flow.Frame // all of them with all of their data, where no session has them
}

// mayHaveMessages reports whether it is worth asking the session for messages of f.
func mayHaveMessages(f *flow.Flow) bool {
	if f == nil || f.Kind != flow.Exchange {
		return false
	}
	if s := f.Status(); s == 101 || f.Request != nil && f.Request.Method == "CONNECT" && s/100 == 2 {
		return true
	}
	return len(f.Frames) > 0 || sequenceOf(f.Request) != nil || sequenceOf(f.Response) != nil
}

// sequenceOf is what tells the messages of a body apart, nil if it is no sequence of any.
func sequenceOf(m *flow.Message) decode.Splitter {
	if m == nil {
		return nil
	}
	return decode.Messages(m.Header, m.Status == 0)
}

// gather reads the messages of f that known, read a moment ago, does not have; nil if there are none.
func gather(ctx context.Context, feed Feed, f *flow.Flow, known *messages) *messages {
	if !mayHaveMessages(f) {
		return nil
	}
	total, err := feed.FrameCount(ctx, f.ID)
	if err != nil {
		return known
	}
	if total == 0 {
		return ofBodies(f)
	}
	s := &messages{total: total, origin: f.Times.Start}
	if known != nil && known.whole == nil {
		s.list, s.first = known.list, known.first
	}
	from := s.first + int64(len(s.list))
	if total-from > messagesMost {
		s.list, from = nil, total-messagesMost
	}
	more, err := feed.Frames(ctx, f.ID, from, int(total-from), messagePrefix)
	if err != nil {
		return known
	}
	if len(s.list) == 0 {
		s.first = from
	}
	s.list = append(s.list, more...)
	s.total = max(total, s.first+int64(len(s.list)))
	if over := len(s.list) - 2*messagesMost; over > 0 { // let go of the oldest, seldom
		s.list = append([]flow.Frame(nil), s.list[len(s.list)-messagesMost:]...)
		s.first = s.total - messagesMost
	}
	return s
}

// ofBodies tells the messages of bodies apart that were recorded as bodies alone,
// as an imported flow's are. When each of them went is not known.
func ofBodies(f *flow.Flow) *messages {
	list := f.Frames
	if len(list) == 0 {
		for _, m := range []*flow.Message{f.Request, f.Response} {
			if s := sequenceOf(m); s != nil && len(m.Body.Data) > 0 {
				list = append(list, decode.Split(s, m.Body.Data, messagesMost)...)
			}
		}
	}
	if len(list) == 0 {
		return nil
	}
	return &messages{list: list, whole: list, total: int64(len(list)), origin: f.Times.Start}
}

// closing says who closed a WebSocket and why, as the first close has it: the other side only repeats it.
func (s *messages) closing(th *theme) (style, safe.Text) {
	for i := max(0, len(s.list)-100); i < len(s.list); i++ { // little comes after a close
		f := &s.list[i]
		if f.Kind != flow.CloseMessage {
			continue
		}
		who := "by the server: "
		if f.FromClient {
			who = "by the client: "
		}
		said := summary(th, f)
		text := safe.Of(who)
		for _, p := range said {
			text = safe.Join(text, p.text)
		}
		return said[0].style, text
	}
	return "", safe.Text{}
}

// messageView is how the tab Messages stands: on the list, or with one message open.
type messageView struct {
	cur    int64 // number of the message under the cursor
	follow bool  // the cursor stays on the newest
	placed bool  // the cursor has been put somewhere
	want   int64 // number of the message to be opened, or open; -1: none
	open   document
	raw    bool // how open was made
	// otherwise is the tab to turn to if it turns out that there are no messages.
	otherwise tab
}

// talks reports whether what matters of a flow is the messages in it.
func talks(r *session.Row) bool {
	if r == nil || r.Refused() {
		return false
	}
	s := r.Subject(r.Start)
	media, _ := decode.ParseMediaType(r.ContentType)
	return s.WebSocket || media == "text/event-stream" || decode.IsGRPC(media)
}

// listen turns from Why, which has nothing to say, to the messages of a flow that is opened.
func (v *inspector) listen(r *session.Row) {
	if v.tab == tabWhy && talks(r) && (v.d == nil || v.d.messages != nil) {
		v.tab, v.messages.otherwise = tabMessages, tabWhy
	}
}

// meet brings the cursor up to date with what there is.
func (v *messageView) meet(s *messages, live bool) {
	last := s.first + int64(len(s.list)) - 1
	if !v.placed {
		v.placed, v.follow, v.cur = true, live, s.first
	}
	if v.follow {
		v.cur = last
	}
	v.cur = max(s.first, min(v.cur, last))
}

func (v *messageView) move(s *messages, by int) {
	last := s.first + int64(len(s.list)) - 1
	v.cur = max(s.first, min(v.cur+int64(by), last))
	v.follow = v.cur == last && by > 0
}

// messagesDoc is the tab: the list, scrolled to its cursor, or the open message.
func (v *inspector) messagesDoc(focused bool) document {
	mv, s := &v.messages, v.d.messages
	switch {
	case mv.open != nil:
		return mv.open
	case s == nil:
		return pieces{}
	}
	mv.meet(s, !ended(&v.d.row))
	doc := &messageList{messages: s, cur: mv.cur, focused: focused, veil: v.veil}
	at, off := int(mv.cur-s.first)+doc.head(), &v.off[tabMessages]
	if at >= *off+v.h {
		*off = at - v.h + 1
	}
	if at < *off {
		*off = at
	}
	if at <= doc.head() {
		*off = 0
	}
	return doc
}

// messageList draws the rows of the list.
type messageList struct {
	*messages
	cur     int64 // -1: no cursor
	veil    *veil
	focused bool
}

// head is how many rows stand above the first message.
func (d *messageList) head() int {
	if d.first > 0 {
		return 1
	}
	return 0
}

func (d *messageList) rows(int) int { return len(d.list) + d.head() }

func (d *messageList) draw(th *theme, i int, l *line) {
	if i -= d.head(); i < 0 {
		l.text(th.muted, safe.Of(plural(d.first, "older message")+", not in this list"))
		return
	}
	if d.first+int64(i) == d.cur {
		base := th.cursor
		if !d.focused {
			base = th.cursorOff
		}
		l.on(base)
	}
	f := d.veil.message(&d.list[i])
	at := ""
	if !f.At.IsZero() {
		at = firstOf(span(f.At.Sub(d.origin)), "0 ms")
	}
	l.right(th.muted, safe.Of(at), 7).gap(1)
	if f.Kind == flow.Remark {
		l.put(th.warn, signTrouble+" ").text(th.warn, safe.Bytes(f.Data))
		return
	}
	arrow, s := words(signBack+" "), th.good
	if f.FromClient {
		arrow, s = signTo+" ", th.verb
	}
	l.put(s, arrow).left(th.muted, safe.Of(f.Kind.String()), 6).right(th.muted, safe.Of(size(f.Size)), 8).gap(1)
	for _, p := range summary(th, f) {
		l.text(p.style, p.text)
	}
}

// summary is what a message says, for one row.
func summary(th *theme, f *flow.Frame) []piece {
	data := f.Data[:min(len(f.Data), messagePrefix)]
	cut := f.Cut || len(data) < len(f.Data) || len(data) == messagePrefix
	switch f.Kind {
	case flow.CloseMessage:
		code, meaning, reason := decode.CloseCode(f.Data)
		s := th.text
		if decode.RefusedByCode(code) {
			s = th.bad
		}
		ps := []piece{said(s, strconv.Itoa(code)+" "+meaning)}
		if reason != "" {
			ps = append(ps, said(s, " “"+reason+"”"))
		}
		return ps
	case flow.ServerEvent:
		return eventSummary(th, decode.ParseEvent(data))
	case flow.GRPCMessage:
		if text, ok := decode.ProtobufText(data, cut); ok {
			return []piece{said(th.text, strings.Join(strings.Fields(string(text)), " "))}
		}
	case flow.PingMessage, flow.PongMessage:
		if isText(data) {
			return []piece{{th.muted, safe.Bytes(data)}}
		}
	}
	if isText(data) {
		return []piece{{th.text, safe.Bytes(data)}}
	}
	return []piece{{th.text, safe.Of(hexLine(data))}}
}

// hexLine is the beginning of data as a hex dump has it.
func hexLine(data []byte) string {
	data = data[:min(len(data), 16)]
	text := make([]byte, len(data))
	for i, c := range data {
		if text[i] = c; c < 0x20 || c > 0x7e {
			text[i] = '.'
		}
	}
	return fmt.Sprintf("% x  %s", data, text)
}

func eventSummary(th *theme, e decode.Event) []piece {
	var ps []piece
	if e.Type != "" {
		ps = append(ps, said(th.accent, e.Type+"  "))
	}
	switch {
	case e.HasData:
		ps = append(ps, said(th.text, e.Data))
	case e.Comment != "":
		ps = append(ps, said(th.muted, ": "+e.Comment))
	}
	if e.HasID {
		ps = append(ps, said(th.muted, "  id "+e.ID))
	}
	if e.Retry > 0 {
		ps = append(ps, said(th.muted, "  retry "+span(e.Retry)))
	}
	return ps
}

// messageMsg is a message with all of its data, ready to be shown.
type messageMsg struct {
	id  flow.ID
	n   int64
	raw bool
	doc document
	err error
}

// openMessage reads message n of the flow that the inspector shows.
func (m *model) openMessage(n int64) tea.Cmd {
	d := m.inspector.d
	if d == nil || d.messages == nil || d.flow == nil {
		return nil
	}
	v := &m.inspector.messages
	v.want, v.raw = n, m.inspector.raw
	feed, ctx, th, id, raw, s, zone, veil := m.o.Feed, m.ctx, m.th, d.flow.ID, m.inspector.raw, d.messages, m.o.Zone, m.veil
	return m.crew.cmd(func() tea.Msg {
		msg := messageMsg{id: id, n: n, raw: raw}
		f, err := wholeMessage(ctx, feed, id, s, n)
		if err != nil {
			msg.err = err
			return msg
		}
		msg.doc = openedMessage(th, veil.message(&f), n, raw, zone)
		return msg
	})
}

// wholeMessage is message n of a flow with all of its data.
func wholeMessage(ctx context.Context, feed Feed, id flow.ID, s *messages, n int64) (flow.Frame, error) {
	if s != nil && s.whole != nil && n-s.first < int64(len(s.whole)) {
		return s.whole[n-s.first], nil
	}
	list, err := feed.Frames(ctx, id, n, 1, messageBody)
	if err == nil && len(list) == 0 {
		err = errors.New("it is not in the session")
	}
	if err != nil {
		return flow.Frame{}, err
	}
	return list[0], nil
}

// copyMessage takes the message under the cursor, as text where it is any.
var copyMessage = copyItem{"w", "message", func(c copySource) (string, error) {
	f := &c.flow.Frames[0]
	switch f.Kind {
	case flow.CloseMessage:
		code, _, reason := decode.CloseCode(f.Data)
		return strings.TrimSpace(strconv.Itoa(code) + " " + reason), nil
	case flow.GRPCMessage:
		if text, ok := decode.ProtobufText(f.Data, f.Cut); ok {
			return string(text), nil
		}
	}
	if isText(f.Data) {
		return string(f.Data), nil
	}
	return hex.EncodeToString(f.Data), nil
}}

func (m *model) messageCame(msg messageMsg) {
	v := &m.inspector.messages
	switch {
	case msg.id != m.inspector.id || msg.n != v.want:
	case msg.err != nil:
		v.want = -1
		m.fail("read the message", msg.err)
	case msg.doc != nil:
		if v.open == nil {
			m.inspector.off[tabMessages] = 0
		}
		v.open, v.raw = msg.doc, msg.raw
		m.inspector.applyFold()
	}
}

// closeMessage goes back to the list and reports whether a message was open.
func (v *inspector) closeMessage() bool {
	if v.tab != tabMessages || v.messages.open == nil {
		return false
	}
	v.messages.open, v.messages.want = nil, -1
	v.off[tabMessages] = 0
	return true
}

// openedMessage is one message as a whole.
func openedMessage(th *theme, fr *flow.Frame, n int64, raw bool, zone *time.Location) document {
	who, s := words("from the server"), th.good
	if fr.FromClient {
		who, s = "from the client", th.verb
	}
	head := []piece{said(th.bright, "message "+count(n+1)), {"", space(2)}, said(th.muted, fr.Kind.String()), {"", space(2)}, lit(s, who)}
	facts := size(fr.Size)
	if fr.Packed {
		facts += " compressed, " + size(int64(len(fr.Data))) + " inflated"
	}
	if !fr.At.IsZero() {
		facts += ", at " + fr.At.In(zone).Format("15:04:05.000")
	}
	docs := []document{&wrapped{list: pieces{head, {said(th.muted, facts)}}}}
	if fr.Cut || len(fr.Data) == messageBody {
		docs = append(docs, &wrapped{list: pieces{{said(th.warn, "only the first "+size(int64(len(fr.Data)))+" are shown: the message is longer, or did not end")}}})
	}
	docs = append(docs, pieces{nil})
	return joined(append(docs, messageContent(th, fr, raw)...)...)
}

// messageContent is what a message says, made readable unless raw.
func messageContent(th *theme, fr *flow.Frame, raw bool) []document {
	plainly := &flow.Message{} // there is no header that says what it is
	switch {
	case raw && fr.Kind == flow.GRPCMessage:
		return []document{hexDoc(fr.Data)}
	case raw:
	case fr.Kind == flow.CloseMessage:
		code, meaning, reason := decode.CloseCode(fr.Data)
		rows := pieces{{said(th.muted, " code    "), said(th.text, strconv.Itoa(code))}, {said(th.muted, " means   "), said(th.text, meaning)}}
		if reason != "" {
			rows = append(rows, []piece{said(th.muted, " reason  "), said(th.text, reason)})
		}
		return []document{&wrapped{list: rows}}
	case fr.Kind == flow.ServerEvent:
		e := decode.ParseEvent(fr.Data)
		var rows pieces
		for _, p := range [][2]string{{"event", e.Type}, {"id", e.ID}, {"retry", span(e.Retry)}, {"comment", e.Comment}} {
			if p[1] != "" {
				rows = append(rows, []piece{said(th.muted, " "+p[0]+strings.Repeat(" ", 9-len(p[0]))), said(th.text, p[1])})
			}
		}
		docs := []document{&wrapped{list: rows}}
		if e.HasData {
			if len(rows) > 0 {
				docs = append(docs, pieces{nil})
			}
			docs = append(docs, render(th, plainly, []byte(e.Data), false)...)
		}
		return docs
	case fr.Kind == flow.GRPCMessage:
		if text, ok := decode.ProtobufText(fr.Data, fr.Cut); ok {
			return []document{newTextDoc(text, false)}
		}
	}
	return render(th, plainly, fr.Data, raw)
}
