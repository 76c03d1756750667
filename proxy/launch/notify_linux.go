package launch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel can ask another process, here ours, before it carries out a call:
// seccomp_unotify(2). A filter that a command and all that it starts inherit
// asks for each connect(2); we read its address and let it go on. Nothing is
// missed, however short, and each process answers for its own. What does not
// come by is connections by io_uring and by 32-bit programs.
//
// The filter outlives us in the processes that have it. One that nobody
// answers for makes connect fail with ENOSYS, so a small process stays
// beside those that are left (Keep).

// needsKernel is the version from which on the kernel says when nobody has the filter any more (Linux 5.9, seccomp_notify_poll).
const needsKernel = 509

// lingering is how long the processes of a command that ended may take to be gone.
const lingering = 200 * time.Millisecond

// architectures are what the filter compares the caller's with (linux/audit.h).
var architectures = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// question is struct seccomp_notif of linux/seccomp.h.
type question struct {
	id       uint64
	pid      uint32 // of the thread
	flags    uint32
	nr       int32
	arch     uint32
	pointer  uint64
	argument [6]uint64
}

// reply is struct seccomp_notif_resp.
type reply struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// door is where the kernel asks.
type door struct {
	fd, bell     int  // the bell ends the answering
	unprivileged bool // to be let set the filter we had to promise that nobody gains privileges
}

// startFiltered starts cmd with the filter. Not started and no error: this system does not have it, or does not let us.
func startFiltered(cmd *exec.Cmd) (d door, started bool, err error) {
	if architectures[runtime.GOARCH] == 0 || kernelVersion() < needsKernel || !namesProtocols() {
		return d, false, nil
	}
	onThreadOfItsOwn(func() {
		// The filter is that of this thread alone, which dies with the goroutine; a child has it from the thread that made it.
		bell, e := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if e != nil {
			return
		}
		if d, e = setFilter(gainsPrivileges(cmd.Path)); e != nil {
			_ = unix.Close(bell)
			return
		}
		d.bell = bell
		if err = cmd.Start(); err != nil {
			d.close()
			return
		}
		started = true
	})
	return d, started, err
}

// onThreadOfItsOwn runs f on a thread that is used for nothing else, before or after, and waits.
func onThreadOfItsOwn(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if unix.Gettid() == unix.Getpid() {
			onThreadOfItsOwn(f) // the first thread never ends
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
	<-done
}

// setFilter sets the filter for this thread. Without CAP_SYS_ADMIN that takes
// no_new_privs (prctl(2)), which takes their privileges from setuid programs;
// a command that is one itself needs them.
func setFilter(needsPrivileges bool) (d door, err error) {
	const ( // offsets in struct seccomp_data
		number, architecture = 0, 4
	)
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: architecture},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: architectures[runtime.GOARCH], Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_CONNECT, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	all := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	set := func() (int, error) {
		// WAIT_KILLABLE_RECV (Linux 5.19): signals do not make the caller ask again.
		for _, flags := range []uintptr{unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER} {
			fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&all)))
			if errno == 0 {
				return int(fd), nil
			}
			if errno != unix.EINVAL {
				return 0, errno
			}
		}
		return 0, unix.EINVAL
	}
	d.fd, err = set()
	if errors.Is(err, unix.EACCES) && !needsPrivileges {
		if err = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err == nil {
			d.unprivileged = true
			d.fd, err = set()
		}
	}
	return d, err
}

// gainsPrivileges reports whether who runs a program gets rights that he has not: by its mode or by capabilities(7) of the file.
func gainsPrivileges(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	n, err := unix.Getxattr(path, "security.capability", nil)
	return info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 || err == nil && n > 0
}

// kernelVersion of Linux 5.9 is 509; 0 if it cannot be read.
func kernelVersion() int {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return 0
	}
	var major, minor int
	if n, _ := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); n != 2 {
		return 0
	}
	return major*100 + minor
}

// answering answers the kernel until nobody has the filter any more. The
// function that it returns ends that, when the command has ended.
func (w *Watch) answering(d door) (stop func()) {
	done := make(chan bool, 1)
	go func() { done <- d.answer(w) }()
	return func() {
		gone := false
		select {
		case gone = <-done:
		case <-time.After(lingering):
			_, _ = unix.Write(d.bell, []byte{1, 0, 0, 0, 0, 0, 0, 0})
			gone = <-done
		}
		if !gone {
			w.seen.Lingers = keepBeside(d.fd) == nil
		}
		d.close()
	}
}

func (d door) close() {
	_ = unix.Close(d.fd)
	_ = unix.Close(d.bell)
}

