package inspect

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/why403/why403/flow"
)

var awsSignature = &Rule{
	Name: "aws-signature", Cause: SignatureMismatch, Title: "the AWS signature does not cover what was sent", Item: 4,
	Doc: `AWS SigV4 signs a canonical request: method, path, query, the headers that SignedHeaders names and the hash of the body, under a scope of day, region and service (IAM User Guide, "Create a signed AWS API request").
Without the secret the signature itself cannot be made again, but what it must cover can be held against the request; where the refusal tells the canonical request that the server computed, the line that differs is named.`,
	Run: func(c *Case) []Finding {
		s, ok := readSigV4(c.req(), c.Flow)
		if !ok || c.AnswerSpeaksFor(Not(SignatureMismatch, InvalidToken, ClockSkew, MalformedToken)) {
			return nil
		}
		if f, ok := c.asTheServerSawIt(s); ok {
			return f.Certain()
		}
		if why := s.fault(c); why != "" {
			return because("%s", why).On(ByComputation).Quote(s.quote).Then("Sign the request as it is sent, for the host that it is sent to").Likely()
		}
		return nil
	},
}

// sigV4 is what a request says of its signature.
type sigV4 struct {
	day, region, service string // of the scope
	headers              []string
	quote                Evidence
	presigned            bool
}

var credentialScope = regexp.MustCompile(`Credential=[^/,\s]+/(\d{8})/([^/,]+)/([^/,]+)/aws4_request`)

// readSigV4 reads the signature in Authorization or in the query of a presigned URL.
func readSigV4(m *flow.Message, f *flow.Flow) (sigV4, bool) {
	s := sigV4{}
	text := ""
	if v := m.Header.Get("Authorization"); strings.HasPrefix(v, "AWS4-HMAC-SHA256") {
		i := m.Header.Index("Authorization", 0)
		text, s.quote = v, Evidence{Where: "request.header:" + m.Header[i].Name, Quote: v}
		if _, after, ok := strings.Cut(v, "SignedHeaders="); ok {
			names, _, _ := strings.Cut(after, ",")
			s.headers = strings.Split(strings.ToLower(strings.TrimSpace(names)), ";")
		}
	} else if q := queryOf(f); q["X-Amz-Credential"] != "" {
		text, s.presigned = "Credential="+q["X-Amz-Credential"], true
		s.headers = strings.Split(strings.ToLower(q["X-Amz-SignedHeaders"]), ";")
		s.quote = Evidence{Where: "request.url", Quote: "X-Amz-Credential="}
	}
	p := credentialScope.FindStringSubmatch(text)
	if p == nil {
		return s, false
	}
	s.day, s.region, s.service = p[1], p[2], p[3]
	return s, true
}

// fault says what of the request its signature cannot cover, "" if nothing shows.
func (s sigV4) fault(c *Case) string {
	m := c.req()
	for _, n := range s.headers {
		if n != "" && n != "host" && !m.Header.Has(n) && n != "content-length" {
			return "SignedHeaders names " + clip(n, 60) + ", which the request does not carry"
		}
	}
	if len(s.headers) > 0 && !slices.Contains(s.headers, "host") && !slices.Contains(s.headers, ":authority") {
		return "host is not among the signed headers"
	}
	date := m.Header.Get("X-Amz-Date")
	if s.presigned {
		date = queryOf(c.Flow)["X-Amz-Date"]
	}
	if len(date) >= 8 && date[:8] != s.day {
		return "the scope is of the day " + s.day + ", X-Amz-Date of " + date[:8]
	}
	if region, service := awsHost(c.Flow.Authority); region != "" {
		switch {
		case region != s.region:
			return "the scope is of the region " + clip(s.region, 30) + ", the host of " + region
		case service != "" && service != s.service:
			return "the scope is of the service " + clip(s.service, 30) + ", the host of " + service
		}
	}
	if s.service == "s3" && !s.presigned {
		for _, h := range m.Header {
			if low := strings.ToLower(h.Name); strings.HasPrefix(low, "x-amz-") && !slices.Contains(s.headers, low) {
				return clip(h.Name, 60) + " is not among the signed headers, and S3 wants all x-amz- headers signed"
			}
		}
	}
	return ""
}

