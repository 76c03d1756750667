package decode

import "strings"

// Operation is a GraphQL operation that a request asks for.
type Operation struct {
	Name  string // operationName, or the name in the document
	Type  string // query, mutation, subscription; "" when the document is not there (persisted query)
	Query string // the document
	Batch int    // operations in the request, 1 unless batched; the others describe the first
}

// GraphQL reads the operation of a request: from JSON with a "query" (or a
// persisted query's "extensions"), from an application/graphql document, or from the query
// of a GET (GraphQL over HTTP, 5 and 6).
func GraphQL(method, query, mediaType string, body []byte) (Operation, bool) {
	switch {
	case mediaType == "application/graphql":
		return operation("", string(body), 1)
	case IsJSON(mediaType) || mediaType == "application/graphql+json":
		d, _ := ParseJSON(body)
		v, batch := d.Root(), 1
		if v.Kind() == Array {
			v, batch = v.At(0), v.Count()
		}
		doc, ok := v.Get("query").Str()
		if !ok && !v.Dig("extensions", "persistedQuery").Exists() {
			return Operation{}, false
		}
		name, _ := v.Get("operationName").Str()
		return operation(name, doc, batch)
	case method == "GET":
		var name, doc string
		for _, p := range Query(query) {
			switch p.Name {
			case "query":
				doc = p.Value
			case "operationName":
				name = p.Value
			}
		}
		return operation(name, doc, 1)
	}
	return Operation{}, false
}

func operation(name, doc string, batch int) (Operation, bool) {
	o := Operation{Name: name, Query: doc, Batch: batch}
	text := doc
	for { // blank lines and comments before the first word
		text = strings.TrimLeft(text, " \t\r\n,\ufeff")
		if !strings.HasPrefix(text, "#") {
			break
		}
		_, text, _ = strings.Cut(text, "\n")
	}
	if strings.HasPrefix(text, "{") {
		o.Type = "query"
		return o, true
	}
	word, rest := graphqlName(text)
	switch word {
	case "query", "mutation", "subscription":
		o.Type = word
		if named, _ := graphqlName(strings.TrimLeft(rest, " \t\r\n")); o.Name == "" {
			o.Name = named
		}
		return o, true
	case "fragment":
		return o, true
	}
	return o, doc == "" && name != ""
}

func graphqlName(s string) (name, rest string) {
	i := 0
	for i < len(s) && (s[i] == '_' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || i > 0 && s[i] >= '0' && s[i] <= '9') {
		i++
	}
	return s[:i], s[i:]
}

// GraphQLError is one of the errors of an answer (GraphQL specification, 7.1.2).
type GraphQLError struct {
	Message string
	Code    string // extensions.code, "" when absent
	Path    string // such as "order.total"
	Offset  int    // of the error object in the body
}

// GraphQLErrors are the errors of an answer's body, of all answers of a batch.
func GraphQLErrors(body []byte) []GraphQLError {
	d, _ := ParseJSON(body)
	answers := []Value{d.Root()}
	if d.Root().Kind() == Array {
		answers = answers[:0]
		for v := range d.Root().Children() {
			answers = append(answers, v)
		}
	}
	var list []GraphQLError
	for _, a := range answers {
		errs := a.Get("errors")
		if errs.Kind() != Array {
			continue
		}
		for e := range errs.Children() {
			message, ok := e.Get("message").Str()
			if !ok {
				continue
			}
			g := GraphQLError{Message: message}
			g.Code, _ = e.Dig("extensions", "code").Str()
			g.Offset, _ = e.Span()
			var path []string
			for p := range e.Get("path").Children() {
				path = append(path, p.Text())
			}
			g.Path = strings.Join(path, ".")
			list = append(list, g)
		}
	}
	return list
}
