package ui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/rewrite"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/inspect"
)

// day is when everything in these tests happens.
var day = time.Date(2026, 11, 22, 8, 30, 51, 0, time.UTC)

// fakeFeed is a session in memory. It never waits.
type fakeFeed struct {
	rows   []session.Row // by id, from 1
	flows  map[flow.ID]*flow.Flow
	exps   map[flow.ID]inspect.Explained
	rev    session.Rev
	notes  map[flow.ID]flow.Annotation
	frames map[flow.ID][]session.Frame
	pages  int // calls of Page
	prefix int // bytes of a body that Flow gives; 0: all
	err    error
	gate   *fakeGate     // nil: nothing can be held
	busy   bool          // something would be interrupted by quitting
	rules  *rewrite.Book // nil: nothing can be rewritten
}

func newFake() *fakeFeed {
	return &fakeFeed{flows: map[flow.ID]*flow.Flow{}, exps: map[flow.ID]inspect.Explained{}, notes: map[flow.ID]flow.Annotation{}}
}

func (f *fakeFeed) add(fl *flow.Flow, st session.State) flow.ID {
	fl.ID = flow.ID(len(f.rows) + 1)
	f.rows = append(f.rows, session.Row{ID: fl.ID})
	f.flows[fl.ID] = fl
	f.update(fl, st)
	return fl.ID
}

func (f *fakeFeed) update(fl *flow.Flow, st session.State) {
	f.rev++
	old := f.rows[fl.ID-1]
	r := session.Row{
		ID: fl.ID, Parent: fl.Parent, Rev: f.rev, Kind: fl.Kind, Origin: fl.Origin, State: st, Start: fl.Times.Start,
		Duration: fl.Times.Duration(), Scheme: fl.Scheme, Authority: fl.Authority, Status: fl.Status(), Endpoint: flow.Endpoint(fl),
		Verdict: old.Verdict, Marked: old.Marked,
	}
	if m := fl.Request; m != nil {
		r.Method, r.Target, r.ReqBytes = m.Method, m.Target, m.Body.Size
	}
	if m := fl.Response; m != nil {
		r.RespBytes, r.ContentType = m.Body.Size, m.Header.Get("Content-Type")
	}
	if fl.Err != nil {
		r.Err, r.ErrSide = fl.Err.Text, fl.Err.Side
	}
	f.rows[fl.ID-1] = r
}

func (f *fakeFeed) judge(id flow.ID, e inspect.Explained) {
	f.exps[id] = e
	v := e.Verdict
	f.rev++
	r := &f.rows[id-1]
	r.Rev = f.rev
	r.Verdict = &flow.Judgement{Refused: true, Cause: string(v.Cause), Layer: string(v.Layer), Vendor: string(v.Vendor), Confidence: v.Confidence, Headline: v.Headline}
}

func (f *fakeFeed) Since(rev session.Rev, most int) ([]session.Row, session.Rev) {
	var out []session.Row
	for _, r := range f.rows {
		if r.Rev > rev {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b session.Row) int { return int(a.Rev) - int(b.Rev) })
	if len(out) > most {
		out = out[:most]
		return out, out[most-1].Rev
	}
	return out, f.rev
}

func (f *fakeFeed) Changed(session.Rev) <-chan struct{} { return make(chan struct{}) }
func (f *fakeFeed) Rev() session.Rev                    { return f.rev }
func (f *fakeFeed) Last() flow.ID                       { return flow.ID(len(f.rows)) }

func (f *fakeFeed) Page(_ context.Context, from flow.ID, n int) ([]session.Row, error) {
	f.pages++
	if f.err != nil {
		return nil, f.err
	}
	lo := min(len(f.rows), max(0, int(from)-1))
	rows := slices.Clone(f.rows[lo:])
	rows = slices.DeleteFunc(rows, func(r session.Row) bool { return f.flows[r.ID] == nil })
	return rows[:min(len(rows), n)], nil
}

func (f *fakeFeed) RowsBack(_ context.Context, to, from flow.ID, yield func(*session.Row) bool) error {
	for id := min(from, f.Last()); id >= to; id-- {
		if r := f.rows[id-1]; f.flows[id] != nil && !yield(&r) {
			return nil
		}
	}
	return f.err
}

func (f *fakeFeed) Row(_ context.Context, id flow.ID) (session.Row, error) {
	if id < 1 || int(id) > len(f.rows) || f.flows[id] == nil {
		return session.Row{}, errors.New("no such flow")
	}
	return f.rows[id-1], nil
}

