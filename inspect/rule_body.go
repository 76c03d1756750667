package inspect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
)

var malformedBody = &Rule{
	Name: "malformed-body", Cause: MalformedBody, Title: "the body does not parse", Item: 6,
	Doc: `A body that does not parse as its Content-Type says is refused by the framework before the application sees it (400, or 403 from guards). JSON: RFC 8259; a trailing comma, single quotes and comments are errors.
A GET with a body is refused by some fronts (CloudFront), for it has no defined meaning (RFC 9110, 9.3.1).`,
	Run: func(c *Case) []Finding {
		q := c.req()
		if c.AnswerSpeaksFor(Not(MalformedBody, SchemaViolation)) {
			return nil
		}
		if err := brokenBody(q); err != nil {
			body := string(q.Body.Data)
			f := because("%s", err).On(ByComputation).Quote(Evidence{Where: "request.body", Quote: strings.ToValidUTF8(body[:min(len(body), 120)], "")})
			if c.Success != nil && mediaType(q) == mediaType(c.okReq()) && len(c.okReq().Body.Data) > 0 && c.okReq().Body.Whole() && brokenBody(c.okReq()) == nil {
				f = f.With("send the accepted body", flow.Change{Part: flow.InBody, Before: str(body), After: str(string(c.okReq().Body.Data))})
			}
			if c.AnswerSpeaksFor(Any(MalformedBody)) {
				return f.Certain()
			}
			return f.Likely()
		}
		if n, err := strconv.ParseInt(q.Header.Get("Content-Length"), 10, 64); err == nil && q.Body.Whole() && q.Body.Size > 0 && n != q.Body.Size && !q.Header.Has("Content-Encoding") {
			return because("Content-Length is %d and the body has %d bytes", n, q.Body.Size).On(ByComputation).Quote(Evidence{Where: "request.header:Content-Length", Quote: q.Header.Get("Content-Length")}).
				With("send the true length", setHeader(q, "Content-Length", strconv.FormatInt(q.Body.Size, 10))).Possible()
		}
		if (q.Method == "GET" || q.Method == "HEAD") && len(q.Body.Data) > 0 {
			return because("a %s with a body", q.Method).On(ByHabit).Quote(Evidence{Where: "request.body", Quote: clipRaw(string(q.Body.Data), 120)}).
				Then("Send the data in the query, or use POST").Possible()
		}
		return nil
	},
}

var schemaViolation = &Rule{
	Name: "schema-violation", Cause: SchemaViolation, Title: "a field of the accepted body is missing", Item: 6,
	Doc: `Where nothing else differs, a field that the accepted request had and this one lacks is the likeliest reason. Some applications answer a missing field with 403 (a permission that could not be decided).`,
	Run: func(c *Case) []Finding {
		if c.Success == nil || c.AnswerSpeaksFor(Not(SchemaViolation)) || mediaType(c.req()) != mediaType(c.okReq()) || c.Success.Path() != c.Flow.Path() {
			return nil
		}
		if fs := c.queryDiffers(); fs != nil {
			return fs
		}
		if n := c.header("Content-Length"); len(c.req().Body.Data) == 0 && (c.req().Body.Size > 0 || n != "" && n != "0") {
			return nil // a body was sent and is not on record: a recording may leave it out
		}
		if fs := c.kindDiffers(); fs != nil {
			return fs
		}
		mine, theirs := fields(c.req()), fields(c.okReq())
		var missing []string
		for k := range theirs {
			if _, ok := mine[k]; !ok && !csrfName(k) {
				missing = append(missing, k)
			}
		}
		if len(missing) == 0 || len(missing) == len(theirs) && len(mine) > 0 {
			return nil
		}
		slices.Sort(missing)
		f := because("the body lacks %s, which the accepted request #%d had", strings.Join(quoteAll(missing), ", "), c.Success.ID).Quote(Evidence{Where: "diff", Quote: missing[0]})
		f = f.With("add what is missing", c.fieldChanges(missing, theirs)...)
		if c.othersDiffer(flow.InJSON, flow.InForm, flow.InMultipart, flow.InBody) {
			return f.Possible()
		}
		return f.Likely()
	},
}

