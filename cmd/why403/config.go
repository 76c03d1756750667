package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

const maxConfig = 1 << 20 // bytes of a configuration file

// sections are keys of the configuration that are no flags: their readers take them from the same file.
var sections = []string{"rules", "keys", "breakpoints"}

// configPath is the configuration file: $WHY403_CONFIG, else
// why403/config.yaml in the user's configuration folder. named tells that the
// user named it, so that it must be there; "" is none.
func configPath(lookup func(string) (string, bool)) (path string, named bool) {
	switch name, ok := lookup("WHY403_CONFIG"); {
	case ok && (name == "none" || name == ""):
		return "", false
	case ok:
		return name, true
	}
	return filepath.Join(xdg.ConfigHome, "why403", "config.yaml"), false
}

// fromConfig sets the flags of cmd that neither the command line nor the
// environment has set from the configuration file. A key is the name of a flag
// of any command; those that cmd does not have are for others.
func fromConfig(cmd *cobra.Command, lookup func(string) (string, bool)) error {
	path, named := configPath(lookup)
	if path == "" {
		return nil
	}
	data, err := readConfig(path)
	if missing(err) && !named {
		return nil
	}
	if err != nil {
		return failed(err, "WHY403_CONFIG names the file; none is no file")
	}
	return applyConfig(path, data, cmd.Flags(), flagNames(cmd.Root()))
}

func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxConfig)
	}
	return data, err
}

// flagNames are the flags of all commands.
func flagNames(c *cobra.Command) map[string]bool {
	names := map[string]bool{}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) { names[f.Name] = true })
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(c)
	delete(names, "help")
	return names
}

// applyConfig sets flags from the mapping in data.
func applyConfig(path string, data []byte, flags *pflag.FlagSet, known map[string]bool) error {
	bad := func(line int, hint, format string, args ...any) error {
		return usagef(hint, "%s:%d: %s", path, line, fmt.Sprintf(format, args...))
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return usagef("the file is YAML: one \"name: value\" a line, the name of a flag without its dashes", "%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return nil
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode {
		return bad(top.Line, "write \"listen: 127.0.0.1:8403\", for one", "names and values are wanted here")
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		name := key.Value
		if line := seen[name]; line != 0 {
			return bad(key.Line, "give it once; several values are a list: [a, b]", "%s stands on line %d already", name, line)
		}
		seen[name] = key.Line
		if slices.Contains(sections, name) {
			continue
		}
		if !known[name] {
			return bad(key.Line, nearest(name, known), "unknown key %q", name)
		}
		values, err := scalars(value)
		if err != nil {
			return bad(value.Line, "write one value, or a list of them: [a, b]", "%s: %v", name, err)
		}
		f := flags.Lookup(name)
		if f == nil || f.Changed {
			continue
		}
		if _, many := f.Value.(pflag.SliceValue); !many && len(values) > 1 {
			return bad(value.Line, "give one", "%s takes one value", name)
		}
		for _, v := range values {
			if err := flags.Set(name, truth(f, v)); err != nil {
				return bad(value.Line, "give it a value that --"+name+" takes", "%s: %v", name, bottom(err))
			}
		}
		if err := flags.SetAnnotation(name, ofFile, nil); err != nil {
			return err
		}
	}
	return nil
}

// ofFile marks the flags that the configuration set.
const ofFile = "of the configuration"

// scalars are the values of a scalar or a list of scalars.
func scalars(n *yaml.Node) ([]string, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return nil, errors.New("no value")
	case n.Kind == yaml.ScalarNode:
		return []string{n.Value}, nil
	case n.Kind != yaml.SequenceNode:
		return nil, errors.New("neither a value nor a list")
	}
	var list []string
	for _, m := range n.Content {
		if m.Kind != yaml.ScalarNode || m.Tag == "!!null" {
			return nil, fmt.Errorf("what stands on line %d is no value", m.Line)
		}
		list = append(list, m.Value)
	}
	return list, nil
}

// truth is v as a flag wants it: YAML's other words for true and false are taken for a switch.
func truth(f *pflag.Flag, v string) string {
	if f.Value.Type() == "bool" {
		switch strings.ToLower(v) {
		case "yes", "on":
			return "true"
		case "no", "off":
			return "false"
		}
	}
	return v
}

// bottom is what pflag's error wraps: without the flag's name, which has been said.
func bottom(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// nearest is a hint for a key that does not exist.
func nearest(name string, known map[string]bool) string {
	best, least := "", 3
	for k := range known {
		if d := distance(k, strings.TrimLeft(name, "-")); d < least || d == least && k < best {
			best, least = k, d
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	return "a key is the name of a flag without its dashes; see docs/config.md or why403 --help"
}

// distance is how many letters must be added, left out or replaced to make one word of the other (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
