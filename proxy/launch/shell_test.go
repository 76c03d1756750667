package launch

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var awkward = `it's "50%" of $HOME; \n & |‘curly’ ` + "`x`"

// TestShellsReadTheScript lets each shell that this machine has read the
// script, print the variables, undo it, and print them again.
func TestShellsReadTheScript(t *testing.T) {
	settings := []Setting{{"W403_NEW", awkward}, {"W403_OLD", "ours"}, {"W403_EMPTY", ""}}
	environ := []string{"W403_OLD=" + awkward, "W403_SAME=1"}
	printAll := `printf '%s|%s|%s\n' "$W403_NEW" "$W403_OLD" "${W403_EMPTY-unset}"`
	want := awkward + "|ours|\n|" + awkward + "|unset\n"
	for _, c := range []struct{ program, shell, print string }{
		{"bash", "bash", printAll},
		{"dash", "bash", printAll},
		{"zsh", "zsh", printAll},
		{"fish", "fish", `printf '%s|%s|%s\n' "$W403_NEW" "$W403_OLD" (set -q W403_EMPTY; and echo "$W403_EMPTY"; or echo unset)`},
		{"pwsh", "powershell", `$e = if (Test-Path Env:W403_EMPTY) { "" } else { "unset" }; "$($env:W403_NEW)|$($env:W403_OLD)|$e"`},
	} {
		t.Run(c.program, func(t *testing.T) {
			program, err := exec.LookPath(c.program)
			if err != nil {
				t.Skip("not on this machine")
			}
			script, err := Script(c.shell, settings, environ)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(program, "-c", script+c.print+"\nwhy403_off\n"+c.print+"\nwhy403_off 2>/dev/null || exit 0; exit 9")
			cmd.Env = append(os.Environ(), environ...)
			cmd.Env = append(cmd.Env, "HOME="+t.TempDir())
			out, err := cmd.CombinedOutput()
			if c.shell == "fish" || c.shell == "powershell" {
				err = nil // their last line says it in another way
			}
			if err != nil || !strings.HasPrefix(string(out), want) {
				t.Errorf("%v, got\n%s\nwant\n%s", err, out, want)
			}
		})
	}
}

func TestScriptsOfShellsThatAreSeldomHere(t *testing.T) {
	settings := []Setting{{"A", `50% $5`}, {"B", "it's ‘b’"}}
	for shell, want := range map[string]string{
		"cmd": `set "A=50% $5"` + "\n" + `set "B=it's ‘b’"` + "\n" + `doskey why403_off=set "A=" $T set "B=$$old"` + "\n",
		"powershell": "$env:A = '50% $5'\n$env:B = 'it''s ‘‘b’’'\nfunction global:why403_off {\n" +
			"Remove-Item -ErrorAction SilentlyContinue Env:A\n$env:B = '$old'\nRemove-Item function:why403_off\n}\n",
	} {
		got, err := Script(shell, settings, []string{"B=$old"})
		if err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %v, got\n%s\nwant\n%s", shell, err, got, want)
		}
	}
	if _, err := Script("tcsh", settings, nil); err == nil {
		t.Error("a script for a shell that is not known")
	}
}

func TestShellIsTheOneThatAsks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("another default")
	}
	for _, c := range []struct{ parent, variable, want string }{
		{"zsh", "/bin/bash", "zsh"}, {"-fish", "", "fish"}, {"make", "/usr/bin/fish", "fish"}, {"sh", "/usr/bin/fish", "bash"}, {"pwsh", "", "powershell"}, {"", "", "bash"},
	} {
		if got := ShellOf(c.parent, c.variable); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func TestDockerSeesTheKitInside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "docker")
	args, err := Docker(dir, "8403", authority(t), true)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(args, " "), "--network=host --volume="+dir+":/why403:ro --env-file="+dir+".env"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	env := "\n" + read(t, dir+".env")
	for _, want := range []string{"\nHTTPS_PROXY=http://127.0.0.1:8403\n", "\nSSL_CERT_FILE=/why403/bundle.pem\n",
		"\nNODE_OPTIONS=--require=/why403/why403-node.cjs\n", "-Djavax.net.ssl.trustStore=/why403/trust.p12"} {
		if !strings.Contains(env, want) {
			t.Errorf("no %q in\n%s", want, env)
		}
	}
	if strings.Contains(env, dir) {
		t.Errorf("a folder of this machine is named inside:\n%s", env)
	}
	info, err := os.Stat(filepath.Join(dir, "bundle.pem"))
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v: a user inside could not read it", info.Mode(), err)
	}
	if args, err = Docker(dir, "1", nil, false); err != nil || args[0] != "--add-host=host.docker.internal:host-gateway" ||
		!strings.Contains(read(t, dir+".env"), "HTTP_PROXY=http://host.docker.internal:1\n") {
		t.Errorf("elsewhere: %v, %v", args, err)
	}
}
