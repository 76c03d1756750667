package flow

// Place names the part of a request that a Change is about.
type Place string

// The places, with the form of Change.Name in each.
const (
	InMethod      Place = "method"       // Name ""
	InScheme      Place = "scheme"       // ""
	InHost        Place = "host"         // "" (the URL's authority; the Host field is a header)
	InPath        Place = "path"         // ""
	InQuery       Place = "query"        // parameter name, decoded: Before and After are as written, percent-encoded
	InHeader      Place = "header"       // field name
	InHeaderOrder Place = "header-order" // "": Before and After are the names in order, comma separated
	InHeaderCase  Place = "header-case"  // field name, lower case: Before and After are the spellings
	InCookie      Place = "cookie"       // cookie name
	InJWT         Place = "jwt"          // "header-name claim", such as "Authorization exp": shown, not applicable
	InJSON        Place = "json"         // path such as $.items[0].qty: Before and After are JSON texts
	InForm        Place = "form"         // field name, decoded: Before and After are as written, percent-encoded
	InMultipart   Place = "multipart"    // part name: Before and After are the content, or the whole part when they begin with "Content-Disposition:"
	InBody        Place = "body"         // "" (the whole body), or "line N" of a text
	InProto       Place = "proto"        // ""
	InConn        Place = "conn"         // "reused", "client-cert", …
)

// Change is one difference between two requests. Seen from a refused request,
// Before is what it has and After what the accepted one had; nil is absent.
//
// In a Patch all Indexes of what is there (Before) count in the request as it
// is; an Index of something new (Before is nil) is its place among those of its
// name when the patch is done.
type Change struct {
	Part   Place   `json:"part"`
	Name   string  `json:"name"`
	Index  int     `json:"index"` // nth (from 0) of the same name
	Before *string `json:"before"`
	After  *string `json:"after"`
}

// Applicable reports whether the change can be made to a request on its own.
// A claim inside a signed token, the shape of a connection and the protocol cannot.
func (c Change) Applicable() bool {
	switch c.Part {
	case InJWT, InConn, InProto:
		return false
	case InBody:
		return c.Name == ""
	}
	return true
}

// Inverse is the change back.
func (c Change) Inverse() Change {
	c.Before, c.After = c.After, c.Before
	return c
}

// Patch is a list of changes made together.
type Patch []Change
