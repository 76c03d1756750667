//go:build e2e

package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// TestEachBypassIsFound has clients that were told not to use the proxy fetch
// once and end, many times over: doctor tells each time of it, and whose it was.
func TestEachBypassIsFound(t *testing.T) {
	const times = 20
	server := strings.Replace(startMarkers(t).http, "app.localhost", "127.0.0.1", 1)
	env := home(t)
	for _, c := range []struct {
		name string
		args []string
		told string
	}{
		{"curl", []string{"curl", "-fsS", "--noproxy", "*", server + "/http/curl"}, `(?m)^why403: ! curl \d+ to 127\.0\.0\.1:\d+: .*--noproxy`},
		{"python", []string{"/usr/bin/python3", "-c", "import sys,requests; s=requests.Session(); s.trust_env=False; print(s.get(sys.argv[1]).text)", server + "/http/python"},
			`(?m)^why403: ! python3\S* \d+ to 127\.0\.0\.1:\d+: .*trust_env=False`},
		{"bash", []string{"bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/${1##*:}; sleep 0.2`, "bash", server}, `(?m)^why403: ! bash \d+ to 127\.0\.0\.1:\d+: `},
	} {
		told := regexp.MustCompile(c.told)
		for i := range times {
			r := run(t, env, program, append([]string{"doctor", "--"}, c.args...)...)
			if r.code != 1 || !told.MatchString(r.errOut) {
				t.Fatalf("%s, time %d of %d: %s", c.name, i+1, times, r)
			}
		}
		t.Logf("%s: %d of %d", c.name, times, times)
	}
}
