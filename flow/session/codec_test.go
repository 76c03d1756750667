package session

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
)

// everything has every field set to something that is hard to keep.
func everything() *flow.Flow {
	at := time.Date(2026, 3, 1, 12, 0, 0, 1, time.UTC)
	step := func() time.Time { at = at.Add(7*time.Millisecond + 3); return at }
	return &flow.Flow{
		Parent: 41, Kind: flow.Rejected, Origin: flow.FromReplay, Scheme: "https", Authority: "[::1]:8443",
		Request: &flow.Message{
			Proto: "HTTP/1.0", Method: "PO\x00ST", Target: "/a\xff\xfe?q=\x00%zz",
			Head: []byte("PO\x00ST /a\xff\xfe HTTP/1.0\r\nA: 1\nA: 2\r\n B \r\n"),
			Header: flow.Header{
				{Name: "A", Value: "1", Raw: "A: 1\n"},
				{Name: "A", Value: "2 B", Raw: "A: 2\r\n B \r\n"}, // folded: the value stands nowhere as it is
				{Name: "not-in-head", Value: "x", Raw: "Not-In-Head: x\r\n"},
				{Name: "", Value: "", Raw: ""},
				{Name: "h2", Value: "no raw line"},
			},
			Trailers: flow.Header{{Name: "T", Value: "\xff", Raw: "T: \xff\r\n"}},
			Body:     flow.Body{Framing: flow.Chunked, Size: math.MaxInt64, Kept: 7},
		},
		Interim: []*flow.Message{{Proto: "HTTP/1.1", Status: 103, Head: []byte{}, Header: flow.Header{}}, nil},
		Response: &flow.Message{
			Proto: "HTTP/2.0", Status: 599, Reason: "\x80 odd", Header: flow.Header{{Name: "x", Value: strings.Repeat("y", 70_000)}},
			Body: flow.Body{Framing: flow.UntilClose},
		},
		Times: flow.Timings{Start: step(), DNSDone: step(), ConnectStart: step(), ConnectDone: step(), TLSDone: step(), RequestSent: step(), FirstByte: step(), End: step()},
		Conn: flow.Conn{
			Client: "c", Local: "l", Origin: "o", Target: "t", Upstream: "u", Reused: true, Process: "curl 17", Tunnel: "SOCKS5", HTTP2: "1:65536|0|0|m,a,s,p",
			Resolved: []string{"::1", ""}, Tried: []string{"[::1]:443: refused\xff"},
			ClientTLS: &flow.TLS{Version: "TLS 1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", ServerName: "s", ALPN: "h2", Offered: []string{"h2", ""},
				JA3: "771,4865,0-23,29,0", JA4: "t13d0102h2_a_b", Unverified: "expired", Presented: "CN=me", Wanted: true, Chain: []flow.Certificate{}},
			OriginTLS: &flow.TLS{
				Subject: "CN=\xff", Issuer: "CN=ca", SANs: []string{}, SHA256: "ab", Verified: true,
				Chain:    []flow.Certificate{{Subject: "CN=\xff", Issuer: "CN=ca", NotAfter: step()}, {}},
				NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // beyond what fits nanoseconds
			},
		},
		Altered: []string{"a", ""}, Fidelity: flow.Fidelity{Request: flow.Differs, Response: flow.Same},
		Err: &flow.Failure{Side: "origin", Op: "read", Text: "reset\x00"},
	}
}

func TestRecordKeepsEveryByte(t *testing.T) {
	for name, f := range map[string]*flow.Flow{
		"everything":  everything(),
		"nothing":     {},
		"empty":       {Request: &flow.Message{}, Response: &flow.Message{}, Interim: []*flow.Message{}, Altered: []string{}, Err: &flow.Failure{}, Conn: flow.Conn{ClientTLS: &flow.TLS{}}},
		"usual":       post(),
		"before 1970": {Times: flow.Timings{Start: time.Date(1, 2, 3, 4, 5, 6, 7, time.UTC)}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decodeRecord(string(encodeRecord(f)))
			if err != nil {
				t.Fatal(err)
			}
			tls := func(t *flow.TLS) string {
				if t == nil {
					return ""
				}
				return string(encodeTLS(t))
			}
			if err := secured(got, tls(f.Conn.ClientTLS), tls(f.Conn.OriginTLS)); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(f, got); d != "" {
				t.Errorf("(-recorded +read)\n%s", d)
			}
		})
	}
}

