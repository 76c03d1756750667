package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the scripts run this binary as the command why403.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "why403" {
		os.Setenv("WHY403_CONFIG", "none") // that of the person who runs the tests has no part in them
	}
	testscript.Main(m, map[string]func(){
		"why403": func() {
			os.Exit(run(context.Background(), os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
		},
	})
}

// TestScripts runs the real command in a home of its own: each script is a
// story in testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			for name, folder := range map[string]string{
				"HOME": "home", "XDG_DATA_HOME": "home/data", "XDG_STATE_HOME": "home/state", "XDG_CONFIG_HOME": "home/config", "XDG_RUNTIME_DIR": "home/run",
			} {
				env.Setenv(name, env.WorkDir+"/"+folder)
			}
			env.Setenv("TERM", "xterm-256color")
			return os.MkdirAll(env.WorkDir+"/home", 0o700)
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}
