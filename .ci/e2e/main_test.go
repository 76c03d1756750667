//go:build e2e

// Package e2e drives the real program as a user does: the binary in a terminal
// (tmux), real clients (curl, wget, Python, Node, Go, Chromium), real nginx and
// Apache, a real Django application. It needs Debian's packages that apt below
// names, Node, and loopback alone; with WS_PACKAGE the folder of the npm package ws.
//
//	go test -tags e2e ./.ci/e2e
//
// Every wait is for a condition, with a deadline. Every process is a child in the
// test's own process group, so that a caller can end what a killed test could not.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const apt = "apt-get install nginx-light apache2 libapache2-mod-security2 modsecurity-crs python3-django python3-requests tmux curl wget openssl chromium"

// program is the path of the built why403.
var program string

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == goClient {
		os.Exit(fetchAsGo(os.Args[2]))
	}
	// The servers are on loopback and must be reached directly.
	for _, name := range []string{"http_proxy", "https_proxy", "all_proxy", "no_proxy"} {
		os.Unsetenv(name)
		os.Unsetenv(strings.ToUpper(name))
	}
	for _, name := range []string{"nginx", "apache2", "tmux", "curl", "wget", "openssl", "node", "chromium", "/usr/bin/python3"} {
		if _, err := exec.LookPath(name); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %s\n", err, apt)
			os.Exit(1)
		}
	}
	dir, err := os.MkdirTemp("", "why403-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := buildAndRun(m, dir)
	os.RemoveAll(dir)
	os.Exit(code)
}

// buildAndRun builds as a release does; WHY403_E2E_PROGRAM names a binary to use instead.
func buildAndRun(m *testing.M, dir string) int {
	program = os.Getenv("WHY403_E2E_PROGRAM")
	if program == "" {
		program = filepath.Join(dir, "why403")
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./cmd/why403")
		build.Dir = filepath.Join("..", "..")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "go build ./cmd/why403:", err)
			return 1
		}
	}
	return m.Run()
}
