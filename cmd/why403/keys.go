package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/why403/why403/ui"
)

// runUI shows the screen, with the keys that the configuration file gives it.
func runUI(ctx context.Context, o ui.Options) error {
	if err := rebind(os.LookupEnv); err != nil {
		return err
	}
	return ui.Run(ctx, o)
}

// rebind gives the actions of the screen the keys that stand in the section
// "keys" of the configuration file.
func rebind(lookup func(string) (string, bool)) error {
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
	list, lines, err := rebindings(path, data)
	if err != nil {
		return err
	}
	var wrong *ui.RebindError
	if err := ui.Rebind(list); errors.As(err, &wrong) {
		return usagef(wrong.Hint, "%s:%d: keys: %s", path, lines[wrong.At], wrong.Text)
	}
	return nil
}

// rebindings reads the section, with the line of each entry.
func rebindings(path string, data []byte) (list []ui.Rebinding, lines []int, err error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil || len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, nil, nil // who reads the flags says so
	}
	bad := func(n *yaml.Node, hint, format string, args ...any) error {
		return usagef(hint, "%s:%d: keys: %s", path, n.Line, fmt.Sprintf(format, args...))
	}
	for section := range pairs(doc.Content[0]) {
		if section[0].Value != "keys" || section[1].Tag == "!!null" {
			continue
		}
		if section[1].Kind != yaml.MappingNode {
			return nil, nil, bad(section[1], "write \"keys:\" and below it, indented, \"replay: [r, f5]\", for one", "actions and their keys are wanted here")
		}
		seen := map[string]int{}
		for entry := range pairs(section[1]) {
			name, value := entry[0], entry[1]
			if line := seen[name.Value]; line != 0 {
				return nil, nil, bad(name, "give it once; several keys are a list: [a, b]", "%s stands on line %d already", name.Value, line)
			}
			seen[name.Value] = name.Line
			keys, err := scalars(value)
			if err != nil {
				return nil, nil, bad(value, "write one key, or a list of them: [a, b]; [] is none. A sign such as ? stands in quotes", "%s: %v", name.Value, err)
			}
			list, lines = append(list, ui.Rebinding{Action: name.Value, Keys: keys}), append(lines, name.Line)
		}
	}
	return list, lines, nil
}

// pairs are the keys of a mapping with their values.
func pairs(n *yaml.Node) func(yield func([2]*yaml.Node) bool) {
	return func(yield func([2]*yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield([2]*yaml.Node{n.Content[i], n.Content[i+1]}) {
				return
			}
		}
	}
}
