package inspect

// The causes, the answers to "why was it refused". The ids are a contract:
// they appear in JSON, in filters and in the documentation.
const (
	WrongMethod         Name = "wrong-method"
	WrongPath           Name = "wrong-path"
	TrailingSlash       Name = "trailing-slash"
	HostMismatch        Name = "host-mismatch"
	WrongScheme         Name = "wrong-scheme"
	ContentTypeMismatch Name = "content-type-mismatch"
	MalformedBody       Name = "malformed-body"
	SchemaViolation     Name = "schema-violation"
	BodyTooLarge        Name = "body-too-large"
	MissingHeader       Name = "missing-header"
	DuplicateHeader     Name = "duplicate-header"
	UnsupportedHeader   Name = "unsupported-header"
	HeaderStripped      Name = "header-stripped"
	ProtocolVersion     Name = "protocol-version"
	UserAgentRefused    Name = "user-agent-refused"
	ClientFingerprint   Name = "client-fingerprint"
	MissingToken        Name = "missing-token"
	MalformedToken      Name = "malformed-token"
	ExpiredToken        Name = "expired-token"
	NotYetValidToken    Name = "not-yet-valid-token"
	WrongAudience       Name = "wrong-audience"
	InvalidToken        Name = "invalid-token"
	WrongCredentials    Name = "wrong-credentials"
	MissingAPIKey       Name = "missing-api-key"
	InvalidAPIKey       Name = "invalid-api-key"
	APIKeyRestricted    Name = "api-key-restricted"
	InsufficientScope   Name = "insufficient-scope"
	MissingRole         Name = "missing-role"
	Ownership           Name = "ownership"
	PolicyDeny          Name = "policy-deny"
	StepUpRequired      Name = "step-up-required"
	SignatureMismatch   Name = "signature-mismatch"
	ClockSkew           Name = "clock-skew"
	ClientCertRequired  Name = "client-cert-required"
	ClientCertInvalid   Name = "client-cert-invalid"
	CSRFMissing         Name = "csrf-missing"
	CSRFMismatch        Name = "csrf-mismatch"
	OriginMismatch      Name = "origin-mismatch"
	CORSOriginDenied    Name = "cors-origin-denied"
	StaleCookie         Name = "stale-cookie"
	WAFRule             Name = "waf-rule"
	BotChallenge        Name = "bot-challenge"
	ContentPolicy       Name = "content-policy"
	DLPBlocked          Name = "dlp-blocked"
	IPDenied            Name = "ip-denied"
	GeoBlocked          Name = "geo-blocked"
	URLCategoryBlocked  Name = "url-category-blocked"
	LegalBlock          Name = "legal-block"
	RateLimit           Name = "rate-limit"
	QuotaExhausted      Name = "quota-exhausted"
	Subscription        Name = "subscription"
	MethodPolicy        Name = "method-not-allowed-by-policy"
	ModelAccess         Name = "model-access"
	FeatureDisabled     Name = "feature-disabled"
	StateRestriction    Name = "state-restriction"
	BusinessRule        Name = "business-rule"
	DirectoryListing    Name = "directory-listing-denied"
	DBPermission        Name = "db-permission"
	RowLevelSecurity    Name = "row-level-security"
	FSPermission        Name = "fs-permission"
	MACDenied           Name = "mac-denied"
	ProxyAuthRequired   Name = "proxy-auth-required"
	EnvironmentChange   Name = "environment-change"
	NotRefused          Name = "none"
	UnknownCause        Name = "unknown"
	layerClient         Name = "client"
	layerNetworkProxy   Name = "network-proxy"
	layerCDN            Name = "cdn-waf"
	layerLoadBalancer   Name = "load-balancer"
	layerWebServer      Name = "web-server"
	layerAPIGateway     Name = "api-gateway"
	layerAIGateway      Name = "ai-gateway"
	layerIdentity       Name = "identity"
	layerKubernetes     Name = "kubernetes"
	layerApp            Name = "backend-app"
	layerDatabase       Name = "database"
	layerFilesystem     Name = "filesystem"
)

// Cause is what is known of a cause in general.
type Cause struct {
	ID    Name
	Title string // at most 40 cells: the default headline
	Items []int  // checks of the checklist that it concerns
	Next  string // what to do next when the rule does not know better
	// Layer is where this cause lives when nothing shows who answered.
	Layer Name
}

