package launch

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"debug/buildinfo"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CanWatch reports whether this system tells which process has which connection.
const CanWatch = true

// Bounds of a watch.
const (
	watchEvery = 4 * time.Millisecond // a connection that is shorter may be missed
	maxTable   = 8 << 20              // bytes of a table of sockets
	maxTree    = 2000                 // processes
	maxKnown   = 100_000              // connections that are told apart
)

// stateListen is one of the states in /proc/net/tcp (include/net/tcp_states.h).
const stateListen = "0A"

// socket is a line of /proc/net/tcp (proc(5)).
type socket struct {
	local, remote netip.AddrPort
	state         string
	inode         uint64
}

// start starts cmd under the eyes of the watch: by the kernel's asking for
// each connection (seccomp_unotify(2)) where that can be had, else by sampling.
func (w *Watch) start(cmd *exec.Cmd) error {
	if !w.Sample {
		door, started, err := startFiltered(cmd)
		if started {
			w.seen.Unprivileged = door.unprivileged
			w.stop = w.answering(door)
		}
		if started || err != nil {
			return err
		}
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	w.seen.Every = watchEvery
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.sample(ctx, cmd.Process.Pid)
	}()
	w.stop = func() {
		cancel()
		<-done
	}
	return nil
}

// sample looks at the connections of pid and the processes below it until ctx ends.
func (w *Watch) sample(ctx context.Context, pid int) {
	s := &sampler{watch: w, pids: map[int]int{pid: 0}, known: map[[2]netip.AddrPort]bool{}}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		s.look()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

type sampler struct {
	watch *Watch
	pids  map[int]int                // of the tree, with how deep they stand in it
	known map[[2]netip.AddrPort]bool // connections that were seen
}

// look goes through the sockets of all processes once.
func (s *sampler) look() {
	s.grow()
	owners := map[uint64]int{}
	for pid, depth := range s.pids {
		for _, inode := range socketsOf(pid) {
			// Children inherit what their parent opened: it is the highest's.
			if other, shared := owners[inode]; !shared || depth < s.pids[other] {
				owners[inode] = pid
			}
		}
	}
	if len(owners) == 0 {
		return
	}
	all := sockets()
	listening := listeners(all)
	for _, one := range all {
		// A port that is listened on is the end of a server: that connection came in.
		if pid, ours := owners[one.inode]; ours && one.remote.Port() != 0 && !listening[one.local.Port()] {
			s.note(one, pid)
		}
	}
}

func listeners(all []socket) map[uint16]bool {
	ports := map[uint16]bool{}
	for _, s := range all {
		if s.state == stateListen {
			ports[s.local.Port()] = true
		}
	}
	return ports
}

func (s *sampler) note(one socket, pid int) {
	ends := [2]netip.AddrPort{one.local, one.remote}
	if s.known[ends] || len(s.known) > maxKnown {
		return
	}
	s.known[ends] = true
	if s.watch.past(one.remote) {
		s.watch.add(pid, one.remote, func() Bypass { return describe(pid, one.remote) })
	}
}

// grow adds the children of the processes that are known, and drops those that ended.
func (s *sampler) grow() {
	queue := make([]int, 0, len(s.pids))
	for pid := range s.pids {
		queue = append(queue, pid)
	}
	for len(queue) > 0 && len(s.pids) < maxTree {
		pid := queue[0]
		queue = queue[1:]
		dir := "/proc/" + strconv.Itoa(pid)
		threads, err := os.ReadDir(dir + "/task")
		if err != nil {
			delete(s.pids, pid)
			continue
		}
		for _, t := range threads {
			text, _ := os.ReadFile(dir + "/task/" + t.Name() + "/children")
			for _, word := range strings.Fields(string(text)) {
				child, err := strconv.Atoi(word)
				if _, known := s.pids[child]; err == nil && !known {
					s.pids[child] = s.pids[pid] + 1
					queue = append(queue, child)
				}
			}
		}
	}
}

// socketsOf are the inodes of the sockets that a process has open.
func socketsOf(pid int) (inodes []uint64) {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	fds, _ := os.ReadDir(dir)
	for _, fd := range fds {
		target, err := os.Readlink(dir + "/" + fd.Name())
		if err != nil {
			continue
		}
		if text, ok := strings.CutPrefix(target, "socket:["); ok {
			if inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64); err == nil {
				inodes = append(inodes, inode)
			}
		}
	}
	return inodes
}

// describe says what is known of the process that has a connection.
func describe(pid int, remote netip.AddrPort) Bypass {
	dir := "/proc/" + strconv.Itoa(pid)
	b := Bypass{PID: pid, Remote: remote, Process: "process"}
	if name, err := os.ReadFile(dir + "/comm"); err == nil {
		b.Process = strings.TrimSpace(string(name))
	}
	if env, err := os.ReadFile(dir + "/environ"); err == nil {
		b.Cleared = !bytes.Contains(env, []byte("HTTPS_PROXY=")) && !bytes.Contains(env, []byte("https_proxy="))
	}
	exe, err := os.Readlink(dir + "/exe")
	if err != nil {
		return b
	}
	if b.Runtime = runtimeOf(filepath.Base(exe)); b.Runtime == "" {
		if _, err := buildinfo.ReadFile(dir + "/exe"); err == nil {
			b.Runtime = "go"
		}
	}
	return b
}

// sockets are the TCP sockets of this network namespace.
func sockets() (all []socket) {
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(io.LimitReader(f, maxTable))
		for lines.Scan() {
			// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
			p := strings.Fields(lines.Text())
			if len(p) < 10 {
				continue
			}
			local, ok := procAddr(p[1])
			remote, ok2 := procAddr(p[2])
			inode, err := strconv.ParseUint(p[9], 10, 64)
			if ok && ok2 && err == nil {
				all = append(all, socket{local, remote, p[3], inode})
			}
		}
		_ = f.Close()
	}
	return all
}

// procAddr reads "0100007F:20D3": the address in words of four bytes, low byte first, the port as a number.
func procAddr(text string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	b, err2 := hex.DecodeString(host)
	if err != nil || err2 != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	ip, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), true
}

// Holder names the process that listens on a port of this machine, as "nginx 812"; "" if that cannot be known.
func Holder(port uint16) string {
	inodes := map[uint64]bool{}
	for _, s := range sockets() {
		if s.state == stateListen && s.local.Port() == port {
			inodes[s.inode] = true
		}
	}
	if len(inodes) == 0 {
		return ""
	}
	entries, _ := os.ReadDir("/proc")
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return cmp.Compare(b.Name(), a.Name()) })
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		for _, inode := range socketsOf(pid) {
			if inodes[inode] {
				name, _ := os.ReadFile("/proc/" + e.Name() + "/comm")
				return strings.TrimSpace(string(name)) + " " + e.Name()
			}
		}
	}
	return ""
}