func (f *fakeFeed) Flow(_ context.Context, id flow.ID) (*flow.Flow, error) {
	if fl := f.flows[id]; fl != nil && f.prefix > 0 && fl.Response != nil && len(fl.Response.Body.Data) > f.prefix {
		c, m := *fl, *fl.Response
		m.Body.Data = m.Body.Data[:f.prefix]
		c.Response = &m
		return &c, nil
	} else if fl != nil {
		return fl, nil
	}
	return nil, errors.New("no such flow")
}

func (f *fakeFeed) Prefix(ctx context.Context, id flow.ID, _, _ int64) (*flow.Flow, error) {
	if fl := f.flows[id]; fl != nil {
		return fl, nil
	}
	return f.Flow(ctx, id)
}

func (f *fakeFeed) Back(_ context.Context, to, from flow.ID, _ int64, yield func(*session.Row, *flow.Flow) bool) error {
	for id := min(from, f.Last()); id >= to; id-- {
		if fl := f.flows[id]; fl != nil && !yield(&f.rows[id-1], fl) {
			return nil
		}
	}
	return f.err
}

func (f *fakeFeed) Body(_ context.Context, id flow.ID, side session.Side) (io.ReadCloser, int64, error) {
	m := f.flows[id].Request
	if side == session.ResponseSide {
		m = f.flows[id].Response
	}
	return io.NopCloser(bytes.NewReader(m.Body.Data)), m.Body.Size, nil
}

func (f *fakeFeed) Frames(_ context.Context, id flow.ID, from int64, n, most int) ([]session.Frame, error) {
	list := f.frames[id]
	list = slices.Clone(list[min(int(from), len(list)):min(len(list), int(from)+n)])
	for i := range list {
		if d := list[i].Data; most > 0 && len(d) > most {
			list[i].Data = d[:most]
		}
	}
	return list, nil
}

func (f *fakeFeed) FrameCount(_ context.Context, id flow.ID) (int64, error) {
	return int64(len(f.frames[id])), nil
}

func (f *fakeFeed) History(_ context.Context, endpoint string, before flow.ID, n int) ([]session.Row, error) {
	var out []session.Row
	for i := len(f.rows) - 1; i >= 0 && len(out) < n; i-- {
		if r := f.rows[i]; r.ID < before && r.Endpoint == endpoint {
			out = append(out, r)
		}
	}
	return out, nil
}

func (f *fakeFeed) Note(id flow.ID, a flow.Annotation) error {
	f.notes[id] = a
	if a.Mark != nil {
		f.rev++
		f.rows[id-1].Marked, f.rows[id-1].Rev = *a.Mark, f.rev
	}
	if a.Comment != nil {
		f.rev++
		f.rows[id-1].Comment, f.rows[id-1].Rev = *a.Comment, f.rev
	}
	return nil
}

func (f *fakeFeed) Remove(_ context.Context, ids ...flow.ID) error {
	for _, id := range ids {
		if f.flows[id] == nil {
			return errors.New("no such flow")
		}
		delete(f.flows, id)
	}
	f.rev++
	return f.err
}

func (f *fakeFeed) Clear(ctx context.Context) (int, error) {
	var ids []flow.ID
	for i := range f.rows {
		if f.rows[i].State == session.Done && f.flows[f.rows[i].ID] != nil {
			ids = append(ids, f.rows[i].ID)
		}
	}
	return len(ids), f.Remove(ctx, ids...)
}

func (f *fakeFeed) Stats() session.Stats {
	s := session.Stats{Created: day.Add(-3 * time.Minute), Bytes: 4_100_000, Path: "/sessions/x.why403"}
	for i := range f.rows {
		r := &f.rows[i]
		if f.flows[r.ID] == nil {
			continue
		}
		if r.State == session.Done {
			s.Flows++
			if r.Refused() {
				s.Refused++
			}
		} else {
			s.Live++
		}
	}
	return s
}

// fakeSender accepts what carries the CSRF header.
type fakeSender struct {
	feed *fakeFeed
	sent []*flow.Message
	to   []*flow.Flow
	now  func() time.Time
}

