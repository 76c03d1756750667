package inspect

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/why403/why403/flow"
)

var expiredLink = &Rule{
	Name: "expired-link", Cause: ExpiredToken, Title: "the signed URL has expired", Item: 4,
	Doc: `A presigned URL is good from X-Amz-Date for X-Amz-Expires seconds (AWS SigV4 query authentication; the same with X-Goog-), a SAS until "se" (Azure Storage), a CloudFront URL until Expires, those of nginx secure_link and of Laravel until expires. After that the server answers 403.`,
	Run: func(c *Case) []Finding {
		if c.Now.IsZero() || c.AnswerSpeaksFor(Not(ExpiredToken)) {
			return nil
		}
		end, param, ok := linkExpiry(queryOf(c.Flow))
		if !ok || !c.Now.After(end) {
			return nil
		}
		f := because("the signed URL was good until %s, %s before the request", end.Format("2006-01-02 15:04:05 UTC"), span(c.Now.Sub(end))).On(ByComputation).
			Quote(Evidence{Where: "request.url", Quote: param}).Then("Have a new URL signed")
		if c.AnswerSpeaksFor(Any(ExpiredToken)) {
			return f.Certain()
		}
		return f.Likely()
	},
}

// linkExpiry is the end of a signed URL's life and the parameter that says so.
func linkExpiry(q map[string]string) (time.Time, string, bool) {
	for _, p := range []string{"X-Amz-", "X-Goog-"} {
		if d, e := q[p+"Date"], q[p+"Expires"]; d != "" && e != "" && q[p+"Signature"] != "" {
			at, err := time.Parse("20060102T150405Z", d)
			secs, err2 := strconv.Atoi(e)
			if err == nil && err2 == nil {
				return at.Add(time.Duration(secs) * time.Second), p + "Expires=" + e, true
			}
		}
	}
	if se := q["se"]; se != "" && q["sig"] != "" {
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z", "2006-01-02"} {
			if t, err := time.Parse(layout, se); err == nil {
				return t.UTC(), "se=", true
			}
		}
	}
	for _, p := range []string{"Expires", "expires"} {
		// CloudFront and S3 Signature Version 2; nginx secure_link (expires, md5), Laravel's URL::temporarySignedRoute (expires, signature).
		e := q[p]
		if e == "" || q["Signature"] == "" && q["Key-Pair-Id"] == "" && (p == "Expires" || q["signature"] == "" && q["md5"] == "" && q["hash"] == "" && q["hmac"] == "") {
			continue
		}
		if n, err := strconv.ParseInt(e, 10, 64); err == nil && n > 1e9 && n < 1e11 {
			return time.Unix(n, 0).UTC(), p + "=" + e, true
		}
	}
	return time.Time{}, "", false
}

