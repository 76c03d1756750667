package proxy

import (
	"net/http"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/proxy/wire"
)

// arrival is what is remembered of a request to compare what left with it.
type arrival struct {
	head wire.Sum // of the head as it was read
	raw  []byte   // the head as it was parsed
	sent []byte   // the head as it was given to be written
}

// depart is called before head and then the body are written to x's origin.
func (a *arrival) depart(x *exchange, head []byte) {
	a.sent = head
	x.up.Out.Begin(len(head))
}

// compare finds out whether what left is what came, in both directions: the
// sums of the bytes as the sockets gave them with the sums of those that the
// sockets took. A message that did not move to its end is not compared, nor is
// one that differs where something was changed on purpose (x.altered): what
// it should have become, nobody else knows.
func (x *exchange) compare() {
	if x.up == nil || x.answer != nil {
		return
	}
	result := func(same bool) flow.Sameness {
		switch {
		case same:
			return flow.Same
		case len(x.altered) > 0:
			return flow.NotCompared
		}
		return flow.Differs
	}
	upgraded := x.resp != nil && (x.resp.Status == http.StatusSwitchingProtocols || x.connect && x.resp.Status/100 == 2)
	if x.sent == nil && x.body.Done() && x.came.sent != nil {
		head, body := x.up.Out.Sums()
		x.fidelity.Request = result(x.came.sameHead(head, len(x.altered) > 0) && (upgraded || x.c.r.Cut() == body))
	}
	if x.received == nil && x.resp != nil && x.respBody.Done() && !upgraded {
		_, out := x.c.out.Sums()
		x.fidelity.Response = result(x.up.R.Cut() == out)
	}
}

// sameHead reports whether the head that left, with the sum out, is the one
// that came, or else what was made of it knowingly.
func (a *arrival) sameHead(out wire.Sum, altered bool) bool {
	switch {
	case out == a.head:
		return true
	case out != wire.SumOf(a.sent) || a.head != wire.SumOf(a.raw):
		return false // something happened to it between reading and writing
	}
	return altered || wire.Restated(a.raw, a.sent)
}
