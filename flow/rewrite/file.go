package rewrite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxRules bounds a rule file, in bytes.
const maxRules = 1 << 20

// placed is what is wrong on a line.
type placed struct {
	line int
	text string
}

func (e *placed) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.text) }

// Parse reads rules: a list, or a mapping whose key rules holds it (a
// configuration; its other keys are left to others). An error has the line.
func Parse(data []byte) ([]Rule, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, tidy(err)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	list := section(doc.Content[0])
	if list == nil || list.Tag == "!!null" {
		return nil, nil
	}
	if list.Kind != yaml.SequenceNode {
		return nil, &placed{list.Line, "rules are a list: each begins with a dash"}
	}
	rules := make([]Rule, 0, len(list.Content))
	for _, n := range list.Content {
		r, err := rule(n)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// section is the list in a document; nil: it has none.
func section(root *yaml.Node) *yaml.Node {
	if root.Kind != yaml.MappingNode {
		return root
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "rules" {
			return root.Content[i+1]
		}
	}
	return nil
}

// ParseRule reads one rule, as Text writes it.
func ParseRule(text string) (Rule, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return Rule{}, tidy(err)
	}
	if len(doc.Content) == 0 {
		return Rule{}, errors.New("there is no rule")
	}
	n := doc.Content[0]
	if n.Kind == yaml.SequenceNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	return rule(n)
}

// rule reads one rule, strictly: a key that is not known is an error with its line.
func rule(n *yaml.Node) (r Rule, err error) {
	if n.Kind != yaml.MappingNode {
		return r, &placed{n.Line, "a rule has lines such as match: and set-header:"}
	}
	if err := known(n); err != nil {
		return r, err
	}
	if err := n.Decode(&r); err != nil {
		return r, tidy(err)
	}
	r.line = n.Line
	return r, nil
}

// keys are the keys of a rule; those whose value has keys of its own, with these.
var keys = map[string][]string{
	"name": nil, "match": nil, "at": nil, "disabled": nil, "to": nil, "keep-host": nil, "method": nil, "path": nil,
	"set-query": nil, "remove-query": nil, "status": nil, "set-header": nil, "add-header": nil, "remove-header": nil,
	"body": nil, "body-file": nil, "set-json": nil, "remove-json": nil, "delay": nil,
	"replace-body": {"find", "with"},
	"answer":       {"status", "header", "body", "file"},
}

// Keys are the keys that a rule may have, sorted.
func Keys() []string { return slices.Sorted(maps.Keys(keys)) }

// known refuses a key that a rule does not have.
func known(n *yaml.Node) error {
	all := Keys()
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if err := oneOf(k, all, "a rule"); err != nil {
			return err
		}
		inside := []*yaml.Node{v}
		if v.Kind == yaml.SequenceNode {
			inside = v.Content
		}
		for _, m := range inside {
			for j := 0; m.Kind == yaml.MappingNode && j+1 < len(m.Content); j += 2 {
				if err := oneOf(m.Content[j], keys[k.Value], k.Value); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func oneOf(k *yaml.Node, list []string, of string) error {
	if slices.Contains(list, k.Value) {
		return nil
	}
	if len(list) == 0 {
		return &placed{k.Line, fmt.Sprintf("%s is read as a key, and %s has none: put the whole text in quotes", quoted(k.Value), of)}
	}
	return &placed{k.Line, fmt.Sprintf("%s is no key of %s%s", quoted(k.Value), of, nearest(k.Value, list))}
}

// nearest suggests the key that was meant.
func nearest(word string, list []string) string {
	word = strings.ToLower(strings.NewReplacer("_", "-", " ", "-").Replace(word))
	best, least := "", 3
	for _, k := range list {
		if d := distance(word, k); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; " + best + " is one"
}

// distance is how many letters two words differ by (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d++
			}
			diagonal = row[j+1]
			row[j+1] = min(d, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// tidy makes the library's errors read like ours; they have the line already.
func tidy(err error) error {
	var p *placed
	if errors.As(err, &p) {
		return p
	}
	var t *yaml.TypeError
	if errors.As(err, &t) && len(t.Errors) > 0 {
		return errors.New(t.Errors[0])
	}
	return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
}

// Text is the rule as a person edits it, without the dash of a list.
func (r Rule) Text() string {
	data, err := encode(r)
	if err != nil { // there is nothing in a Rule that cannot be written
		return ""
	}
	return string(data)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

// Load reads the rules of a file. A file that does not exist has none.
func Load(path string) ([]Rule, error) {
	data, err := readRules(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rules, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rules, nil
}

func readRules(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRules+1))
	if err == nil && len(data) > maxRules {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxRules)
	}
	return data, err
}

// Save writes rules to a file. In a configuration only the section rules is
// written anew, everything else keeps its bytes. The file is replaced in one
// step; a new one is for its owner alone, since rules may hold secrets.
func Save(path string, rules []Rule) error {
	if rules == nil {
		rules = []Rule{}
	}
	return SaveSection(path, "rules", rules)
}

// SaveSection writes list, of values that YAML can hold, under key into a configuration, as Save does.
func SaveSection(path, key string, list any) error {
	old, err := readRules(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := merge(old, key, list)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real // the link stays one
		}
	} else if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".rules-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if cerr := tmp.Chmod(mode); err == nil {
		err = cerr
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// merge is the content of a file with another list under key. A file of rules alone is that list.
func merge(old []byte, key string, list any) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(old, &doc); err != nil {
		return nil, tidy(err)
	}
	if len(doc.Content) > 0 && doc.Content[0].Style&yaml.FlowStyle != 0 && len(doc.Content[0].Content) > 0 {
		return nil, fmt.Errorf("is JSON, which is read and not written; keep the %s in a YAML file to change them here", key)
	}
	if len(doc.Content) > 0 && doc.Content[0].Kind == yaml.SequenceNode && key == "rules" {
		return encode(list)
	}
	section, err := encode(map[string]any{key: list})
	if err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return append(ended(old), section...), nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("is neither a list of rules nor lines of name: value")
	}
	lines := bytes.SplitAfter(old, []byte("\n"))
	from, to := len(lines), len(lines)
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != key {
			continue
		}
		from = root.Content[i].Line - 1
		if i+2 < len(root.Content) {
			to = root.Content[i+2].Line - 1
			for to > from+1 && aside(lines[to-1]) { // what stands above the next key belongs to it
				to--
			}
		}
	}
	out := ended(bytes.Join(lines[:from], nil))
	return append(append(out, section...), bytes.Join(lines[to:], nil)...), nil
}

// aside reports whether a line is empty or a comment that is not indented.
func aside(line []byte) bool {
	return len(bytes.TrimSpace(line)) == 0 || line[0] == '#'
}

func ended(b []byte) []byte {
	if len(b) > 0 && b[len(b)-1] != '\n' {
		return append(bytes.Clone(b), '\n')
	}
	return bytes.Clone(b)
}
