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
step-up-required            Email not verified.
step-up-required            EMAIL_NOT_VERIFIED
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