var awsRegion = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d$`)

// awsHost is the region and, where the host names it as the scope does, the
// service of a host under amazonaws.com; "" where it does not say.
func awsHost(authority string) (region, service string) {
	labels := strings.Split(strings.ToLower(host(authority+":")), ".")
	if i := slices.Index(labels, "amazonaws"); i >= 2 && awsRegion.MatchString(labels[i-1]) {
		switch s := labels[i-2]; s {
		case "s3", "execute-api", "sqs", "sns", "dynamodb", "lambda", "sts", "kms", "logs":
			service = s
		}
		return labels[i-1], service
	}
	return "", ""
}

// canonicalOf finds the canonical request in a refusal: an element of S3's error
// document, or a part of the message of the other services.
func canonicalOf(a *answer) (string, bool) {
	for _, p := range a.phrases {
		if p.key == "CanonicalRequest" {
			return "", true // whitespace is gone from phrases: read it from the body
		}
	}
	for _, v := range append(lookJSON(a.json, "message"), lookJSON(a.json, "Message")...) {
		if _, after, ok := strings.Cut(v, "The Canonical String for this request should have been\n'"); ok {
			text, _, _ := strings.Cut(after, "'\n")
			return text, true
		}
	}
	return "", false
}

// asTheServerSawIt compares the canonical request in the refusal with the request as it was sent.
func (c *Case) asTheServerSawIt(s sigV4) (Finding, bool) {
	a := c.said()
	text, ok := canonicalOf(a)
	if ok && text == "" {
		_, after, _ := strings.Cut(a.body, "<CanonicalRequest>")
		text, _, _ = strings.Cut(after, "</CanonicalRequest>")
		text = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`).Replace(text)
	}
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if !ok || len(lines) < 6 {
		return Finding{}, false
	}
	what, theirs, mine := c.firstDifference(lines)
	f := Finding{Basis: ByLog} // the server's own account, as good as its log
	if what == "" {
		f.Summary = "the server received what was sent: the secret key is another, or the client signed something else"
		return f.Quote(s.quote).Then("Compare the client's canonical request with the one in the answer, then the secret key of this access key"), true
	}
	f.Summary = "the signature was checked over " + what + " " + orNone(clip(theirs, 80)) + "; sent was " + orNone(clip(mine, 80)) + ": something in between changed it"
	if i := strings.Index(a.body, theirs); theirs != "" && i >= 0 {
		f = f.Quote(Evidence{Where: "response.body", Quote: theirs, Offset: i})
	}
	return f.Quote(s.quote).Then("Find the hop that changes %s, or sign what arrives behind it", what), true
}

// firstDifference holds the lines of a canonical request against the request as sent.
func (c *Case) firstDifference(lines []string) (what, theirs, mine string) {
	m := c.req()
	if lines[0] != m.Method {
		return "the method", lines[0], m.Method
	}
	if q := canonicalQuery(c.Flow.Query()); lines[2] != q && canonicalQuery(lines[2]) != q {
		return "the query", lines[2], q
	}
	for _, l := range lines[3:] {
		n, v, ok := strings.Cut(l, ":")
		if !ok {
			break
		}
		sent := strings.Join(strings.Fields(strings.Join(slices.Collect(m.Header.Values(n)), ",")), " ")
		if n == "host" && sent == "" {
			sent = c.Flow.Authority
		}
		if strings.Join(strings.Fields(v), " ") != sent {
			return "the header " + n, v, sent
		}
	}
	hash := lines[len(lines)-1]
	if len(hash) == 64 && m.Body.Whole() && !m.Header.Has("Content-Encoding") {
		sum := sha256.Sum256(m.Body.Data)
		if sent := hex.EncodeToString(sum[:]); sent != hash {
			return "the body with the hash", hash, sent
		}
	}
	return "", "", ""
}

// canonicalQuery sorts and encodes a query as SigV4 wants it; the signature itself is left out.
func canonicalQuery(q string) string {
	var pairs []string
	for p := range strings.SplitSeq(q, "&") {
		n, v, _ := strings.Cut(p, "=")
		if p == "" || n == "X-Amz-Signature" {
			continue
		}
		pairs = append(pairs, awsEncode(n)+"="+awsEncode(v))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

func awsEncode(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		s = u
	}
	return strings.NewReplacer("+", "%20", "%7E", "~").Replace(url.QueryEscape(s))
}
