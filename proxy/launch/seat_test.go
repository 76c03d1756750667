package launch

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain lets a test run this binary as a process that takes a seat and is then killed, as a client, or as one that stays beside others.
func TestMain(m *testing.M) {
	if Keep(os.Args) {
		return
	}
	if dir := os.Getenv("LAUNCH_TEST_SEAT"); dir != "" {
		holdSeat(dir)
	}
	if addresses := os.Getenv("LAUNCH_TEST_DIAL"); addresses != "" {
		dialAll(addresses)
	}
	os.Exit(m.Run())
}

// dialAll is a client that connects to each address until its input ends.
func dialAll(addresses string) {
	for _, addr := range strings.Split(addresses, " ") {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			panic(err)
		}
		defer func() { _ = c.Close() }()
	}
	_, _ = os.Stdout.WriteString("ready\n")
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

func holdSeat(dir string) {
	s, err := Take(dir)
	if err != nil {
		panic(err)
	}
	folder, err := s.Folder()
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "bundle.pem"), []byte("x"), 0o600); err != nil {
		panic(err)
	}
	if err := s.Announce(Instance{Kind: "screen"}); err != nil {
		panic(err)
	}
	_, _ = os.Stdout.WriteString("ready\n")
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

func TestSeatIsPrivateAndGoesWhenReleased(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "why403")
	s, err := Take(dir)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := s.Folder()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Announce(Instance{Kind: "screen", Addresses: []string{"127.0.0.1:1"}, Started: time.Unix(1, 0)}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, folder: 0o700, s.path: 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %04o, want %04o", path, got, want)
		}
	}
	all := Instances(dir)
	if len(all) != 1 || all[0].PID != os.Getpid() || all[0].Folder != folder {
		t.Fatalf("got %+v", all)
	}
	if swept := Sweep(dir); len(swept) != 0 {
		t.Errorf("swept a living seat: %q", swept)
	}
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSeatsOfOneProcessDoNotMeet(t *testing.T) {
	dir := t.TempDir()
	var all []*Seat
	for range 3 {
		s, err := Take(dir)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
		if err := s.Announce(Instance{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(Instances(dir)); n != 3 {
		t.Errorf("%d instances, want 3", n)
	}
	for _, s := range all {
		if err := s.Release(); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatAKilledProcessLeftIsSwept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "LAUNCH_TEST_SEAT="+dir)
	stdin, _ := child.StdinPipe()
	defer func() { _ = stdin.Close() }()
	stdout, _ := child.StdoutPipe()
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	if n := len(Instances(dir)); n != 1 {
		t.Errorf("%d instances while it lives, want 1", n)
	}
	if swept := Sweep(dir); len(swept) != 0 {
		t.Errorf("swept a living process' seat: %q", swept)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	if all := Instances(dir); len(all) != 0 {
		t.Errorf("a dead process is taken for living: %+v", all)
	}
	s, err := Take(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Release() }()
	left, _ := os.ReadDir(dir)
	if len(left) != 1 || !strings.HasSuffix(s.path, left[0].Name()) {
		t.Errorf("left behind by the kill: %v", left)
	}
}

func TestSweepTouchesOnlySeats(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"notes.json", "keep/file", "123/bundle.pem", "124.json"} {
		path := filepath.Join(dir, name)
		_ = os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	Sweep(dir)
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(left) != 2 || filepath.Base(left[0]) != "keep" || filepath.Base(left[1]) != "notes.json" {
		t.Errorf("left %q", left)
	}
}

func TestAFolderOfSomebodyElseIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.Symlink(t.TempDir(), dir); err != nil {
		t.Skip(err)
	}
	if s, err := Take(dir); err == nil {
		_ = s.Release()
		t.Error("a seat was taken behind a symbolic link")
	}
}

func TestRunningWantsAnAnswerOfOurs(t *testing.T) {
	ours := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Why403", "help")
		w.Header().Set("X-Why403-Last", "7")
	}))
	defer ours.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	addr := func(s *httptest.Server) string { return s.Listener.Addr().String() }
	for _, c := range []struct {
		name string
		i    Instance
		want bool
	}{
		{"a proxy of ours", Instance{Kind: "screen", CA: "ca.pem", Addresses: []string{addr(ours)}}, true},
		{"the demo", Instance{Kind: "demo", CA: "ca.pem", Addresses: []string{addr(ours)}}, true},
		{"another server", Instance{Kind: "screen", CA: "ca.pem", Addresses: []string{addr(other)}}, false},
		{"nobody", Instance{Kind: "screen", CA: "ca.pem", Addresses: []string{closed.Addr().String()}}, false},
		{"one that stands for a server", Instance{Kind: "screen", CA: "ca.pem", Reverse: true, Addresses: []string{addr(ours)}}, false},
		{"one that wants a login", Instance{Kind: "screen", CA: "ca.pem", Login: true, Addresses: []string{addr(ours)}}, false},
		{"one that joined another", Instance{Kind: "run"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Take(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Release() }()
			if err := s.Announce(c.i); err != nil {
				t.Fatal(err)
			}
			i, ok := Running(t.Context(), dir)
			if ok != c.want {
				t.Errorf("running: %v, want %v", ok, c.want)
			}
			if !ok {
				return
			}
			if last, told := i.Last(t.Context()); !told || last != 7 {
				t.Errorf("its newest flow: %d, %v", last, told)
			}
		})
	}
}

func TestAProcessIsFoundThoughTheSystemsFolderCameLater(t *testing.T) {
	runtimeDir := filepath.Join(t.TempDir(), "run")
	t.Setenv("XDG_RUNTIME_DIR", runtimeDir)
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	s, err := Take(Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Release() }()
	if err := s.Announce(Instance{Kind: "screen"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(runtimeDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if n := len(Instances(Places()...)); n != 1 {
		t.Errorf("%d found, want 1", n)
	}
}
