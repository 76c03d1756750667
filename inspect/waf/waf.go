// Package waf simulates a web application firewall: it runs a request through the
// OWASP Core Rule Set in Coraza, as a fresh installation has it, and tells which
// rules fire and on which bytes of the request.
//
// The rules are loaded at the first request and given back after some minutes in
// which none came. An Engine runs one request at a time; any goroutine may ask,
// and waits for those before it. What a run holds is bounded: see the constants.
// Nothing is blocked, logged or kept, and no content of an uploaded file is looked
// at or written anywhere.
package waf

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"

	"github.com/why403/why403/flow"
)

// Version is that of the rules.
const Version = "4.25.0"

// Rules is what the rules are called, with their version.
const Rules = "Core Rule Set " + Version

// Threshold is the anomaly score from which a fresh installation refuses
// (tx.inbound_anomaly_score_threshold, rule 901100).
const Threshold = 5

// Bounds of what is looked at of one request: with all of them reached a run takes
// some tenths of a second. Firewalls have such bounds too: 8 KB to 64 KB of a body in AWS WAF,
// 128 KB in ModSecurity's recommended configuration (SecRequestBodyNoFilesLimit).
const (
	maxBody   = 32 << 10 // bytes of the decoded content
	maxTarget = 8 << 10  // bytes of the request target
	maxHeader = 32 << 10 // bytes of all header fields
	maxField  = 8 << 10  // bytes of one
	maxFields = 200
	maxArgs   = 1000 // as in Coraza's recommended configuration
	maxDepth  = 500  // levels of JSON
	maxHits   = 40
)

// DefaultIdle is after which time without a request the rules are given back.
const DefaultIdle = 5 * time.Minute

// Engine runs requests through the rules. The zero value is ready.
type Engine struct {
	Idle time.Duration // see DefaultIdle; 0 is that

	mu     sync.Mutex
	rules  coraza.WAF
	failed error // why the rules could not be loaded; tried again after Idle
	idle   *time.Timer
	loads  int
}

// Loaded reports whether the rules are in memory, so that a run costs little.
func (e *Engine) Loaded() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rules != nil
}

// Close gives the memory back. A later run loads the rules again.
func (e *Engine) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.idle != nil {
		e.idle.Stop()
	}
	e.free()
}

// free gives the rules back. The expressions that Coraza compiled are in a cache
// of the whole program until their owner is closed.
func (e *Engine) free() {
	if c, ok := e.rules.(experimental.WAFCloser); ok {
		c.Close()
	}
	e.rules, e.failed = nil, nil
}

// ready loads the rules if they are not there, and puts the time off at which they go.
func (e *Engine) ready() error {
	wait := e.Idle
	if wait == 0 {
		wait = DefaultIdle
	}
	if e.idle == nil {
		e.idle = time.AfterFunc(wait, e.Close)
	} else {
		e.idle.Reset(wait)
	}
	if e.rules == nil && e.failed == nil {
		e.loads++
		e.rules, e.failed = load()
	}
	return e.failed
}

// requestRules are the files of the rule set that judge a request, in order; those for answers are left out.
var requestRules = []string{"901-INITIALIZATION", "905-COMMON-EXCEPTIONS", "911-METHOD-ENFORCEMENT", "913-SCANNER-DETECTION", "920-PROTOCOL-ENFORCEMENT",
	"921-PROTOCOL-ATTACK", "922-MULTIPART-ATTACK", "930-APPLICATION-ATTACK-LFI", "931-APPLICATION-ATTACK-RFI", "932-APPLICATION-ATTACK-RCE",
	"933-APPLICATION-ATTACK-PHP", "934-APPLICATION-ATTACK-GENERIC", "941-APPLICATION-ATTACK-XSS", "942-APPLICATION-ATTACK-SQLI",
	"943-APPLICATION-ATTACK-SESSION-FIXATION", "944-APPLICATION-ATTACK-JAVA"}

