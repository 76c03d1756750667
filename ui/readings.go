package ui

import (
	"strings"
	"time"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
	"github.com/why403/why403/ui/safe"
)

// Bounds of what is read out of one head.
const (
	readPairs  = 200
	readTokens = 8
)

// readings are what a request's head holds, taken apart: query, cookies, tokens. The head
// and the body stand above them as they were sent.
func readings(th *theme, f *flow.Flow) pieces {
	m := f.Request
	var out pieces
	section := func(title string, rows pieces) {
		if len(rows) > 0 {
			out = append(out, nil, []piece{said(th.muted, title)})
			out = append(out, rows...)
		}
	}
	section("query", pairRows(th, decode.Query(f.Query())))
	var cookies []decode.Pair
	for _, c := range decode.Cookies(m.Header) {
		cookies = append(cookies, decode.Pair{Name: c.Name, Value: c.Value})
	}
	if len(cookies) > 1 {
		section("cookies", pairRows(th, cookies))
	}
	for i, t := range decode.Tokens(m.Header) {
		if i == readTokens {
			break
		}
		section("token in "+t.Where, tokenRows(th, t.Token, f.Times.Start))
	}
	if op, ok := operation(f); ok {
		row := []piece{said(th.verb, " "+firstOf(op.Type, "operation")), said(th.accent, " "+firstOf(op.Name, "without a name"))}
		if op.Batch > 1 {
			row = append(row, said(th.muted, ", the first of "+count(int64(op.Batch))+" in this request"))
		}
		section("GraphQL", pieces{row})
	}
	return out
}

// operation is the GraphQL operation that f asks for.
func operation(f *flow.Flow) (decode.Operation, bool) {
	media, _ := decode.MediaType(f.Request.Header)
	body := f.Request.Body.Data
	if text, _, err := decode.Content(f.Request, bodyLimit); err == nil {
		body = text
	}
	return decode.GraphQL(f.Request.Method, f.Query(), media, body)
}

// pairRows are names and values in two columns.
func pairRows(th *theme, pairs []decode.Pair) pieces {
	name := 0
	for _, p := range pairs[:min(len(pairs), readPairs)] {
		name = max(name, min(28, safe.Of(p.Name).Width()))
	}
	var out pieces
	for i, p := range pairs {
		if i == readPairs {
			out = append(out, []piece{said(th.muted, " and "+count(int64(len(pairs)-i))+" more")})
			break
		}
		n := safe.Of(p.Name).Cut(name)
		row := []piece{{"", space(1)}, {th.accent, n}, {"", space(name - n.Width() + 2)}, said(th.text, p.Value)}
		if p.Bad {
			row = append(row, lit(th.warn, "  an escape in it is invalid"))
		}
		out = append(out, row)
	}
	return out
}

// tokenRows are a token's header and claims; times are told in words beside the request's own.
func tokenRows(th *theme, t decode.Token, sent time.Time) pieces {
	var out pieces
	add := func(name, value string, s style, note string) {
		n := safe.Of(name).Cut(12)
		row := []piece{{"", space(1)}, {th.accent, n}, {"", space(14 - n.Width())}, said(s, value)}
		if note != "" {
			row = append(row, said(s, "  "+note))
		}
		out = append(out, row)
	}
	add("alg", t.Algorithm(), th.text, "")
	if kid := t.KeyID(); kid != "" {
		add("kid", kid, th.text, "")
	}
	times := map[string]func() (time.Time, bool){"exp": t.Expiry, "nbf": t.NotBefore, "iat": t.IssuedAt}
	for c := range t.Claims.Children() {
		if len(out) > readPairs {
			break
		}
		name := c.Name()
		value := c.Text()
		if value == "" || c.Kind() != decode.String {
			value = c.Raw()
		}
		s, note := th.text, ""
		if at, ok := times[name]; ok {
			if when, ok := at(); ok {
				value = when.UTC().Format("2006-01-02 15:04:05 UTC")
				s, note = told(th, name, when, sent)
			}
		}
		add(name, value, s, note)
	}
	return out
}

// told says how a token's time stands to the request's.
func told(th *theme, name string, when, sent time.Time) (style, string) {
	if sent.IsZero() {
		return th.text, ""
	}
	d := when.Sub(sent)
	switch {
	case name == "exp" && d <= 0:
		return th.bad, "expired " + about(-d) + " before"
	case name == "exp":
		return th.good, "good for " + about(d) + " more"
	case name == "nbf" && d > 0:
		return th.bad, "valid " + about(d) + " after the request"
	case d < 0:
		return th.text, about(-d) + " before the request"
	}
	return th.text, ""
}

// partRows show a multipart body part by part.
func partRows(th *theme, data []byte, boundary string) []document {
	parts, err := decode.Multipart(data, boundary)
	if len(parts) == 0 {
		return nil
	}
	var docs []document
	for i, p := range parts {
		if i == readPairs {
			break
		}
		if i > 0 {
			docs = append(docs, pieces{nil})
		}
		what := []string{p.Type, size(int64(len(p.Data)))}
		if p.Filename != "" {
			what = append([]string{"file " + p.Filename}, what...)
		}
		docs = append(docs, pieces{{lit(th.muted, "part "), said(th.accent, firstOf(p.Name, "without a name")), said(th.muted, "  "+strings.TrimLeft(strings.Join(what, ", "), ", "))}})
		switch {
		case looksJSON(p.Data):
			if pretty, ok := indentJSON(p.Data); ok {
				docs = append(docs, newTextDoc(pretty, true))
				continue
			}
			fallthrough
		case isText(p.Data):
			docs = append(docs, newTextDoc(p.Data, false))
		default:
			docs = append(docs, hexDoc(p.Data))
		}
	}
	if err != nil {
		docs = append(docs, pieces{{said(th.warn, err.Error())}})
	}
	return docs
}
