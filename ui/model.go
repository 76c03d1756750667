package ui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/hold"
	"github.com/why403/why403/flow/session"
)

// model is the whole screen. Panes are its parts: plain structs with verbs that know nothing of the
// framework. Update routes, commands do what may wait, and their answers carry the version that they
// were asked for, so that a late one is dropped.
type model struct {
	o     Options
	ctx   context.Context
	crew  crew
	th    *theme
	looks looks
	veil  *veil // stage mode; nil: off
	w, h  int
	now   time.Time
	lay   layout

	list      list
	inspector inspector
	filter    filterBar
	sorting   sorting
	editor    *editor // nil: closed
	lab       *lab    // the last experiment; nil: none
	dialogs   []dialog
	toast     toast
	stats     session.Stats
	seen      seen
	spark     spark
	tries     map[flow.ID][]flow.ID // replays by parent, of those seen
	held      []hold.Held           // what waits for a person, oldest first
	veiled    *veil                 // that of earlier in this run: its names stay

	marks    []flow.ID           // marked in this run, oldest first
	partners map[flow.ID]flow.ID // what Diff compares with, where somebody chose

	stories *stories
	telling bool // a command looks for steps of stories
	folded  bool // stories are folded in the list

	foot     []footKey          // what the footer names, as it was drawn
	box      rect               // the dialog on top
	ruled    map[ruleKey]string // lines across the screen, as they were drawn
	focus    place
	opened   bool // narrow screens: the inspector is shown
	zoomed   bool
	gaps     bool // flows were deleted: the list is no longer every number
	mouse    bool
	rev      session.Rev
	firstRev session.Rev
	pace     pace

	// versions of what is asked for
	fetching  bool      // a page is being read
	loading   bool      // a flow is being read
	loads     int       // version of what the inspector asks for
	curSince  time.Time // when the cursor came to its flow
	loadedRev session.Rev
	loadedAt  time.Time
	scanning  int             // version of the filter
	scanCtx   context.Context // ends with the filter
	stopScan  context.CancelFunc
	seeking   bool // a refusal is being looked for
	seeks     int  // presses that wait for that: downwards, or upwards below 0
	seekTab   tab  // that was open at the last of these presses
	ticking   bool
	running   int // sends under way
}

func newModel(ctx context.Context, o Options) *model {
	o = o.withDefaults()
	m := &model{
		o: o, ctx: ctx, looks: looks{wanted: o.Theme}, th: dark(), now: o.Now(), focus: inList, mouse: true,
		list: newList(), tries: map[flow.ID][]flow.ID{}, partners: map[flow.ID]flow.ID{}, stories: newStories(),
	}
	m.list.stories = m.stories
	m.th = m.looks.theme(o.Getenv)
	m.rev = o.Feed.Rev() // before the counts: what comes between is told again
	m.firstRev = m.rev
	m.stats = o.Feed.Stats()
	m.list.add(nil, o.Feed.Last(), m.now)
	if o.Columns.set != 0 {
		m.list.shown = o.Columns.set
	}
	return m
}

// Init implements tea.Model.
func (m *model) Init() tea.Cmd {
	return tea.Batch(m.listen(), m.more(), m.askTrust(), m.firstHeld(), tea.RequestBackgroundColor)
}

// Update implements tea.Model. It routes: the dialog on top first, then the focused pane, then the
// keys that mean the same everywhere.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.route(msg)
	return m, tea.Batch(cmd, m.more())
}

func (m *model) route(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.w, m.h = msg.Width, msg.Height
		m.arrange()
	case tea.BackgroundColorMsg:
		m.looks.onLight = !msg.IsDark()
		m.dress()
	case tea.KeyPressMsg:
		return m.key(msg.String(), msg.Text)
	case tea.PasteMsg:
		return m.paste(msg.Content)
	case tea.MouseClickMsg:
		return m.click(msg.X, msg.Y, msg.Button == tea.MouseLeft)
	case tea.MouseWheelMsg:
		m.wheel(msg.X, msg.Y, msg.Button)
	case rowsMsg:
		return m.rowsCame(msg)
	case endpointsMsg:
		return m.counted(msg)
	case pageMsg:
		m.pageCame(msg)
	case scanMsg:
		return m.scanCame(msg)
	case deepMsg:
		m.deepCame(msg)
	case seekMsg:
		return m.seekCame(msg)
	case partnerMsg:
		m.partnerCame(msg)
	case dossierMsg:
		m.dossierCame(msg)
	case bodyMsg:
		m.bodyCame(msg)
	case pathMsg:
		m.pathCame(msg)
	case fieldsMsg:
		m.fieldsCame(msg)
	case storyMsg:
		m.storyCame(msg)
	case messageMsg:
		m.messageCame(msg)
	case sentMsg:
		return m.sent(msg)
	case trustMsg:
		m.o.CA.Trusted, m.o.CA.Ask = bool(msg), nil
	case tickMsg:
		m.ticking, m.now = false, time.Time(msg)
		m.keepWaiting()
	case copiedMsg:
		return m.copyText(msg.what, msg.text)
	case toastMsg:
		m.say(msg.good, msg.text)
	case editedMsg:
		return m.edited(msg)
	case requestMsg:
		m.requestEdited(msg)
	case editorMsg:
		m.openEditor(msg)
	case fixMsg:
		m.fixCame(msg)
	case labReadMsg:
		m.labRead(msg)
	case labStepMsg:
		return m.labStep(msg)
	case labDoneMsg:
		m.labCame(msg)
	case heldMsg:
		return m.heldCame(msg)
	case removedMsg:
		return m.removed(msg)
	case rulesSavedMsg:
		m.rulesSaved(msg)
	}
	return nil
}