func TestUsualHeadIsNotStoredTwice(t *testing.T) {
	_, _, resp, _ := sample(1)
	f := &flow.Flow{Response: resp}
	if n, limit := len(encodeRecord(f)), len(resp.Head)+8*len(resp.Header)+80; n > limit {
		t.Errorf("%d bytes for a head of %d: want at most %d", n, len(resp.Head), limit)
	}
}

func TestEveryCutOfARecordIsRefused(t *testing.T) {
	whole := string(encodeRecord(post()))
	for n := range len(whole) {
		if _, err := decodeRecord(whole[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes pass as a record", n, len(whole))
		}
	}
	if _, err := decodeRecord("\x04" + whole[1:]); err == nil {
		t.Error("a layout of a later version passes")
	}
}

// A file of a version that knew less, or had it in another place, is read with what it knew.
func TestRecordsOfOldVersionsAreRead(t *testing.T) {
	f := everything()
	got, err := decodeRecord(string(appendRecord(nil, f, 2)))
	if d := cmp.Diff(f, got); d != "" || err != nil {
		t.Errorf("version 2: %v (-recorded +read)\n%s", err, d)
	}
	f.Conn.Tunnel, f.Conn.HTTP2, f.Conn.Resolved, f.Conn.Tried, f.Fidelity = "", "", nil, nil, flow.Fidelity{}
	for _, tls := range [...]*flow.TLS{f.Conn.ClientTLS, f.Conn.OriginTLS} {
		tls.JA3, tls.JA4, tls.Unverified, tls.Presented, tls.Wanted, tls.Chain = "", "", "", "", false, nil
	}
	got, err = decodeRecord(string(appendRecord(nil, f, 1)))
	if d := cmp.Diff(f, got); d != "" || err != nil {
		t.Errorf("version 1: %v (-recorded +read)\n%s", err, d)
	}
}

func FuzzRecord(f *testing.F) {
	short := everything()
	short.Response.Header[0].Value = "y" // a long input is minimized for longer than it is varied
	f.Add(string(encodeRecord(short)))
	f.Add(string(appendRecord(nil, short, 2)))
	f.Add(string(encodeRecord(post())))
	f.Add(string(encodeTLS(short.Conn.OriginTLS)))
	f.Fuzz(func(t *testing.T, blob string) {
		if tls, err := decodeTLS(blob); err == nil {
			once := encodeTLS(tls)
			if again, err := decodeTLS(string(once)); err != nil || !bytes.Equal(once, encodeTLS(again)) {
				t.Errorf("%x\nread and written again: %v", once, err)
			}
		}
		a, err := decodeRecord(blob)
		if err != nil {
			return
		}
		once := encodeRecord(a)
		b, err := decodeRecord(string(once))
		if err != nil {
			t.Fatal(err)
		}
		if again := encodeRecord(b); !bytes.Equal(once, again) {
			t.Errorf("%x\nread and written again:\n%x", once, again)
		}
	})
}

func FuzzRowAndNote(f *testing.F) {
	r := rowOf(everything())
	f.Add(string(r.encode()))
	note := flow.Annotation{Mark: new(true), Comment: new("x"), ProvenBy: new(flow.ID(3)), Verdict: &flow.Judgement{Cause: "c", Refused: true}}
	f.Add(string(encodeNote(&note)))
	f.Fuzz(func(_ *testing.T, blob string) {
		var r Row
		_ = r.decode(blob)
		_, _ = decodeNote(blob)
	})
}

func TestRowAndNoteRoundTrip(t *testing.T) {
	want := rowOf(everything())
	want.State, want.Cut = Done, true
	var got Row
	if err := got.decode(string(want.encode())); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, a := range []flow.Annotation{
		{},
		{Mark: new(false)},
		{Comment: new(""), ProvenBy: new(flow.ID(9))},
		{Verdict: &flow.Judgement{Ruleset: "2", Refused: true, Cause: "a", Layer: "b", Vendor: "c", Confidence: flow.Likely, Headline: "d"}},
	} {
		got, err := decodeNote(string(encodeNote(&a)))
		if d := cmp.Diff(a, got); d != "" || err != nil {
			t.Errorf("%v %s", err, d)
		}
	}
}
