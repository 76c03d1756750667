package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
)

// message is one message so long after day.
func message(after time.Duration, fromClient bool, kind flow.FrameKind, data string) flow.Frame {
	return flow.Frame{FromClient: fromClient, Kind: kind, At: day.Add(after), Size: int64(len(data)), Data: []byte(data)}
}

// chat is a WebSocket under way, with what a hostile peer would send.
func chat() *fakeFeed {
	f := newFake()
	ws := request(0, "GET", "https://chat.test/live", "", "Upgrade", "websocket", "Connection", "Upgrade")
	ws.Response = response(101, "Switching Protocols", "", "")
	id := f.add(ws, session.Streaming)
	packed := message(1300*time.Millisecond, false, flow.TextMessage, `{"type":"welcome","user":{"id":7,"name":"Ann"}}`)
	packed.Packed, packed.Size = true, 41
	f.frames = map[flow.ID][]flow.Frame{id: {
		message(time.Second, true, flow.TextMessage, `{"type":"hello","token":"abc"}`),
		packed,
		message(1400*time.Millisecond, true, flow.BinaryMessage, "\x00\x01\x02\xff"),
		message(2*time.Second, false, flow.PingMessage, "are you there"),
		message(2001*time.Millisecond, true, flow.PongMessage, "are you there"),
		message(3*time.Second, false, flow.TextMessage, "\x1b[2Jgone \u202eevil\r\nsecond line 注文"),
		message(4*time.Second, false, flow.Remark, "compressed messages from here on are shown as they were sent: a message that became more than 16777216 bytes"),
		message(5*time.Second, false, flow.CloseMessage, "\x03\xf0token expired"),
	}}
	return f
}

// ticker is a stream of events under way.
func ticker() *fakeFeed {
	f := newFake()
	es := request(0, "GET", "https://api.test/events", "", "Accept", "text/event-stream")
	es.Response = response(200, "OK", "text/event-stream", "")
	id := f.add(es, session.Streaming)
	f.frames = map[flow.ID][]flow.Frame{id: {
		message(100*time.Millisecond, false, flow.ServerEvent, "retry: 3000\n"),
		message(200*time.Millisecond, false, flow.ServerEvent, "event: add\nid: 1\ndata: {\"n\": 1}\n"),
		message(15*time.Second, false, flow.ServerEvent, ": still here\n"),
		message(16*time.Second, false, flow.ServerEvent, "data: two\ndata: lines\n"),
	}}
	return f
}

func TestMessagesOfAWebSocketGrowLive(t *testing.T) {
	s := play(t, chat(), 140, 30)
	s.sees("⇄ upgraded")
	s.press("tab", "l", "l", "l", "l")
	s.sees("→ text      30 B {\"type\":\"hello\",\"token\":\"abc\"}", "← ping", "→ binary     4 B 00 01 02 ff  ....", `\x1b[2Jgone`, "1008 against the policy “token", "! compressed messages")
	if cur := s.m.inspector.messages.cur; cur != 7 {
		t.Errorf("the cursor is on message %d, not on the newest", cur)
	}
	add := func(text string) {
		f := s.feed
		f.frames[1] = append(f.frames[1], message(6*time.Second, true, flow.TextMessage, text))
		f.update(f.flows[1], session.Streaming)
		s.now = s.now.Add(time.Second)
		s.arrive()
	}
	add("one more")
	s.sees("s 9 Timing", "one more")
	if cur := s.m.inspector.messages.cur; cur != 8 {
		t.Errorf("the cursor stays on %d", cur)
	}
	s.press("k")
	add("another")
	s.sees("another")
	if cur := s.m.inspector.messages.cur; cur != 7 {
		t.Errorf("the cursor was taken to %d", cur)
	}
	s.press("G")
	add("the last")
	if cur := s.m.inspector.messages.cur; cur != 10 {
		t.Errorf("after G the cursor is on %d", cur)
	}
}

func TestWhyTellsWhoClosedAWebSocket(t *testing.T) {
	s := play(t, chat(), 140, 30)
	s.sees("Answered 101, and they are talking", "messages 8", "closed   by the server: 1008 against the policy")
	if !strings.Contains(s.m.screen(), string(dark().bad)+"mby the server") {
		t.Error("a close that is a refusal looks like any other")
	}
	f := s.feed.flows[1]
	f.Times.End = f.Times.Start.Add(5 * time.Second)
	s.feed.update(f, session.Done)
	s.arrive()
	s.sees("Not refused: 101 Switching Protocols", "closed   by the server: 1008 against the policy")
}

func TestAMessageOpens(t *testing.T) {
	s := play(t, chat(), 140, 40)
	s.press("enter", "g", "j", "enter")
	s.sees("message 2  text  from the server", "41 B compressed, 47 B inflated, at 08:30:52.300", `"name": "Ann"`)
	s.press("b")
	s.sees(`{"type":"welcome","user":{"id":7,"name":"Ann"}}`)
	s.press("b", "s")
	s.write("Ann")
	s.press("enter")
	if !strings.Contains(s.m.screen(), string(dark().hit)) {
		t.Error("the search does not reach into the message")
	}
	s.press("esc", "esc")
	s.sees("← ping", "→ binary")
	if v := &s.m.inspector; v.messages.cur != 1 || s.m.focus != inInspector {
		t.Errorf("back on message %d", v.messages.cur)
	}
	s.press("j", "enter")
	s.sees("message 3  binary  from the client", "00000000  00 01 02 ff")
	s.press("esc", "G", "enter")
	s.sees("code    1008", "means   against the policy", "reason  token expired")
	s.press("esc", "esc")
	if s.m.focus != inList {
		t.Error("esc does not lead back to the list")
	}
}

