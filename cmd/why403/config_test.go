package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestConfigSetsWhatNothingElseDid(t *testing.T) {
	for _, c := range []struct {
		name, file string
		args       []string
		env        map[string]string
		want       string // of the flags, see below
		err        string
	}{
		{"nothing", "", nil, nil, "[] [] false 64MB", ""},
		{"comments alone", "# nothing yet\n", nil, nil, "[] [] false 64MB", ""},
		{"values", "listen: 127.0.0.1:9000\ninsecure: yes\nmax-body: 1MB\n", nil, nil, "[127.0.0.1:9000] [] true 1MB", ""},
		{"lists", "tunnel: [a.test, '*.b.test']\nlisten:\n  - 127.0.0.1:9000\n  - '[::1]:9000'\n", nil, nil, "[127.0.0.1:9000,[::1]:9000] [a.test,*.b.test] false 64MB", ""},
		{"the command line wins", "listen: 127.0.0.1:9000\n", []string{"--listen", "127.0.0.1:1"}, nil, "[127.0.0.1:1] [] false 64MB", ""},
		{"the environment wins", "insecure: false\nmax-body: 1MB\n", nil, map[string]string{"WHY403_INSECURE": "true", "WHY403_MAX_BODY": "2MB"}, "[] [] true 2MB", ""},
		{"flags of other commands", "until-refused: true\n", nil, nil, "[] [] false 64MB", ""},
		{"sections for others", "rules:\n  - {if: x}\nkeys: {quit: Q}\n", nil, nil, "[] [] false 64MB", ""},
		{"an unknown key", "insecure: true\nlisten-on: x\n", nil, nil, "", `config.yaml:2: unknown key "listen-on"`},
		{"a misspelt key", "# a\n\ninsecur: true\n", nil, nil, "", `config.yaml:3: unknown key "insecur" | did you mean insecure?`},
		{"twice", "insecure: true\ninsecure: false\n", nil, nil, "", "config.yaml:2: insecure stands on line 1 already"},
		{"a bad value", "max-body: lots\n", nil, nil, "", "config.yaml:1: max-body: not a size"},
		{"no value", "listen:\n", nil, nil, "", "config.yaml:1: listen: no value"},
		{"a mapping", "listen: {host: x}\n", nil, nil, "", "config.yaml:1: listen: neither a value nor a list"},
		{"several of one", "max-body: [1, 2]\n", nil, nil, "", "config.yaml:1: max-body takes one value"},
		{"no mapping", "- listen\n", nil, nil, "", "config.yaml:1: names and values"},
		{"no YAML", "listen: [\n", nil, nil, "", "config.yaml: line"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			lookup := func(name string) (string, bool) {
				if name == "WHY403_CONFIG" {
					return path, true
				}
				v, ok := c.env[name]
				return v, ok
			}
			root := newRoot(stdio{})
			err := root.ParseFlags(c.args)
			if err == nil {
				err = fromEnvironment(root.Flags(), lookup)
			}
			if err == nil {
				err = fromConfig(root, lookup)
			}
			if c.err != "" {
				var out bytes.Buffer
				if code := conclude(&out, err); code != exitUsage {
					t.Errorf("exit status %d", code)
				}
				said := strings.ReplaceAll(strings.ReplaceAll(out.String(), "\nwhy403: hint: ", " | "), path, "config.yaml")
				if !strings.Contains(said, c.err) {
					t.Errorf("said %q, want %q", said, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			f := func(name string) string { return root.Flags().Lookup(name).Value.String() }
			if got := strings.Join([]string{f("listen"), f("tunnel"), f("insecure"), f("max-body")}, " "); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestConfigFileMustBeThereWhenItIsNamed(t *testing.T) {
	at := func(path string) func(string) (string, bool) {
		return func(name string) (string, bool) { return path, name == "WHY403_CONFIG" }
	}
	root := newRoot(stdio{})
	if err := fromConfig(root, at(filepath.Join(t.TempDir(), "nowhere.yaml"))); err == nil {
		t.Error("a file that was named and is not there passes")
	}
	if err := fromConfig(root, at("none")); err != nil {
		t.Error(err)
	}
}

const configDoc = "../../docs/config.md"

// TestConfigDoc keeps docs/config.md true: go test ./cmd/why403 -update rewrites it.
func TestConfigDoc(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`# Configuration

Generated from the program: ` + "`go test ./cmd/why403 -update`" + `.

why403 reads ` + "`why403/config.yaml`" + ` in the configuration folder of the user: ` + "`$XDG_CONFIG_HOME`, else `~/.config`" + ` on
Linux, ` + "`~/Library/Application Support`" + ` on macOS, ` + "`%LOCALAPPDATA%`" + ` on Windows. ` + "`WHY403_CONFIG`" + ` names another file, ` + "`none`" + ` is no file.

A key is the name of a flag, of any command, without its dashes; a command takes those that it has. Several values are a list.
An environment variable (` + "`WHY403_`" + ` and the name in upper case, ` + "`_` for `-`" + `) goes before the file, the command line before both.
A key that is no flag is an error, with its line. Passwords do not belong here: ` + "`proxy-auth`" + ` takes ` + "`@FILE`" + `.

` + "```yaml" + `
listen: [127.0.0.1:8403, '[::1]:8403']
upstream: http://proxy.example:3128
upstream-ca: /etc/ssl/corporate.pem
client-cert: api.example.com=/home/me/api.pem
ignore: ['*.telemetry.example']
inject-request-id: true
max-body: 16MB
` + "```" + `

Three keys are no flags: ` + "`rules`, a list of [rewrite rules](rewrite.md), `breakpoints`, what the screen holds, and `keys`" + `, for the keys of the screen: the name of an action, of
[the list](keys.md), with the key or keys that it is to have, or ` + "`[]`" + ` for none.

` + "```yaml" + `
keys:
  replay: [r, f5]
  next-refusal: ctrl+n
  editor.send: [ctrl+s, alt+enter]
  zoom: []
breakpoints: # B on the screen writes them
  - match: 'method:post path:/orders'
    at: [requests, responses]
    disabled: true
` + "```" + `

| key | |
|---|---|
`)
	newRoot(stdio{}).Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Name == "version" || slices.Contains(sections, f.Name) {
			return
		}
		name, text := pflag.UnquoteUsage(f)
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.TrimSpace(f.Name+": "+or(name, "true")), text)
	})
	if *update {
		if err := os.WriteFile(configDoc, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(configDoc)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b.Bytes()) {
		t.Errorf("%s is stale: run go test ./cmd/why403 -update", configDoc)
	}
	_, example, _ := strings.Cut(b.String(), "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	root := newRoot(stdio{})
	if err := applyConfig("the example", []byte(example), root.Flags(), flagNames(root)); err != nil {
		t.Error(err)
	}
}
