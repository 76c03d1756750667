package ui

import (
	"slices"
	"strings"

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
	hosts, causes, layers, vendors, types []string
}

const seenMost = 200

func (s *seen) add(r *session.Row) {
	note := func(list *[]string, v string) {
		if v != "" && len(*list) < seenMost && len(v) < 80 && !strings.ContainsAny(v, " \t\"'()") && !slices.Contains(*list, v) {
			*list = append(*list, v)
		}
	}
	note(&s.hosts, r.Authority)
	media, _, _ := strings.Cut(r.ContentType, ";")
	note(&s.types, media)
	if v := r.Verdict; v != nil {
		note(&s.causes, v.Cause)
		note(&s.layers, v.Layer)
		note(&s.vendors, v.Vendor)
	}
}

func (s *seen) values(key string) []string {
	switch key {
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
		values := append(slices.Clone(k.Values), s.values(k.Name)...)
		for _, v := range values {
			if strings.HasPrefix(strings.ToLower(v), strings.ToLower(value)) && !strings.EqualFold(v, value) {
				out = append(out, suggestion{k.Name + ":" + v, ""})
			}
		}
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
	f.in.s, f.in.at = head+rest, len(head)
	return true
}