var signatureReused = &Rule{
	Name: "signature-mismatch", Cause: SignatureMismatch, Title: "the signature is that of another body", Item: 4,
	Doc: `An HMAC over the body (GitHub X-Hub-Signature-256, Stripe, Slack, Shopify and home-made ones) covers every byte. The same signature over other bytes cannot verify: the body was changed, or a proxy serialized the JSON anew.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(SignatureMismatch, InvalidToken)) {
			return nil
		}
		if f, ok := digestMismatch(c.req()); ok {
			return f.Likely()
		}
		if a := c.auth(c.Flow); a != nil && c.signs() {
			for g := range c.accepted() {
				if b := c.auth(g); b != nil && b.value == a.value && g.Authority == c.Flow.Authority && (g.Request.Target != c.req().Target || g.Request.Method != c.req().Method || string(g.Request.Body.Data) != string(c.req().Body.Data)) {
					return because("the Authorization is that of #%d, which signed another request", g.ID).On(ByComputation).Quote(Evidence{Where: a.where, Quote: a.value}).Quote(inHistory(g)).Likely()
				}
			}
		}
		for _, cr := range c.credentials(c.Flow) {
			if cr.kind != signed || !strings.HasPrefix(cr.where, "request.header:") {
				continue
			}
			for g := range c.accepted() {
				if g.Request.Header.Get(cr.field) == cr.value && string(g.Request.Body.Data) != string(c.req().Body.Data) {
					f := because("%s is the signature of #%d, whose body has other bytes", cr.field, g.ID).On(ByComputation).Quote(Evidence{Where: cr.where, Quote: cr.value}).Quote(inHistory(g))
					if v, ok := c.req().Header.Lookup("Via"); ok && !g.Request.Header.Has("Via") {
						f = f.Quote(Evidence{Where: "request.header:Via", Quote: v})
						f.Summary += "; a proxy (Via) may have rewritten it"
					}
					return f.Likely()
				}
			}
			if ok := c.okReq().Header.Get(cr.field); ok != "" && len(ok) != len(cr.value) {
				return because("%s has %d characters; the accepted one (#%d) had %d", cr.field, len(cr.value), c.Success.ID, len(ok)).On(ByComputation).Quote(Evidence{Where: cr.where, Quote: cr.value}).Likely()
			}
		}
		return nil
	},
}

// skewLimit is what AWS allows between the clocks of client and server (SigV4, "Date handling"): 15 minutes; others allow less.
const skewLimit = 15 * time.Minute

var clockSkew = &Rule{
	Name: "clock-skew", Cause: ClockSkew, Title: "the request's time is far from the server's", Item: 4,
	Doc: `Signed requests carry their time (X-Amz-Date, X-Timestamp, X-Slack-Request-Timestamp, x-ms-date). Servers refuse one that is more than some minutes off theirs (AWS 15, Slack 5): it shows in the Date of the answer.`,
	Run: func(c *Case) []Finding {
		if c.AnswerSpeaksFor(Not(ClockSkew, SignatureMismatch, ExpiredToken)) {
			return nil
		}
		server, ok := httpDate(c.resp().Header.Get("Date"))
		if !ok {
			return nil
		}
		for _, f := range c.req().Header {
			at, ok := requestTime(f.Name, f.Value)
			if !ok || !c.signs() && !c.freshWhenAccepted(f.Name) {
				continue // without a signature a time is looked at by few servers
			}
			if d := at.Sub(server).Abs(); d > skewLimit {
				g := because("%s is %s off the server's Date", f.Name, span(d)).On(ByComputation).Quote(Evidence{Where: "request.header:" + f.Name, Quote: f.Value}).Quote(Evidence{Where: "response.header:Date", Quote: c.resp().Header.Get("Date")})
				if c.AnswerSpeaksFor(Any(ClockSkew)) {
					return g.Certain()
				}
				return g.Likely()
			}
		}
		return nil
	},
}

// freshWhenAccepted reports whether the accepted request had a time in this
// field that was close to its server's.
func (c *Case) freshWhenAccepted(name string) bool {
	if c.Success == nil || c.Success.Response == nil {
		return false
	}
	at, ok := requestTime(name, c.okReq().Header.Get(name))
	server, known := httpDate(c.Success.Response.Header.Get("Date"))
	return ok && known && at.Sub(server).Abs() <= skewLimit
}

func requestTime(name, v string) (time.Time, bool) {
	switch low := strings.ToLower(name); {
	case low == "x-amz-date" || low == "x-goog-date":
		t, err := time.Parse("20060102T150405Z", v)
		return t, err == nil
	case low == "x-ms-date" || low == "date":
		return httpDate(v)
	case strings.Contains(low, "timestamp"):
		n, err := strconv.ParseInt(v, 10, 64)
		switch {
		case err != nil:
			t, err := time.Parse(time.RFC3339, v)
			return t, err == nil
		case n > 1e12 && n < 1e14:
			return time.UnixMilli(n), true
		case n > 1e9 && n < 1e11:
			return time.Unix(n, 0), true
		}
	}
	return time.Time{}, false
}

// digestMismatch recomputes a digest of the body that the request carries:
// X-Amz-Content-Sha256 (SigV4), Content-MD5 (RFC 1864), Digest (RFC 3230),
// Content-Digest (RFC 9530).
func digestMismatch(m *flow.Message) (Finding, bool) {
	if !m.Body.Whole() || m.Header.Has("Content-Encoding") {
		return Finding{}, false
	}
	sum, five := sha256.Sum256(m.Body.Data), md5.Sum(m.Body.Data)
	b64 := base64.StdEncoding.EncodeToString
	for _, f := range m.Header {
		want := ""
		switch strings.ToLower(f.Name) {
		case "x-amz-content-sha256":
			if len(f.Value) == 64 {
				want = hex.EncodeToString(sum[:])
			}
		case "content-md5":
			want = b64(five[:])
		case "digest":
			if v, ok := cutFold(f.Value, "sha-256="); ok && !strings.Contains(v, ",") {
				want = f.Value[:8] + b64(sum[:])
			}
		case "content-digest":
			if v, ok := cutFold(f.Value, "sha-256=:"); ok && strings.HasSuffix(v, ":") {
				want = f.Value[:9] + b64(sum[:]) + ":"
			}
		}
		if want != "" && !strings.EqualFold(want, f.Value) {
			return because("%s is not the digest of the body: the body was changed after it was signed", f.Name).On(ByComputation).Quote(Evidence{Where: "request.header:" + f.Name, Quote: f.Value}), true
		}
	}
	return Finding{}, false
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
