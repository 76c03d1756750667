// Package inspect says why a request was refused: from facts to rules to
// findings to a ranked verdict. It is pure: no clock, no I/O, no randomness; the
// same Case always gives the same Verdict of the same Ruleset.
package inspect

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/why403/why403/flow"
)

// Name is an id of a cause, a layer or a vendor; "" is none and null in JSON.
type Name string

// MarshalJSON gives null for "".
func (n Name) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(n))
}

// Explained is one flow in the JSON that `why403 explain` prints (a contract:
// fields may be added, never renamed).
type Explained struct {
	ID           flow.ID   `json:"id"`
	Method       string    `json:"method"`
	URL          string    `json:"url"`
	Status       int       `json:"status"`
	Refused      bool      `json:"refused"`
	Verdict      *Verdict  `json:"verdict,omitempty"`
	Candidates   []Verdict `json:"candidates,omitempty"`
	ComparedWith *Compared `json:"compared_with,omitempty"`
	Checklist    []Check   `json:"checklist,omitempty"`
	// Credentials are the lives of those that the request carries, where the verdict is about one.
	Credentials []Life `json:"credentials,omitempty"`
	// FixedOnce are replays of the flow that were changed and accepted. One such
	// replay shows that the change helped once; it proves nothing yet.
	FixedOnce []flow.ID `json:"fixed_once,omitempty"`
	// ProvenBy is the flow that an experiment had accepted with the smallest change, and Proof
	// says what that is; 0 and "" where nothing was proven.
	ProvenBy flow.ID `json:"proven_by,omitempty"`
	Proof    string  `json:"proof,omitempty"`
	// Logs are the lines of servers' logs that belong to the flow.
	Logs []Line `json:"logs,omitempty"`
	// WAF is what the Core Rule Set says of the request; absent where that could not matter.
	WAF *Simulation `json:"waf,omitempty"`
	// Time is when a refused request began, and IDs are those by which whoever runs the
	// server finds it in a log, as "Name: value".
	Time time.Time `json:"time,omitzero"`
	IDs  []string  `json:"ids,omitempty"`
}

// Verdict is a finding that has been ranked.
type Verdict struct {
	Cause      Name            `json:"cause"`
	Layer      Name            `json:"layer"`
	Vendor     Name            `json:"vendor"`
	Confidence flow.Confidence `json:"confidence"`
	Proven     bool            `json:"proven"`
	// Headline is the summary in at most 40 cells, for a row of a list.
	Headline  string     `json:"headline"`
	Summary   string     `json:"summary"`
	NextStep  string     `json:"next_step"`
	Checklist []int      `json:"checklist"`
	Evidence  []Evidence `json:"evidence"`
	Fix       *Fix       `json:"fix,omitempty"`
}

// refusers say in words which layer refused.
var refusers = map[Name]string{
	"client": "Refused for what the request is", "network-proxy": "Refused by a proxy on the way",
	"cdn-waf": "Refused by a CDN or firewall", "load-balancer": "Refused by the load balancer",
	"web-server": "Refused by the web server", "api-gateway": "Refused by the API gateway",
	"ai-gateway": "Refused by the AI gateway", "identity": "Refused by the identity provider",
	"kubernetes": "Refused by Kubernetes", "backend-app": "Refused by the application",
	"database": "Refused by the database", "filesystem": "Refused by the file system",
}

// Who says who refused: "Refused by the web server (nginx)".
func (v *Verdict) Who() string {
	s := cmp.Or(refusers[v.Layer], "Refused")
	if v.Vendor != "" {
		s += " (" + string(v.Vendor) + ")"
	}
	return s
}

// Sure says how sure the cause is: "proven", "certain", "likely", "possible"; "" where it is unknown.
func (v *Verdict) Sure() string {
	switch {
	case v.Proven:
		return "proven"
	case v.Cause == UnknownCause:
		return ""
	}
	return v.Confidence.String()
}

// Evidence is a quotation: Quote is a verbatim part of what Where names.
type Evidence struct {
	// Where is response.body, response.header:NAME, response.trailer:NAME,
	// response.status, request.header:NAME, request.body, request.url, diff,
	// history, log:LABEL:LINE or tls. In the history a flow stands as
	// HistoryLine tells it, the two TLS connections as TLSLine does; the diff is
	// the names and values of its changes.
	Where  string `json:"where"`
	Quote  string `json:"quote"`
	Offset int    `json:"offset"` // byte offset of Quote in the decoded Where
}

// Fix is a change to the request that is believed to be accepted.
type Fix struct {
	Summary string     `json:"summary"`
	Patch   flow.Patch `json:"patch"`
	// Test marks a change that shows whether something is the reason, and loses what it takes out.
	Test bool `json:"test,omitempty"`
}

// Compared names the success that the refused flow was compared with.
type Compared struct {
	ID      flow.ID       `json:"id"`
	Changes []flow.Change `json:"changes"`
}

// State is how a check of the checklist came out.
type State string

// The states of a check.
const (
	OK            State = "ok"      // the note names what shows it
	Suspect       State = "suspect" // a finding speaks against it
	Unknown       State = "unknown" // only the server's side knows: Verify says where to look
	NotApplicable State = "n/a"
)

// Check is one of the 21 checks as it came out for one flow.
type Check struct {
	Item   int    `json:"item"`
	Name   string `json:"name"`
	State  State  `json:"state"`
	Note   string `json:"note"`
	Verify string `json:"verify"` // a command or a place to look, filled in for this flow
}
