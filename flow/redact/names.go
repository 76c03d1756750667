package redact

import (
	"bytes"
	"slices"
	"strings"

	"github.com/why403/why403/flow/decode"
)

// maxName is how long the name of a field may be to be looked at, in bytes.
const maxName = 64

// secretNames are names of fields, parameters, cookies and header fields whose
// values are secret, without separators and in lower case.
var secretNames = set(`
	password passwd passwort pass pw pwd passphrase passcode pin otp totp mfacode pincode motdepasse contrasena senha newpassword oldpassword currentpassword confirmpassword passwordconfirmation
	otpcode totpcode onetimecode onetimepassword smscode verificationcode securitycode twofactorcode recoverycode backupcode authcode authorizationcode resetcode activationcode secretanswer securityanswer
	secret token auth authorization proxyauthorization credential credentials apikey appkey accesskey privatekey secretkey signingkey encryptionkey masterkey authkey subscriptionkey
	accesskeyid awsaccesskeyid secretaccesskey sessionid sessid session sid jsessionid phpsessid sessionkey sessiontoken
	sig signature hmac jwt bearer assertion clientassertion samlresponse samlart clientsecret refreshtoken idtoken idtokenhint accesstoken authtoken
	codeverifier devicecode xamzsignature xamzsecuritytoken xamzcredential xgoogsignature xgoogcredential
	cvv cvc cvv2 cardnumber ccnumber cardno creditcard ssn iban xapikey xauthtoken privatetoken webhooksecret connectionstring sharedaccesskey accountkey sastoken`)

// queryNames are secret in a query or a form only: elsewhere they are everyday words.
var queryNames = set(`key code ticket`)

// tokenNames are everyday words too, with which answers that issue tokens name them
// (Simple JWT: refresh, access): their values are secret in fields and parameters, if they are long enough to be one.
var tokenNames = set(`refresh access`)

const minToken = 8 // bytes

// strongNames are asked for by people: what is entered there is a secret even if it is a plain word or a number.
var strongNames = set(`password passwd passwort pass pw pwd passphrase passcode pin otp totp mfacode pincode motdepasse contrasena senha newpassword oldpassword currentpassword
	confirmpassword passwordconfirmation otpcode totpcode onetimecode smscode verificationcode securitycode twofactorcode clientsecret cvv cvc cvv2 ssn cardnumber ccnumber cardno creditcard`)

// openNames end like secrets and are none.
var openNames = set(`nexttoken pagetoken nextpagetoken prevpagetoken previouspagetoken continuationtoken paginationtoken startingtoken synctoken canceltoken cancellationtoken
	xcontenttypetoken maxtoken idempotencykey haspassword`)

var secretEnds = []string{"token", "secret", "password", "passwd", "passphrase", "apikey", "secretkey", "privatekey", "accesskey", "authkey", "signingkey", "sessionid", "sessionkey", "signature", "credentials", "cookie2"}

func set(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

// plain writes the last component of a name (user[password], a.b.token, ns:Password) into buf, without separators and in lower case.
func plain(name string, buf *[maxName]byte) []byte {
	if len(name) > maxName {
		return nil
	}
	name = strings.TrimRight(name, "[].")
	if i := strings.LastIndexAny(name, "[.:/$"); i >= 0 {
		name = name[i+1:]
	}
	n := 0
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c == '-' || c == '_' || c == ' ':
			continue
		}
		buf[n] = c
		n++
	}
	return buf[:n]
}

// isSecret reports whether the value of a field of that name is secret wherever it stands.
func isSecret(name string) bool {
	var buf [maxName]byte
	p := plain(name, &buf)
	if len(p) < 2 || openNames[string(p)] {
		return false
	}
	if secretNames[string(p)] || endsWithPass(name) {
		return true
	}
	if cut := bytes.TrimRight(p, "0123456789"); len(cut) > 2 { // password2, X-Hub-Signature-256
		p = cut
	}
	if secretNames[string(p)] {
		return true
	}
	for _, end := range secretEnds {
		if len(p) > len(end) && string(p[len(p)-len(end):]) == end {
			return true
		}
	}
	return decode.IsCSRFName(name) && string(p) != "nonce" && string(p) != "xrequestedby"
}

