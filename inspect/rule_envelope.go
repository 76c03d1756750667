package inspect

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/why403/why403/flow"
)

var envelopeSays = &Rule{
	Name: "envelope", Title: "the body carries the status of a refusal", Item: 18, Reads: true,
	Doc: `Some APIs answer everything with 200 and put the outcome into an envelope: {"code":401,"msg":"…","data":null}, {"success":false,"message":"…"}, {"errcode":1,"errmsg":"…"}.
It is a refusal where the code is that of one (401, 403, 429, 451, or such a code with two more digits), or where the envelope says failure and its message names a credential, a permission or a limit.
Only an object that has nothing but the fields of an envelope counts: one that brings data, or fields of its own, is an answer about something.`,
	Run: func(c *Case) []Finding {
		if flow.RefusedByStatus(c.resp().Status) {
			return nil
		}
		env, ok := c.envelope()
		if !ok || env.status == "" {
			return nil
		}
		q, found := rawJSON(c.said().body, env.code)
		if !found {
			return nil
		}
		f := because("the body carries %s under the status %d", clip(env.code, 20), c.resp().Status).On(ByCode).Quote(q)
		switch env.status {
		case "401":
			if len(c.credentials(c.Flow)) == 0 {
				return c.withCredentialOf(f.Of(MissingToken)).Likely()
			}
			return f.Of(InvalidToken).Possible()
		case "429":
			return f.Of(RateLimit).Likely()
		case "451":
			return f.Of(LegalBlock).Likely()
		}
		return nil // 403 says that, not why
	},
}

// envelope is the outcome that an answer carries in its body.
type envelope struct {
	status string // of a refusal, of three digits; "" where only the message tells
	code   string // as the body has it
}

const maxEnvelope = 4 << 10 // bytes; what is longer brings data

// The fields of envelopes, in lower case without separators.
var (
	envelopeCodes    = map[string]bool{"code": true, "status": true, "statuscode": true, "errcode": true, "errorcode": true, "errno": true, "retcode": true, "ret": true, "resultcode": true, "returncode": true, "rc": true}
	envelopeMessages = map[string]bool{"message": true, "msg": true, "errmsg": true, "errormsg": true, "errormessage": true, "errordescription": true, "error": true, "info": true, "reason": true, "detail": true, "details": true, "desc": true, "description": true, "submsg": true, "subcode": true, "statustext": true, "title": true, "retmsg": true}
	envelopeData     = map[string]bool{"data": true, "result": true, "results": true, "content": true, "payload": true, "rows": true, "items": true, "errors": true}
	envelopeOthers   = map[string]bool{"success": true, "ok": true, "issuccess": true, "succeeded": true, "timestamp": true, "time": true, "path": true, "requestid": true, "traceid": true, "logid": true, "tid": true, "version": true, "type": true, "meta": true, "datetime": true, "servertime": true}
	failures         = map[string]bool{"error": true, "fail": true, "failed": true, "failure": true, "denied": true, "forbidden": true, "unauthorized": true, "ko": true, "nok": true}
)

// envelope reads the body as one that refuses; ok is false for every other.
func (c *Case) envelope() (envelope, bool) {
	m := c.resp()
	if m.Status < 200 || m.Status >= 300 && m.Status != 400 && m.Status != 404 && m.Status != 422 && m.Status != 500 || !mayRefuse(m.Body.Data) {
		return envelope{}, false
	}
	doc, ok := c.said().json.(map[string]any)
	if !ok || len(doc) == 0 {
		return envelope{}, false
	}
	var env envelope
	failed, told := false, false
	for k, v := range doc {
		k = strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(k))
		text := scalar(v)
		switch {
		case envelopeCodes[k]:
			if s := refusingStatus(text); s != "" {
				env = envelope{s, text}
			}
			failed = failed || failures[strings.ToLower(text)] || k != "status" && k != "code" && k != "statuscode" && strings.Trim(text, "0") != "" && !strings.HasPrefix(text, "2")
		case envelopeMessages[k]:
			told = told || text != ""
			failed = failed || k == "error" && text != "" && text != "false"
		case envelopeData[k]:
			if !empty(v) {
				return envelope{}, false
			}
		case k == "success" || k == "ok" || k == "issuccess" || k == "succeeded":
			failed = failed || text == "false"
		case !envelopeOthers[k]:
			return envelope{}, false
		}
	}
	switch {
	case !told:
		return envelope{}, false
	case env.status != "":
		return env, true
	case m.Status >= 300:
		return envelope{}, false // see softly: such a status is one of failure by itself
	}
	if failed {
		for _, f := range lexiconFindings(c, false) {
			if f.Confidence >= flow.Likely && envelopeCauses(f.Cause) {
				return envelope{}, true
			}
		}
	}
	return envelope{}, false
}

// envelopeCauses are those that a message of failure can name so that it is a
// refusal; out of stock is none.
var envelopeCauses = Any(MissingToken, InvalidToken, ExpiredToken, MalformedToken, NotYetValidToken, WrongAudience, WrongCredentials, MissingAPIKey, InvalidAPIKey, APIKeyRestricted,
	InsufficientScope, MissingRole, RateLimit, QuotaExhausted, Subscription, IPDenied, GeoBlocked, CSRFMissing, CSRFMismatch, SignatureMismatch, ClockSkew, StepUpRequired, BotChallenge)

// mayRefuse rules out most bodies with a glance: the words of failure are in few.
func mayRefuse(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n\ufeff")
	if len(body) < 10 || len(body) > maxEnvelope || body[0] != '{' {
		return false
	}
	for _, w := range [...]string{"false", "401", "403", "429", "451", "rror", "fail", "err", "ret", "denied", "orbidden", "nauthorized"} {
		if bytes.Contains(body, []byte(w)) {
			return true
		}
	}
	return false
}

// refusingStatus is the status of a refusal that a code stands for: 401, "403", 40103.
func refusingStatus(code string) string {
	if len(code) != 3 && len(code) != 5 {
		return ""
	}
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return ""
		}
	}
	switch s := code[:3]; s {
	case "401", "403", "429", "451":
		return s
	}
	return ""
}

// scalar is a value as text, "" for null, objects and lists.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return ""
}

// empty reports whether a value brings nothing.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	case string:
		return v == ""
	case bool:
		return !v
	}
	return false
}
