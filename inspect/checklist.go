package inspect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
)

// checkNames are the 21 checks in order.
var checkNames = [...]string{1: "HTTP method", 2: "URL accuracy", 3: "Content-Type", 4: "Authorization", 5: "CSRF token", 6: "request body", 7: "cache and cookies",
	8: "web server log", 9: "WAF log", 10: "firewall and IP lists", 11: "load balancer", 12: "API gateway authorization", 13: "rate limiting",
	14: "AI model access", 15: "AI quotas and credits", 16: "AI data policy", 17: "application log", 18: "authorization code", 19: "database privileges", 20: "file system", 21: "environment change"}

// checklist is every check as it came out for the flow: suspect where a finding
// speaks against it, ok only where something shows it, else unknown with the
// place to look.
func (c *Case) checklist(found []Verdict) []Check {
	out := make([]Check, 0, len(checkNames)-1)
	for item := 1; item < len(checkNames); item++ {
		ch := Check{Item: item, Name: checkNames[item], Verify: c.verify(item)}
		ch.State, ch.Note = c.seen(item)
		for i, v := range found {
			if v.Cause != UnknownCause && slices.Contains(v.Checklist, item) && (i == 0 || v.Confidence >= flow.Likely) {
				ch.State, ch.Note = Suspect, v.Summary
				break
			}
		}
		out = append(out, ch)
	}
	return out
}

// seen is what the traffic shows about a check.
func (c *Case) seen(item int) (State, string) {
	if c.Flow.Request == nil && item <= 7 {
		return Unknown, "the request is not in the file, only its answer"
	}
	same := func(what string, changed bool) (State, string) {
		if c.Success == nil {
			return Unknown, "there is no accepted request of this endpoint to compare with"
		}
		if changed {
			return Unknown, what + " differs from the accepted request #" + fmt.Sprint(c.Success.ID)
		}
		return OK, "the same as in the accepted request #" + fmt.Sprint(c.Success.ID)
	}
	q, ok := c.req(), c.okReq()
	switch item {
	case 1:
		return same("the method", q.Method != ok.Method)
	case 2:
		return same("the path", c.Success != nil && c.Flow.Path() != c.Success.Path())
	case 3:
		if q.Body.Size == 0 {
			return NotApplicable, "the request has no body"
		}
		if m := bodyMismatch(q); m != "" {
			return Unknown, m
		}
		return same("Content-Type", q.Header.Get("Content-Type") != ok.Header.Get("Content-Type"))
	case 4:
		if len(c.credentials(c.Flow)) == 0 {
			return Unknown, "the request carries no credential"
		}
		a, b := c.credentials(c.Flow), c.credentials(c.Success)
		return same("the credential", len(a) != len(b) || len(a) > 0 && len(b) > 0 && a[0].value != b[0].value)
	case 5:
		if !c.unsafe() {
			return NotApplicable, "CSRF checks concern methods that change something"
		}
		if len(cookies(q)) == 0 && q.Header.Get("Authorization") != "" {
			return NotApplicable, "no cookie is sent: a bearer credential needs no CSRF token"
		}
		return Unknown, "nothing shows whether the server checks one"
	case 6:
		if q.Body.Size == 0 {
			return NotApplicable, "the request has no body"
		}
		if b := brokenBody(q); b != nil {
			return Unknown, b.Error()
		}
		return same("the body", string(q.Body.Data) != string(ok.Body.Data))
	case 7:
		if len(cookies(q)) == 0 && len(cookies(ok)) == 0 {
			return NotApplicable, "no cookies are involved"
		}
		return same("a cookie", q.Header.Get("Cookie") != ok.Header.Get("Cookie"))
	case 8, 9, 17:
		if item == 9 && c.WAF != nil && c.WAF.Failed == "" {
			return Unknown, c.WAF.note()
		}
		if n := len(c.Logs); n > 0 {
			return Unknown, fmt.Sprintf("%d log lines belong to this request; see the evidence", n)
		}
		return Unknown, "no log was given (--log)"
	case 13:
		if v, name := c.remaining(); name != "" && v != "0" {
			return OK, name + " is " + v
		}
		return Unknown, "the answer carries no rate limit fields"
	case 14, 15, 16:
		if !c.aiRequest() {
			return NotApplicable, "this is no call of a language model's API"
		}
		return Unknown, "the answer does not mention it"
	case 19:
		return Unknown, "the answer names no database"
	case 20:
		return Unknown, "the answer names no file"
	case 21:
		if c.Success == nil {
			return Unknown, "there is no accepted answer to compare with"
		}
		if d := c.serverChanged(); d != "" {
			return Unknown, d
		}
		return OK, "the server's marks are those of the accepted answer #" + fmt.Sprint(c.Success.ID)
	}
	return Unknown, "the traffic does not show it"
}

// remaining is the first field that tells how much of a rate limit is left.
func (c *Case) remaining() (value, name string) {
	for _, f := range c.resp().Header {
		low := strings.ToLower(f.Name)
		if strings.Contains(low, "ratelimit") && strings.Contains(low, "remaining") || low == "x-rate-limit-remaining" {
			return strings.TrimSpace(f.Value), f.Name
		}
	}
	return "", ""
}

// serverChanged says which mark of the server differs from the accepted answer, "" if none.
func (c *Case) serverChanged() string {
	if c.Success == nil || c.Success.Response == nil {
		return ""
	}
	for _, name := range versionHeaders {
		a, b := c.resp().Header.Get(name), c.Success.Response.Header.Get(name)
		if a != "" && b != "" && a != b {
			return fmt.Sprintf("%s was %s and is %s", name, clip(b, 60), clip(a, 60))
		}
	}
	return ""
}

// versionHeaders name the software or the release that answered.
var versionHeaders = []string{"Server", "X-Powered-By", "X-App-Version", "X-Version", "X-Release", "X-Deploy-Id", "X-Build", "X-Build-Id", "X-Revision", "X-Commit", "X-Git-Sha", "X-Backend-Version", "X-Envoy-Version", "X-Served-By-Version"}
