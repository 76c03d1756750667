// Package rewrite is the rules that change messages on their way: a filter, and
// what to do with a message that it lets through. It decides and changes; whoever
// has the connections asks it about each message and does what it says.
//
// Rules apply in their order, each to what the ones before it have made. What a
// rule does not name keeps its bytes: header lines, the query beside a changed
// parameter, the rest of a JSON text. Lengths follow the body, and a coded body is
// decoded, changed and coded again. With no rule on, asking is one atomic load.
//
// A Set is immutable and safe for concurrent use. It waits for nothing but the
// files that answers are read from.
package rewrite

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"
)

// Rule says which messages are changed and how. Its YAML form is what rule files
// and the screen show; JSON is the same, being YAML.
type Rule struct {
	Name     string `yaml:"name,omitempty"`
	Match    string `yaml:"match,omitempty"`    // an expression of package filter; "" is everything
	At       Stage  `yaml:"at,omitempty"`       // which of the two messages; "" is the request
	Disabled bool   `yaml:"disabled,omitempty"` // kept, and without effect

	// Where a request goes.
	To       string   `yaml:"to,omitempty"`        // scheme://host[:port] of another server
	KeepHost bool     `yaml:"keep-host,omitempty"` // with To: the Host field stays as it was
	Method   string   `yaml:"method,omitempty"`
	Path     string   `yaml:"path,omitempty"` // the query stays
	SetQuery []string `yaml:"set-query,omitempty"`
	CutQuery []string `yaml:"remove-query,omitempty"`

	Status int `yaml:"status,omitempty"` // of a response

	// Of either message. Headers are written "Name: value".
	SetHeader []string  `yaml:"set-header,omitempty"` // in the place of the first of that name; further ones go
	AddHeader []string  `yaml:"add-header,omitempty"` // at the end
	CutHeader []string  `yaml:"remove-header,omitempty"`
	Body      *string   `yaml:"body,omitempty"` // in the place of the whole body
	BodyFile  string    `yaml:"body-file,omitempty"`
	Replace   []Replace `yaml:"replace-body,omitempty"`
	SetJSON   []string  `yaml:"set-json,omitempty"` // "path = JSON value", such as $.items[0].qty = 3
	CutJSON   []string  `yaml:"remove-json,omitempty"`

	Answer *Answer  `yaml:"answer,omitempty"` // instead of asking the server
	Delay  Duration `yaml:"delay,omitempty"`  // before the message goes on

	line int // in the file, from 1; 0: none
}

// Replace is one replacement in the decoded text of a body.
type Replace struct {
	Find string `yaml:"find"` // text, or a regular expression (Go's syntax) between slashes
	With string `yaml:"with"` // $1 is what the first group of a regular expression found
}

// Answer is a response that a rule gives in the server's place.
type Answer struct {
	Status int      `yaml:"status,omitempty"` // 0 is 200
	Header []string `yaml:"header,omitempty"` // "Name: value"
	Body   string   `yaml:"body,omitempty"`
	File   string   `yaml:"file,omitempty"` // with the body; relative to the folder of the rule file
}

// Stage is a message of an exchange.
type Stage string

// The stages.
const (
	AtRequest  Stage = "request"
	AtResponse Stage = "response"
)

// Duration is a time.Duration that is written as in Go: 300ms, 2s.
type Duration time.Duration

// UnmarshalYAML reads a duration.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil || n.Kind != yaml.ScalarNode {
		return &placed{n.Line, fmt.Sprintf("delay: %s is no duration; write 300ms or 2s", quoted(n.Value))}
	}
	*d = Duration(v)
	return nil
}

// MarshalYAML writes it as it is read.
func (d Duration) MarshalYAML() (any, error) { return time.Duration(d).String(), nil }

// label is what a rule is called where it is spoken of; i is its place from 0.
func (r *Rule) label(i int) string {
	if r.Name != "" {
		return fmt.Sprintf("rule %s", quoted(r.Name))
	}
	return fmt.Sprintf("rule %d", i+1)
}

// Title is a name for lists: the rule's own, else what it does.
func (r *Rule) Title() string {
	if r.Name != "" {
		return r.Name
	}
	return r.Does()
}

func quoted(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return fmt.Sprintf("%q", s)
}
