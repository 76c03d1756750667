package inspect

import (
	"strings"
	"testing"

	"github.com/why403/why403/flow"
)

// What applications say, one sentence or code a line, and what is meant by it.
const meanings = `
csrf-missing                CSRF token missing
csrf-missing                Missing CSRF token in header
csrf-missing                csrf_token_required
csrf-missing                The CSRF cookie was not found
csrf-mismatch               Invalid CSRF token
csrf-mismatch               CSRF token mismatch.
csrf-mismatch               CSRF verification failed
csrf-mismatch               EBADCSRFTOKEN: invalid csrf token
origin-mismatch             Origin not allowed
origin-mismatch             Invalid origin
origin-mismatch             Referer is not allowed
origin-mismatch             Cross-site POST form submissions are forbidden
cors-origin-denied          CORS policy: origin not allowed
cors-origin-denied          Not allowed by CORS
missing-token               Authentication required
missing-token               No token provided
missing-token               Missing authorization header
missing-token               Authorization header is missing
missing-token               You must be logged in
missing-token               Please log in to continue
missing-token               unauthenticated
missing-token               You are not logged in.
missing-token               Access token is required
missing-token               missing_token
missing-token               A token is required for authentication
missing-token               Full authentication is required to access this resource
malformed-token             jwt malformed
malformed-token             Malformed token
malformed-token             Authorization header must start with Bearer
malformed-token             Invalid authorization header format
expired-token               Token expired
expired-token               TOKEN_EXPIRED
expired-token               tokenExpired
expired-token               jwt expired
expired-token               The access token expired
expired-token               Your session has expired. Please log in again.
expired-token               Signature has expired
expired-token               The link has expired
expired-token               Request has expired
expired-token               ExpiredTokenException
not-yet-valid-token         jwt not active
not-yet-valid-token         The token is not yet valid (nbf)
not-yet-valid-token         Token used before issued
wrong-audience              jwt audience invalid. expected: orders
wrong-audience              Invalid audience
wrong-audience              Invalid issuer
wrong-audience              Token issuer is not trusted
wrong-audience              The audience does not match
invalid-token               Invalid token
invalid-token               invalid_token
invalid-token               Token has been revoked
invalid-token               invalid signature
invalid-token               Could not verify token
invalid-token               The access token is invalid
invalid-token               Nonce already used
wrong-credentials           Invalid username or password
wrong-credentials           Bad credentials
wrong-credentials           Incorrect password
wrong-credentials           Login failed
missing-api-key             API key required
missing-api-key             Missing API key
missing-api-key             No API key found in request
missing-api-key             api_key_missing
invalid-api-key             Invalid API key
invalid-api-key             INVALID_API_KEY
invalid-api-key             API key not valid. Please pass a valid API key.
invalid-api-key             The API key has been revoked
api-key-restricted          This API key is not authorized for this endpoint
insufficient-scope          insufficient_scope
insufficient-scope          Missing required scope: orders:write
insufficient-scope          The token does not have the required scopes
insufficient-scope          Token lacks permission to write
insufficient-scope          Requires scope admin
missing-role                You do not have permission to perform this action
missing-role                Insufficient permissions
missing-role                Admin access required
missing-role                requires role editor
missing-role                User does not have the required role
missing-role                Only administrators can do that
missing-role                You are not authorized to create orders
missing-role                Missing permission: orders.create
missing-role                role user refused
ownership                   You do not own this order
ownership                   This resource belongs to another user
ownership                   You are not the owner of this document
ownership                   not_owner
policy-deny                 Access denied by policy
policy-deny                 Explicit deny in policy
policy-deny                 Blocked by administrative rules
policy-deny                 RBAC: access denied
step-up-required            Two-factor authentication required
step-up-required            MFA_REQUIRED
step-up-required            Please verify your email address
step-up-required            reauthentication required
signature-mismatch          Signature does not match
signature-mismatch          HMAC signature mismatch
signature-mismatch          webhook signature mismatch
signature-mismatch          Invalid webhook signature
clock-skew                  Request timestamp is too old
clock-skew                  The difference between the request time and the current time is too large: RequestTimeTooSkewed
client-cert-required        No required SSL certificate was sent
client-cert-required        Client certificate required
client-cert-invalid         Client certificate has expired
ip-denied                   Your IP address is not allowed
ip-denied                   IP 203.0.113.7 is blocked
ip-denied                   Access from this IP has been disallowed
ip-denied                   ip_not_whitelisted
geo-blocked                 This service is not available in your country
geo-blocked                 User location is not supported for the API use.
geo-blocked                 unsupported_country_region_territory
legal-block                 Unavailable for legal reasons
rate-limit                  Too many requests
rate-limit                  Rate limit exceeded
rate-limit                  RATE_LIMITED
rate-limit                  Request was throttled. Expected available in 30 seconds.
rate-limit                  You are sending requests too frequently
quota-exhausted             Quota exceeded
quota-exhausted             insufficient_quota
quota-exhausted             You have run out of credits
quota-exhausted             You exceeded your current quota, please check your plan and billing details.
quota-exhausted             Monthly limit reached
quota-exhausted             Insufficient balance
subscription                Your plan does not include this feature
subscription                You are not subscribed to this API
subscription                Upgrade your plan to use this endpoint
subscription                Trial has ended
subscription                Payment required
model-access                You do not have access to the model gpt-5
model-access                key not allowed to access model
feature-disabled            Feature not enabled
feature-disabled            This API is disabled for your organization
feature-disabled            feature_disabled
feature-disabled            Registration is currently disabled
state-restriction           The account is suspended
state-restriction           Comments are closed
state-restriction           Order already shipped
state-restriction           Repository is archived
state-restriction           The system is in maintenance mode
state-restriction           cannot execute INSERT in a read-only transaction
content-type-mismatch       Unsupported Media Type
content-type-mismatch       Content-Type must be application/json
content-type-mismatch       Invalid content type
malformed-body              Malformed JSON
malformed-body              Unexpected token } in JSON at position 8
malformed-body              JSON parse error
schema-violation            Validation failed
schema-violation            The field sku is required
body-too-large              Payload too large
body-too-large              request entity too large
missing-header              Missing required header X-Tenant-Id
wrong-method                Method not allowed
host-mismatch               Invalid host header
host-mismatch               Blocked host: evil.test
wrong-scheme                HTTPS required
wrong-scheme                SSL is required
directory-listing-denied    directory listing denied
user-agent-refused          User-Agent is not allowed
user-agent-refused          Bots are not allowed
bot-challenge               Please complete the captcha
bot-challenge               Verify you are human
bot-challenge               Checking your browser before accessing
waf-rule                    Request blocked by web application firewall
waf-rule                    SQL injection detected
waf-rule                    Suspicious activity detected
content-policy              Your request was flagged by our content policy
content-policy              content_filter
dlp-blocked                 Blocked by data loss prevention
db-permission               permission denied for table orders
db-permission               INSERT command denied to user 'app'@'10.0.0.1' for table 'users'
db-permission               ORA-01031: insufficient privileges
row-level-security          new row violates row-level security policy for table "x"
fs-permission               EACCES: permission denied, open '/srv/a.png'
fs-permission               [Errno 13] Permission denied: '/srv/a.png'
fs-permission               java.nio.file.AccessDeniedException: /data/a.png
mac-denied                  avc:  denied  { write } for pid=1
missing-role                This action is unauthorized.
insufficient-scope          The key is read-only
ip-denied                   VPN or proxy detected
origin-mismatch             Hotlinking is not permitted
invalid-token               Invalid or expired token
proxy-auth-required         Proxy Authentication Required
missing-role                This employee role cannot set this status
missing-role                Not authorized to update this task
missing-role                Access denied. Admin privileges required.
missing-role                Forbidden: Only workers can view their reviews.
missing-role                Access denied: Admins only
missing-role                You are not a member of this workspace
missing-role                You are no longer a member of this workspace.
missing-role                Not a member of this group
missing-role                You do not have permission to archive agents
missing-role                Only the platform super admin can change tab access
missing-role                Only project owners and administrators can create assets.
missing-role                User must be admin
missing-role                Insufficient right, permission denied
missing-role                Only delivery users can do this
missing-role                Forbidden: requires global-admin-show grant
missing-role                forbidden: sales access required
missing-role                The authenticated user hasn't got the permissions for this action.
missing-role                Access denied to this team
missing-role                You don't have access to this project
missing-role                The user doesn't have enough privileges
missing-role                User does not have the right roles.
missing-role                No tienes permisos para realizar esta acción
missing-role                没有权限
missing-role                Bạn không có quyền truy cập lớp học này
ownership                   Vehicle is not assigned to you
ownership                   You can only update your own schedule stops
ownership                   Cannot delete another user's time entry
ownership                   Not your patient record
ownership                   Cross-company access denied
ownership                   forbidden: not your experience
ownership                   You can only evaluate staff in your own squad.
ownership                   This order is not associated with your account
insufficient-scope          Token scopes do not include orders:write
feature-disabled            Public signup is disabled. Contact an administrator.
wrong-credentials           Invalid transaction pin
state-restriction           Email not verified.
state-restriction           EMAIL_NOT_VERIFIED
step-up-required            Please confirm your password to continue.
state-restriction           Device revoked
host-mismatch               forbidden: untrusted Host header
host-mismatch               Forbidden: invalid Host header
missing-token               로그인이 필요합니다.
missing-token               Only authenticated users can do this; please log in
expired-token               Token 已过期
rate-limit                  请求过于频繁
quota-exhausted             余额不足
subscription                The free tier does not include webhooks. Please upgrade.
ip-denied                   Access is allowed only from the internal network
api-key-restricted          This key is not permitted to call /v1/orders
expired-token               token has invalid claims: token is expired
expired-token               The Token has expired on 2026-06-01T00:00:00Z.
expired-token               JWT expired at 2026-06-01T00:00:00Z. Current time: 2026-06-02T00:00:00Z, a difference of 86400000 milliseconds.
expired-token               Expired JWT
expired-token               Expired token
expired-token               ExpiredSignature
expired-token               IDX10223: Lifetime validation failed. The token is expired.
expired-token               maxAge exceeded
expired-token               "exp" claim timestamp check failed
expired-token               exp_not_satisfied
expired-token               Token expired at 1780395000
expired-token               The access token expired or is past its lifetime
expired-token               Session expired. Please login again.
not-yet-valid-token         ImmatureSignature
not-yet-valid-token         The token is not yet valid (iat)
not-yet-valid-token         token is not valid yet
not-yet-valid-token         Cannot handle token prior to 2026-06-03T00:00:00+0000
not-yet-valid-token         Signature nbf has not been reached
not-yet-valid-token         The Token can't be used before 2026-06-03T00:00:00Z.
not-yet-valid-token         JWT before use time
not-yet-valid-token         IDX10222: Lifetime validation failed. The token is not yet valid.
not-yet-valid-token         "nbf" claim timestamp check failed
wrong-audience              InvalidAudience
wrong-audience              Audience doesn't match
wrong-audience              Invalid audience. Expected orders, received billing
wrong-audience              The Claim 'aud' value doesn't contain the required audience.
wrong-audience              IDX10214: Audience validation failed. Audiences: 'a'.
wrong-audience              IDX10205: Issuer validation failed. Issuer: 'https://a'.
wrong-audience              JWT audience rejected: [a]
wrong-audience              JWT issuer rejected, expected a, got b
wrong-audience              Expected aud claim to be: orders, but was: billing
wrong-audience              unexpected "aud" claim value
wrong-audience              unexpected "iss" claim value
wrong-audience              Token is missing the "aud" claim
wrong-audience              token has invalid claims: token has invalid audience
wrong-audience              jwt issuer invalid. expected: https://a
wrong-audience              Wrong recipient, payload audience != requiredAudience
malformed-token             Not enough segments
malformed-token             Wrong number of segments
malformed-token             Not enough or too many segments
malformed-token             JWT strings must contain exactly 2 period characters. Found: 0
malformed-token             The token was expected to have 3 parts, but got 1.
malformed-token             token is malformed: token contains an invalid number of segments
malformed-token             Invalid Compact JWS
malformed-token             Invalid header padding
malformed-token             Invalid payload string: 'utf-8' codec can't decode byte
malformed-token             IDX12741: JWT must have three segments (JWS) or five segments (JWE).
malformed-token             Authorization header must be in the format: Bearer <token>
malformed-token             Bad Authorization header. Expected 'Authorization: Bearer <JWT>'
malformed-token             Authorization header malformed
malformed-token             Invalid token header. No credentials provided.
malformed-token             Format is Authorization: Bearer [token]
invalid-token               Signature verification failed
invalid-token               Signature verification raised
invalid-token               InvalidSignature
invalid-token               JWT signature does not match locally computed signature. JWT validity cannot be asserted and should not be trusted.
invalid-token               The Token's Signature resulted invalid when verified using the Algorithm: HmacSHA256
invalid-token               IDX10503: Signature validation failed. Token does not have a kid.
invalid-token               IDX10500: Signature validation failed. No security keys were provided to validate the signature.
invalid-token               token signature is invalid: signature is invalid
invalid-token               signature verification failed
invalid-token               invalid algorithm
invalid-token               The specified alg value is not allowed
invalid-token               Unsigned Claims JWTs are not supported.
invalid-token               token is unverifiable: error while executing keyfunc
invalid-token               no applicable key found in the JSON Web Key Set
invalid-token               Signed JWT rejected: Another algorithm expected, or no matching key(s) found
invalid-token               Token is blacklisted
invalid-token               session not found or revoked
invalid-token               Could not validate credentials
invalid-token               Refresh token reuse detected
invalid-token               jti already used
missing-token               jwt must be provided
missing-token               No authorization token was found
missing-token               Missing JWT in request
missing-token               JWT is missing.
missing-token               Missing Authorization Header
missing-token               Nil JSON web token
missing-token               missing or malformed jwt
missing-token               No auth token
missing-token               Missing cookie "access_token_cookie"
missing-token               Authorization header required
missing-token               authentication_required
missing-token               You must be authenticated to access this resource
missing-token               Please authenticate
missing-token               login_required
missing-token               NOT_AUTHENTICATED
missing-token               A valid token is missing
csrf-mismatch               CSRF token from either the request body or request headers did not match or is missing.
csrf-missing                Missing CSRF token cookie
csrf-missing                Missing CSRF token cookie, header or body field
csrf-mismatch               Failed CSRF check!
csrf-mismatch               Invalid or expired CSRF token
csrf-mismatch               CSRF check failed
csrf-missing                No CSRF token found in body
csrf-missing                XSRF Security Token Missing
csrf-missing                Request must contain a kbn-xsrf header.
csrf-mismatch               Session expired (invalid CSRF token)
csrf-mismatch               Invalid form authenticity token.
csrf-mismatch               The form token is invalid. Please reload the page.
csrf-mismatch               The most recent request was denied because it had an invalid security token. Please refresh the page and try again.
csrf-mismatch               Unable to verify your data submission.
csrf-mismatch               Possible cross-site request forgery attack!
csrf-mismatch               state mismatch: csrf detected
csrf-missing                Missing anti-CSRF header X-Requested-With
signature-mismatch          No signatures found matching the expected signature for payload. Are you passing the raw request body you received from Stripe?
signature-mismatch          No matching signature found
signature-mismatch          Signatures didn't match!
signature-mismatch          Twilio Request Validation Failed.
signature-mismatch          HMAC validation failed
signature-mismatch          Invalid X-Hub-Signature
signature-mismatch          The signature is invalid
clock-skew                  Timestamp outside the tolerance zone
clock-skew                  Message timestamp too old
clock-skew                  Message timestamp too new
clock-skew                  Stale request: timestamp drift too large
clock-skew                  Request expired: timestamp is more than 300 seconds old
missing-role                Not authorized to perform this action
missing-role                You are not allowed to perform this action.
missing-role                Cannot execute "create" on "Order"
missing-role                User does not have any of the necessary access rights.
missing-role                Requires one of the following roles: admin, editor
missing-role                Access is allowed only for administrators
missing-role                User lacks ORDER_WRITE authority
missing-role                Required authority: ROLE_ADMIN
missing-role                permission denied: missing "orders:create"
insufficient-scope          Insufficient scope for this resource
insufficient-scope          Token has insufficient permissions
insufficient-scope          This token does not have access to write orders
insufficient-scope          invalid_scope
ip-denied                   Access denied to IP address: 203.0.113.7
ip-denied                   Access denied for IP 203.0.113.7
ip-denied                   Your IP has been blocked
ip-denied                   client address not allowed
ip-denied                   Remote address 203.0.113.7 is not permitted
host-mismatch               Blocked request. This host ("shop.test") is not allowed.
host-mismatch               Invalid Host header
host-mismatch               Untrusted host: shop.test
cors-origin-denied          The CORS policy for this site does not allow access from the specified Origin.
cors-origin-denied          Invalid CORS request
cors-origin-denied          CORS origin denied: https://evil.test
rate-limit                  You have reached maximum request limit.
rate-limit                  Rate limit exceeded: 5 per 1 minute
rate-limit                  5 per 1 minute
rate-limit                  Account locked: too many login attempts. Please try again later.
rate-limit                  Retry later
rate-limit                  You are being rate limited.
rate-limit                  Request limit exceeded. Try again in 30 seconds
rate-limit                  API calls quota exceeded! maximum admitted 10 per 1s.
quota-exhausted             You've reached your monthly usage limit.
quota-exhausted             Storage quota exceeded
quota-exhausted             Credit limit reached
quota-exhausted             Your free trial credits have been used up
subscription                This feature requires a Pro subscription
subscription                Your subscription has been canceled
subscription                Plan limit reached: upgrade to add more users
subscription                Feature not available on your current plan
subscription                License does not permit this feature
body-too-large              http: request body too large
body-too-large              Request body exceeds the limit of 1 MB
body-too-large              File too large. Maximum size is 5 MB
body-too-large              PAYLOAD_TOO_LARGE
content-type-mismatch       Content type 'text/plain;charset=UTF-8' not supported
content-type-mismatch       Invalid content-type. Only JSON is allowed
content-type-mismatch       Missing Content-Type header
malformed-body              Bad control character in string literal in JSON at position 5
malformed-body              JSON parse error - Expecting property name enclosed in double quotes: line 1 column 2 (char 1)
malformed-body              Unexpected end of JSON input
malformed-body              invalid character '}' looking for beginning of object key string
malformed-body              Could not read JSON document
wrong-method                Request method 'POST' is not supported
wrong-method                Method "POST" not allowed.
wrong-method                Only GET requests are allowed
user-agent-refused          Bot traffic is not allowed
user-agent-refused          curl is not allowed
waf-rule                    Your request was blocked by our security policy
waf-rule                    Potential SQL injection attack detected
waf-rule                    The request was rejected because the URL contained a potentially malicious String "//"
directory-listing-denied    Directory listing not permitted
state-restriction           Account is deactivated
state-restriction           User account is disabled
state-restriction           Inactive user
state-restriction           Cannot modify a locked record
state-restriction           The tournament has already started
state-restriction           Voting has ended
state-restriction           Project is archived
business-rule               Orders above 1000 EUR need approval
business-rule               You must be at least 18 years old
business-rule               Self-approval is not allowed
business-rule               Refund window has passed
ownership                   You are not the owner of this resource
ownership                   User is not the owner
ownership                   Permission denied: resource owned by user 42
ownership                   You can only view your own orders
ownership                   Order belongs to a different customer
ownership                   not your order
ownership                   This account does not belong to you
step-up-required            Please complete 2FA verification
step-up-required            Sudo mode required
step-up-required            REAUTH_REQUIRED
step-up-required            Password change required
step-up-required            Please verify your phone number first
step-up-required            Elevated session required
model-access                Model gpt-5 is not enabled for this key
model-access                You are not authorized to use this model
content-policy              Prompt rejected by safety filter
content-policy              Your prompt contains disallowed content
feature-disabled            This endpoint is disabled
feature-disabled            API access is not enabled for your account
feature-disabled            Feature flag new-checkout is off
geo-blocked                 Not available in your region
geo-blocked                 Access from RU is restricted
legal-block                 Removed following a legal request
-                           invalid_request_error
-                           GDPR consent has not been given
-                           Writer not found
-                           Unexpected view option
-                           Forbidden for now
-                           Forbidden
-                           Access denied
-                           403 Forbidden
-                           HTTP 403
-                           Something went wrong
-                           Not found
-                           Request id 77
-                           error
-                           Internal server error
-                           PERMISSION_DENIED
-                           The caller does not have permission
`

func TestMeanings(t *testing.T) {
	for line := range strings.Lines(meanings) {
		want, text, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		text = strings.TrimSpace(text)
		c := &Case{Flow: &flow.Flow{Request: &flow.Message{Method: "POST", Target: "/orders"}, Response: &flow.Message{Status: 403}}}
		if want == "invalid-api-key" || want == "invalid-token" || want == "malformed-token" {
			c.Flow.Request.Header.Add("Authorization", "Bearer abc")
		}
		if want == "signature-mismatch" {
			c.Flow.Request.Header.Add("X-Signature", "abc")
		}
		f, found := c.readPhrase(phrase{text: text, words: words(text)}, false)
		got := "-"
		if found {
			got = string(f.Cause)
		}
		if got != want {
			t.Errorf("%q is read as %s, want %s", text, got, want)
		}
	}
}