// Causes is the list of all causes, in the order of the documentation.
var Causes = []Cause{
	{WrongMethod, "method not for this URL", []int{1}, "Send the method that the endpoint knows; the Allow header or the API's documentation names it.", ""},
	{WrongPath, "no such route", []int{2}, "Compare the path with the API's documentation, letter by letter.", ""},
	{TrailingSlash, "trailing slash differs", []int{2}, "Send the path with the slash exactly as the accepted requests have it.", ""},
	{HostMismatch, "Host not served here", []int{2, 11}, "Use a host name that the server is configured for, or add this one to its list of allowed hosts.", ""},
	{WrongScheme, "https wanted, or the scheme got lost", []int{2, 11}, "Use https, or make the proxy in front tell the scheme (X-Forwarded-Proto) and the application trust it.", ""},
	{ContentTypeMismatch, "Content-Type not accepted", []int{3}, "Send the Content-Type that matches the body and that the endpoint accepts.", ""},
	{MalformedBody, "body does not parse", []int{6}, "Correct the body: it must parse as what Content-Type says.", ""},
	{SchemaViolation, "body breaks the contract", []int{6}, "Send the fields that the endpoint requires; compare with an accepted request.", ""},
	{BodyTooLarge, "body too large", []int{6}, "Send less, or raise the limit of the component that answered.", ""},
	{MissingHeader, "a needed header is missing", []int{4}, "Send the header that the answer or the accepted request names.", ""},
	{DuplicateHeader, "a header was sent twice", []int{4}, "Send the header once.", ""},
	{UnsupportedHeader, "a header is not accepted", []int{4}, "Leave the header out and send again.", ""},
	{HeaderStripped, "a header got lost on the way", []int{4, 11}, "Find the hop that removed the header: a redirect to another host, or a proxy in between.", ""},
	{ProtocolVersion, "HTTP version not accepted", []int{1}, "Use the protocol version that the server asks for.", ""},
	{UserAgentRefused, "User-Agent refused", []int{9, 10}, "Send a User-Agent that the server's list of agents lets pass.", ""},
	{ClientFingerprint, "client signature banned", []int{9, 10}, "The server judges the client's TLS or HTTP signature: try from a browser, or tunnel this host past why403 to see whether interception is the reason.", layerCDN},
	{MissingToken, "no credential sent", []int{4}, "Send the credential: the Authorization header or the session cookie.", ""},
	{MalformedToken, "credential not well-formed", []int{4}, "Correct the form of the credential: one scheme, one space, one token.", ""},
	{ExpiredToken, "token expired", []int{4}, "Fetch a new token and send again.", ""},
	{NotYetValidToken, "token not yet valid", []int{4}, "Wait until the token is valid, or correct the clock of the machine that issued it.", ""},
	{WrongAudience, "token for another audience", []int{4}, "Ask the identity provider for a token with this API as audience.", ""},
	{InvalidToken, "token refused", []int{4}, "Fetch a new token; if that is refused too, compare issuer and signing key with what the server trusts.", ""},
	{WrongCredentials, "wrong user or password", []int{4}, "Check the user name and the password.", ""},
	{MissingAPIKey, "no API key sent", []int{4, 12}, "Send the API key in the header or parameter that the API's documentation names.", ""},
	{InvalidAPIKey, "API key refused", []int{4, 12}, "Check the key in the key console: does it exist, is it active, is it of this environment?", ""},
	{APIKeyRestricted, "API key restricted", []int{4, 12}, "Look at the restrictions of this key (referrer, address, APIs) in the key console.", ""},
	{InsufficientScope, "token lacks a scope", []int{4, 18}, "Request a token with the missing scope.", ""},
	{MissingRole, "user lacks a role or permission", []int{18}, "Give the user the role or permission, or call as somebody who has it.", ""},
	{Ownership, "object belongs to somebody else", []int{18}, "Call as the owner of the object, or ask for access to it.", ""},
	{PolicyDeny, "a policy says no", []int{18}, "Find the rule that matched in the policy of the component that answered.", ""},
	{StepUpRequired, "stronger sign-in wanted", []int{4, 18}, "Sign in again with the second factor or through the single sign-on that is asked for.", ""},
	{SignatureMismatch, "request signature does not verify", []int{4}, "Sign exactly what is sent: the same bytes, headers, path and key.", ""},
	{ClockSkew, "clock too far off", []int{4}, "Correct the clock of the client; the signature carries its time.", ""},
	{ClientCertRequired, "client certificate wanted", []int{4, 8}, "Present a client certificate.", layerWebServer},
	{ClientCertInvalid, "client certificate refused", []int{4, 8}, "Present a valid client certificate that the server's CA has signed.", layerWebServer},
	{CSRFMissing, "CSRF token missing", []int{5}, "Send the CSRF token together with the cookie or session that it belongs to.", layerApp},
	{CSRFMismatch, "CSRF token does not match", []int{5}, "Fetch a new CSRF token in the same session and send it.", layerApp},
	{OriginMismatch, "Origin or Referer not trusted", []int{5}, "Send an Origin (or Referer) that the server trusts, or add this one to its trusted origins.", layerApp},
	{CORSOriginDenied, "CORS: origin not allowed", []int{5}, "Add this origin to the server's CORS configuration, or call from an allowed one.", ""},
	{StaleCookie, "old session or cached value", []int{7}, "Clear the stale cookie, sign in again, and send the new one.", layerApp},
	{WAFRule, "blocked by a firewall rule", []int{9, 6}, "Look up the rule by the id in the answer or in the firewall's log, and which part of the request it matched.", layerCDN},
	{BotChallenge, "bot challenge", []int{9, 10}, "Solve the challenge in a browser, or ask the site for an API that programs may use; interception may itself be the reason: tunnel this host to see.", layerCDN},
	{ContentPolicy, "content policy", []int{16}, "Change the content that the policy names.", layerAIGateway},
	{DLPBlocked, "data loss prevention", []int{16, 9}, "Remove the data that the policy protects, or ask its administrator.", layerNetworkProxy},
	{IPDenied, "client address refused", []int{10}, "Call from an allowed address, or add this one to the allow list.", ""},
	{GeoBlocked, "country or region refused", []int{10}, "Call from a supported region; a VPN or proxy in between may be why you seem to be elsewhere.", ""},
	{URLCategoryBlocked, "web filter category", []int{10}, "Ask the network's administrator to allow this URL.", layerNetworkProxy},
	{LegalBlock, "unavailable for legal reasons", []int{10}, "The answer names the legal ground; nothing in the request changes it.", ""},
	{RateLimit, "too many requests", []int{13}, "Wait as long as the answer says, then send more slowly.", ""},
	{QuotaExhausted, "quota or credits used up", []int{13, 15}, "Look at the plan and the usage; wait for the next period or raise the quota.", ""},
	{Subscription, "not subscribed or not in the plan", []int{12, 15}, "Subscribe, have the subscription approved, or change the plan.", ""},
	{MethodPolicy, "this method is blocked by policy", []int{1, 11}, "Allow the method in the configuration of the component that answered.", ""},
	{ModelAccess, "model not available to this key", []int{14}, "Use a model that this key may use, or have access granted.", layerAIGateway},
	{FeatureDisabled, "feature or API switched off", []int{18}, "Enable the feature or API for this project or organization.", ""},
	{StateRestriction, "the current state forbids it", []int{18}, "Look at the state of the object or system that the answer names.", ""},
	{BusinessRule, "a rule of the application", []int{18}, "Read the rule that the answer names; a changed request may satisfy it.", layerApp},
	{DirectoryListing, "directory without index", []int{2, 8}, "Ask for a file in the directory, or add an index.", layerWebServer},
	{DBPermission, "database permission missing", []int{19}, "Grant the database user what it lacks.", layerDatabase},
	{RowLevelSecurity, "row policy refuses", []int{19}, "Look at the row policy of that table for this user.", layerDatabase},
	{FSPermission, "file permission missing", []int{20}, "Look at owner and mode of the file and of every folder above it, as the server's user.", layerFilesystem},
	{MACDenied, "SELinux or AppArmor refuses", []int{20}, "Look at the denial in the audit log and adapt the label or the profile.", layerFilesystem},
	{ProxyAuthRequired, "the proxy wants credentials", []int{10}, "Give the proxy its credentials.", layerNetworkProxy},
	{EnvironmentChange, "the server changed", []int{21}, "Look at what was deployed or configured since the last success.", ""},
	{UnknownCause, "refused; the answer does not say why", nil, "", ""},
}

