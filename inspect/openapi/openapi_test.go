package openapi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/why403/why403/flow"
)

const shop = `
openapi: 3.0.3
info: {title: Shop}
servers: [{url: 'https://api.shop.test/v1'}]
security: [{bearer: []}]
paths:
  /orders:
    parameters:
      - {name: X-Tenant, in: header, required: true, schema: {type: string}}
    get:
      parameters:
        - {name: limit, in: query, schema: {type: integer, maximum: 100}}
        - {name: state, in: query, schema: {type: array, items: {type: string, enum: [open, closed]}}}
      responses: {200: {description: ok}}
    post:
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: '#/components/schemas/Order'}}
          application/x-www-form-urlencoded: {schema: {$ref: '#/components/schemas/Order'}}
      responses: {201: {description: ok}}
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get: {security: [{key: []}, {bearer: []}], responses: {}}
  /orders/latest:
    get: {security: [], responses: {}}
components:
  securitySchemes:
    bearer: {type: http, scheme: bearer}
    key: {type: apiKey, in: header, name: X-Api-Key}
  schemas:
    Order:
      type: object
      required: [id, sku, lines]
      additionalProperties: false
      properties:
        id: {type: integer, readOnly: true}
        sku: {type: string, pattern: '^[A-Z]\d+$', maxLength: 4}
        note: {type: string, nullable: true}
        when: {type: string, format: date-time}
        lines: {type: array, minItems: 1, items: {$ref: '#/components/schemas/Line'}}
        parent: {$ref: '#/components/schemas/Order'}
    Line:
      type: object
      properties:
        qty: {type: integer, minimum: 0, exclusiveMinimum: true}
        pay:
          oneOf: [{$ref: '#/components/schemas/Card'}, {$ref: '#/components/schemas/Cash'}]
          discriminator: {propertyName: by}
    Card: {type: object, required: [number], properties: {by: {type: string}, number: {type: string}}}
    Cash: {type: object, properties: {by: {type: string}}}
`