func TestOpeningWhatTalksLeadsToItsMessages(t *testing.T) {
	f := chat()
	f.done(request(time.Second, "GET", "https://chat.test/plain", ""), time.Second, response(200, "OK", "text/plain", "hi"))
	s := play(t, f, 80, 24)
	s.press("k", "enter")
	s.sees("→ text")
	s.press("esc", "j", "enter")
	s.sees("Not refused: 200 OK")
	s.press("esc", "k", "enter", "h", "esc", "j", "k", "enter")
	if s.m.inspector.tab != tabResponse {
		t.Errorf("who chose a tab is taken to tab %d", s.m.inspector.tab)
	}
	empty := request(2*time.Second, "GET", "https://chat.test/none", "")
	f.done(empty, time.Second, response(200, "OK", "text/event-stream", ""))
	s = play(t, f, 80, 24)
	s.press("enter")
	s.sees("Not refused: 200 OK") // an event stream without an event
}

func TestAMessageIsCopied(t *testing.T) {
	s := play(t, chat(), 140, 40)
	s.press("tab", "l", "l", "l", "l", "g", "y", "w")
	if want := `{"type":"hello","token":"abc"}`; s.clip.text != want {
		t.Errorf("copied %q", s.clip.text)
	}
	s.press("Y", "w")
	if want := `{"type":"hello","token":"WHY403_SECRET_A"}`; s.clip.text != want {
		t.Errorf("copied masked %q", s.clip.text)
	}
	s.press("j", "j", "y", "enter")
	if s.clip.text != "000102ff" {
		t.Errorf("bytes are copied as %q", s.clip.text)
	}
	s.press("h", "y", "w")
	s.sees("Copy")
	s.seesNot("w  message")
}

func TestEventsAreListed(t *testing.T) {
	s := play(t, ticker(), 140, 40)
	s.press("tab", "l", "l", "l", "l")
	s.sees(`add  {"n": 1}  id 1`, ": still here", `two\nlines`, "retry 3.0 s")
	s.press("g", "j", "enter")
	s.sees("event    add", "id       1", `"n": 1`)
	s.press("esc", "/")
	s.write("is:sse")
	s.press("enter")
	s.sees("/events")
	s.press("1", "/")
	s.write("is:websocket")
	s.press("enter")
	s.sees("No flow matches")
}

func TestMessagesOfAnImportedCall(t *testing.T) {
	f := newFake()
	q := request(0, "POST", "https://rpc.test/shop.Orders/List", "\x00\x00\x00\x00\x07\x0a\x05hello", "Content-Type", "application/grpc")
	f.done(q, time.Second, response(200, "OK", "application/grpc", "\x00\x00\x00\x00\x02\x08\x01\x00\x00\x00\x00\x02\x08\x02"))
	f.done(request(0, "GET", "https://rpc.test/plain", ""), time.Second, response(200, "OK", "text/plain", "hi"))
	s := play(t, f, 140, 40)
	s.seesNot("Messages")
	s.press("k", "tab", "l", "l", "l", "l")
	s.sees("Messages 3", `→ grpc       7 B 1: "hello"`, "← grpc       2 B 1: 1", "← grpc       2 B 1: 2")
	s.press("enter")
	s.sees("message 1  grpc  from the client", `1: "hello"`)
	s.press("b")
	s.sees("00000000  0a 05 68 65")
	s.press("esc", "esc", "j") // to a flow that has none
	s.sees("hi")
	if s.m.inspector.tab != tabResponse {
		t.Errorf("on tab %d", s.m.inspector.tab)
	}
}

func TestAListOfManyMessagesHoldsTheNewest(t *testing.T) {
	f := chat()
	for i := range 12_000 {
		f.frames[1] = append(f.frames[1], message(6*time.Second, true, flow.TextMessage, fmt.Sprintf("number %d", i)))
	}
	s := play(t, f, 140, 30)
	s.press("tab", "l", "l", "l", "l")
	s.sees("12,008", "number 11999")
	s.press("g")
	s.sees("7,008 older messages, not in this list", "number 7000")
	for range 3 {
		for i := range 3000 {
			f.frames[1] = append(f.frames[1], message(7*time.Second, true, flow.TextMessage, fmt.Sprintf("later %d", i)))
		}
		f.update(f.flows[1], session.Streaming)
		s.now = s.now.Add(time.Second)
		s.arrive()
	}
	if n := len(s.m.inspector.d.messages.list); n > 2*messagesMost {
		t.Errorf("%d messages are held", n)
	}
	s.press("G")
	s.sees("later 2999")
}
