//go:build e2e

package e2e

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// door is a way for curl into the proxy.
type door struct {
	name, proxy string // proxy: with ADDRESS, and LOGIN where a login goes
}

var doors = []door{
	{"HTTP", "http://LOGINADDRESS"},
	{"TLS to the proxy", "https://LOGINADDRESS"},
	{"SOCKS5", "socks5://LOGINADDRESS"},
	{"SOCKS5 with names", "socks5h://LOGINADDRESS"},
}

// fetch has curl post to url through proxy and says what it printed: the answer's body, and the status behind it.
func fetch(t *testing.T, env []string, proxy, ca, url string, more ...string) result {
	t.Helper()
	return run(t, env, "curl", append([]string{"-sS", "--http1.1", "--noproxy", "", "-x", proxy, "--proxy-cacert", ca, "--cacert", ca, "-w", " %{http_code}", "-d", "door", url}, more...)...)
}

// capturing starts a capture on both loopback addresses, that clients and servers of o can be used with.
func capturing(t *testing.T, env []string, dir, originCA, name string, args ...string) (c *capture, addresses []string, ca, session string) {
	t.Helper()
	session = filepath.Join(dir, name+".why403")
	six := fmt.Sprintf("[::1]:%d", freePort(t))
	c = startCapture(t, env, append([]string{"--listen", six, "--session", session, "--upstream-ca", originCA}, args...)...)
	ca = filepath.Join(dir, name+".pem")
	if err := os.WriteFile(ca, append(read(t, originCA), read(t, c.ca)...), 0o644); err != nil {
		t.Fatal(err)
	}
	return c, []string{c.address, six}, ca, session
}

