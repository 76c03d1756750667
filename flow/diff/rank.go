package diff

import (
	"strconv"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// suspicion ranks a difference: how often one of its kind decides between
// refused and accepted, more when the refused request lacks it. The scale has no
// unit; only the order counts.
func suspicion(c flow.Change, learned *Learned) int {
	n := weight(c)
	switch {
	case c.Before == nil && c.Part != flow.InBody:
		n += 16
	case c.After == nil:
		n += 4
	}
	if learned.varies(c) {
		n -= 30 // a credential that every success had differently
	}
	return n
}

func weight(c flow.Change) int {
	name := strings.ToLower(c.Name)
	switch c.Part {
	case flow.InMethod:
		return 85
	case flow.InHost:
		return 80
	case flow.InScheme:
		return 78
	case flow.InPath:
		if c.Before != nil && c.After != nil && flow.Template(*c.Before) == flow.Template(*c.After) {
			return 45 // another object of the same kind
		}
		return 76
	case flow.InHeader:
		return headerWeight(name)
	case flow.InCookie:
		switch {
		case decode.IsCSRFName(name):
			return 80
		case decode.IsSessionCookie(name):
			return 74
		}
		return 46
	case flow.InJWT:
		switch name[strings.LastIndexByte(name, ' ')+1:] {
		case "exp", "nbf", "aud", "iss", "scope", "scp", "scopes", "permissions", "roles", "role", "groups", "realm_access", "resource_access":
			return 83
		case "sub", "kid", "alg", "azp", "client_id":
			return 60
		}
		return 38
	case flow.InQuery, flow.InForm, flow.InMultipart, flow.InJSON:
		return fieldWeight(c.Part, name)
	case flow.InBody:
		if c.Name == "" {
			return 44
		}
		return 30
	case flow.InProto:
		return 34
	case flow.InHeaderCase:
		return 14
	case flow.InHeaderOrder:
		return 12
	}
	return 10
}

func headerWeight(name string) int {
	switch name {
	case "authorization":
		return 82
	case "content-type":
		return 76
	case "origin", "host":
		return 75
	case "x-requested-with":
		return 68
	case "referer":
		return 62
	case "user-agent":
		return 54
	case "accept", "content-encoding", "transfer-encoding", "expect", "content-length":
		return 47
	case "accept-encoding", "accept-language", "cache-control", "pragma", "priority", "dnt", "upgrade-insecure-requests":
		return 26
	case "connection", "keep-alive", "te":
		return 18
	}
	switch {
	case decode.IsCSRFName(name):
		return 84
	case decode.IsAPIKeyHeader(name):
		return 82
	case strings.HasPrefix(name, "sec-ch-"):
		return 24
	case strings.HasPrefix(name, "sec-fetch-"), strings.HasPrefix(name, "x-"):
		return 50
	}
	return 48
}

func fieldWeight(part flow.Place, name string) int {
	if part == flow.InJSON {
		_, name, _, _ = decode.SplitPath(name)
	}
	switch {
	case decode.IsCSRFName(name):
		return 82
	case strings.Contains(name, "token"), strings.Contains(name, "password"), strings.Contains(name, "secret"), strings.Contains(name, "signature"),
		strings.Contains(name, "api_key"), strings.Contains(name, "apikey"), name == "key", name == "sig":
		return 76
	case part == flow.InQuery:
		return 45
	}
	return 42
}
