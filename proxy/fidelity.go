package proxy

import (
	"net/http"

	"github.com/why403/why403/proxy/wire"
)

// arrival is what is remembered of a request to compare what left with it.
type arrival struct {
	head wire.Sum // of the head as it was read
	sent []byte   // the head as it was given to be written
}

// depart is called before head and then the body are written to x's origin.
func (a *arrival) depart(x *exchange, head []byte) {
	a.sent = head
	x.up.Out.Begin(len(head))
}

// compare finds out whether what left is what came, in both directions: the
// sums of the bytes as the sockets gave them with the sums of those that the
// sockets took. A message that did not move to its end is not compared.
func (x *exchange) compare() {
	if x.up == nil || x.answer != nil || x.edited {
		return
	}
	upgraded := x.resp != nil && (x.resp.Status == http.StatusSwitchingProtocols || x.connect && x.resp.Status/100 == 2)
	if x.sent == nil && x.body.Done() && x.came.sent != nil {
		head, body := x.up.Out.Sums()
		x.fidelity.Request = wire.Compared(x.sameHead(head) && (upgraded || x.c.r.Cut() == body))
	}
	if x.received == nil && x.resp != nil && x.respBody.Done() && !upgraded {
		_, out := x.c.out.Sums()
		x.fidelity.Response = wire.Compared(x.up.R.Cut() == out)
	}
}

// sameHead reports whether the head that left, with the sum out, is the one that came.
func (x *exchange) sameHead(out wire.Sum) bool {
	raw := x.req.Raw
	switch {
	case out == x.came.head:
		return true
	case out != wire.SumOf(x.came.sent) || x.came.head != wire.SumOf(raw):
		return false // something happened to it between reading and writing
	}
	return len(x.altered) > 0 || wire.Restated(raw, x.came.sent)
}
