package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

// A flow says which program made it, also the one that ends before that is known.
func TestFlowsNameTheClientsProcess(t *testing.T) {
	l := newLab(t)
	o := l.origin(nil, okOrigin)
	p := l.dial()
	for range 2 {
		p.send(get("http://"+o.addr, "/", o.addr))
		p.message()
	}
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Skip(err)
	}
	want := fmt.Sprintf("%s %d", strings.TrimSpace(string(comm)), os.Getpid())
	for id := range flow.ID(2) {
		if got := l.tape.done(t, id+1).flow.Conn.Process; got != want {
			t.Errorf("flow %d: process %q, want %q", id+1, got, want)
		}
	}
}

// Another process of ours is told from ourselves.
func TestProcessOfAnotherProgram(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	ln := listen(t)
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	cmd := exec.Command(bash, "-c", "exec 3<>/dev/tcp/127.0.0.1/"+port+"; read -r -u 3 line")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	q := &inquiry{client: addrPort(c.RemoteAddr()), local: addrPort(c.LocalAddr())}
	systemFinder()([]*inquiry{q})
	if want := fmt.Sprintf("bash %d", cmd.Process.Pid); q.name != want {
		t.Errorf("%q, want %q", q.name, want)
	}
	if uid, known := userOf(q.client, q.local); !known || uid != os.Getuid() {
		t.Errorf("user %d %v", uid, known)
	}
	table := &inquiry{client: q.client, local: q.local}
	f := &procFinder{root: "/proc", uid: os.Geteuid()}
	sockets := map[uint64][]*inquiry{}
	if f.read([]*inquiry{table}, sockets); len(sockets) != 1 {
		t.Errorf("the system's table gives %v", sockets)
	}
	if rest := f.ask([]*inquiry{table}, sockets); len(rest) > 0 {
		t.Log("the kernel does not answer about single sockets here")
	} else if len(sockets) != 1 {
		t.Errorf("the kernel and its table disagree: %v", sockets)
	}
}

func TestProcAddr(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:20D3":                         "127.0.0.1:8403",
		"00000000000000000000000001000000:01BB": "[::1]:443",
		"0000000000000000FFFF00000100007F:0050": "127.0.0.1:80",
	} {
		if got, ok := procAddr([]byte(text)); !ok || got != netip.MustParseAddrPort(want) {
			t.Errorf("%s: %s %v, want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", ":", "0100007F", "0100007F:", "zz00007F:0050", "01:0050"} {
		if got, ok := procAddr([]byte(text)); ok {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func BenchmarkFindProcess(b *testing.B) {
	ln := listen(b)
	defer ln.Close()
	mine, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer mine.Close()
	q := &inquiry{client: addrPort(mine.LocalAddr()), local: addrPort(mine.RemoteAddr())}
	f := &procFinder{root: "/proc", uid: os.Geteuid()}
	for b.Loop() {
		f.find([]*inquiry{q})
	}
}
