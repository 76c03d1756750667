package inspect

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/why403/why403/flow"
)

// TestAnswers holds whole verdicts against what a careful engineer would say.
//
// The files testdata/answers/*.txtar are made as those of TestRules; the last
// section of a case is NAME/want: the causes that may be named, parted by "|"
// ("none" is: nothing was refused), then words of which each must hold:
// vendor=ID or vendor=- for none, layer=ID, atmost=CONFIDENCE.
func TestAnswers(t *testing.T) {
	dir := filepath.Join("testdata", "answers")
	if d := os.Getenv("WHY403_TEST_ANSWERS"); d != "" {
		dir = d
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatal("no answers: ", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ar := txtar.Parse(data)
		base := strings.TrimSuffix(filepath.Base(file), ".txtar")
		for _, name := range caseNames(ar) {
			t.Run(base+"/"+name, func(t *testing.T) {
				c := testCase(t, ar, name)
				e, _ := Explain(*c)
				if fault := unlike(e, strings.Fields(section(ar, name+"/want"))); fault != "" {
					t.Error(fault)
				}
			})
		}
	}
}

// unlike says in what the verdict is not what is wanted, "" if in nothing.
func unlike(e Explained, want []string) string {
	if len(want) == 0 {
		return "nothing is wanted"
	}
	v := Verdict{Cause: NotRefused, Layer: "-", Vendor: "-"}
	if e.Verdict != nil {
		v = *e.Verdict
	}
	got := fmt.Sprintf("%s %s vendor=%s layer=%s: %s", v.Cause, v.Confidence, orDash(v.Vendor), orDash(v.Layer), v.Summary)
	if !slices.Contains(strings.Split(want[0], "|"), string(v.Cause)) {
		return "want " + want[0] + ", got " + got
	}
	for _, w := range want[1:] {
		key, value, _ := strings.Cut(w, "=")
		ok := false
		switch key {
		case "vendor":
			ok = slices.Contains(strings.Split(value, "|"), orDash(v.Vendor))
		case "layer":
			ok = slices.Contains(strings.Split(value, "|"), orDash(v.Layer))
		case "atmost":
			ok = v.Confidence <= confidenceOf[value]
		}
		if !ok {
			return "want " + w + ", got " + got
		}
	}
	return ""
}

var confidenceOf = map[string]flow.Confidence{"possible": flow.Possible, "likely": flow.Likely, "certain": flow.Certain}

func orDash(n Name) string {
	if n == "" {
		return "-"
	}
	return string(n)
}
