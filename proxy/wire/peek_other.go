//go:build !unix

package wire

import (
	"net"
	"time"
)

// peek learns whether the other end of c has closed, or sent something, by
// reading for a millisecond: there is no way to look without taking. What it
// takes makes the connection unusable, which is what the answer says.
func peek(c net.Conn) (waiting []byte, open bool) {
	var b [1]byte
	if c.SetReadDeadline(time.Now().Add(time.Millisecond)) != nil {
		return nil, false
	}
	defer c.SetReadDeadline(time.Time{})
	n, err := c.Read(b[:])
	return nil, n == 0 && isTimeout(err)
}
