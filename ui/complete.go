package ui

import (
	"slices"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/filter"
	"github.com/why403/why403/flow/session"
)

// suggestion is what the word under the cursor may become.
type suggestion struct {
	word string
	help string
}

// seen are values that flows had, to be offered: at most seenMost of a kind, those met first.
type seen struct {
	hosts, causes, layers, vendors, types, methods, statuses, paths, endpoints []string
	// headers and processes come with the flows that were looked at.
	headers, processes []string
}

const seenMost = 200

func (s *seen) add(r *session.Row) {
	note(&s.hosts, r.Authority)
	media, _, _ := strings.Cut(r.ContentType, ";")
	note(&s.types, media)
	note(&s.methods, strings.ToLower(r.Method))
	if r.Status != 0 {
		note(&s.statuses, strconv.Itoa(r.Status))
	}
	path, _, _ := strings.Cut(r.Target, "?")
	note(&s.paths, path)
	note(&s.endpoints, r.Endpoint)
	if v := r.Verdict; v != nil {
		note(&s.causes, v.Cause)
		note(&s.layers, v.Layer)
		note(&s.vendors, v.Vendor)
	}
}

// note adds a value that a filter can be made of: text of printable ASCII, in quotes where it has to be.
func note(list *[]string, v string) {
	if v == "" || len(*list) >= seenMost || len(v) >= 80 || !simple([]byte(v)) {
		return
	}
	if strings.ContainsAny(v, " \"'()!\\") {
		v = strconv.Quote(v)
	}
	if !slices.Contains(*list, v) {
		*list = append(*list, v)
	}
}

// look notes what only a whole flow tells.
func (s *seen) look(f *flow.Flow) {
	name, _, _ := strings.Cut(f.Conn.Process, " ")
	note(&s.processes, name)
	for _, m := range []*flow.Message{f.Request, f.Response} {
		if m != nil {
			for i := range m.Header {
				note(&s.headers, strings.ToLower(m.Header[i].Name))
			}
		}
	}
}

func (s *seen) values(key string) []string {
	switch key {
	case "method":
		return s.methods
	case "status":
		return s.statuses
	case "path":
		return s.paths
	case "endpoint":
		return s.endpoints
	case "header":
		return s.headers
	case "process":
		return s.processes
	case "host":
		return s.hosts
	case "cause":
		return s.causes
	case "layer":
		return s.layers
	case "vendor":
		return s.vendors
	case "type":
		return s.types
	}
	return nil
}

// word is the part of a filter that the cursor is behind, with a "!" left out.
func word(text string, at int) (start int, w string) {
	start = strings.LastIndexAny(text[:at], " (") + 1
	if start < at && text[start] == '!' {
		start++
	}
	return start, text[start:at]
}

// suggest lists what the word before the cursor may become.
func suggest(text string, at int, s *seen) []suggestion {
	_, w := word(text, at)
	key, value, hasValue := strings.Cut(w, ":")
	var out []suggestion
	for _, k := range filter.Keys(filter.Flows) {
		if !hasValue {
			if strings.HasPrefix(k.Name, strings.ToLower(key)) {
				out = append(out, suggestion{k.Name + ":", k.Help})
			}
			continue
		}
		if !strings.EqualFold(k.Name, key) {
			continue
		}
		values := slices.Clone(k.Values)
		for _, v := range s.values(k.Name) {
			if !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		var inside []suggestion
		for _, v := range values {
			switch plain, typed := strings.ToLower(strings.Trim(v, `"`)), strings.ToLower(strings.Trim(value, `"`)); {
			case plain == typed:
			case strings.HasPrefix(plain, typed):
				out = append(out, suggestion{k.Name + ":" + v, ""})
			case strings.Contains(plain, typed):
				inside = append(inside, suggestion{k.Name + ":" + v, ""})
			}
		}
		out = append(out, inside...)
		if len(out) == 0 && value == "" {
			for e := range strings.SplitSeq(k.Example, ", ") {
				out = append(out, suggestion{e, ""})
			}
		}
	}
	return out
}

// complete replaces the word before the cursor by the first suggestion.
func (f *filterBar) complete(s *seen) bool {
	list := suggest(f.in.s, f.in.at, s)
	if len(list) == 0 {
		return false
	}
	start, _ := word(f.in.s, f.in.at)
	rest := f.in.s[f.in.at:]
	head := f.in.s[:start] + list[0].word
	if !strings.HasSuffix(head, ":") && rest == "" {
		head += " "
	}
	f.in.all = false
	f.in.s, f.in.at = head+rest, len(head)
	return true
}