// endsWithPass reports whether the last word of a name is one for a password: X-Internal-Pass, db_pw, smtpPass, and not bypass.
func endsWithPass(name string) bool {
	for _, w := range []string{"pass", "pwd", "pw", "psk"} {
		at := len(name) - len(w)
		if at < 2 || !strings.EqualFold(name[at:], w) {
			continue
		}
		switch c := name[at-1]; {
		case c == '-' || c == '_' || c == ' ':
			return true
		case c >= 'a' && c <= 'z':
			return name[at] >= 'A' && name[at] <= 'Z'
		}
	}
	return false
}

// isToken reports whether v is a token by the name of its field and its length.
func isToken(name, v string) bool {
	var buf [maxName]byte
	return len(v) >= minToken && tokenNames[string(plain(name, &buf))]
}

// isSecretParameter is isSecret for a query or a form.
func isSecretParameter(name string) bool {
	var buf [maxName]byte
	return isSecret(name) || queryNames[string(plain(name, &buf))]
}

func isStrong(name string) bool {
	var buf [maxName]byte
	return strongNames[string(plain(name, &buf))]
}

// isSecretField reports whether a header field of that name carries a credential as its whole value.
func isSecretField(name string) bool {
	return decode.IsAPIKeyHeader(name) || isSecret(name) || isKeyField(name)
}

// openKeys are parts of names of header fields that end in "key" and hold none that opens anything.
var openKeys = []string{"idempotency", "websocket", "cache", "surrogate", "public", "partition", "routing", "ordering", "sort", "primary", "object", "group", "dedup", "shard", "lock", "message", "request"}

// isKeyField reports whether a header field is named as a key of somebody: X-Company-Key.
func isKeyField(name string) bool {
	n := strings.ToLower(name)
	return strings.HasSuffix(n, "-key") && !slices.ContainsFunc(openKeys, func(part string) bool { return strings.Contains(n, part) })
}

// openFields are parts of header names behind which random values are no
// secrets but what support asks for, or what caches and protocols work with.
var openFields = []string{
	"trace", "span", "request", "correlation", "ray", "etag", "match", "digest", "hash", "sha", "md5", "nonce", "checksum", "version", "agent", "sec-", "accept", "content-", "cache",
	"via", "server", "x-amz-cf", "served", "timer", "report-to", "nel", "idempotency", "host", "vary", "policy", "strict", "alt-svc", "upgrade", "challenge", "authenticate", "date", "time",
	"build", "deploy", "commit", "release", "debug-id", "traceparent", "baggage", "public-key", "if-", "range", "www-",
}

func isOpenField(name string) bool {
	n := strings.ToLower(name)
	if strings.HasSuffix(n, "id") {
		return true
	}
	for _, part := range openFields {
		if strings.Contains(n, part) {
			return true
		}
	}
	return false
}

// openParameters are parts of names of parameters behind which random values are no secrets.
func isOpenParameter(name string) bool {
	n := strings.ToLower(name)
	switch n {
	case "v", "ver", "rev", "cursor", "after", "before", "hash", "etag", "sha", "nonce", "state", "code_challenge", "integrity", "page", "q", "query", "build":
		return true
	}
	return strings.HasSuffix(n, "id") || strings.HasSuffix(n, "hash") || strings.HasSuffix(n, "_challenge")
}

// urlFields hold one URL.
func isURLField(name string) bool {
	switch strings.ToLower(name) {
	case "location", "content-location", "referer", "destination", "refresh", "link", "x-original-url", "x-rewrite-url", "x-forwarded-uri", "sourcemap", "origin":
		return true
	}
	return false
}
