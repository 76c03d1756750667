package ui

import (
	"slices"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/curl"
	"github.com/why403/why403/flow/export"
)

// copyForms are the forms of export that can be taken away as text, with their keys.
var copyForms = []struct {
	key, name words
	form      string
}{
	{"p", "Python (requests)", "python"},
	{"x", "Python (httpx)", "httpx"},
	{"f", "JavaScript fetch", "js"},
	{"g", "Go", "go"},
	{"P", "PowerShell", "powershell"},
	{"i", "HTTPie", "httpie"},
	{"t", ".http file", "http"},
	{"r", "hurl", "hurl"},
	{"a", "test for why403 assert", "test"},
}

// formItems are copyForms as items of the menu.
func formItems() []copyItem {
	var items []copyItem
	for _, c := range copyForms {
		items = append(items, copyItem{c.key, c.name, func(src copySource) (string, error) {
			i := slices.IndexFunc(export.Formats, func(f export.Format) bool { return f.Name == c.form })
			o := export.Options{Reveal: true} // it is masked already, if it is to be
			if src.mask != nil {
				o.Curl = curl.Options{Variables: src.mask.Variables()}
			}
			if e := src.exp; e != nil && e.Refused {
				o.Expect = func(f *flow.Flow) export.Expectation {
					return export.Expectation{Status: f.Status(), Refused: true}
				}
			}
			var b strings.Builder
			err := export.Write(&b, export.Formats[i], []*flow.Flow{src.flow}, o)
			return b.String(), err
		}})
	}
	return items
}

// runs reports whether what an item makes is run by a program, which asks for the secrets.
func runs(key words) bool {
	return key == "c" || slices.ContainsFunc(formItems(), func(i copyItem) bool { return i.key == key })
}
