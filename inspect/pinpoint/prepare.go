package pinpoint

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/diff"
)

// onceOnly are the fields whose value a server takes once: with the same one it
// gives the same answer again, or refuses the repetition.
var onceOnly = []string{"Idempotency-Key", "X-Idempotency-Key"}

// build makes the flow to send: base with the patch, and with new values where one may be used once only.
func build(base *flow.Flow, p flow.Patch, id func() string) (*flow.Flow, error) {
	var plain flow.Patch
	proto := ""
	for _, c := range p {
		if c.Part == flow.InProto {
			if c.After == nil {
				return nil, &diff.NotApplicable{Change: c, Why: "a request cannot be without it"}
			}
			proto = *c.After
			continue
		}
		plain = append(plain, c)
	}
	f, err := diff.ApplyTo(base, plain)
	if err != nil {
		return nil, err
	}
	if f.Scheme == base.Scheme && f.Authority == base.Authority {
		f.Conn = base.Conn // the same way to the server
	}
	if proto != "" {
		f.Request.Proto = proto
	}
	for _, name := range onceOnly {
		for i := range f.Request.Header {
			if h := &f.Request.Header[i]; strings.EqualFold(h.Name, name) && h.Value != "" {
				h.Value, h.Raw = id(), ""
			}
		}
	}
	return f, nil
}

// applicable reports whether a change can be made here: what diff can, and the protocol.
func applicable(c flow.Change) bool {
	return c.Applicable() || c.Part == flow.InProto && c.After != nil
}

// undone is the patch on the accepted request that takes back changes seen from the refused one.
func undone(changes flow.Patch, back []flow.Change) flow.Patch {
	var out flow.Patch
	for _, c := range changes {
		inv := c.Inverse()
		i := slices.IndexFunc(back, func(b flow.Change) bool {
			return b.Part == c.Part && strings.EqualFold(b.Name, c.Name) && same(b.Before, c.After) && same(b.After, c.Before)
		})
		if i >= 0 {
			inv = back[i]
		}
		out = append(out, inv)
	}
	return out
}

func same(a, b *string) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

func itoa(n int) string { return strconv.Itoa(n) }

func notMade(err error) bool {
	var n *diff.NotApplicable
	return errors.As(err, &n)
}

// newID is a random UUID (RFC 9562, version 4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
