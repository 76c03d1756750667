package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/certs"
	"github.com/why403/why403/cmd/why403/demo"
	"github.com/why403/why403/flow"
	"github.com/why403/why403/inspect/explain"
	"github.com/why403/why403/inspect/pinpoint"
)

// TestPinpointProvesTheDemo plays the demo and then finds by experiment, against
// the same server, what each refusal was decided by.
func TestPinpointProvesTheDemo(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	shop := demo.NewServer(time.Now)
	if err := shop.Start(); err != nil {
		t.Fatal(err)
	}
	defer shop.Close()
	ca, err := certs.Ephemeral(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := proxyFlags{listen: []string{"127.0.0.1:0"}, session: "none"}
	s, err := o.open(parts{ca: ca, roots: shop.Roots(), dial: shop.Dial})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- s.serve(serving) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	client := demo.Client{Proxy: &url.URL{Scheme: "http", Host: s.address()}, Roots: trusting(ca), Server: shop}
	if err := client.Tour(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.store.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	var all []*flow.Flow
	for id := flow.ID(1); id <= s.store.Last(); id++ {
		f, err := s.store.Flow(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	explained, err := explain.Flows(ctx, all, explain.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, sc := range demo.Scenarios() {
		t.Run(sc.Name, func(t *testing.T) {
			e := refusalOf(t, explained, sc)
			in := pinpoint.Input{Refused: all[e.ID-1], Explained: e}
			if e.ComparedWith != nil {
				in.Accepted = all[e.ComparedWith.ID-1]
			}
			r := pinpoint.Run(ctx, in, probes{s.sender, map[flow.ID]flow.ID{}}, pinpoint.Options{}, pinpoint.State{})
			t.Logf("%s after %d requests: %s", r.Outcome, r.Requests, r.Reason)
			if sc.Fix == demo.FixWait {
				if r.Outcome != pinpoint.Stopped || r.Requests > 0 {
					t.Errorf("%s after %d requests, want none sent", r.Outcome, r.Requests)
				}
				return
			}
			if r.Outcome != pinpoint.Proven {
				for _, step := range r.Steps {
					t.Log(stepLine(step))
				}
				t.Fatalf("%s: %s", r.Outcome, r.Reason)
			}
			for _, edit := range sc.Edits {
				if !slices.ContainsFunc(r.Fixes, func(c flow.Change) bool {
					return string(c.Part) == edit.Part && strings.EqualFold(c.Name, edit.Name)
				}) {
					t.Errorf("fixes %+v, want one of %s %s", r.Fixes, edit.Part, edit.Name)
				}
			}
			if len(r.Fixes) != len(sc.Edits) {
				t.Errorf("%d changes, want the smallest: %d", len(r.Fixes), len(sc.Edits))
			}
		})
	}
}

// TestPinpointSaysWhyThereIsNoAnswer, and what to do about a certificate that is not trusted.
func TestPinpointSaysWhyThereIsNoAnswer(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	f := refusedOrder(1, time.Now().Add(-time.Hour))
	f.Authority = strings.TrimPrefix(s.URL, "https://")
	f.Request.Header.Set("Host", f.Authority)
	har := inHAR(t, t.TempDir(), f)
	status, out, errs := command(t, "pinpoint", har, "1", "--session", "none", "--spacing", "0")
	if status != 1 || !strings.Contains(out, "certificate") || !strings.Contains(errs, "--upstream-ca") || !strings.Contains(errs, "--insecure") {
		t.Errorf("%d %s\n%s", status, out, errs)
	}
	if _, out, errs = command(t, "pinpoint", har, "1", "--session", "none", "--spacing", "0", "--insecure"); strings.Contains(errs, "--upstream-ca") || strings.Contains(out, "not answered") {
		t.Errorf("with --insecure: %s\n%s", out, errs)
	}
}
