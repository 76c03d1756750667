package filter

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/filter.md anew")

const filterDoc = "../../docs/filter.md"

// phaseNames are the places of a filter in the table of keys.
var phaseNames = [...]string{Rows: "list", Requests: "requests", Responses: "responses", Flows: "commands"}

// TestFilterDoc keeps the manual of the language as the language is.
func TestFilterDoc(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Filters

Generated from the program: ` + "`go test ./flow/filter -update`" + `.

One language picks flows everywhere: in the list of the screen (` + "`/`" + `), for breakpoints (` + "`B`" + `) and [rewrite rules](rewrite.md), and with ` + "`--filter`" + ` of the commands.

| | |
|---|---|
| ` + "`method:post status:403`" + ` | a key and what it must be; side by side all must hold |
| ` + "`denied \"not allowed\"`" + ` | words: looked for in method, URL, status, content type, verdict, error and comment |
| ` + "`/v\\d+\\/orders/`, `path:/^\\/api/`" + ` | regular expressions (Go's) between slashes; a space in one is ` + "`\\s`" + ` |
| ` + "`!host:cdn`" + ` | not |
| ` + "`status:4xx or is:error`" + ` | either; "and" binds closer |
| ` + "`(host:a or host:b) refused:yes`" + ` | parentheses |
| ` + "`path:\"/a b\"`" + ` | quotes, with ` + "`\\\" \\' \\\\ \\n \\t`" + ` in them |
| ` + "`status:401,403 id:3-9 dur:>1s`" + ` | alternatives, ranges, comparisons |

Case never counts. Text matches anywhere in what its key names; method, scheme, refused, marked and is take whole words.

## Keys

`)
	b.WriteString("| key | what it looks at | for example | known in |\n|---|---|---|---|\n")
	for i := range specs {
		s := &specs[i]
		var in []string
		for p := Rows; p <= Flows; p++ {
			if s.known.has(p) {
				in = append(in, phaseNames[p])
			}
		}
		where := strings.Join(in, ", ")
		switch {
		case len(in) == len(phaseNames):
			where = "everywhere"
		case s.known == opened: // the list looks into flows for them
			where = "everywhere; in the list it takes longer"
		}
		var examples []string
		for e := range strings.SplitSeq(s.Example, ", ") {
			examples = append(examples, "`"+e+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, s.Help, strings.Join(examples, " "), where)
	}
	var names []string
	for _, s := range states {
		names = append(names, "`"+s.name+"`")
	}
	b.WriteString("\n`is` takes " + strings.Join(names, " ") + ".\n")
	for _, s := range specs { // what stands in the manual can be used
		for e := range strings.SplitSeq(s.Example, ", ") {
			if _, err := Compile(e, Flows); err != nil {
				t.Errorf("%s: %v", e, err)
			}
		}
	}
	if *update {
		if err := os.WriteFile(filterDoc, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(filterDoc)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Error(filterDoc + " is stale: go test ./flow/filter -update")
	}
}
