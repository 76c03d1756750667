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
Only an object that has nothing but the fields of an envelope, and empty ones, counts: one that brings data, or fields of its own, is an answer about something.`,
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
	failed bool   // the body calls itself a failure
	told   bool   // there is a message
}

const maxEnvelope = 4 << 10 // bytes; what is longer brings data

// The fields of envelopes, in lower case without separators.
var (
	envelopeCodes    = map[string]bool{"code": true, "status": true, "statuscode": true, "errcode": true, "errorcode": true, "errno": true, "retcode": true, "ret": true, "resultcode": true, "returncode": true, "rc": true}
	envelopeMessages = map[string]bool{"message": true, "msg": true, "errmsg": true, "errormsg": true, "errormessage": true, "errordescription": true, "error": true, "info": true, "reason": true, "detail": true, "details": true, "desc": true, "description": true, "submsg": true, "subcode": true, "errorinfo": true, "statustext": true, "title": true, "retmsg": true}
	failing          = map[string]bool{"success": true, "ok": true, "issuccess": true, "succeeded": true}
	envelopeOthers   = map[string]bool{"timestamp": true, "time": true, "path": true, "requestid": true, "traceid": true, "logid": true, "tid": true, "version": true, "type": true, "meta": true, "datetime": true, "servertime": true}
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
	env, ok := readEnvelope(doc, true)
	switch {
	case !ok || !env.told:
		return envelope{}, false
	case env.status != "":
		return env, true
	case m.Status >= 300:
		return envelope{}, false // see softly: such a status is one of failure by itself
	}
	if env.failed {
		for _, f := range lexiconFindings(c, false) {
			if f.Confidence >= flow.Likely && envelopeCauses(f.Cause) {
				return env, true
			}
		}
	}
	return envelope{}, false
}

// readEnvelope reads the fields of an object; ok is false where one of them
// brings something that is no part of an outcome. Outside, the outcome may be in
// a field of its own: {"error":{"code":401,"message":"…"}}.
func readEnvelope(doc map[string]any, outside bool) (env envelope, ok bool) {
	for k, v := range doc {
		k = strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(k))
		text := scalar(v)
		inner, isObject := v.(map[string]any)
		list, isList := v.([]any)
		switch {
		case empty(v):
			env.failed = env.failed || failing[k] && text == "false"
		case outside && isObject && (k == "error" || k == "err"):
			if inner, ok := readEnvelope(inner, false); ok {
				inner.failed = true
				env = inner.or(env)
				continue
			}
			return env, false
		case isList && (k == "error" || k == "errors") && texts(list):
			env.failed, env.told = true, true
		case envelopeCodes[k]:
			if s := refusingStatus(text); s != "" {
				env.status, env.code = s, text
			}
			env.failed = env.failed || failures[strings.ToLower(text)] || k != "status" && k != "code" && k != "statuscode" && strings.Trim(text, "0") != "" && !strings.HasPrefix(text, "2")
		case envelopeMessages[k]:
			env.told = env.told || text != ""
			env.failed = env.failed || k == "error" && text != "" && text != "0"
		case failing[k] && text == "true":
		case !envelopeOthers[k]:
			return env, false
		}
	}
	return env, true
}

// or takes what another part of the body says besides.
func (e envelope) or(o envelope) envelope {
	if e.status == "" {
		e.status, e.code = o.status, o.code
	}
	e.failed, e.told = e.failed || o.failed, e.told || o.told
	return e
}

// texts reports whether a list has nothing but strings.
func texts(list []any) bool {
	for _, v := range list {
		if s, ok := v.(string); !ok || s == "" {
			return false
		}
	}
	return len(list) > 0
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
