package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "rewrite generated documents")

const commandsDoc = "../../docs/commands.md"

// TestCommandsDoc keeps docs/commands.md true: go test ./cmd/why403 -update rewrites it.
func TestCommandsDoc(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# Commands\n\nGenerated from the program: `go test ./cmd/why403 -update`.\n\n" +
		"Every flag can also be given as an environment variable: `WHY403_` and its name in upper case, `_` for `-`. The command line wins.\n" +
		"Exit status: 0 fine, 1 failed, 2 wrong use, 3 a refusal was found (`explain`, `capture --until-refused`).\n")
	describe(&b, newRoot(stdio{}))
	if *update {
		if err := os.WriteFile(commandsDoc, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(commandsDoc)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b.Bytes()) {
		t.Errorf("%s is stale: run go test ./cmd/why403 -update", commandsDoc)
	}
}

func describe(b *bytes.Buffer, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n", c.UseLine(), strings.TrimSpace(or(c.Long, c.Short+".")))
	if c.Example != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", c.Example)
	}
	rows := ""
	c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			return
		}
		name, text := pflag.UnquoteUsage(f)
		flag := strings.TrimSpace("--" + f.Name + " " + name)
		rows += fmt.Sprintf("| `%s` | %s |\n", flag, text)
	})
	if rows != "" {
		fmt.Fprintf(b, "\n| flag | |\n|---|---|\n%s", rows)
	}
	for _, sub := range c.Commands() {
		if sub.Name() != "help" && sub.Name() != "completion" {
			describe(b, sub)
		}
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// TestEveryCommandHelps: each command says in short what it is for, in a capital letter and without a full stop.
func TestEveryCommandHelps(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || c.Short[:1] != strings.ToUpper(c.Short[:1]) {
			t.Errorf("%s: short help %q", c.CommandPath(), c.Short)
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot(stdio{}))

	_, out, _ := command(t, "replay", "--help")
	if strings.Contains(out, "`") || !strings.Contains(out, "--newest-cookies") {
		t.Errorf("replay --help has marks that are for pflag alone:\n%s", out)
	}
}
