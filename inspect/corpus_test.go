package inspect_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect"
	"github.com/why403/why403/inspect/explain"
)

// A corpus case: a real refusal (or a control) with its right answer.
type corpusCase struct {
	ID       string `json:"id"`
	Class    string `json:"class"`
	exchange        // the refused one
	Context  struct {
		LastSuccess *exchange           `json:"last_success"`
		Earlier     []exchange          `json:"earlier"`
		Logs        map[string][]string `json:"logs"`
	} `json:"context"`
	Expect struct {
		Layer, Vendor *string
		Cause         string
		Also          []string
		LayerAlso     []string `json:"layer_also"`
		VendorAlso    []string `json:"vendor_also"`
	} `json:"expect"`
}

type exchange struct {
	Request  message `json:"request"`
	Response message `json:"response"`
}

type message struct {
	Method, URL, Proto, Reason, Body string
	Status                           int
	Encoding                         string `json:"body_encoding"`
	Headers, Trailers                [][2]string
}

func (m message) header() (h flow.Header) {
	for _, f := range m.Headers {
		h.Add(f[0], f[1])
	}
	return h
}

func (m message) body(t testing.TB) []byte {
	if m.Encoding == "base64" {
		b, err := base64.StdEncoding.DecodeString(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return []byte(m.Body)
}

func (x exchange) flow(t testing.TB, id flow.ID, at time.Time) *flow.Flow {
	u, err := url.Parse(x.Request.URL)
	f := &flow.Flow{ID: id, Origin: flow.FromImport, Times: flow.Timings{Start: at}}
	if err != nil || u.Host == "" {
		f.Authority = x.Request.URL
	} else {
		f.Scheme, f.Authority = u.Scheme, flow.Canonical(u.Scheme, u.Host)
	}
	target := x.Request.URL
	if i := strings.Index(target, "://"); i >= 0 {
		target = target[i+3:]
		if j := strings.IndexAny(target, "/?"); j >= 0 {
			target = target[j:]
		} else {
			target = "/"
		}
	}
	f.Request = &flow.Message{Proto: "HTTP/1.1", Method: x.Request.Method, Target: target, Header: x.Request.header()}
	f.Request.SetBody(x.Request.body(t))
	if x.Response.Status > 0 {
		f.Response = &flow.Message{Proto: "HTTP/1.1", Status: x.Response.Status, Reason: x.Response.Reason, Header: x.Response.header()}
		f.Response.SetBody(x.Response.body(t))
		for _, tr := range x.Response.Trailers {
			f.Response.Trailers.Add(tr[0], tr[1])
		}
	}
	return f
}

func (x exchange) date(otherwise time.Time) time.Time {
	if t, err := http.ParseTime(x.Response.header().Get("Date")); err == nil {
		return t.UTC()
	}
	return otherwise
}

// flows are the case's flows in time order, the judged one last.
func (c *corpusCase) flows(t testing.TB) []*flow.Flow {
	at := c.date(time.Date(2026, 6, 2, 10, 15, 30, 0, time.UTC))
	var fs []*flow.Flow
	if s := c.Context.LastSuccess; s != nil {
		when := s.date(at)
		if limit := at.Add(-4 * time.Minute); when.After(limit) {
			when = limit
		}
		fs = append(fs, s.flow(t, 0, when))
	}
	n := len(c.Context.Earlier)
	for i, x := range c.Context.Earlier {
		fs = append(fs, x.flow(t, 0, at.Add(-60*time.Second*time.Duration(n-i)/time.Duration(n+1))))
	}
	fs = append(fs, c.flow(t, 0, at))
	slices.SortStableFunc(fs, func(a, b *flow.Flow) int { return a.Times.Start.Compare(b.Times.Start) })
	for i, f := range fs {
		f.ID = flow.ID(i + 1)
	}
	return fs
}

func corpus(t testing.TB) []*corpusCase {
	f, err := os.Open("testdata/corpus/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 16<<20)
	var out []*corpusCase
	for sc.Scan() {
		c := new(corpusCase)
		if err := json.Unmarshal(sc.Bytes(), c); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// aside reports whether a case belongs to the third that is kept aside while
// rules are written: it is scored, never looked at.
func (c *corpusCase) aside() bool {
	return sha256.Sum256([]byte(c.ID))[0]%3 == 0
}

// explain says what the rules say of the case; several tests ask, it is worked out once.
func (c *corpusCase) explain(t *testing.T) inspect.Explained {
	explained.Lock()
	defer explained.Unlock()
	if e, ok := explained.of[c.ID]; ok {
		return e
	}
	got, err := explain.Flows(context.Background(), c.flows(t), c.options())
	if err != nil {
		t.Fatal(err)
	}
	e := got[len(got)-1]
	explained.of[c.ID] = e
	return e
}

var explained = struct {
	sync.Mutex
	of map[string]inspect.Explained
}{of: map[string]inspect.Explained{}}

type tally struct{ right, of int }

func (t *tally) add(ok bool) {
	t.of++
	if ok {
		t.right++
	}
}

func (t tally) percent() float64 { return 100 * float64(t.right) / float64(max(1, t.of)) }

func (t tally) String() string { return fmt.Sprintf("%.1f%% (%d/%d)", t.percent(), t.right, t.of) }

type score struct {
	cause, top3, layer, vendor, controls, hard tally
	sureWrong                                  []string
	byLayer                                    map[string]*tally
	misses                                     []string
}

func (s *score) judge(c *corpusCase, e inspect.Explained) {
	var v inspect.Verdict
	got := inspect.NotRefused
	if e.Verdict != nil {
		v = *e.Verdict
		got = v.Cause
	} else if e.Refused {
		got = inspect.UnknownCause
	}
	ok := func(n inspect.Name) bool {
		return string(n) == c.Expect.Cause || slices.Contains(c.Expect.Also, string(n))
	}
	right := ok(got)
	s.cause.add(right)
	top := right
	for i, k := range e.Candidates {
		top = top || i < 2 && ok(k.Cause)
	}
	s.top3.add(top)
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	if l := text(c.Expect.Layer); l != "" && c.Expect.Cause != "none" && c.Expect.Cause != "unknown" {
		s.layer.add(string(v.Layer) == l || slices.Contains(c.Expect.LayerAlso, string(v.Layer)))
	}
	if w := text(c.Expect.Vendor); w != "" && c.Expect.Cause != "none" {
		s.vendor.add(string(v.Vendor) == w || slices.Contains(c.Expect.VendorAlso, string(v.Vendor)))
	}
	if c.Expect.Cause == "none" || c.Expect.Cause == "unknown" {
		s.controls.add(right)
	}
	if c.Class == "hard" {
		s.hard.add(right)
	}
	if v.Confidence == flow.Certain && !right {
		s.sureWrong = append(s.sureWrong, c.ID)
	}
	l := text(c.Expect.Layer)
	if l == "" {
		l = "none"
	}
	if s.byLayer == nil {
		s.byLayer = map[string]*tally{}
	}
	if s.byLayer[l] == nil {
		s.byLayer[l] = new(tally)
	}
	s.byLayer[l].add(right)
	if !right || v.Layer != inspect.Name(l) && l != "none" || text(c.Expect.Vendor) != "" && string(v.Vendor) != text(c.Expect.Vendor) {
		mark := "cause"
		if right {
			mark = "who"
		}
		s.misses = append(s.misses, fmt.Sprintf("%s %s: want %s/%s/%s got %s/%s/%s %s | %s", mark, c.ID, l, text(c.Expect.Vendor), c.Expect.Cause, v.Layer, v.Vendor, got, v.Confidence, v.Summary))
	}
}

func (s *score) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cause %v, top 3 %v, layer %v, vendor %v, controls %v, hard %v, sure but wrong %d", s.cause, s.top3, s.layer, s.vendor, s.controls, s.hard, len(s.sureWrong))
	layers := make([]string, 0, len(s.byLayer))
	for l := range s.byLayer {
		layers = append(layers, l)
	}
	slices.Sort(layers)
	for _, l := range layers {
		fmt.Fprintf(&b, "\n  %-14s %v", l, s.byLayer[l])
	}
	return b.String()
}

// floors are percentages that the rules reach on the corpus. They only rise.
var floors = struct {
	cause, top3, layer, vendor, controls, hard float64
	aside                                      float64 // cause, on the third kept aside
	byLayer                                    map[string]float64
}{
	cause: 96, top3: 96, layer: 97, vendor: 95, controls: 93, hard: 100, aside: 90,
	byLayer: map[string]float64{"client": 94, "backend-app": 94, "web-server": 92, "load-balancer": 100, "cdn-waf": 98, "api-gateway": 97,
		"identity": 95, "kubernetes": 100, "database": 100, "filesystem": 100, "ai-gateway": 89, "network-proxy": 100, "none": 95},
}

// maxSureWrong is how many verdicts may be "certain" and wrong. It only falls.
const maxSureWrong = 1

// TestCorpus scores the rules on the corpus, and prints the score with -v.
// WHY403_TEST_MISSES=1 lists what is missed among the open two thirds; the
// third kept aside is only ever counted.
func TestCorpus(t *testing.T) {
	var open, aside, all score
	for _, c := range corpus(t) {
		e := c.explain(t)
		all.judge(c, e)
		if c.aside() {
			aside.judge(c, e)
		} else {
			open.judge(c, e)
		}
	}
	t.Logf("open two thirds: %v", &open)
	t.Logf("third kept aside: %v", &aside)
	t.Logf("all: %v", &all)
	if os.Getenv("WHY403_TEST_MISSES") != "" {
		for _, m := range open.misses {
			t.Log(m)
		}
		t.Log("sure but wrong: ", open.sureWrong)
	}
	for _, f := range []struct {
		name  string
		got   tally
		floor float64
	}{{"cause", all.cause, floors.cause}, {"top 3", all.top3, floors.top3}, {"layer", all.layer, floors.layer}, {"vendor", all.vendor, floors.vendor},
		{"controls", all.controls, floors.controls}, {"hard", all.hard, floors.hard}, {"cause of those kept aside", aside.cause, floors.aside}} {
		if f.got.percent() < f.floor {
			t.Errorf("%s: %v, the floor is %.0f%%", f.name, f.got, f.floor)
		}
	}
	for l, floor := range floors.byLayer {
		if got := all.byLayer[l]; got == nil || got.percent() < floor {
			t.Errorf("layer %s: %v, the floor is %.0f%%", l, got, floor)
		}
	}
	if n := len(all.sureWrong); n > maxSureWrong {
		t.Errorf("%d verdicts are certain and wrong, at most %d may be", n, maxSureWrong)
	}
}
