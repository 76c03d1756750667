package rewrite

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Does says in one line what the rule does, without values: they may be secrets.
func (r *Rule) Does() string {
	var s []string
	say := func(format string, a ...any) { s = append(s, fmt.Sprintf(format, a...)) }
	if a := r.Answer; a != nil {
		from := "in the server's place"
		if a.File != "" {
			from = "from " + a.File
		}
		say("answer %d %s", a.status(), from)
	}
	if r.To != "" {
		say("send to %s", r.To)
	}
	if r.Method != "" {
		say("method %s", r.Method)
	}
	if r.Path != "" {
		say("path %s", r.Path)
	}
	if r.Status != 0 {
		say("status %d", r.Status)
	}
	many := func(what string, list []string, sep string) {
		if len(list) > 0 {
			say("%s %s", what, strings.Join(names(list, sep), ", "))
		}
	}
	many("set query", r.SetQuery, "=")
	many("remove query", r.CutQuery, "=")
	many("set", r.SetHeader, ":")
	many("add", r.AddHeader, ":")
	many("remove", r.CutHeader, ":")
	if r.Body != nil || r.BodyFile != "" {
		say("another body")
	}
	if n := len(r.Replace); n > 0 {
		say("replace in the body")
	}
	many("set", r.SetJSON, "=")
	many("remove", r.CutJSON, "=")
	if r.Delay > 0 {
		say("wait %s", time.Duration(r.Delay))
	}
	return strings.Join(s, "; ")
}

// names are what stands before sep in each line.
func names(list []string, sep string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		name, _, _ := strings.Cut(s, sep)
		out[i] = strings.TrimSpace(name)
	}
	return out
}

func (a *Answer) status() int {
	if a.Status == 0 {
		return http.StatusOK
	}
	return a.Status
}
