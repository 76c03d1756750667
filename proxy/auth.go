package proxy

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/why403/why403/proxy/wire"
)

// wantsAuth marks our own 407.
const wantsAuth wire.Reason = "proxy-auth"

// challenge is the field that asks for what we want (RFC 9110, 11.7.1; RFC 7617).
const challenge = `Basic realm="why403", charset="UTF-8"`

// checkLogin refuses a login that no client could give.
func checkLogin(login string) error {
	user, pass, ok := strings.Cut(login, ":")
	switch {
	case !ok || user == "" || pass == "":
		return errors.New("proxy: the proxy's login is not user:password")
	case len(user) > 255 || len(pass) > 255:
		return errors.New("proxy: the user name or password of the proxy's login is longer than 255 bytes, which SOCKS cannot carry (RFC 1929)")
	}
	return nil
}

// locked reports whether clients must log in.
func (s *Server) locked() bool { return s.opt.ProxyAuth != "" }

// admits compares login with what we want. How long that takes says nothing about it.
func (s *Server) admits(login string) bool {
	given, want := sha256.Sum256([]byte(login)), sha256.Sum256([]byte(s.opt.ProxyAuth))
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1
}

// stranger reports whether q needs a login and lacks it. What names no server
// is answered by ourselves, and needs none.
func (c *client) stranger(q *wire.Request) bool {
	if c.inside || !c.s.locked() || q.Method != http.MethodConnect && q.Scheme == "" {
		return false
	}
	scheme, credentials, _ := strings.Cut(q.Head.Header.Get("Proxy-Authorization"), " ")
	login, err := base64.StdEncoding.DecodeString(strings.Trim(credentials, " "))
	return err != nil || !strings.EqualFold(scheme, "Basic") || !c.s.admits(string(login))
}

// turnAway answers a stranger by a marked 407. The row has no answer, so that
// nobody counts it as a refusal by a server.
func (c *client) turnAway(start time.Time, q *wire.Request) bool {
	f := &wire.Fault{Reason: wantsAuth, Text: "answered 407: the client did not give the user name and password that this proxy wants (--proxy-auth)"}
	if q.Head.Header.Has("Proxy-Authorization") {
		f.Text = "answered 407: the client gave other credentials than this proxy wants (--proxy-auth)"
	}
	a := refusal(http.StatusProxyAuthRequired, wantsAuth, "this is why403's own 407, not the server's, which was not asked: the proxy wants a user name and password",
		"give the client the proxy as http://user:password@"+c.facts.Local)
	a.challenge = challenge
	c.conn.Write(a.bytes(q.Method))
	c.rejected(start, q.Head, f, nil)
	c.linger()
	return false
}
