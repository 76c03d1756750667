package certs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// childDir is set in processes that the tests start: they wait for a line on stdin, then load or create the CA in that folder and print its fingerprint.
const childDir = "WHY403_CERTS_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

func child(dir string) int {
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		fmt.Println(err)
		return 1
	}
	ca, err := LoadOrCreate(dir, time.Now)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(ca.Info().SHA256)
	return 0
}

func TestCreateHasOneWinner(t *testing.T) {
	const starters = 16
	for range 20 {
		dir := caDir(t)
		errs, cas := make([]error, starters), make([]*CA, starters)
		atOnce(starters, func(i int) { cas[i], errs[i] = Create(dir, nil) })
		winner := -1
		for i, err := range errs {
			switch {
			case err == nil && winner >= 0:
				t.Fatal("two calls made a CA")
			case err == nil:
				winner = i
			case !errors.Is(err, fs.ErrExist):
				t.Fatalf("got %v, want fs.ErrExist", err)
			}
		}
		if winner < 0 {
			t.Fatal("nobody made a CA")
		}
		loaded, err := Load(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if loaded.Info() != cas[winner].Info() {
			t.Fatal("the folder holds another CA than the winner made")
		}
		if names := list(t, dir); len(names) != 2 {
			t.Fatalf("left behind: %q", names)
		}
	}
}

func TestConcurrentFirstStartsAgree(t *testing.T) {
	const starters = 16
	for range 20 {
		dir := caDir(t)
		errs, cas := make([]error, starters), make([]*CA, starters)
		atOnce(starters, func(i int) { cas[i], errs[i] = LoadOrCreate(dir, nil) })
		for i := range starters {
			if errs[i] != nil {
				t.Fatal(errs[i])
			}
			if cas[i].Info() != cas[0].Info() {
				t.Fatal("two starts ended with two CAs")
			}
		}
	}
}

func TestConcurrentFirstStartsOfProcessesAgree(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := caDir(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // a child that hangs is killed
	t.Cleanup(cancel)                                                     // after those that wait for the children
	const starters = 6
	var starts []func() // lets a process go
	var outputs []*bufio.Reader
	for range starters {
		cmd := exec.CommandContext(ctx, self)
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(out)
		t.Cleanup(func() {
			_, _ = io.Copy(io.Discard, r)
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
		if line, err := r.ReadString('\n'); err != nil || line != "ready\n" {
			t.Fatalf("got %q, %v", line, err)
		}
		starts = append(starts, func() { _, _ = io.WriteString(in, "go\n") })
		outputs = append(outputs, r)
	}
	for _, start := range starts {
		start()
	}
	ended := make(map[string]int)
	for _, r := range outputs {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		ended[strings.TrimSpace(line)]++
	}
	if len(ended) != 1 {
		t.Errorf("processes ended with %v, want one fingerprint", ended)
	}
}

// atOnce runs n calls that start together and waits for all.
func atOnce(n int, call func(i int)) {
	var done sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		done.Go(func() { <-gate; call(i) })
	}
	close(gate)
	done.Wait()
}
