package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/why403/why403/proxy/launch"
)

// TestMain lets the scripts run this binary as the command why403.
func TestMain(m *testing.M) {
	if launch.Keep(os.Args) {
		return
	}
	if filepath.Base(os.Args[0]) != "why403" {
		os.Setenv("WHY403_CONFIG", "none") // that of the person who runs the tests has no part in them
	}
	testscript.Main(m, map[string]func(){
		"why403": func() {
			os.Exit(run(context.Background(), os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
		},
		"fetch": fetch,
	})
}

// fetch is a client that takes its proxy from the environment.
func fetch() {
	r, err := http.Get(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer r.Body.Close()
	_, _ = io.Copy(os.Stdout, r.Body)
}

// startRefusing gives the URL of a server that refuses /refused. Its name is
// one that Go's clients do not take for loopback.
func startRefusing(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/refused" {
			w.WriteHeader(http.StatusForbidden)
		}
		fmt.Fprintln(w, "fine")
	}))
	t.Cleanup(s.Close)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	return "http://app.localhost:" + port
}

// startUntrusted gives the URL of a server with a certificate that nobody knows.
func startUntrusted(t *testing.T) string {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

// TestScripts runs the real command in a home of its own: each script is a
// story in testdata/script.
func TestScripts(t *testing.T) {
	server, untrusted := startRefusing(t), startUntrusted(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			for name, folder := range map[string]string{
				"HOME": "home", "XDG_DATA_HOME": "home/data", "XDG_STATE_HOME": "home/state", "XDG_CONFIG_HOME": "home/config", "XDG_RUNTIME_DIR": "home/run",
			} {
				env.Setenv(name, env.WorkDir+"/"+folder)
			}
			env.Setenv("TERM", "xterm-256color")
			env.Setenv("SERVER", server)
			env.Setenv("UNTRUSTED", strings.Replace(untrusted, "127.0.0.1", "app.localhost", 1))
			env.Setenv("DIRECT", strings.Replace(server, "app.localhost", "127.0.0.1", 1))
			return os.MkdirAll(env.WorkDir+"/home", 0o700)
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}