func (s *fakeSender) Send(_ context.Context, parent *flow.Flow, req *flow.Message) (flow.ID, error) {
	s.sent, s.to = append(s.sent, req), append(s.to, parent)
	f := &flow.Flow{Parent: parent.ID, Origin: flow.FromReplay, Scheme: parent.Scheme, Authority: parent.Authority, Request: req}
	f.Times.Start = s.now()
	f.Times.End = f.Times.Start.Add(52 * time.Millisecond)
	f.Response = response(403, "Forbidden", "application/json", `{"detail":"CSRF Failed: CSRF token missing."}`)
	if req.Header.Has("X-CSRFToken") {
		f.Response = response(201, "Created", "application/json", `{"id":88,"state":"open"}`)
	}
	return s.feed.add(f, session.Done), nil
}

func wire(m *flow.Message) *flow.Message {
	var b strings.Builder
	if m.Status != 0 {
		b.WriteString("HTTP/1.1 " + strconv.Itoa(m.Status) + " " + m.Reason + "\r\n")
	} else {
		b.WriteString(m.Method + " " + m.Target + " HTTP/1.1\r\n")
	}
	for i := range m.Header {
		h := &m.Header[i]
		h.Raw = h.Name + ": " + h.Value + "\r\n"
		b.WriteString(h.Raw)
	}
	m.Head = []byte(b.String() + "\r\n")
	return m
}

func request(at time.Duration, method, url, body string, headers ...string) *flow.Flow {
	scheme, authority, target, err := splitURL(url)
	if err != nil {
		panic(err)
	}
	m := &flow.Message{Proto: "HTTP/1.1", Method: method, Target: target}
	m.Header.Add("Host", authority)
	m.Header.Add("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")
	for i := 0; i < len(headers); i += 2 {
		m.Header.Add(headers[i], headers[i+1])
	}
	if body != "" {
		m.Header.Add("Content-Length", strconv.Itoa(len(body)))
		m.SetBody([]byte(body))
	}
	f := &flow.Flow{Scheme: scheme, Authority: authority, Request: wire(m)}
	f.Times.Start = day.Add(at)
	return f
}

func response(status int, reason, media, body string) *flow.Message {
	m := &flow.Message{Proto: "HTTP/1.1", Status: status, Reason: reason}
	m.Header.Add("Date", "Sun, 22 Nov 2026 08:31:04 GMT")
	if media != "" {
		m.Header.Add("Content-Type", media)
	}
	m.Header.Add("Content-Length", strconv.Itoa(len(body)))
	m.SetBody([]byte(body))
	return wire(m)
}

func (f *fakeFeed) done(fl *flow.Flow, took time.Duration, resp *flow.Message) flow.ID {
	t := &fl.Times
	t.ConnectStart, t.ConnectDone = t.Start.Add(time.Millisecond), t.Start.Add(3*time.Millisecond)
	t.TLSDone, t.RequestSent = t.Start.Add(7*time.Millisecond), t.Start.Add(8*time.Millisecond)
	t.End = t.Start.Add(took)
	t.FirstByte = t.End.Add(-time.Millisecond)
	fl.Conn = flow.Conn{Client: "127.0.0.1:40312", Process: "curl 4711", Tunnel: "CONNECT", Origin: "203.0.113.9:443",
		Resolved: []string{"2001:db8::9", "203.0.113.9"}, Tried: []string{"[2001:db8::9]:443: no route to host"},
		ClientTLS: &flow.TLS{Version: "TLS 1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", ALPN: "http/1.1", Offered: []string{"h2", "http/1.1"}, JA3: "771,4865,0,29,0", JA4: "t13d4907h2_0d8feac7bc37_7395dae3b2f3"},
		OriginTLS: &flow.TLS{Version: "TLS 1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", ALPN: "http/1.1", Offered: []string{"http/1.1"}, JA3: "771,4865,0,29,0", JA4: "t13d1311h1_f57a46bbacb6_ab7e3b40a677",
			Subject: "CN=api.shop.test", Issuer: "CN=Test CA", Verified: true, NotAfter: fl.Times.Start.AddDate(0, 2, 0),
			Chain: []flow.Certificate{{Subject: "CN=api.shop.test", Issuer: "CN=Test CA", NotAfter: fl.Times.Start.AddDate(0, 2, 0)}, {Subject: "CN=Test CA", Issuer: "CN=Root", NotAfter: fl.Times.Start.AddDate(5, 0, 0)}}}}
	fl.Fidelity = flow.Fidelity{Request: flow.Same, Response: flow.Same}
	fl.Response = resp
	return f.add(fl, session.Done)
}

const cookie = "csrftoken=kH3vXq0a; sessionid=9f8e7d"