func load(t *testing.T, text string) *Doc {
	t.Helper()
	d, err := Load([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// ask makes a flow of a request as text.
func ask(text string) *flow.Flow {
	head, body, _ := strings.Cut(text, "\n\n")
	line, fields, _ := strings.Cut(head, "\n")
	method, target, _ := strings.Cut(line, " ")
	f := &flow.Flow{Scheme: "https", Authority: "api.shop.test", Request: &flow.Message{Method: method, Target: target}}
	for l := range strings.SplitSeq(fields, "\n") {
		if n, v, ok := strings.Cut(l, ": "); ok {
			f.Request.Header.Add(n, v)
		}
	}
	if v := f.Request.Header.Get("Host"); v != "" {
		f.Authority = v
	}
	f.Request.SetBody([]byte(body))
	return f
}

func told(found []Breach) string {
	var out []string
	for _, b := range found {
		out = append(out, b.Part+": "+b.Message+" ["+b.Where+" "+b.Quote+"]")
	}
	return strings.Join(out, "\n")
}

func TestCheck(t *testing.T) {
	const ok = "\nX-Tenant: a\nAuthorization: Bearer x\nContent-Type: application/json; charset=utf-8\n\n"
	for _, c := range []struct{ name, ask, want string }{
		{"all is well", "POST /v1/orders" + ok + `{"sku":"A1","note":null,"when":"2026-06-02T10:15:30Z","lines":[{"qty":1}]}`, ""},
		{"below no server path", "POST /orders" + ok + `{"sku":"A1","lines":[{}]}`, ""},
		{"unknown path", "GET /v1/things\n", "path: the contract has no path /v1/things [request.url /v1/things]"},
		{"a slash too many", "GET /v1/orders/\n", "path: the contract has no path /v1/orders/; it has /orders [request.url /v1/orders/]"},
		{"a letter swapped", "GET /v1/odrers/7\n", "path: the contract has no path /v1/odrers/7; it has /orders/{id} [request.url /v1/odrers/7]"},
		{"case", "GET /v1/Orders\n", "path: the contract has no path /v1/Orders; it has /orders [request.url /v1/Orders]"},
		{"another host, another path", "GET /health\nHost: other.test\n", ""},
		{"another host, a path of the contract", "DELETE /orders\nHost: localhost:8000\n", "method: the contract has GET, POST for /orders, not DELETE [request.url /orders]"},
		{"no credential", "GET /v1/orders\nX-Tenant: a\n", "security: the contract asks for Authorization: Bearer [request.url /v1/orders]"},
		{"another scheme", "GET /v1/orders/7\nAuthorization: Basic eDp5\n", "security: the contract asks for the header X-Api-Key or Authorization: Bearer; the request's Authorization is of the scheme Basic [request.header:Authorization Basic]"},
		{"one of two credentials", "GET /v1/orders/7\nX-Api-Key: k\n", ""},
		{"public, and spelled out before a parameter", "GET /v1/orders/latest\n", ""},
		{"a header is missing", "GET /v1/orders\nAuthorization: Bearer x\n", "header: the contract requires the header X-Tenant [request.url /v1/orders]"},
		{"parameters", "GET /v1/orders?limit=500&state=open,shut\nX-Tenant: a\nAuthorization: Bearer x\n", "query: the query parameter limit must be at most 100 [request.url limit=500]\nquery: the query parameter state must be one of open, closed [request.url state=open,shut]"},
		{"in the path", "GET /v1/orders/seven\nX-Api-Key: k\n", "path: the path parameter id must be an integer, not a string [request.url /v1/orders/seven]"},
		{"no body", "POST /v1/orders\nX-Tenant: a\nAuthorization: Bearer x\n", "body: the contract requires a body for POST /orders [request.url /v1/orders]"},
		{"another type", "POST /v1/orders\nX-Tenant: a\nAuthorization: Bearer x\nContent-Type: text/plain\n\nhi", "content-type: the contract takes application/json, application/x-www-form-urlencoded, not text/plain [request.header:Content-Type text/plain]"},
		{"the body", "POST /v1/orders" + ok + `{"sku":"a12345","extra":1,"when":"today","lines":[{"qty":"2"},{"qty":0}],"parent":{"sku":"B2"}}`,
			`body: $.sku must have at most 4 characters [request.body "a12345"]
body: $.sku must match ^[A-Z]\d+$ [request.body "a12345"]
body: $.extra is not in the contract [request.body 1]
body: $.when must be a date-time [request.body "today"]
body: $.lines[0].qty must be an integer, not a string [request.body "2"]
body: $.lines[1].qty must be at least 0 [request.body 0]
body: $.parent lacks "lines" [request.body {"sku":"B2"}]`},
		{"which of them it means to be", "POST /v1/orders" + ok + `{"sku":"A1","lines":[{"pay":{"by":"Card"}}]}`, `body: $.lines[0].pay lacks "number" [request.body {"by":"Card"}]`},
		{"a form", "POST /v1/orders\nX-Tenant: a\nAuthorization: Bearer x\nContent-Type: application/x-www-form-urlencoded\n\nsku=1", "body: the body lacks \"lines\" [request.body sku=1]\nbody: $.sku must match ^[A-Z]\\d+$ [request.body sku=1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := ask(c.ask)
			found := load(t, shop).Check(f)
			if d := cmp.Diff(c.want, told(found)); d != "" {
				t.Error(d)
			}
			for _, b := range found {
				in := map[string]string{"request.url": f.URL(), "request.body": string(f.Request.Body.Data)}[b.Where]
				if name, ok := strings.CutPrefix(b.Where, "request.header:"); ok {
					in = f.Request.Header.Get(name)
				}
				if b.Quote == "" || !strings.Contains(in, b.Quote) {
					t.Errorf("%q is not in %s", b.Quote, b.Where)
				}
			}
		})
	}
}

func TestVersion31(t *testing.T) {
	d := load(t, `{"openapi":"3.1.0","paths":{"/a":{"post":{"requestBody":{"content":{"application/*":{"schema":{
		"type":["object","null"],"properties":{"n":{"exclusiveMinimum":3},"c":{"const":"x"},"t":{"prefixItems":[{"type":"string"}],"items":false},"r":{"$ref":"#/components/schemas/R","minLength":3}},
		"patternProperties":{"^x-":{"type":"string"}},"anyOf":[{"required":["n"]},{"required":["c"]}],"not":{"type":"object","required":["bad"]}}}}}}}},
		"components":{"schemas":{"R":{"type":"string"}}}}`)
	f := ask("POST /a\nContent-Type: application/json\n\n" + `{"n":3,"c":"y","t":["a",1],"r":"ab","x-1":2,"bad":0}`)
	want := `body: $.n must be more than 3 [request.body 3]
body: $.c must be x [request.body "y"]
body: $.t[1] is not allowed [request.body 1]
body: $.r must have at least 3 characters [request.body "ab"]
body: $.x-1 must be a string, not a number [request.body 2]
body: the body is of a form that the contract excludes [request.body {"n":3,"c":"y","t":["a",1],"r":"ab","x-1":2,"bad":0}]`
	got := strings.ReplaceAll(told(d.Check(f)), `$["x-1"]`, "$.x-1")
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	f.Request.SetBody([]byte("null"))
	f.Request.Header.Set("Content-Type", "application/json")
	if got := told(d.Check(f)); got != "" {
		t.Errorf("null: %s", got)
	}
}

func TestLoadErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "no object",
		"a: [":                  "neither JSON nor YAML",
		"swagger: '2.0'":        "Swagger 2.0; OpenAPI 3.0 or 3.1 is wanted",
		"openapi: 4.0.0":        "OpenAPI 4.0.0",
		"info: {}":              `no "openapi" version`,
		`{"openapi":"3.1.0"}`:   "",
		"openapi: 3.0.0\n1: {}": "",
	} {
		if _, err := Load([]byte(text)); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Contracts refer to themselves, and bodies are hostile.
func TestHostile(t *testing.T) {
	d := load(t, `{"openapi":"3.1.0","paths":{"/a":{"$ref":"#/paths/~1a"},"/b":{"post":{"requestBody":{"content":{"*/*":{"schema":{"$ref":"#/components/schemas/A"}}}}}},"/{x}{y}":{}},
		"components":{"schemas":{"A":{"allOf":[{"$ref":"#/components/schemas/A"},{"$ref":"#/components/schemas/A"}],"anyOf":[{"$ref":"#/components/schemas/A"},{}]}}}}`)
	for _, body := range []string{"1", strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 50_000) + "1" + strings.Repeat("}", 50_000)} {
		d.Check(ask("POST /b\nContent-Type: application/json\n\n" + body))
		d.Check(ask("POST /a\nContent-Type: application/json\n\n" + body))
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(shop, `{"sku":"A1"}`)
	f.Add(`{"openapi":"3.1.0","paths":{"/v1/orders":{"post":{"requestBody":{"content":{"*/*":{"schema":{"$ref":"#"}}}}}}}}`, "[]")
	f.Fuzz(func(t *testing.T, contract, body string) {
		d, err := Load([]byte(contract))
		if err != nil {
			return
		}
		r := ask("POST /v1/orders?a=b\nContent-Type: application/json\n\n")
		r.Request.SetBody([]byte(body))
		d.Check(r)
	})
}
