package ui

import (
	"context"
	"io"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/rewrite"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/pinpoint"
)

// Feed is the session as the screen needs it; *session.Store is one. Calls that may touch the disk
// are made in commands, never while a key is handled or a frame is drawn.
type Feed interface {
	Since(rev session.Rev, max int) ([]session.Row, session.Rev)
	Changed(rev session.Rev) <-chan struct{}
	Rev() session.Rev
	Page(ctx context.Context, from flow.ID, n int) ([]session.Row, error)
	RowsBack(ctx context.Context, to, from flow.ID, yield func(*session.Row) bool) error
	Row(ctx context.Context, id flow.ID) (session.Row, error)
	Flow(ctx context.Context, id flow.ID) (*flow.Flow, error)
	Prefix(ctx context.Context, id flow.ID, request, response int64) (*flow.Flow, error)
	Back(ctx context.Context, to, from flow.ID, most int64, yield func(*session.Row, *flow.Flow) bool) error
	Body(ctx context.Context, id flow.ID, side session.Side) (io.ReadCloser, int64, error)
	Frames(ctx context.Context, id flow.ID, from int64, n, most int) ([]session.Frame, error)
	FrameCount(ctx context.Context, id flow.ID) (int64, error)
	History(ctx context.Context, endpoint string, before flow.ID, n int) ([]session.Row, error)
	Note(id flow.ID, a flow.Annotation) error
	Remove(ctx context.Context, ids ...flow.ID) error
	Clear(ctx context.Context) (int, error)
	Stats() session.Stats
	Last() flow.ID
}

// Capture is what the screen can tell the proxy about recording; *proxy.Server is one. No call waits.
type Capture interface {
	Pause(on bool)
	Paused() (on bool, omitted int64)
	Ignore(pattern string)
	Heed(pattern string)
	Ignored() []string
}

// Sender sends a request again, to where parent went, records the exchange as a child of parent and
// returns its id when it has ended; 0 if it did not come to one.
type Sender interface {
	Send(ctx context.Context, parent *flow.Flow, req *flow.Message) (flow.ID, error)
}

// Explainer gives the whole explanation of a flow, with the stored verdict.
type Explainer func(ctx context.Context, id flow.ID) (inspect.Explained, error)

// CAState is what the screen says about the certificate authority.
type CAState struct {
	Path      string // file of the CA certificate; "" where there is none to give
	Ephemeral bool   // lives in memory, for this run only
	Trusted   bool   // the system trusts it
	// Ask, if given, finds out whether the system trusts it. Reading the system's roots takes tens of
	// milliseconds, so that it is done beside the first frame and until then nothing is said.
	Ask func() bool
}

// Options are what the screen needs from the program around it.
type Options struct {
	Feed        Feed
	Sender      Sender // nil: nothing can be sent
	Explain     Explainer
	Hold        Gate          // nil: nothing can be held
	Capture     Capture       // nil: nothing is recorded from here
	Rules       *rewrite.Book // nil: nothing can be rewritten
	Points      PointStore    // nil: breakpoints are kept until the program ends
	Listen      string        // address of the proxy, "" when there is none (a saved session)
	Version     string
	SessionPath string
	CA          CAState
	Columns     Columns // of the list
	Theme       Theme   // the zero value: as the terminal and NO_COLOR say
	ReadOnly    bool    // a session of somebody else: no marks, no notes
	// IsItMe sends a refused request by other ways than the client's, to find out whether the
	// interception is why; nil: that cannot be asked.
	IsItMe func(context.Context, *flow.Flow) pinpoint.Me
	// Busy tells what would be interrupted by quitting, "" when nothing would.
	Busy func() string

	// For tests; the zero values mean the real thing.
	Pinpoint  Experiment
	Now       func() time.Time
	Zone      *time.Location
	Getenv    func(string) string
	Clipboard Clipboard
	Dir       string // folder for what $EDITOR and large copies need; "" is the session's
}
