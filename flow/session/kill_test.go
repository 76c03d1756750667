package session

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/why403/why403/flow"
)

// childEnv makes the test binary a recorder that runs until it is killed.
const childEnv = "WHY403_TEST_RECORD_INTO"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		recordUntilKilled(path)
		return
	}
	os.Exit(m.Run())
}

// recordUntilKilled records flows into path and prints the number of each that has become Done.
func recordUntilKilled(path string) {
	s, err := Create(path, Options{})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	for range 4 {
		go func() {
			for i := 1; ; i++ {
				f := post()
				id := s.Begin(f)
				s.Append(id, flow.Part{Kind: flow.RequestBody, Data: patterned(id, 100)})
				s.Append(id, flow.Part{Kind: flow.ResponseHead, Head: refusal()})
				s.Append(id, flow.Part{Kind: flow.ResponseBody, Data: patterned(id, bodySize(id))})
				s.End(id, flow.Outcome{})
				if i%5 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		}()
	}
	for rev := Rev(0); ; {
		<-s.Changed(rev)
		var rows []Row
		rows, rev = s.Since(rev, 1000)
		var line bytes.Buffer
		for i := range rows {
			if rows[i].State == Done {
				fmt.Fprintln(&line, rows[i].ID, rows[i].RespBytes)
			}
		}
		_, _ = os.Stdout.Write(line.Bytes()) // whoever reads it kills us
	}
}

// bodySize is small for most, and more than a chunk for some.
func bodySize(id flow.ID) int {
	if id%32 == 0 {
		return chunkSize + int(id)
	}
	return 1000 + int(id%64)*100
}

func patterned(id flow.ID, n int) []byte {
	return bytes.Repeat([]byte{byte(id), byte(id >> 8)}, n/2)
}

// The promise: what was shown as done is on disk, whenever the process dies.
func TestKilledAtAnyMomentEveryFlowShownAsDoneIsWhole(t *testing.T) {
	const kills = 20
	shown := 0
	for n := range kills {
		path := filepath.Join(t.TempDir(), "run.why403")
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		var done []string
		// Kill it after some lines, and then a random moment; what was printed meanwhile counts too.
		for len(done) < 1+n*5 {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("the recorder ended by itself: %v %q", err, line)
			}
			done = append(done, line)
		}
		wait := time.NewTimer(rand.N(40 * time.Millisecond))
		<-wait.C
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(lines)
		_ = cmd.Wait() // killed: that is its error
		for line := range strings.Lines(string(rest)) {
			if strings.HasSuffix(line, "\n") {
				done = append(done, line)
			}
		}
		shown += len(done)
		checkKilled(t, path, done)
	}
	t.Logf("%d flows had been shown as done", shown)
}

func checkKilled(t *testing.T, path string, done []string) {
	t.Helper()
	if held(path) {
		t.Error("the lock outlives the process")
	}
	s, err := Open(path, Options{Writable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx := deadline(t)
	for _, line := range done {
		a, b, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseInt(a, 10, 64)
		if err != nil {
			t.Fatalf("the recorder said %q", line)
		}
		id := flow.ID(n)
		r, err := s.Row(ctx, id)
		if err != nil || r.State != Done || r.Err != "" || strconv.FormatInt(r.RespBytes, 10) != b {
			t.Fatalf("flow %d was shown as done: %v %+v", id, err, r)
		}
		f, err := s.Flow(ctx, id)
		if err != nil {
			t.Fatalf("flow %d was shown as done: %v", id, err)
		}
		if !bytes.Equal(f.Request.Body.Data, patterned(id, 100)) || !bytes.Equal(f.Response.Body.Data, patterned(id, len(f.Response.Body.Data))) || !f.Response.Body.Whole() || f.Response.Body.Cut() {
			t.Fatalf("flow %d was shown as done, and its bodies are not whole: %+v", id, f.Response.Body.Size)
		}
		if !bytes.Equal(f.Request.Head, post().Request.Head) {
			t.Fatalf("flow %d: head differs", id)
		}
	}
}

func TestHangingRequestOutlivesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.why403")
	s, err := create(path, Options{}, func(s *Store) { s.hangAfter = time.Millisecond })
	if err != nil {
		t.Fatal(err)
	}
	id := s.Begin(post())
	s.Append(id, flow.Part{Kind: flow.RequestBody, Data: []byte("{}")})
	// As it stands on disk now, a second process sees it: the same that would be left after a kill.
	reader, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := deadline(t)
	var f *flow.Flow
	for f == nil || f.Request.Body.Kept != 2 {
		if f, err = reader.Flow(ctx, id); err != nil && ctx.Err() != nil {
			t.Fatal("a request under way for long never reaches the disk")
		}
	}
	r, err := reader.Row(ctx, id)
	if err != nil || r.State != Waiting || r.Err != "" {
		t.Errorf("while its writer lives it is under way: %v %+v", err, r)
	}
	if string(f.Request.Body.Data) != "{}" || f.Err != nil {
		t.Errorf("read under way: %+v", f)
	}
	s.Append(id, flow.Part{Kind: flow.ResponseHead, Head: refusal()})
	s.End(id, flow.Outcome{})
	if err := s.Committed(ctx, id); err != nil {
		t.Fatal(err)
	}
	for r.State != Done {
		if r, err = reader.Row(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	if r.Err != "" || r.Status != 403 {
		t.Errorf("once ended: %+v", r)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