// setup is what Coraza's recommended configuration and crs-setup.conf.example
// say, but for logs, answers, and rules of level 2 that are noted and not counted.
const setup = `
SecRuleEngine DetectionOnly
SecAuditEngine Off
SecResponseBodyAccess Off
SecRequestBodyAccess On
SecRequestBodyLimitAction ProcessPartial
SecUploadKeepFiles Off
SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\+|/)|text/)xml" "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:Content-Type "^application/[a-z0-9.-]+[+]json" "id:200006,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecDefaultAction "phase:1,log,noauditlog,pass"
SecDefaultAction "phase:2,log,noauditlog,pass"
SecAction "id:900000,phase:1,pass,t:none,nolog,setvar:tx.blocking_paranoia_level=1"
SecAction "id:900001,phase:1,pass,t:none,nolog,setvar:tx.detection_paranoia_level=2"
SecAction "id:900990,phase:1,pass,t:none,nolog,setvar:tx.crs_setup_version=4250"
`

// load reads the rules: some tenths of a second and some tens of megabytes.
func load() (rules coraza.WAF, err error) {
	defer func() {
		if p := recover(); p != nil {
			rules, err = nil, fmt.Errorf("load the %s: %v", Rules, p)
		}
	}()
	var b strings.Builder
	b.WriteString(setup)
	fmt.Fprintf(&b, "SecArgumentsLimit %d\nSecRequestBodyJsonDepthLimit %d\nSecRequestBodyLimit %d\nSecRequestBodyInMemoryLimit %d\n", maxArgs, maxDepth, 2*maxBody, 2*maxBody)
	for _, name := range requestRules {
		fmt.Fprintf(&b, "Include @owasp_crs/REQUEST-%s.conf\n", name)
	}
	rules, err = coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(b.String()))
	if err != nil {
		return nil, fmt.Errorf("load the %s: %w", Rules, err)
	}
	return rules, nil
}

// Result is what the rules say of a request.
type Result struct {
	// Score is what the rules of paranoia level 1 add up to; Beyond is what those of level 2 would add.
	Score, Beyond int
	Hits          []Hit // those of level 1 first, then by rule; at most maxHits
	Cut           bool  // only a first part of the request was looked at
}

var errNoRequest = errors.New("there is no request")

// Run sends the request of f through the rules. Its body is the decoded content or
// a first part of it, whatever Content-Encoding says. ctx ends the waiting and
// what can be ended of the work: one run is bounded anyway. A failure of the
// rules, even a panic in them, is an error; the next run is not the worse for it.
func (e *Engine) Run(ctx context.Context, f *flow.Flow) (r Result, err error) {
	if f.Request == nil || f.Request.Method == "" {
		return r, errNoRequest
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return r, err
	}
	if err := e.ready(); err != nil {
		return r, err
	}
	if r, err = run(ctx, e.rules, f); err != nil && ctx.Err() == nil {
		e.free() // what broke once is not trusted
	}
	return r, err
}

func run(ctx context.Context, rules coraza.WAF, f *flow.Flow) (r Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = Result{}, fmt.Errorf("run the %s: %v", Rules, p)
		}
	}()
	in := newInput(f)
	tx := rules.NewTransactionWithID("why403") // any id will do: nothing is logged
	defer tx.Close()
	// Addresses are for documentation (RFC 5737): rules on addresses judge a network that we do not know.
	tx.ProcessConnection("192.0.2.1", 50000, "192.0.2.2", 443)
	tx.ProcessURI(in.target, f.Request.Method, in.proto)
	tx.SetServerName(in.server)
	for _, h := range in.header {
		tx.AddRequestHeader(h.Name, h.Value)
	}
	tx.ProcessRequestHeaders()
	if err := ctx.Err(); err != nil {
		return r, err
	}
	if _, _, err := tx.WriteRequestBody(in.body); err != nil {
		return r, fmt.Errorf("run the %s: %w", Rules, err)
	}
	if _, err := tx.ProcessRequestBody(); err != nil {
		return r, fmt.Errorf("run the %s: %w", Rules, err)
	}
	if err := ctx.Err(); err != nil {
		return r, err
	}
	state, ok := tx.(plugintypes.TransactionState)
	if !ok {
		return r, fmt.Errorf("run the %s: the transaction does not tell its score", Rules)
	}
	r.Score, r.Beyond = score(state, "inbound_anomaly_score_pl1"), score(state, "inbound_anomaly_score_pl2")
	r.Hits, r.Cut = in.hits(tx.MatchedRules()), in.cut
	return r, nil
}
