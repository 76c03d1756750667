package filter

import (
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// Phase is the place in which an expression is used: it decides what can be known there.
type Phase uint8

// The phases.
const (
	Rows      Phase = iota // the rows of a list, live ones too: no header fields and bodies
	Requests               // a request before it is sent: nothing of an answer
	Responses              // an answer before it is handed on, with its request: no verdict yet
	Flows                  // whole flows
)

func (p Phase) String() string {
	return [...]string{"the list", "requests", "responses", "flows"}[min(p, Flows)]
}

type phases uint8

const (
	inRows      = phases(1) << Rows
	inRequests  = phases(1) << Requests
	inResponses = phases(1) << Responses
	inFlows     = phases(1) << Flows

	everywhere = inRows | inRequests | inResponses | inFlows
	judged     = inRows | inFlows                   // once the flow has been shown or stored
	answered   = inRows | inResponses | inFlows     // once there is an answer
	opened     = inRequests | inResponses | inFlows // where the messages are at hand
)

func (p phases) has(q Phase) bool { return p&(1<<q) != 0 }

// Key is a word that may stand before a colon.
type Key struct {
	Name    string
	Help    string // a few words
	Example string
	Values  []string // what may follow, where that is a short list
}

type field uint8

const (
	words field = iota // no key: what a reader of the list would look for
	fMethod
	fStatus
	fHost
	fPath
	fEndpoint
	fQuery
	fURL
	fScheme
	fType
	fRefused
	fIs
	fCause
	fLayer
	fVendor
	fMarked
	fComment
	fID
	fTime
	fDur
	fSize
	fUpload
	fProcess
	fHeader
	fBody
)

// form is how a key's value is read.
type form uint8

const (
	asText   form = iota // occurs in
	asWord               // is one of, or a regular expression
	asChoice             // is one of the key's list
	asNumber
	asStatus
	asDuration
	asBytes
)

type spec struct {
	Key
	field field
	form  form
	known phases
	cost  int // 0 a comparison, 1 a search in a line, 2 in a head, 3 in bodies
}

var yesNo = []string{"yes", "no"}

// specs are the keys in the order in which they are offered.
var specs = []spec{
	{Key{"status", "status of the answer", "status:403, status:4xx, status:>=500, status:none", nil}, fStatus, asStatus, answered, 0},
	{Key{"method", "method of the request", "method:post, method:put,patch", []string{"get", "post", "put", "patch", "delete", "head", "options", "connect"}}, fMethod, asWord, everywhere, 0},
	{Key{"refused", "whether it was refused", "refused:yes", yesNo}, fRefused, asChoice, answered, 0},
	{Key{"host", "host and port of the URL", "host:api", nil}, fHost, asText, everywhere, 1},
	{Key{"path", "path of the URL", "path:/orders", nil}, fPath, asText, everywhere, 1},
	{Key{"endpoint", "method, scheme, host and path with {} for what names one object", `endpoint:"POST https://api.test/orders/{}"`, nil}, fEndpoint, asText, everywhere, 1},
	{Key{"query", "what follows ? in the URL", "query:page=2", nil}, fQuery, asText, everywhere, 1},
	{Key{"url", "the whole URL", "url:https://api", nil}, fURL, asText, everywhere, 1},
	{Key{"scheme", "scheme of the URL", "scheme:http", []string{"http", "https"}}, fScheme, asWord, everywhere, 0},
	{Key{"type", "Content-Type of the answer (before there is one, of the request)", "type:json", nil}, fType, asText, everywhere, 1},
	{Key{"is", "kind or state of the flow", "is:error", nil}, fIs, asChoice, everywhere, 0},
	{Key{"cause", "why it was refused", "cause:csrf", nil}, fCause, asText, judged, 1},
	{Key{"layer", "who refused it", "layer:waf", nil}, fLayer, asText, judged, 1},
	{Key{"vendor", "product that refused it", "vendor:django", nil}, fVendor, asText, judged, 1},
	{Key{"marked", "whether you marked it", "marked:yes", yesNo}, fMarked, asChoice, judged, 0},
	{Key{"comment", "your comment on it", "comment:later", nil}, fComment, asText, judged, 1},
	{Key{"id", "number of the flow", "id:12, id:3-9, id:>100", nil}, fID, asNumber, everywhere, 0},
	{Key{"time", "age", "time:<5m, time:>1h30m", nil}, fTime, asDuration, judged, 0},
	{Key{"dur", "duration, so far if it goes on", "dur:>1s, dur:100ms-1s", nil}, fDur, asDuration, judged, 0},
	{Key{"size", "size of the answer's body", "size:>1mb, size:10kb-2mb", nil}, fSize, asBytes, answered, 0},
	{Key{"upload", "size of the request's body", "upload:>1mb", nil}, fUpload, asBytes, everywhere, 0},
	{Key{"process", "program that sent the request", "process:node", nil}, fProcess, asText, opened, 1},
	{Key{"header", "a line \"name: value\" of a header or trailer", `header:x-csrf, header:"accept: text"`, nil}, fHeader, asText, opened, 2},
	{Key{"body", "text of a body, decoded", `body:"denied"`, nil}, fBody, asText, opened, 3},
}

// state is a value of is:.
type state struct {
	name  string
	is    condition
	known phases
}

type condition uint8

const (
	failed condition = iota
	pending
	refused
	marked
	commented
	proven
	cut
	replayed
	imported
	websocket
	sse
	grpc
	tunnel
	handshake
	rejected
)

var states = []state{
	{"error", failed, judged},
	{"pending", pending, judged},
	{"refused", refused, answered},
	{"marked", marked, judged},
	{"commented", commented, judged},
	{"proven", proven, judged},
	{"cut", cut, judged},
	{"replay", replayed, everywhere},
	{"import", imported, everywhere},
	{"websocket", websocket, everywhere},
	{"sse", sse, answered},
	{"grpc", grpc, everywhere},
	{"tunnel", tunnel, judged},
	{"handshake", handshake, judged},
	{"rejected", rejected, judged},
}

func (c condition) of(s *Subject) bool {
	switch c {
	case failed:
		return s.Err != ""
	case pending:
		return s.Live
	case refused:
		return s.Refused
	case marked:
		return s.Marked
	case commented:
		return s.Comment != ""
	case proven:
		return s.Proven
	case cut:
		return s.Cut
	case replayed:
		return s.Origin == flow.FromReplay
	case imported:
		return s.Origin == flow.FromImport
	case websocket:
		return s.WebSocket
	case sse:
		return s.mediaType() == "text/event-stream"
	case grpc:
		return decode.IsGRPC(s.mediaType())
	case tunnel:
		return s.Kind == flow.Tunnel
	case handshake:
		return s.Kind == flow.Handshake
	case rejected:
		return s.Kind == flow.Rejected
	}
	return false
}

// Keys are the keys that may be used in a phase, in the order in which to offer them.
func Keys(p Phase) []Key {
	var list []Key
	for i := range specs {
		if specs[i].known.has(p) {
			k := specs[i].Key
			k.Values = specs[i].values(p)
			list = append(list, k)
		}
	}
	return list
}

// values are what a choice may be in a phase, and what is worth offering for others.
func (s *spec) values(p Phase) []string {
	if s.field != fIs {
		return s.Values
	}
	var list []string
	for i := range states {
		if states[i].known.has(p) {
			list = append(list, states[i].name)
		}
	}
	return list
}

func specOf(name string) *spec {
	for i := range specs {
		if strings.EqualFold(specs[i].Name, name) {
			return &specs[i]
		}
	}
	return nil
}

// elsewhere says where a key that p does not know can be used.
func elsewhere(known phases) string {
	var list []string
	for q := Rows; q <= Flows; q++ {
		if known.has(q) {
			list = append(list, q.String())
		}
	}
	if n := len(list); n > 1 {
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
	return strings.Join(list, "")
}

// otherNames are words of other tools for our keys.
var otherNames = map[string]string{
	"code": "status", "status-code": "status", "statuscode": "status", "response": "status", "verb": "method", "domain": "host", "server": "host", "authority": "host",
	"mime": "type", "mime-type": "type", "content-type": "type", "contenttype": "type", "content": "type", "age": "time", "since": "time", "duration": "dur", "latency": "dur", "took": "dur",
	"length": "size", "bytes": "size", "reason": "cause", "why": "cause", "waf": "vendor", "product": "vendor", "mark": "marked", "note": "comment", "text": "body", "hdr": "header",
	"headers": "header", "proc": "process", "app": "process", "protocol": "scheme", "param": "query", "number": "id", "denied": "refused", "has": "header",
}

// meant is the key that name probably stands for, nil if none is near.
func meant(name string) *spec {
	if k, ok := otherNames[name]; ok {
		return specOf(k)
	}
	var best *spec
	least := 3
	for i := range specs {
		if d := distance(name, specs[i].Name); d < least && d < len(name) {
			best, least = &specs[i], d
		}
	}
	return best
}

// distance is how many letters have to be added, dropped, replaced or swapped to make a of b.
func distance(a, b string) int {
	if len(a) > 32 {
		return len(a)
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		rows[2][0] = i
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			rows[2][j] = min(rows[1][j]+1, rows[2][j-1]+1, rows[1][j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[2][j] = min(rows[2][j], rows[0][j-2]+1)
			}
		}
		rows[0], rows[1], rows[2] = rows[1], rows[2], rows[0]
	}
	return rows[1][len(b)]
}
