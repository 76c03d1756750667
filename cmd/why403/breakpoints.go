package main

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/why403/why403/flow/hold"
	"github.com/why403/why403/flow/rewrite"
)

// savedPoint is a breakpoint as the section breakpoints of the configuration has it.
type savedPoint struct {
	Match    string   `yaml:"match"`
	At       []string `yaml:"at,flow"`
	Disabled bool     `yaml:"disabled,omitempty"`
}

// pointFile keeps the breakpoints of the screen in the configuration file.
type pointFile struct{ path string }

func (p pointFile) Path() string { return p.path }

// Save writes the section anew; all else in the file stays as it is.
func (p pointFile) Save(points []hold.Point) error {
	list := []savedPoint{}
	for _, q := range points {
		s := savedPoint{Match: q.Match, Disabled: q.Off}
		if q.Requests {
			s.At = append(s.At, "requests")
		}
		if q.Responses {
			s.At = append(s.At, "responses")
		}
		list = append(list, s)
	}
	return rewrite.SaveSection(p.path, "breakpoints", list)
}

// breakpoints are those of the configuration file, and where to save them; nil, nil: there is no file.
func breakpoints(lookup func(string) (string, bool)) ([]hold.Point, *pointFile, error) {
	path, named := configPath(lookup)
	if path == "" {
		return nil, nil, nil
	}
	data, err := readConfig(path)
	if missing(err) && !named {
		return nil, &pointFile{path}, nil
	}
	if err != nil {
		return nil, nil, failed(err, "WHY403_CONFIG names the file; none is no file")
	}
	points, err := readPoints(path, data)
	return points, &pointFile{path}, err
}

// readPoints reads the section.
func readPoints(path string, data []byte) ([]hold.Point, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil || len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, nil // who reads the flags says so
	}
	bad := func(n *yaml.Node, format string, args ...any) error {
		return usagef("a breakpoint is {match: 'method:post', at: [requests]}; the screen writes them, with B", "%s:%d: breakpoints: %s", path, n.Line, fmt.Sprintf(format, args...))
	}
	var points []hold.Point
	for section := range pairs(doc.Content[0]) {
		if section[0].Value != "breakpoints" || section[1].Tag == "!!null" {
			continue
		}
		if section[1].Kind != yaml.SequenceNode {
			return nil, bad(section[1], "a list is wanted here")
		}
		for _, n := range section[1].Content {
			if n.Kind != yaml.MappingNode {
				return nil, bad(n, "match and at are wanted here")
			}
			for entry := range pairs(n) {
				if !slices.Contains([]string{"match", "at", "disabled"}, entry[0].Value) {
					return nil, bad(entry[0], "there is no key %q", entry[0].Value)
				}
			}
			var s savedPoint
			if err := n.Decode(&s); err != nil {
				return nil, bad(n, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
			}
			p := hold.Point{Match: s.Match, Off: s.Disabled}
			for _, at := range s.At {
				switch at {
				case "requests":
					p.Requests = true
				case "responses":
					p.Responses = true
				default:
					return nil, bad(n, "at is requests, responses or both, not %q", at)
				}
			}
			if len(s.At) == 0 {
				p.Requests = true
			}
			if err := hold.Check(p); err != nil {
				return nil, bad(n, "%v", bottom(err))
			}
			points = append(points, p)
		}
	}
	return points, nil
}