// shop is the traffic that most stories begin with: flow 3 is accepted, flow 5 is not.
func shop() *fakeFeed {
	f := newFake()
	const api = "https://api.shop.test"
	js := "application/json"
	f.done(request(0, "GET", api+"/v1/cart", "", "Cookie", cookie), 41*time.Millisecond, response(200, "OK", js, `{"items":[]}`))
	f.done(request(300*time.Millisecond, "GET", api+"/v1/cart/items", "", "Cookie", cookie), 38*time.Millisecond, response(200, "OK", js, `[]`))
	f.done(request(4*time.Second, "POST", api+"/v1/orders", `{"items": [{"sku": "A1", "qty": 2}]}`, "Cookie", cookie, "Content-Type", js, "X-CSRFToken", "kH3vXq0a"),
		52*time.Millisecond, response(201, "Created", js, `{"id":87}`))
	f.done(request(7*time.Second, "GET", "https://cdn.shop.test/app.9f2c.js", ""), 6*time.Millisecond, response(304, "Not Modified", "", ""))
	id := f.done(request(13*time.Second, "POST", api+"/v1/orders", `{"items": [{"sku": "A1", "qty": 3}]}`, "Cookie", cookie, "Content-Type", js),
		38*time.Millisecond, response(403, "Forbidden", js, `{"detail":"CSRF Failed: CSRF token missing."}`))
	f.judge(id, csrf(id))
	f.done(request(18*time.Second, "GET", "https://img.shop.test/logo.png", ""), 9*time.Millisecond, response(200, "OK", "image/png", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10\x00\x00\x00\x10"))
	f.done(request(19*time.Second, "POST", "https://id.shop.test/oauth/token", "grant_type=refresh_token&scope=a%20b", "Content-Type", "application/x-www-form-urlencoded"),
		19*time.Millisecond, response(401, "Unauthorized", js, `{"error":"invalid_token"}`))
	f.done(request(20*time.Second, "GET", "https://api.shop.test/v1/注文?q=\x1b[31m\u202e", ""), 19*time.Millisecond, response(200, "OK", "text/plain", "hi\x1b[2J there 注文\r\nline\ttab"))
	f.add(request(21*time.Second, "POST", api+"/v1/pay", `{}`), session.Waiting)
	tls := &flow.Flow{Kind: flow.Handshake, Scheme: "https", Authority: "api.pay.test", Err: &flow.Failure{Side: "client", Op: "tls", Text: "unknown certificate authority"}}
	tls.Times.Start = day.Add(22 * time.Second)
	tls.Times.End = tls.Times.Start
	f.add(tls, session.Done)
	return f
}

func csrf(id flow.ID) inspect.Explained {
	value := "kH3vXq0a"
	e := inspect.Explained{
		ID: id, Method: "POST", URL: "https://api.shop.test/v1/orders", Status: 403, Refused: true,
		Verdict: &inspect.Verdict{
			Cause: "csrf-missing", Layer: "backend-app", Vendor: "django", Confidence: flow.Certain, Headline: "CSRF header missing",
			Summary: "the CSRF cookie came without its header", NextStep: "server: CsrfViewMiddleware; CSRF_TRUSTED_ORIGINS if the page lives on another host",
			Checklist: []int{5},
			Evidence: []inspect.Evidence{
				{Where: "response.body", Quote: "CSRF Failed: CSRF token missing."},
				{Where: "request.header:Cookie", Quote: "csrftoken=kH3vXq0a"},
			},
			Fix: &inspect.Fix{Summary: "add X-CSRFToken with the value of the cookie", Patch: flow.Patch{{Part: flow.InHeader, Name: "X-CSRFToken", After: &value}}},
		},
		Candidates:   []inspect.Verdict{{Cause: "stale-cookie", Confidence: flow.Possible, Summary: "stale session (2 sessions seen)"}},
		ComparedWith: &inspect.Compared{ID: 3},
	}
	for i := range 21 {
		c := inspect.Check{Item: i + 1, Name: "check " + strconv.Itoa(i+1), State: inspect.OK, Note: "seen"}
		switch i + 1 {
		case 5:
			c.State, c.Note = inspect.Suspect, "the cookie is there, the header is not"
		case 8, 9, 17:
			c.State, c.Note, c.Verify = inspect.Unknown, "", "grep '08:31:04' /var/log/nginx/error.log"
		case 14, 15, 16:
			c.State, c.Note = inspect.NotApplicable, ""
		}
		e.Checklist = append(e.Checklist, c)
	}
	return e
}
