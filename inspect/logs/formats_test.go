package logs

import (
	"strings"
	"testing"
)

// TestFormats takes the exchange's line out of a log of each format, and leaves
// that of another request a moment before or after.
func TestFormats(t *testing.T) {
	for name, c := range map[string]struct{ mine, other string }{
		"nginx access": {
			`10.0.0.9 - - [02/Jun/2026:10:15:30 +0000] "POST /orders HTTP/1.1" 403 153 "-" "curl/8.7.1"`,
			`10.0.0.9 - - [02/Jun/2026:10:15:30 +0000] "GET /health HTTP/1.1" 200 2 "-" "kube-probe/1.30"`},
		"nginx error": {
			`2026/06/02 10:15:30 [error] 31#31: *9 access forbidden by rule, client: 10.0.0.9, server: api.test, request: "POST /orders HTTP/1.1", host: "api.test"`,
			`2026/06/02 10:15:30 [error] 31#31: *10 open() "/srv/x" failed (13: Permission denied), client: 10.0.0.8, server: api.test, request: "GET /x HTTP/1.1", host: "api.test"`},
		"Apache access with vhost": {
			`api.test:443 10.0.0.9 - - [02/Jun/2026:12:15:30 +0200] "POST /orders HTTP/2.0" 403 417 "-" "-"`,
			`api.test:443 10.0.0.9 - - [02/Jun/2026:12:15:30 +0200] "POST /orders/9 HTTP/2.0" 403 417 "-" "-"`},
		"ModSecurity v2 error line": {
			`[Tue Jun 02 10:15:30.272121 2026] [:error] [pid 7] [client 10.0.0.9:5000] ModSecurity: Access denied with code 403 (phase 2). Pattern match "x" at ARGS:q. [file "/etc/crs/REQUEST-942.conf"] [line "65"] [id "942100"] [msg "SQL Injection"] [hostname "api.test"] [uri "/orders"] [unique_id "aD1yAgAAAAcAAAAB"]`,
			`[Tue Jun 02 10:15:30.272121 2026] [:error] [pid 7] [client 10.0.0.8:5000] ModSecurity: Access denied with code 403 (phase 2). [id "941100"] [msg "XSS"] [hostname "api.test"] [uri "/comments/new"] [unique_id "aD1yAgAAAAcAAAAC"] request: "POST /comments/new HTTP/1.1"`},
		"ModSecurity v3 line in nginx's log": {
			`2026/06/02 10:15:30 [error] 9#9: *1 [client 10.0.0.9] ModSecurity: Access denied with code 403 (phase 2). Matched "Operator 'Ge'" [id "949110"] [msg "Inbound Anomaly Score Exceeded"] [uri "/orders"] [unique_id "178039533012"], client: 10.0.0.9, server: api.test, request: "POST /orders HTTP/1.1", host: "api.test"`,
			`2026/06/02 10:15:30 [error] 9#9: *2 [client 10.0.0.8] ModSecurity: Access denied with code 403 (phase 2). [id "949110"] [uri "/b"], client: 10.0.0.8, server: api.test, request: "POST /b HTTP/1.1", host: "api.test"`},
		"ModSecurity audit, serial": {
			"--a1b2c3d4-A--\n[02/Jun/2026:10:15:30 +0000] aD1yAgAAAAcAAAAB 10.0.0.9 5000 10.0.0.1 443\n--a1b2c3d4-B--\nPOST /orders HTTP/1.1\nHost: api.test\n\n--a1b2c3d4-F--\nHTTP/1.1 403 Forbidden\n\n--a1b2c3d4-H--\nMessage: Access denied with code 403 (phase 2). [id \"942100\"]\n\n--a1b2c3d4-Z--",
			"--a1b2c3d5-A--\n[02/Jun/2026:10:15:31 +0000] aD1yAgAAAAcAAAAC 10.0.0.8 5000 10.0.0.1 443\n--a1b2c3d5-B--\nGET /other HTTP/1.1\nHost: api.test\n\n--a1b2c3d5-H--\nMessage: Warning. [id \"920350\"]\n\n--a1b2c3d5-Z--"},
		"ModSecurity v3 audit, JSON": {
			`{"transaction":{"client_ip":"10.0.0.9","time_stamp":"Tue Jun 02 10:15:30 2026","server_id":"x","unique_id":"178039533012","request":{"method":"POST","http_version":1.1,"uri":"/orders","headers":{"Host":"api.test"}},"response":{"http_code":403},"messages":[{"message":"SQL Injection","details":{"ruleId":"942100"}}]}}`,
			`{"transaction":{"client_ip":"10.0.0.8","time_stamp":"Tue Jun 02 10:15:30 2026","server_id":"x","unique_id":"178039533013","request":{"method":"GET","http_version":1.1,"uri":"/other","headers":{"Host":"api.test"}},"response":{"http_code":403},"messages":[]}}`},
		"Coraza audit, JSON": {
			`{"transaction":{"timestamp":"2026/06/02 10:15:30","unix_timestamp":1780395330270000000,"id":"kQmZ","client_ip":"10.0.0.9","request":{"method":"POST","protocol":"HTTP/1.1","uri":"/orders"},"response":{"status":403},"is_interrupted":true},"messages":[{"data":{"id":942100}}]}`,
			`{"transaction":{"timestamp":"2026/06/02 10:15:30","unix_timestamp":1780395330270000000,"id":"kQmY","client_ip":"10.0.0.8","request":{"method":"POST","protocol":"HTTP/1.1","uri":"/login"},"response":{"status":403},"is_interrupted":true},"messages":[]}`},
		"JSON": {
			`{"level":"warn","time":"2026-06-02T10:15:30.130Z","method":"POST","path":"/orders","status":403,"msg":"denied by policy"}`,
			`{"level":"warn","time":"2026-06-02T10:15:30.140Z","method":"POST","path":"/users","status":403,"msg":"denied by policy"}`},
		"logfmt": {
			`time=2026-06-02T10:15:30.130Z level=warn method=POST path=/orders status=403 msg="denied by policy"`,
			`time=2026-06-02T10:15:30.131Z level=info method=GET path=/orders status=200 msg=ok`},
		"syslog": {
			`Jun  2 10:15:30 web1 app[77]: POST /orders denied for user 42`,
			`Jun  2 10:15:30 web1 app[77]: POST /users denied for user 43`},
		"PHP-FPM": {
			`[02-Jun-2026 10:15:30] WARNING: [pool www] child 7 said into stderr: "POST /orders: permission denied"`,
			`[02-Jun-2026 10:15:30] WARNING: [pool www] child 8 said into stderr: "POST /users: permission denied"`},
		"SELinux": {
			`type=AVC msg=audit(1780395330.490:80061): avc:  denied  { name_connect } for  pid=7 comm="nginx" dest=8080 scontext=system_u:system_r:httpd_t:s0 tcontext=system_u:object_r:http_cache_port_t:s0 tclass=tcp_socket permissive=0`,
			`type=AVC msg=audit(1780395390.490:80062): avc:  denied  { read } for  pid=9 comm="cron" name="x"`},
		"AppArmor": {
			`Jun  2 10:15:30 web1 kernel: audit: type=1400 audit(1780395330.490:123): apparmor="DENIED" operation="open" profile="nginx" name="/srv/up/a" pid=7 comm="nginx" requested_mask="w" denied_mask="w"`,
			`Jun  2 10:16:30 web1 kernel: audit: type=1400 audit(1780395390.490:124): apparmor="DENIED" operation="open" profile="cups" name="/etc/x"`},
	} {
		t.Run(name, func(t *testing.T) {
			mine, other := strings.Split(c.mine, "\n"), strings.Split(c.other, "\n")
			filler := strings.Split(strings.Repeat(`2026-06-02T09:00:00Z INFO started`+"\n", 25), "\n")[:25]
			var lines []string
			lines = append(append(append(lines, filler...), other...), mine...)
			want := len(filler) + len(other)
			got := Correlate([]Source{{Label: "log", Lines: lines}}, query())
			if len(got) == 0 {
				t.Fatal("its line is not found")
			}
			for _, l := range got {
				if l.N <= want {
					t.Errorf("another's line is taken: %s", l.Text)
				}
			}
		})
	}
}
