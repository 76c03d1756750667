package h2

import (
	"fmt"
	"strconv"
	"strings"
)

// Opening is what a client says of itself before its first request. Servers
// tell clients apart by it, as they do by a TLS hello.
type Opening struct {
	Settings   []Setting
	Window     uint32 // that it adds to the connection's; 0: none
	Priorities bool   // it sent PRIORITY, or a HEADERS with one
	Order      string // of the pseudo-header fields, "masp"
}

// String is o in the form that Akamai gave it ("Passive Fingerprinting of
// HTTP/2 Clients", 2017): settings, window, priorities (0 or 1 here), order.
//
//	1:65536;2:0;4:6291456;6:262144|15663105|0|m,a,s,p
func (o *Opening) String() string {
	var b strings.Builder
	for i, s := range o.Settings {
		if i > 0 {
			b.WriteByte(';')
		}
		fmt.Fprintf(&b, "%d:%d", s.ID, s.Value)
	}
	weighted := 0
	if o.Priorities {
		weighted = 1
	}
	fmt.Fprintf(&b, "|%d|%d|%s", o.Window, weighted, strings.Join(strings.Split(o.Order, ""), ","))
	return b.String()
}

// ParseOpening reads what String wrote.
func ParseOpening(s string) (Opening, bool) {
	var o Opening
	parts := strings.Split(s, "|")
	if len(parts) != 4 {
		return o, false
	}
	for pair := range strings.SplitSeq(parts[0], ";") {
		id, value, ok := strings.Cut(pair, ":")
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(id, 10, 16)
		v, err2 := strconv.ParseUint(value, 10, 32)
		if err != nil || err2 != nil {
			return o, false
		}
		o.Settings = append(o.Settings, Setting{uint16(n), uint32(v)})
	}
	w, err := strconv.ParseUint(parts[1], 10, 31)
	if err != nil {
		return o, false
	}
	o.Window, o.Priorities = uint32(w), parts[2] != "0"
	o.Order = strings.ReplaceAll(parts[3], ",", "")
	return o, true
}
