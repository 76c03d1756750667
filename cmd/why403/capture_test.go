package main

import (
	"bufio"
	"regexp"
	"strings"
	"testing"

	"github.com/why403/why403/flow/session"
)

// TestCaptureMasksWhatItPrints prints exchanges with a secret in their URL: the same one has the same name.
func TestCaptureMasksWhatItPrints(t *testing.T) {
	const secret = "Zk39sl20skdlqpwoZZ41"
	row := func(target string) *session.Row {
		return &session.Row{ID: 1, Method: "GET", Scheme: "https", Authority: "shop.test", Target: target, Status: 200}
	}
	name := regexp.MustCompile(`WHY403_SECRET_[A-Z]+`)
	for _, json := range []bool{false, true} {
		for _, reveal := range []bool{false, true} {
			var out strings.Builder
			w := bufio.NewWriter(&out)
			c := capture{json: json, reveal: reveal}
			for _, r := range []*session.Row{row("/a?api_key=" + secret + "&page=2"), row("/b?page=3&api_key=" + secret)} {
				if err := c.print(w, r); err != nil {
					t.Fatal(err)
				}
			}
			w.Flush()
			names := name.FindAllString(out.String(), -1)
			switch {
			case reveal && (strings.Count(out.String(), secret) != 2 || len(names) > 0):
				t.Errorf("json %t: revealed it is\n%s", json, &out)
			case !reveal && (strings.Contains(out.String(), secret) || len(names) != 2 || names[0] != names[1]):
				t.Errorf("json %t: masked it is\n%s", json, &out)
			case !strings.Contains(out.String(), "page=2"):
				t.Errorf("json %t: what is no secret is gone\n%s", json, &out)
			}
		}
	}
}
