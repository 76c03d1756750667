package proxy

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"time"
)

// The words of sock_diag(7).
const (
	netlinkSockDiag  = 4
	sockDiagByFamily = 20
	diagRequestSize  = 56 // of inet_diag_req_v2
	diagAnswerSize   = 72 // of inet_diag_msg
)

// sockDiag asks the kernel about single sockets: some microseconds each, where
// reading its whole table takes a millisecond and more. One goroutine uses it.
type sockDiag struct {
	fd  int
	seq uint32
	buf [512]byte
}

// openSockDiag fails where the system forbids it, as some containers do.
func openSockDiag() (*sockDiag, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, netlinkSockDiag)
	if err != nil {
		return nil, err
	}
	wait := syscall.NsecToTimeval(int64(100 * time.Millisecond))
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &wait); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return &sockDiag{fd: fd}, nil
}

func (d *sockDiag) close() { syscall.Close(d.fd) }

// find is the user and the inode of the TCP socket with these two ends; false: there is none, or the kernel does not say.
func (d *sockDiag) find(local, remote netip.AddrPort) (uid int, inode uint64, ok bool) {
	d.seq++
	b := d.buf[:syscall.NLMSG_HDRLEN+diagRequestSize]
	clear(b)
	native := binary.NativeEndian
	native.PutUint32(b[0:], uint32(len(b)))
	native.PutUint16(b[4:], sockDiagByFamily)
	native.PutUint16(b[6:], syscall.NLM_F_REQUEST)
	native.PutUint32(b[8:], d.seq)
	q := b[syscall.NLMSG_HDRLEN:]
	q[0], q[1] = syscall.AF_INET, syscall.IPPROTO_TCP
	if local.Addr().Is6() {
		q[0] = syscall.AF_INET6
	}
	native.PutUint32(q[4:], ^uint32(0)) // in any state
	binary.BigEndian.PutUint16(q[8:], local.Port())
	binary.BigEndian.PutUint16(q[10:], remote.Port())
	copy(q[12:28], local.Addr().AsSlice())
	copy(q[28:44], remote.Addr().AsSlice())
	native.PutUint64(q[48:], ^uint64(0)) // whatever its cookie
	if err := syscall.Sendto(d.fd, b, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return 0, 0, false
	}
	for range 4 { // an answer that came too late for its question is passed over
		n, _, err := syscall.Recvfrom(d.fd, d.buf[:], 0)
		if err != nil || n < syscall.NLMSG_HDRLEN {
			return 0, 0, false
		}
		if native.Uint32(d.buf[8:]) != d.seq {
			continue
		}
		if native.Uint16(d.buf[4:]) != sockDiagByFamily || n < syscall.NLMSG_HDRLEN+diagAnswerSize {
			return 0, 0, false // an error: no such socket
		}
		a := d.buf[syscall.NLMSG_HDRLEN:n]
		return int(native.Uint32(a[64:])), uint64(native.Uint32(a[68:])), true
	}
	return 0, 0, false
}
