package diff

import (
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// noise is why a difference means nothing by itself, "" when it may mean
// something. What is missing on one side is hardly ever noise: a server can
// insist on an Idempotency-Key, but not on which.
func noise(c flow.Change, a, b *flow.Flow) string {
	both := c.Before != nil && c.After != nil
	name := strings.ToLower(c.Name)
	switch c.Part {
	case flow.InHeader:
		return headerNoise(name, c, a, b, both)
	case flow.InHeaderCase:
		if a.Request.Proto != b.Request.Proto && (strings.HasPrefix(a.Request.Proto, "HTTP/2") || strings.HasPrefix(b.Request.Proto, "HTTP/2")) {
			return "HTTP/2 spells all names in lower case"
		}
	case flow.InCookie:
		if trackerCookie(name) {
			return "a cookie for visitor statistics"
		}
	case flow.InQuery:
		if both && cacheBuster(name) && digits(*c.Before) >= 8 && digits(*c.After) >= 8 {
			return "a number that keeps answers out of caches"
		}
	case flow.InJWT:
		claim := name[strings.LastIndexByte(name, ' ')+1:]
		if both && (claim == "jti" || claim == "iat" || claim == "at_hash" || claim == "auth_time" || claim == "uti" || claim == "rh") {
			return "every token has its own"
		}
	case flow.InBody:
		if c.Name == "" && both && sameMeaning(a, b) {
			return "the same content, written differently"
		}
	case flow.InConn:
		if c.Name == "reused" {
			return "a request may come over a new connection or one in use"
		}
	}
	return ""
}

func headerNoise(name string, c flow.Change, a, b *flow.Flow, both bool) string {
	switch name {
	case "date", "x-amz-date", "x-ms-date":
		if both {
			return "the time of the request"
		}
	case "if-none-match", "if-modified-since":
		return "what the client's cache held"
	case "traceparent", "tracestate", "x-amzn-trace-id", "b3", "sentry-trace", "baggage", "x-cloud-trace-context", "newrelic", "uber-trace-id", "elastic-apm-traceparent":
		return "names this one exchange for tracing"
	case "idempotency-key", "x-idempotency-key":
		if both {
			return "every request has its own"
		}
	case "sec-websocket-key":
		if both {
			return "every handshake has its own"
		}
	case "postman-token", "x-client-request-id":
		return "names this one request"
	case "content-length":
		if a.Request.Body.Size != b.Request.Body.Size && lengthFits(a, c.Before) && lengthFits(b, c.After) {
			return "follows the body"
		}
	case "content-type":
		if both && boundaryOnly(*c.Before, *c.After) {
			return "every multipart body has a boundary of its own"
		}
	case "host":
		if both && a.Authority != b.Authority && strings.EqualFold(*c.Before, a.Authority) && strings.EqualFold(*c.After, b.Authority) {
			return "follows the host of the URL"
		}
	}
	if strings.HasPrefix(name, "x-b3-") || strings.HasPrefix(name, "x-datadog-") {
		return "names this one exchange for tracing"
	}
	if both && (strings.HasSuffix(name, "request-id") || strings.HasSuffix(name, "correlation-id") || strings.HasSuffix(name, "trace-id") || strings.HasSuffix(name, "transaction-id")) {
		return "names this one request"
	}
	return ""
}

// lengthFits reports whether a length is absent or says the truth.
func lengthFits(f *flow.Flow, v *string) bool {
	return v == nil || *v == itoa(f.Request.Body.Size)
}

// boundaryOnly reports whether two multipart types differ in nothing else.
func boundaryOnly(x, y string) bool {
	typeX, paramsX := decode.ParseMediaType(x)
	typeY, paramsY := decode.ParseMediaType(y)
	if typeX != typeY || !decode.IsMultipart(typeX) || paramsX["boundary"] == "" || paramsY["boundary"] == "" || len(paramsX) != len(paramsY) {
		return false
	}
	for k, v := range paramsX {
		if k != "boundary" && paramsY[k] != v {
			return false
		}
	}
	return true
}

// sameMeaning reports whether two bodies that differ in bytes are the same JSON, form or parts.
func sameMeaning(a, b *flow.Flow) bool {
	x, xCut, errX := decode.Content(a.Request, maxBody)
	y, yCut, errY := decode.Content(b.Request, maxBody)
	if xCut || yCut || errX != nil || errY != nil {
		return false
	}
	k := &collector{same: map[flow.Place]int{}}
	return k.structured(a.Request, b.Request, x, y) && len(k.list) == 0
}

func trackerCookie(name string) bool {
	for _, p := range []string{"_ga", "_gid", "_gat", "_gcl_", "_fbp", "_fbc", "__utm", "_hj", "_pk_", "ajs_", "amplitude", "mp_", "_uet", "_clck", "_clsk", "optimizely", "intercom-id"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

func cacheBuster(name string) bool {
	switch name {
	case "_", "cb", "t", "ts", "_t", "_ts", "timestamp", "cachebuster", "rnd", "rand", "nocache":
		return true
	}
	return false
}

// digits is the length of a value that is digits alone, else 0.
func digits(s string) int {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0
		}
	}
	return len(s)
}
