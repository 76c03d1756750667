package inspect

import (
	"slices"
	"strings"
)

var contractBroken = &Rule{
	Name: "contract", Title: "the request breaks the API's contract", Item: 6,
	Doc: `With --openapi the request is compared with the API's OpenAPI document: route, method, parameters, headers, credential, content type and body (OpenAPI 3.1.1, 4.8.9 to 4.8.16).
Servers that validate say so with 400 or 422, some gateways with 403. A breach alone is only a hypothesis: contracts are often stricter, or older, than their servers.`,
	Run: func(c *Case) []Finding {
		var order []Name
		of := map[Name][]Breach{}
		for _, b := range c.Contract {
			cause := b.cause()
			if of[cause] == nil {
				order = append(order, cause)
			}
			of[cause] = append(of[cause], b)
		}
		var fs []Finding
		for _, cause := range order {
			if c.AnswerSpeaksFor(Not(cause)) {
				continue // the server says that it is something else
			}
			list := of[cause]
			f := because("%s", list[0].Message).Of(cause).On(ByComputation)
			if n := len(list) - 1; n == 1 {
				f.Summary += "; and 1 more breach of the contract"
			} else if n > 1 {
				f.Summary += "; and " + itoa(n) + " more breaches of the contract"
			}
			for _, b := range list[:min(len(list), 3)] {
				f = f.Quote(Evidence{Where: b.Where, Quote: b.Quote})
			}
			f = f.Then("Send what the contract describes; if the server has moved on since, correct the contract")
			if c.AnswerHints(Any(cause)) || slices.Contains(statusOf[list[0].Part], c.Flow.Status()) {
				fs = append(fs, f.Likely()...)
			} else {
				fs = append(fs, f.Possible()...)
			}
		}
		return fs
	},
}

// statusOf are the answers that speak of a part of the request (RFC 9110, 15.5).
var statusOf = map[string][]int{"method": {405}, "content-type": {415}, "security": {401}, "body": {400, 422}, "query": {400, 422}, "header": {400, 422, 428}, "cookie": {400, 422}}

func (b *Breach) cause() Name {
	switch b.Part {
	case "path":
		return WrongPath
	case "method":
		return WrongMethod
	case "content-type":
		return ContentTypeMismatch
	case "header", "cookie":
		return MissingHeader
	case "security":
		if strings.Contains(b.Name, "Authorization") || strings.Contains(b.Name, "cookie") {
			return MissingToken
		}
		return MissingAPIKey
	}
	return SchemaViolation
}
