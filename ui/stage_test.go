package ui

import (
	"context"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/pinpoint"
)

// stage plays the user and the framework: it presses keys, runs commands at once and looks at frames.
// Its context has ended, so that whatever would wait for something new returns.
type stage struct {
	t      testing.TB
	m      *model
	feed   *fakeFeed
	sender *fakeSender
	clip   *fakeClipboard
	now    time.Time
	quit   bool
}

type fakeClipboard struct {
	local bool
	text  string
}

func (c *fakeClipboard) Local() bool          { return c.local }
func (c *fakeClipboard) Write(s string) error { c.text = s; return nil }

func play(t testing.TB, feed *fakeFeed, w, h int, env ...string) *stage {
	s := &stage{t: t, feed: feed, now: day.Add(23 * time.Second), clip: &fakeClipboard{local: true}}
	s.sender = &fakeSender{feed: feed, now: func() time.Time { return s.now }}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.m = newModel(ctx, Options{
		Feed: feed, Sender: s.sender, Listen: "127.0.0.1:8403", SessionPath: "/sessions/x.why403",
		CA: CAState{Path: "/home/me/.local/state/why403/ca.pem"}, Clipboard: s.clip, Dir: t.TempDir(),
		Explain: func(_ context.Context, id flow.ID) (inspect.Explained, error) { return feed.exps[id], nil },
		Now:     func() time.Time { return s.now }, Zone: time.UTC,
		IsItMe: func(_ context.Context, f *flow.Flow) pinpoint.Me {
			return pinpoint.Me{Blame: pinpoint.Us, Finding: "It is us: refused from why403, accepted from curl.", Tunnel: "api.shop.test",
				Answers: []pinpoint.Answered{{Way: "why403 over HTTP/1.1", Class: pinpoint.RefusedAgain, Status: 403, JA4: "t13d1311h1_f57a46bbacb6_ab7e3b40a677"}, {Way: "curl", Class: pinpoint.WasAccepted, Status: 201}}}
		},
		Pinpoint: func(ctx context.Context, in pinpoint.Input, sender pinpoint.Sender, o pinpoint.Options, st pinpoint.State) pinpoint.Result {
			o.Spacing = 0
			return pinpoint.Run(context.WithoutCancel(ctx), in, sender, o, st)
		},
		Getenv: func(k string) string {
			for i := 0; i+1 < len(env); i += 2 {
				if env[i] == k {
					return env[i+1]
				}
			}
			return ""
		},
	})
	s.m.o.Rules = feed.rules
	if feed.busy {
		s.m.o.Busy = func() string { return "npm test is still running" }
	}
	s.resize(w, h)
	if feed.gate != nil {
		s.m.o.Hold = feed.gate
		s.tell(heldMsg{list: feed.gate.held})
	}
	return s
}

func (s *stage) resize(w, h int) { s.tell(tea.WindowSizeMsg{Width: w, Height: h}) }

// tell gives the model a message and runs what it asks for.
func (s *stage) tell(msg tea.Msg) {
	s.t.Helper()
	for todo := []tea.Msg{msg}; len(todo) > 0; todo = todo[1:] {
		switch msg := todo[0].(type) {
		case nil:
			continue
		case tea.QuitMsg:
			s.quit = true
			continue
		case tea.BatchMsg:
			for _, c := range msg {
				if c != nil {
					todo = append(todo, c())
				}
			}
			continue
		}
		_, cmd := s.m.Update(todo[0])
		s.m.View() // as the framework does after each message
		if cmd != nil {
			todo = append(todo, cmd())
		}
	}
}

// press presses keys: names as in the key list; what is no name is typed.
func (s *stage) press(keys ...string) {
	s.t.Helper()
	for _, k := range keys {
		s.tell(keyPress(k))
	}
}

func (s *stage) write(text string) {
	s.t.Helper()
	for _, r := range text {
		s.tell(keyPress(string(r)))
	}
}

var named = map[string]tea.Key{
	"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift},
	"up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown}, "left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight},
	"pgdown": {Code: tea.KeyPgDown}, "pgup": {Code: tea.KeyPgUp}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
	"backspace": {Code: tea.KeyBackspace}, "delete": {Code: tea.KeyDelete}, "space": {Code: tea.KeySpace, Text: " "}, " ": {Code: tea.KeySpace, Text: " "},
	"alt+up": {Code: tea.KeyUp, Mod: tea.ModAlt}, "alt+down": {Code: tea.KeyDown, Mod: tea.ModAlt},
}

func keyPress(k string) tea.KeyPressMsg {
	if key, ok := named[k]; ok {
		return tea.KeyPressMsg(key)
	}
	if c, ok := strings.CutPrefix(k, "ctrl+"); ok {
		return tea.KeyPressMsg{Code: rune(c[0]), Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: []rune(k)[0], Text: k}
}

// arrive lets the screen take in what the feed has that is new.
func (s *stage) arrive() {
	s.t.Helper()
	rows, rev := s.feed.Since(s.m.rev, batchMax)
	s.tell(rowsMsg{rows, rev, s.feed.Last(), s.feed.Stats()})
}

// screen is the frame without styles.
func (s *stage) screen() string { return ansi.Strip(s.m.screen()) }

func (s *stage) sees(want ...string) {
	s.t.Helper()
	for _, w := range want {
		if !strings.Contains(s.screen(), w) {
			s.t.Fatalf("the screen does not show %q:\n%s", w, s.screen())
		}
	}
}

func (s *stage) seesNot(what ...string) {
	s.t.Helper()
	for _, w := range what {
		if strings.Contains(s.screen(), w) {
			s.t.Fatalf("the screen shows %q:\n%s", w, s.screen())
		}
	}
}