// TestCurlComesInByEveryDoor uses one port as each kind of proxy, on both
// loopback addresses, and with a login that the proxy wants.
func TestCurlComesInByEveryDoor(t *testing.T) {
	dir := t.TempDir()
	originCA := makeCA(t, dir)
	o := openOrigin(t, dir)
	login := filepath.Join(dir, "login")
	if err := os.WriteFile(login, []byte("me:s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, locked := range []bool{false, true} {
		t.Run(fmt.Sprint("with a login ", locked), func(t *testing.T) {
			env, name, args := home(t), "open", []string(nil)
			given := ""
			if locked {
				name, args, given = "locked", []string{"--proxy-auth", "@" + login}, "me:s3cret@"
			}
			c, addresses, ca, session := capturing(t, env, dir, originCA, name, args...)
			o.requests()
			n := 0
			for _, d := range doors {
				for _, address := range addresses {
					for _, url := range []string{o.plain, o.secure} {
						at, more := address, []string(nil)
						if port, six := strings.CutPrefix(address, "[::1]:"); six && strings.HasPrefix(d.proxy, "https:") {
							// curl 7.88 finds no address of IPv6 in the certificate of a proxy.
							at, more = "six.localhost:"+port, []string{"--resolve", "six.localhost:" + port + ":[::1]"}
						}
						proxy := strings.NewReplacer("ADDRESS", at, "LOGIN", given).Replace(d.proxy)
						if r := fetch(t, env, proxy, ca, url+"/door", more...); r.code != 0 || r.out != "POST /door: 4 bytes 200" {
							t.Errorf("%s on %s to %s: %s", d.name, address, url, r)
						}
						n++
					}
				}
				if !locked {
					continue
				}
				for _, wrong := range []string{"", "me:wrong@"} {
					proxy := strings.NewReplacer("ADDRESS", addresses[0], "LOGIN", wrong).Replace(d.proxy)
					if r := fetch(t, env, proxy, ca, o.plain+"/strange"); strings.HasSuffix(r.out, " 200") || r.code == 0 && !strings.HasSuffix(r.out, " 407") {
						t.Errorf("%s with the login %q: %s", d.name, wrong, r)
					}
				}
			}
			for _, a := range o.requests() {
				if a.path != "/door" || strings.Contains(a.raw, "Proxy-") {
					t.Errorf("the server got %q", a.raw)
				}
			}
			waitUntil(t, "the last exchange", func() bool { return c.count() >= n })
			c.stop()
			through := 0
			for _, e := range readSession(t, env, session) {
				if strings.HasSuffix(e.Request.URL, "/door") && e.Response.Status == 200 && len(e.Own.Altered) == 0 {
					through++
				}
			}
			if through != n {
				t.Errorf("%d exchanges in the session, %d were made", through, n)
			}
		})
	}
}

// TestCurlTalksToThePort asks the port itself, and the place that only the proxy knows.
func TestCurlTalksToThePort(t *testing.T) {
	env := home(t)
	c := startCapture(t, env, "--session", "none")
	r := run(t, env, "curl", "-sS", "--noproxy", "*", "http://"+c.address+"/")
	if r.code != 0 || !strings.Contains(r.out, c.address) || !strings.Contains(r.out, "proxy") {
		t.Errorf("the port says: %s", r)
	}
	for path, want := range map[string]string{"/": "certificate", "/ca.pem": "BEGIN CERTIFICATE"} {
		if r := run(t, env, "curl", "-sSf", "-x", c.address, "http://why403.test"+path); r.code != 0 || !strings.Contains(r.out, want) {
			t.Errorf("http://why403.test%s says: %s", path, r)
		}
	}
}

// TestCurlMeetsTheServerThatThePortStandsFor has the port stand for a server, with the client's Host and with the server's.
func TestCurlMeetsTheServerThatThePortStandsFor(t *testing.T) {
	dir := t.TempDir()
	originCA := makeCA(t, dir)
	o := openOrigin(t, dir)
	for _, rewrite := range []bool{false, true} {
		env := home(t)
		args := []string{"--mode", "reverse:" + o.secure, "--upstream-ca", originCA, "--session", filepath.Join(dir, fmt.Sprint(rewrite, ".why403"))}
		if rewrite {
			args = append(args, "--rewrite-host")
		}
		c := startCapture(t, env, args...)
		for _, url := range []string{"http://" + c.address, "https://" + c.address} {
			host, want := c.address, "POST /door: 4 bytes 200"
			if rewrite {
				host = strings.TrimPrefix(o.secure, "https://")
			}
			r := run(t, env, "curl", "-sS", "--http1.1", "--noproxy", "*", "--cacert", c.ca, "-w", " %{http_code}", "-d", "door", url+"/door")
			if r.code != 0 || r.out != want {
				t.Errorf("%s: %s", url, r)
			}
			for _, a := range o.requests() {
				if !strings.Contains(a.raw, "\r\nHost: "+host+"\r\n") {
					t.Errorf("with rewritten Host %v the server got %q", rewrite, a.raw)
				}
			}
		}
	}
}

// TestCurlGoesThroughAProxyAfterOurs has one why403 go through another one, by
// each kind of proxy, with a login in the URL.
func TestCurlGoesThroughAProxyAfterOurs(t *testing.T) {
	dir := t.TempDir()
	originCA := makeCA(t, dir)
	o := openOrigin(t, dir)
	login := filepath.Join(dir, "login")
	if err := os.WriteFile(login, []byte("me:s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	far, farAddresses, farCA, _ := capturing(t, home(t), dir, originCA, "far", "--proxy-auth", "@"+login)
	n := 0
	for _, d := range doors {
		env := home(t)
		upstream := strings.NewReplacer("ADDRESS", farAddresses[0], "LOGIN", "me:s3cret@").Replace(d.proxy)
		near, addresses, ca, _ := capturing(t, env, dir, farCA, "near-"+strings.ReplaceAll(d.name, " ", "-"), "--upstream", upstream)
		for _, url := range []string{o.plain, o.secure} {
			if r := fetch(t, env, "http://"+addresses[0], ca, url+"/door"); r.code != 0 || r.out != "POST /door: 4 bytes 200" {
				t.Errorf("%s to %s: %s", d.name, url, r)
			}
			n++
		}
		near.stop()
	}
	waitUntil(t, "the last exchange at the proxy after ours", func() bool { return far.count() >= n })
	for _, a := range o.requests() {
		if strings.Contains(a.raw, "Proxy-") {
			t.Errorf("the server got %q", a.raw)
		}
	}
}

// ntlmProxy is a proxy that wants NTLM (MS-NLMP, 2.2.1): the third message of a
// client counts on the connection on which the second was sent. It does not check the proof.
func ntlmProxy(t *testing.T) (address string, asked func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var mu sync.Mutex
	var heads []string
	go func() {
		for number := 1; ; number++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go ntlmConnection(c, number, func(head string) {
				mu.Lock()
				defer mu.Unlock()
				heads = append(heads, head)
			})
		}
	}()
	return l.Addr().String(), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), heads...)
	}
}

