package inspect

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/why403/why403/inspect/vendors"
)

const rulesDoc = "../docs/rules.md"

// TestRulesDoc keeps docs/rules.md true: go test ./inspect -update rewrites it.
func TestRulesDoc(t *testing.T) {
	want := rulesPage()
	if *update {
		if err := os.WriteFile(rulesDoc, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(rulesDoc)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale: run go test ./inspect -update", rulesDoc)
	}
}

const verdictDoc = "../docs/verdict.md"

var sourcesSentence = regexp.MustCompile(`(?m)^Of the \d+ decisions.*$`)

// TestVerdictDoc keeps the count of sources in docs/verdict.md true.
func TestVerdictDoc(t *testing.T) {
	page, err := os.ReadFile(verdictDoc)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		page = sourcesSentence.ReplaceAllLiteral(page, []byte(countSources()))
		if err := os.WriteFile(verdictDoc, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(sourcesSentence.Find(page)); got != countSources() {
		t.Errorf("%s is stale: run go test ./inspect -update\n got %s\nwant %s", verdictDoc, got, countSources())
	}
}

func countSources() string {
	all, checked, unverified := vendors.Sources()
	return fmt.Sprintf("Of the %d decisions in the product files, %d were compared with their source or with recorded answers; %d were looked for and not found, and are never certain; the other %d name a source that has not been compared yet, and make a verdict likely at most.",
		all, checked, unverified, all-checked-unverified)
}

func rulesPage() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# What why403 can recognise\n\nGenerated from the program: `go test ./inspect -update`. Ruleset %s.\n", Ruleset)
	b.WriteString("\nA verdict names a cause, the layer that said no, and the product where the answer proves it. " +
		"It is *certain* only where the answer, a log line or a computation says so itself; what only fits is *likely* or *possible*; where the exchange does not say why, the verdict is `unknown` with the place to look.\n")
	b.WriteString("\n## Causes\n\n| cause | meaning | what to do |\n|---|---|---|\n")
	for i := range Causes {
		c := &Causes[i]
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.ID, cell(c.Title), cell(c.Next))
	}
	b.WriteString("\n## The checklist\n\nEvery refused request is held against these; what only the server's side knows comes with the command or place to look.\n\n")
	for i, name := range checkNames {
		if i > 0 {
			fmt.Fprintf(&b, "%d. %s\n", i, name)
		}
	}
	b.WriteString("\n## Rules\n")
	for _, r := range Rules {
		fmt.Fprintf(&b, "\n### %s\n\n%s.", r.Name, strings.ToUpper(r.Title[:1])+r.Title[1:])
		if r.Item > 0 {
			fmt.Fprintf(&b, " Check %d.", r.Item)
		}
		fmt.Fprintf(&b, "\n\n%s\n", r.Doc)
	}
	fmt.Fprintf(&b, "\n## Products\n\n%d products are known by what marks their decisions, not by their presence in the path. %s\n\n| product | id | layer | decisions | compared | not found | causes |\n|---|---|---|---|---|---|---|\n", len(vendors.All()), countSources())
	for _, v := range vendors.All() {
		var ids []string
		seen := map[string]bool{}
		for _, d := range v.Decisions {
			if !seen[d.Cause] {
				seen[d.Cause] = true
				ids = append(ids, d.Cause)
			}
		}
		name := cell(v.Name)
		if v.Site != "" {
			name = "[" + name + "](" + v.Site + ")"
		}
		all, checked, unverified := v.Sources()
		fmt.Fprintf(&b, "| %s | `%s` | %s | %d | %d | %s | %s |\n", name, v.ID, v.Layer, all, checked, some(unverified), strings.Join(ids, ", "))
	}
	return b.Bytes()
}

// some is a count, and nothing where there is none: it is what the eye looks for.
func some(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