func (c *Case) fieldChanges(names []string, from map[string]string) []flow.Change {
	var out []flow.Change
	for _, ch := range c.Changes {
		if ch.Before == nil && ch.After != nil && (ch.Part == flow.InJSON || ch.Part == flow.InForm || ch.Part == flow.InMultipart) {
			out = append(out, ch)
		}
	}
	if out == nil && mediaType(c.req()) == "application/x-www-form-urlencoded" {
		for _, n := range names {
			out = append(out, flow.Change{Part: flow.InForm, Name: n, After: str(from[n])})
		}
	}
	return out
}

// othersDiffer reports whether the requests differ in something that matters
// outside the given places.
func (c *Case) othersDiffer(places ...flow.Place) bool {
	for _, ch := range c.Changes {
		if slices.Contains(places, ch.Part) || ch.Part == flow.InHeaderOrder || ch.Part == flow.InHeaderCase || ch.Part == flow.InConn || ch.Part == flow.InProto {
			continue
		}
		if ch.Part == flow.InHeader && idle(ch.Name) {
			continue
		}
		return true
	}
	return false
}

// idle fields differ from request to request and decide nothing.
func idle(name string) bool {
	low := strings.ToLower(name)
	switch low {
	case "content-length", "date", "host", "accept-encoding", "connection", "traceparent", "tracestate", "x-request-id", "x-correlation-id", "idempotency-key", "if-none-match", "if-modified-since", "cache-control", "pragma", "sentry-trace", "baggage", "x-amzn-trace-id":
		return true
	}
	return strings.HasPrefix(low, "x-b3-")
}

func quoteAll(s []string) []string {
	out := make([]string, 0, len(s))
	for i, e := range s {
		if i == 5 {
			out = append(out, fmt.Sprintf("%d more", len(s)-5))
			break
		}
		out = append(out, fmt.Sprintf("%q", e))
	}
	return out
}

func clipRaw(s string, n int) string { return strings.ToValidUTF8(s[:min(len(s), n)], "") }

// queryDiffers: a parameter of the accepted URL is missing or another, and nothing else differs.
func (c *Case) queryDiffers() []Finding {
	if c.othersDiffer(flow.InQuery) {
		return nil
	}
	for _, ch := range c.Changes {
		if ch.Part != flow.InQuery || ch.After == nil || csrfName(ch.Name) || slices.Contains(keyParams, strings.ToLower(ch.Name)) {
			continue
		}
		f := because("the parameter %q is missing; the accepted request #%d had %s", ch.Name, c.Success.ID, clip(*ch.After, 60)).Quote(Evidence{Where: "diff", Quote: ch.Name}).With("send the parameter", ch)
		if ch.Before == nil {
			return f.Likely()
		}
		f.Summary = "the parameter " + strconv.Quote(ch.Name) + " is " + clip(*ch.Before, 60) + "; the accepted request #" + itoa(int(c.Success.ID)) + " had " + clip(*ch.After, 60)
		return f.Possible()
	}
	return nil
}

// kindDiffers: a value of the JSON body is of another type than the accepted one, and nothing but the body differs.
func (c *Case) kindDiffers() []Finding {
	if c.othersDiffer(flow.InJSON) {
		return nil
	}
	for _, ch := range c.Changes {
		if ch.Part != flow.InJSON || ch.Before == nil || ch.After == nil || jsonKind(*ch.Before) == jsonKind(*ch.After) {
			continue
		}
		return because("%s is a %s; in the accepted request #%d it was a %s", ch.Name, jsonKind(*ch.Before), c.Success.ID, jsonKind(*ch.After)).Quote(Evidence{Where: "diff", Quote: ch.Name}).
			With("send it as accepted", ch).Likely()
	}
	return nil
}

// jsonKind is the kind of a JSON text by its first byte.
func jsonKind(text string) string {
	if text == "" {
		return "nothing"
	}
	switch c := text[0]; {
	case c == '"':
		return "string"
	case c == '{':
		return "object"
	case c == '[':
		return "list"
	case c == 't' || c == 'f':
		return "boolean"
	case c == 'n':
		return "null"
	}
	return "number"
}