func ntlmConnection(c net.Conn, number int, note func(string)) {
	defer c.Close()
	in := bufio.NewReader(c)
	challenged, known := false, false
	for {
		head := ""
		for !strings.HasSuffix(head, "\r\n\r\n") {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			head += line
		}
		note(fmt.Sprintf("%d %s", number, head))
		message, _ := base64.StdEncoding.DecodeString(between(head, "Proxy-Authorization: NTLM ", "\r\n"))
		kind := byte(0)
		if len(message) > 8 {
			kind = message[8]
		}
		wants := "NTLM"
		switch {
		case known:
		case kind == 1:
			challenged, wants = true, "NTLM "+base64.StdEncoding.EncodeToString(ntlmChallenge())
		case kind == 3 && challenged:
			known = true
		}
		if length := between(head, "Content-Length: ", "\r\n"); length != "" && !known {
			var n int64
			fmt.Sscan(length, &n)
			io.CopyN(io.Discard, in, n)
		}
		if !known {
			fmt.Fprintf(c, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: %s\r\nContent-Length: 0\r\n\r\n", wants)
			continue
		}
		method, rest, _ := strings.Cut(head, " ")
		target, rest, _ := strings.Cut(rest, " ")
		path := ""
		if method != "CONNECT" {
			target, path, _ = strings.Cut(strings.TrimPrefix(target, "http://"), "/")
		}
		server, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		defer server.Close()
		if method == "CONNECT" {
			io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
		} else {
			io.WriteString(server, method+" /"+path+" "+strings.Replace(rest, "\r\n", "\r\nConnection: close\r\n", 1))
		}
		go io.Copy(server, in)
		io.Copy(c, server)
		return
	}
}

// ntlmChallenge is a CHALLENGE_MESSAGE (MS-NLMP, 2.2.1.2) with no target information.
func ntlmChallenge() []byte {
	b := append([]byte("NTLMSSP\x00"), 2, 0, 0, 0)
	b = append(b, 0, 0, 0, 0, 56, 0, 0, 0)              // TargetNameFields
	b = binary.LittleEndian.AppendUint32(b, 0x00008201) // unicode, NTLM, always sign
	b = append(b, "12345678"...)                        // ServerChallenge
	b = append(b, make([]byte, 8)...)                   // Reserved
	b = append(b, 0, 0, 0, 0, 56, 0, 0, 0)              // TargetInfoFields
	return append(b, make([]byte, 8)...)                // Version
}

// TestCurlLogsInByNTLM has curl log in, through ours, to a proxy that wants NTLM.
func TestCurlLogsInByNTLM(t *testing.T) {
	dir := t.TempDir()
	originCA := makeCA(t, dir)
	o := openOrigin(t, dir)
	for _, url := range []string{o.plain, o.secure} {
		env := home(t)
		proxy, asked := ntlmProxy(t)
		c, addresses, ca, session := capturing(t, env, dir, originCA, "ntlm-"+url[:5], "--upstream", "http://"+proxy)
		r := fetch(t, env, "http://"+addresses[0], ca, url+"/door", "--proxy-ntlm", "--proxy-user", "me:s3cret")
		if r.code != 0 || r.out != "POST /door: 4 bytes 200" {
			t.Errorf("%s: %s", url, r)
		}
		heads := asked()
		for _, h := range heads {
			if !strings.HasPrefix(h, "1 ") {
				t.Errorf("asked on another connection: %q", h)
			}
		}
		if len(heads) != 2 {
			t.Errorf("the proxy was asked %d times, want twice: %q", len(heads), heads)
		}
		for _, a := range o.requests() {
			if strings.Contains(a.raw, "NTLM") && url == o.secure {
				t.Errorf("the server got %q", a.raw)
			}
		}
		waitUntil(t, "the last exchange", func() bool { return c.count() >= 2 })
		c.stop()
		statuses := ""
		for _, e := range readSession(t, env, session) {
			statuses += fmt.Sprint(" ", e.Response.Status)
		}
		if statuses != " 407 200" {
			t.Errorf("the session holds the statuses%s", statuses)
		}
	}
}