var causeByID = func() map[Name]*Cause {
	m := make(map[Name]*Cause, len(Causes))
	for i := range Causes {
		m[Causes[i].ID] = &Causes[i]
	}
	return m
}()

// general lists, for a cause that an answer may name, the narrower causes that
// are compatible with it: "invalid token" is also said of an expired one. A
// finding of a narrower cause explains the general one away.
var general = map[Name][]Name{
	PolicyDeny: {MethodPolicy, IPDenied, GeoBlocked, UserAgentRefused, ClientCertRequired, OriginMismatch, MissingRole, InsufficientScope,
		Ownership, RowLevelSecurity, ContentTypeMismatch, DirectoryListing, WrongScheme, HostMismatch, CSRFMissing, CSRFMismatch, MissingAPIKey, RateLimit},
	InvalidToken:     {ExpiredToken, NotYetValidToken, WrongAudience, MalformedToken, SignatureMismatch},
	MissingToken:     {MalformedToken, HeaderStripped},
	MissingRole:      {InsufficientScope, Ownership},
	WAFRule:          {UserAgentRefused, ContentTypeMismatch, MethodPolicy, IPDenied, GeoBlocked, BodyTooLarge, HostMismatch, ClientFingerprint},
	CSRFMismatch:     {CSRFMissing, OriginMismatch, StaleCookie},
	BotChallenge:     {ClientFingerprint, UserAgentRefused},
	WrongMethod:      {MethodPolicy},
	DirectoryListing: {TrailingSlash},
}

func covers(wide, narrow Name) bool {
	if wide == narrow || wide == UnknownCause {
		return true
	}
	for _, n := range general[wide] {
		if n == narrow {
			return true
		}
	}
	return false
}