// arrange lays the screen out anew.
func (m *model) arrange() {
	m.lay = arrange(m.w, m.h, m.opened, m.editor != nil, m.zoomed)
	if m.lay.list.h > 0 {
		m.list.resize(m.lay.list.h - 1)
	}
	if m.w >= wide && !m.zoomed {
		return
	}
	switch { // one pane: the keys go to the one that is seen
	case m.lay.inspector.h > 0:
		m.focus = inInspector
	case m.lay.list.h > 0:
		m.focus = inList
	}
}

// key routes a key press.
func (m *model) key(name, text string) tea.Cmd {
	m.now = m.o.Now()
	m.toast.dismiss(m.now)
	switch {
	case m.lay.small:
		if a := lookup(inList, name); a == quit {
			return m.do(quit)
		}
		return nil
	case len(m.dialogs) > 0:
		return m.dialogs[len(m.dialogs)-1].key(m, name, text)
	case m.filter.open:
		return m.filterKey(name, text)
	case m.inspector.search.open:
		return m.searchKey(name, text)
	case m.inspector.path.open:
		return m.pathKey(name, text)
	case m.editor != nil:
		return m.editorKey(name, text)
	}
	if cmd, ok := m.welcomeKey(name); ok {
		return cmd
	}
	return m.do(lookup(m.focus, name))
}

func (m *model) paste(text string) tea.Cmd {
	switch {
	case len(m.dialogs) > 0:
		return m.dialogs[len(m.dialogs)-1].key(m, "", text)
	case m.filter.open:
		return m.filterKey("", text)
	case m.inspector.search.open:
		return m.searchKey("", text)
	case m.inspector.path.open:
		return m.pathKey("", text)
	case m.editor != nil:
		m.editor.paste(text)
	default:
		return m.pasteRequest(text)
	}
	return nil
}

// more asks for what the screen shows and does not have: rows, the flow under the cursor, the time.
func (m *model) more() tea.Cmd {
	var cmds []tea.Cmd
	if m.list.cur != m.inspector.id {
		m.inspector.show(m.list.cur)
		m.curSince = m.now
	}
	if ids := m.list.want(); len(ids) > 0 && !m.fetching {
		m.fetching = true
		cmds = append(cmds, m.fetch(ids))
	}
	if id := m.list.cur; id != 0 && !m.loading && m.stale(id) {
		m.loading = true
		cmds = append(cmds, m.load(id))
	}
	if side, ok := m.inspector.lacking(); ok {
		m.inspector.d.full[side] = true
		cmds = append(cmds, m.complete(side))
	}
	if t := m.inspector.wantsPath(); t != nil {
		cmds = append(cmds, m.findPath(t))
	}
	if cmd := m.findStories(); cmd != nil {
		cmds = append(cmds, cmd)
	}
	if v := &m.inspector; v.messages.open != nil && v.messages.raw != v.raw {
		cmds = append(cmds, m.openMessage(v.messages.want))
	}
	if !m.ticking {
		if every := m.pulse(); every > 0 {
			m.ticking = true
			cmds = append(cmds, m.tick(every))
		}
	}
	return tea.Batch(cmds...)
}

// stale reports whether the inspector lacks what is known of flow id. A flow under way is read again
// at most a few times a second.
func (m *model) stale(id flow.ID) bool {
	if m.inspector.d == nil {
		return !m.rushing()
	}
	r := m.list.current()
	if r == nil || r.Rev <= m.loadedRev {
		return m.inspector.d.raw != m.inspector.raw
	}
	return ended(r) || m.now.Sub(m.loadedAt) > 250*time.Millisecond
}

// rushing reports whether the newest flow, which is followed, was another one a moment ago: then its
// row is enough until it stays.
func (m *model) rushing() bool {
	return m.list.follow && m.rev != m.firstRev && m.now.Sub(m.curSince) < m.pace.rest()
}

// pulse is how often something on the screen changes with time alone; 0: nothing does.
func (m *model) pulse() time.Duration {
	switch {
	case m.inspector.d == nil && m.rushing():
		return m.pace.rest()
	case m.stats.Live > 0 || m.running > 0 || len(m.held) > 0:
		return 200 * time.Millisecond
	case m.toast.shown(m.now):
		return 500 * time.Millisecond
	case m.spark.busy(m.now) || m.stories.waiting():
		return time.Second
	case m.list.shown&ageColumn != 0 && m.list.last > 0:
		return m.list.aging(m.now)
	}
	return 0
}
