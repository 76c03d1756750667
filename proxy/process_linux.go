package proxy

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Bounds of one look at the system.
const (
	socketBytes = 8 << 20                // of a table of sockets: some 50,000 of them
	lookTime    = 200 * time.Millisecond // for going through processes
)

// systemFinder finds processes in /proc (proc(5)). Only processes of our own
// user can be looked into. It remembers who was a client before, for that one
// is likely to be the next.
func systemFinder() func([]*inquiry) {
	f := &procFinder{root: "/proc", uid: os.Geteuid()}
	return f.find
}

type procFinder struct {
	root   string
	uid    int
	recent []int // processes that were clients, latest first, at most 32
}

func (f *procFinder) find(batch []*inquiry) {
	sockets := map[uint64][]*inquiry{}
	if batch = f.ask(batch, sockets); len(batch) > 0 {
		f.read(batch, sockets)
	}
	deadline := time.Now().Add(lookTime)
	for _, pids := range []func() []int{f.known, f.others} {
		if len(sockets) == 0 {
			return
		}
		for _, pid := range pids() {
			if len(sockets) == 0 || time.Now().After(deadline) {
				return
			}
			f.look(pid, sockets)
		}
	}
}

// ask looks the sockets up one by one, and gives back those that must be looked for in the table.
func (f *procFinder) ask(batch []*inquiry, sockets map[uint64][]*inquiry) (rest []*inquiry) {
	d, err := openSockDiag()
	if err != nil {
		return batch
	}
	defer d.close()
	for _, q := range batch {
		uid, inode, ok := d.find(q.client, q.local)
		switch {
		case !ok:
			rest = append(rest, q)
		case inode != 0 && (uid == f.uid || f.uid == 0):
			sockets[inode] = append(sockets[inode], q)
		}
	}
	if len(rest) < len(batch) {
		return nil // the kernel answers: what it does not know is gone
	}
	return rest
}

// read looks for the sockets in the system's table.
func (f *procFinder) read(batch []*inquiry, sockets map[uint64][]*inquiry) {
	ends := map[[2]netip.AddrPort][]*inquiry{}
	for _, q := range batch {
		k := [2]netip.AddrPort{q.client, q.local}
		ends[k] = append(ends[k], q)
	}
	eachSocket(f.root, func(local, remote netip.AddrPort, uid int, inode uint64) bool {
		k := [2]netip.AddrPort{local, remote}
		if qs := ends[k]; qs != nil && inode != 0 {
			if uid == f.uid || f.uid == 0 {
				sockets[inode] = qs
			}
			delete(ends, k)
		}
		return len(ends) > 0
	})
}

// known are the processes that were clients lately.
func (f *procFinder) known() []int { return slices.Clone(f.recent) }

// others are all others, the youngest first: they are the likely ones.
func (f *procFinder) others() (pids []int) {
	d, err := os.Open(f.root)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil && !slices.Contains(f.recent, pid) {
			pids = append(pids, pid)
		}
	}
	slices.SortFunc(pids, func(a, b int) int { return b - a })
	return pids
}

// look takes those of sockets that pid has out of the map, and names them.
func (f *procFinder) look(pid int, sockets map[uint64][]*inquiry) {
	dir := f.root + "/" + strconv.Itoa(pid)
	var st syscall.Stat_t
	if syscall.Stat(dir, &st) != nil || int(st.Uid) != f.uid {
		return
	}
	d, err := os.Open(dir + "/fd")
	if err != nil {
		return
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	var target [64]byte
	for _, fd := range names {
		n, err := syscall.Readlink(dir+"/fd/"+fd, target[:])
		if err != nil {
			continue
		}
		text, ok := bytes.CutPrefix(target[:n], []byte("socket:["))
		if !ok {
			continue
		}
		inode, err := strconv.ParseUint(string(bytes.TrimSuffix(text, []byte("]"))), 10, 64)
		if err != nil || sockets[inode] == nil {
			continue
		}
		name := processName(dir) + " " + strconv.Itoa(pid)
		for _, q := range sockets[inode] {
			q.name = name
		}
		delete(sockets, inode)
		f.remember(pid)
	}
}

func (f *procFinder) remember(pid int) {
	f.recent = slices.DeleteFunc(f.recent, func(p int) bool { return p == pid })
	f.recent = slices.Insert(f.recent, 0, pid)
	f.recent = f.recent[:min(len(f.recent), 32)]
}

// processName is what a process calls itself, without spaces: the number follows one.
func processName(dir string) string {
	b, err := os.ReadFile(dir + "/comm")
	if name := strings.Join(strings.Fields(string(b)), "_"); err == nil && name != "" {
		return name
	}
	return "process"
}

// userOf is the user of the socket that has these two ends; false: the system does not say.
func userOf(client, local netip.AddrPort) (uid int, known bool) {
	if d, err := openSockDiag(); err == nil {
		defer d.close()
		if uid, _, known = d.find(client, local); known {
			return uid, true
		}
	}
	eachSocket("/proc", func(l, r netip.AddrPort, u int, _ uint64) bool {
		if l == client && r == local {
			uid, known = u, true
		}
		return !known
	})
	return uid, known
}

// canTellUsers reports whether userOf works on this system.
func canTellUsers() bool {
	_, err := os.Stat("/proc/net/tcp")
	return err == nil
}

// eachSocket calls f for the TCP sockets of this network namespace until f says that it is enough.
func eachSocket(root string, f func(local, remote netip.AddrPort, uid int, inode uint64) (goOn bool)) {
	for _, name := range []string{"/net/tcp", "/net/tcp6"} {
		file, err := os.Open(root + name)
		if err != nil {
			continue
		}
		s := bufio.NewScanner(io.LimitReader(file, socketBytes))
		goOn := true
		for goOn && s.Scan() {
			// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
			p := bytes.Fields(s.Bytes())
			if len(p) < 10 {
				continue
			}
			local, ok := procAddr(p[1])
			remote, ok2 := procAddr(p[2])
			uid, err := strconv.Atoi(string(p[7]))
			inode, err2 := strconv.ParseUint(string(p[9]), 10, 64)
			if ok && ok2 && err == nil && err2 == nil {
				goOn = f(local, remote, uid, inode)
			}
		}
		file.Close()
		if !goOn {
			return
		}
	}
}

// procAddr reads "0100007F:20D3": the address in words of four bytes in the
// order of this machine (all that we run on have the low byte first), the port as a number.
func procAddr(text []byte) (netip.AddrPort, bool) {
	host, port, _ := bytes.Cut(text, []byte{':'})
	n, err := strconv.ParseUint(string(port), 16, 16)
	var b [16]byte
	if err != nil || len(host) != 8 && len(host) != 32 {
		return netip.AddrPort{}, false
	}
	size, err := hex.Decode(b[:], host)
	if err != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i < size; i += 4 {
		b[i], b[i+1], b[i+2], b[i+3] = b[i+3], b[i+2], b[i+1], b[i]
	}
	ip, _ := netip.AddrFromSlice(b[:size])
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), true
}
