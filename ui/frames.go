package ui

import (
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/ui/safe"
)

// framesMost bounds the messages of one upgraded connection that are listed.
const framesMost = 5000

// framesDoc is the messages of an upgraded connection, one a row, in the order in which they went.
type framesDoc struct {
	list  []session.Frame
	start time.Time
}

func (d *framesDoc) rows(int) int {
	if len(d.list) == framesMost {
		return framesMost + 1
	}
	return len(d.list)
}

func (d *framesDoc) draw(th *theme, i int, l *line) {
	if i == len(d.list) {
		l.text(th.muted, safe.Of("these are the first "+count(framesMost)+" messages"))
		return
	}
	f := &d.list[i]
	arrow, s := words("← "), th.good
	if f.FromClient {
		arrow, s = "→ ", th.verb
	}
	l.right(th.muted, safe.Of(span(f.At.Sub(d.start))), 7).gap(1).put(s, arrow).right(th.muted, safe.Of(size(f.Size)), 8).gap(1)
	const most = 4 << 10 // bytes of one message that a row can show
	data := f.Data[:min(len(f.Data), most)]
	if !isText(data) {
		hex := hexDoc(data)
		one := row(l.room())
		hex.draw(plain(), 0, one)
		l.text(th.text, safe.Of(string(one.b)).Skip(10))
		return
	}
	l.text(th.text, safe.Bytes(data))
}

// upgraded reports whether messages went over the connection after the answer.
func upgraded(f *flow.Flow) bool { return f.Response != nil && f.Response.Status == 101 }
