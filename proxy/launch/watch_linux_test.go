package launch

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// accepting gives the address of a server that keeps its connections.
func accepting(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func TestConnectionsPastTheProxyAreSeen(t *testing.T) {
	proxy, server := accepting(t), accepting(t)
	// A shell between: what counts is the tree.
	cmd := exec.Command("sh", "-c", `"$0"; exit`, os.Args[0])
	cmd.Env = append(os.Environ(), "LAUNCH_TEST_DIAL="+proxy.String()+" "+server.String(), "HTTPS_PROXY=http://"+proxy.String())
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // one look is enough: the connections stand
	found := Watch(ctx, cmd.Process.Pid, proxy)
	_ = in.Close()
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	if len(found) != 1 || found[0].Remote != server || found[0].Runtime != "go" || found[0].Cleared || found[0].PID == cmd.Process.Pid {
		t.Fatalf("got %+v, want the one to %s", found, server)
	}
	if reason, _ := found[0].Mend(); !strings.Contains(reason, "Go sends nothing to loopback") {
		t.Errorf("reason: %s", reason)
	}
}

func TestHolderOfAPort(t *testing.T) {
	if got, want := Holder(accepting(t).Port()), strconv.Itoa(os.Getpid()); !strings.HasSuffix(got, " "+want) {
		t.Errorf("got %q, want this process, %s", got, want)
	}
	if got := Holder(1); got != "" {
		t.Errorf("nobody listens on port 1, got %q", got)
	}
}
