//go:build unix

package wire

import (
	"net"
	"syscall"
)

// peek looks at what waits on c without taking it and without waiting. open is
// false when the other end has closed. A connection that is no socket cannot
// be looked at and counts as open.
func peek(c net.Conn) (waiting []byte, open bool) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil, true
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, false
	}
	buf := make([]byte, 8)
	err = raw.Read(func(fd uintptr) bool {
		n, _, err := syscall.Recvfrom(int(fd), buf, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EAGAIN || err == syscall.EWOULDBLOCK || err == syscall.EINTR:
			open = true
		case err == nil && n > 0:
			waiting, open = buf[:n], true
		}
		return true
	})
	return waiting, open && err == nil
}
