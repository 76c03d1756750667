package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/redact"
	"github.com/why403/why403/flow/session"
)

func newCapture(std stdio) *cobra.Command {
	var o proxyFlags
	var c capture
	cmd := &cobra.Command{
		Use:   "capture",
		Short: "Run without a screen: a line for each finished exchange",
		Long: `Run the proxy without a screen and print a line for each exchange that is
finished, recorded on disk and explained. A printed line is never lost: what it
tells of is in the session even if the process is killed.

Secrets in URLs are masked, the same secret by the same name, unless --reveal is given.`,
		Example: `why403 capture --json --until-refused
why403 capture --filter 'method:post status:403'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runCapture(cmd.Context(), std, o, c)
		},
	}
	o.add(cmd.Flags())
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON, one object a line")
	cmd.Flags().BoolVar(&c.reveal, "reveal", false, "write secrets as they are")
	cmd.Flags().BoolVar(&c.untilRefused, "until-refused", false, "stop at the first refusal with exit status 3")
	cmd.Flags().IntVar(&c.max, "max", 0, "stop after `N` exchanges (0: go on)")
	cmd.Flags().StringVar(&c.filter, "filter", "", "print only what matches `EXPR`, such as 'host:api status:4xx'")
	return cmd
}

// capture prints the rows of a store as they come to their end.
type capture struct {
	json, untilRefused, reveal bool
	max                        int
	filter                     string
	mask                       *redact.Masker // made with the first line
}

// maskedSecrets is how many secrets are remembered by name; those met again after as many others get another one.
const maskedSecrets = 1 << 13

// masked is text as it may be printed.
func (c *capture) masked(s string) string {
	if c.reveal || s == "" {
		return s
	}
	if c.mask == nil {
		c.mask = redact.New()
	}
	c.mask.Forget(maskedSecrets)
	return c.mask.Text(c.mask.URL(s))
}

func runCapture(ctx context.Context, std stdio, o proxyFlags, c capture) error {
	match, err := compileFilter(c.filter)
	if err != nil {
		return err
	}
	rows := make(chan session.Row, printAhead)
	serving, stop := context.WithCancel(ctx)
	defer stop()
	say := func(line string) { fmt.Fprintf(std.err, "why403: %s\n", oneLine(line)) }
	s, err := o.open(parts{in: std.in, log: say, settled: func(r session.Row) {
		select {
		case rows <- r:
		case <-serving.Done():
		}
	}})
	if err != nil {
		return err
	}
	defer s.close()
	s.announce("capture", &o)
	fmt.Fprintf(std.err, "why403: listening on %s, recording to %s\n", s.address(), s.store.Stats().Path)
	if n := s.rules.On(); n > 0 { // nobody is to wonder who changes things
		fmt.Fprintf(std.err, "why403: rewrite rules at work: %d, of %s\n", n, s.rules.Path())
	}
	if s.caFile != "" {
		fmt.Fprintf(std.err, "why403: clients trust it with %s\n", s.caFile)
	}
	served := make(chan error, 1)
	go func() { served <- s.serve(serving); stop() }()
	found, err := c.follow(serving, std.out, rows, match)
	stop()
	if e := <-served; e != nil && err == nil {
		err = e
	}
	if err == nil && found && c.untilRefused {
		err = errRefused
	}
	return err
}

func compileFilter(expr string) (*filter.Expr, error) {
	if expr == "" {
		return nil, nil
	}
	e, err := filter.Compile(expr, filter.Rows)
	if err != nil {
		return nil, usage(fmt.Errorf("--filter: %w", err), "for example --filter 'method:post status:403 host:api'")
	}
	return e, nil
}

// printAhead is how many rows may wait to be printed. What waits is written in
// one call to the system, which costs a twentieth of a request when each row has its own.
const printAhead = 64

// follow prints until ctx ends or enough was seen, and reports whether a refusal was among it.
func (c *capture) follow(ctx context.Context, w io.Writer, rows <-chan session.Row, match *filter.Expr) (bool, error) {
	out := bufio.NewWriter(w)
	printed := newSeen()
	count, found := 0, false
	for {
		var r session.Row
		select {
		case r = <-rows:
		default:
			if err := out.Flush(); err != nil {
				return found, err
			}
			select {
			case <-ctx.Done():
				return found, nil
			case r = <-rows:
			}
		}
		if !printed.first(r.ID) || !match.Match(r.Subject(time.Now())) {
			continue
		}
		if err := c.print(out, &r); err != nil {
			return found, err
		}
		count++
		found = found || r.Refused()
		if c.untilRefused && found || c.max > 0 && count >= c.max {
			return found, out.Flush()
		}
	}
}

// seen remembers which flows were printed. Flows end roughly in the order in
// which they began, so little more than a low-water mark is kept.
type seen struct {
	below flow.ID // all of these
	above map[flow.ID]bool
}

func newSeen() *seen { return &seen{below: 1, above: map[flow.ID]bool{}} }

func (s *seen) first(id flow.ID) bool {
	if id < s.below || s.above[id] {
		return false
	}
	s.above[id] = true
	for s.above[s.below] {
		delete(s.above, s.below)
		s.below++
	}
	return true
}

// line is one finished flow in `capture --json` (a contract).
type line struct {
	ID            flow.ID `json:"id"`
	Time          string  `json:"time"`
	Method        string  `json:"method"`
	URL           string  `json:"url"`
	Status        int     `json:"status"`
	Refused       bool    `json:"refused"`
	Cause         *string `json:"cause"`
	Layer         *string `json:"layer"`
	Vendor        *string `json:"vendor"`
	Confidence    *string `json:"confidence"`
	DurationMS    int64   `json:"duration_ms"`
	RequestBytes  int64   `json:"request_bytes"`
	ResponseBytes int64   `json:"response_bytes"`
	Error         *string `json:"error"`
}

func (c *capture) print(out *bufio.Writer, r *session.Row) error {
	if !c.json {
		return c.printRow(out, r)
	}
	l := line{
		ID: r.ID, Time: r.Start.UTC().Format(time.RFC3339Nano), Method: r.Method, URL: c.masked(rowURL(r)), Status: r.Status, Refused: r.Refused(),
		DurationMS: r.Duration.Milliseconds(), RequestBytes: r.ReqBytes, ResponseBytes: r.RespBytes, Error: orNull(c.masked(r.Err)),
	}
	if v := r.Verdict; v != nil {
		l.Cause, l.Layer, l.Vendor, l.Confidence = orNull(v.Cause), orNull(v.Layer), orNull(v.Vendor), orNull(v.Confidence.String())
	}
	return json.NewEncoder(out).Encode(l)
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (c *capture) printRow(out *bufio.Writer, r *session.Row) error {
	status := "-"
	if r.Status > 0 {
		status = strconv.Itoa(r.Status)
	}
	fmt.Fprintf(out, "%6d %s %-7s %3s %s %d ms", r.ID, r.Start.Local().Format(time.TimeOnly), oneLine(r.Method), status, oneLine(c.masked(rowURL(r))), r.Duration.Milliseconds())
	switch {
	case r.Err != "":
		fmt.Fprintf(out, "  ! %s", oneLine(c.masked(r.Err)))
	case r.Refused() && r.Verdict != nil:
		fmt.Fprintf(out, "  ✗ %s (%s, %s)", oneLine(r.Verdict.Headline), r.Verdict.Cause, r.Verdict.Confidence)
	case r.Refused():
		fmt.Fprint(out, "  ✗ refused")
	}
	return out.WriteByte('\n')
}

func rowURL(r *session.Row) string {
	f := flow.Flow{Scheme: r.Scheme, Authority: r.Authority, Request: &flow.Message{Target: r.Target}}
	return f.URL()
}
