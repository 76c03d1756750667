package launch

import (
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
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

// watchRun runs a shell script with a watch, with the addresses of proxy and server as $1 and $2, and this test's binary as $0.
func watchRun(t *testing.T, w *Watch, server netip.AddrPort, script string, env ...string) Seen {
	t.Helper()
	c := Command{Args: []string{"bash", "-c", script, os.Args[0], w.Proxy.String(), server.String()}, Watch: w,
		Env: append(os.Environ(), append(env, "HTTPS_PROXY=http://"+w.Proxy.String())...), In: strings.NewReader("\n"), Out: io.Discard, Err: os.Stderr}
	exit, err := Run(t.Context(), c)
	if err != nil || exit.Code != 0 {
		t.Fatal(exit, err)
	}
	return w.Seen()
}

// exact skips a test where the kernel does not ask for each connection.
func exact(t *testing.T, s Seen) Seen {
	t.Helper()
	if s.Every != 0 {
		t.Skipf("this system only lets us look every %s", s.Every)
	}
	if s.Unread != 0 {
		t.Errorf("%d addresses could not be read", s.Unread)
	}
	return s
}

func TestConnectionsPastTheProxyAreSeen(t *testing.T) {
	proxy, server := accepting(t), accepting(t)
	for _, sample := range []bool{false, true} {
		// A shell between: what counts is the tree. A pause: a look that comes now and then has to see it.
		s := watchRun(t, &Watch{Proxy: proxy, Sample: sample}, server, `sleep 0.3 | "$0"; exit`,
			"LAUNCH_TEST_DIAL="+proxy.String()+" "+server.String())
		if !sample {
			exact(t, s)
		}
		if len(s.Past) != 1 || s.Past[0].Remote != server || s.Past[0].Runtime != "go" || s.Past[0].Cleared || s.Past[0].Times != 1 {
			t.Fatalf("sampled %v: got %+v, want the one to %s", sample, s.Past, server)
		}
		if reason, _ := s.Past[0].Mend(); !strings.Contains(reason, "Go sends nothing to loopback") {
			t.Errorf("reason: %s", reason)
		}
	}
}

func TestNoConnectionIsTooShortToBeSeen(t *testing.T) {
	proxy, server := accepting(t), accepting(t)
	// bash connects, and closes at once, thrice; connects to the proxy are none past it, nor is what cannot be reached missing.
	s := exact(t, watchRun(t, &Watch{Proxy: proxy}, server,
		`for i in 1 2 3; do : 3<>/dev/tcp/127.0.0.1/${2##*:}; done; : 3<>/dev/tcp/127.0.0.1/${1##*:}; (: 3<>/dev/tcp/127.0.0.1/1) 2>/dev/null; true`))
	if len(s.Past) != 2 || s.Past[0].Remote != server || s.Past[0].Times != 3 || s.Past[1].Remote.Port() != 1 {
		t.Fatalf("got %+v", s.Past)
	}
}

func TestAConnectionIsThatOfTheProcessThatOpenedIt(t *testing.T) {
	proxy, server := accepting(t), accepting(t)
	for _, sample := range []bool{false, true} {
		s := watchRun(t, &Watch{Proxy: proxy, Sample: sample}, server, `exec 3<>/dev/tcp/127.0.0.1/${2##*:}; sleep 0.3; true`) // sleep has it, too
		if len(s.Past) != 1 || s.Past[0].Process != "bash" {
			t.Errorf("sampled %v: got %+v, want bash", sample, s.Past)
		}
	}
}

// What was watched and is still there when the watch is over goes on connecting.
func TestWhatOutlivesAWatchCanConnect(t *testing.T) {
	proxy, server := accepting(t), accepting(t)
	dir := t.TempDir()
	s := exact(t, watchRun(t, &Watch{Proxy: proxy}, server,
		`cd "$DIR"; (until [ -e over ]; do sleep 0.02; done; : 3<>/dev/tcp/127.0.0.1/${2##*:} && echo yes >result || echo no >result; mv result done) >/dev/null 2>&1 &`, "DIR="+dir))
	if !s.Lingers {
		t.Error("nothing is said of it")
	}
	if err := os.WriteFile(filepath.Join(dir, "over"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(dir, "done"))
		if err == nil && string(b) == "yes\n" {
			return
		}
		if err == nil || time.Now().After(deadline) {
			t.Fatalf("it could not connect: %q, %v", b, err)
		}
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