// answer lets each connection go on that the kernel asks for, and tells w of it,
// until the bell rings (false) or nobody has the filter any more (true). w may be nil.
func (d door) answer(w *Watch) (gone bool) {
	fds := []unix.PollFd{{Fd: int32(d.fd), Events: unix.POLLIN}, {Fd: int32(d.bell), Events: unix.POLLIN}} // -1: no bell
	for {
		if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return false
		}
		switch {
		case fds[0].Revents&unix.POLLIN != 0:
			var q question
			if d.ioctl(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&q)) != nil {
				continue // it was killed meanwhile
			}
			remote, ok := q.destination()
			pid, b := 0, Bypass{}
			past := w != nil && ok && w.past(remote) && isTCP(fmt.Sprintf("/proc/%d/fd/%d", q.pid, int32(q.argument[0])))
			if past {
				pid = q.process()
				if _, known := w.key[bypassKey{pid, remote}]; !known {
					b = describe(pid, remote) // now: it waits for us
				}
			}
			r := reply{id: q.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
			if d.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r)) != nil {
				continue // a signal came first: it asks again
			}
			switch {
			case past:
				w.add(pid, remote, func() Bypass { return b })
			case w != nil && !ok:
				w.seen.Unread++
			}
		case fds[0].Revents != 0:
			return true
		case fds[1].Revents != 0:
			return false
		}
	}
}

func (d door) ioctl(request uint, argument unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(d.fd), uintptr(request), uintptr(argument))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// destination is where a connect(2) goes, as far as that is a place of the Internet: port 0 for others. False: it cannot be read.
func (q *question) destination() (netip.AddrPort, bool) {
	const v4, v6 = 8, 24 // bytes up to the end of the address in sockaddr_in and sockaddr_in6
	size := min(q.argument[2], 128)
	b := make([]byte, size)
	memory, err := os.Open("/proc/" + strconv.Itoa(int(q.pid)) + "/mem")
	if err != nil {
		return netip.AddrPort{}, false
	}
	defer func() { _ = memory.Close() }()
	if _, err := memory.ReadAt(b, int64(q.argument[1])); err != nil && size > 0 {
		return netip.AddrPort{}, false
	}
	if size < v4 {
		return netip.AddrPort{}, true
	}
	port := binary.BigEndian.Uint16(b[2:])
	switch family := binary.NativeEndian.Uint16(b); {
	case family == unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:v4])), port), true
	case family == unix.AF_INET6 && size >= v6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:v6])).Unmap(), port), true
	}
	return netip.AddrPort{}, true
}

// process is the number of the process that the thread is of.
func (q *question) process() int {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(int(q.pid)) + "/status")
	_, after, _ := bytes.Cut(text, []byte("\nTgid:"))
	line, _, _ := bytes.Cut(after, []byte("\n"))
	if pid, err := strconv.Atoi(string(bytes.TrimSpace(line))); err == nil {
		return pid
	}
	return int(q.pid)
}

// isTCP tells by the name that the kernel has for a socket's protocol (net/socket.c,
// sockfs_xattr_get): resolvers connect UDP sockets to learn their own address.
func isTCP(path string) bool {
	b := make([]byte, 32)
	n, err := unix.Getxattr(path, "system.sockprotoname", b)
	return err == nil && strings.Contains(string(b[:n]), "TCP") // TCP, TCPv6, MPTCP, MPTCPv6
}

// namesProtocols reports whether this kernel has such names (gVisor, for one, has not).
func namesProtocols() bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }()
	return isTCP("/proc/self/fd/" + strconv.Itoa(fd))
}

// keeper is what the process calls itself that stays beside others.
const keeper = "why403-keeper"

// keepBeside starts a process that answers at fd in our place.
func keepBeside(fd int) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = null.Close() }()
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	door := os.NewFile(uintptr(own), "seccomp")
	defer func() { _ = door.Close() }()
	p, err := os.StartProcess("/proc/self/exe", []string{keeper}, &os.ProcAttr{
		Dir: "/", Env: []string{}, Files: []*os.File{null, null, null, door},
		Sys: &syscall.SysProcAttr{Setsid: true}, // it outlives the terminal, as they may
	})
	if err != nil {
		return err
	}
	return p.Release()
}

// Keep makes this process the one that stays beside processes that were
// watched, if args, os.Args, say so; it reports whether it was. It returns when they have ended.
func Keep(args []string) bool {
	if len(args) != 1 || args[0] != keeper {
		return false
	}
	door{fd: 3, bell: -1}.answer(nil)
	return true
}
