package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/proxy/replay"
)

// addSending adds the flags of commands that send recorded requests again.
func (o *proxyFlags) addSending(f *pflag.FlagSet, session, usual string) {
	f.StringVar(&o.session, "session", session, "`file` to record into, or none"+usual)
	f.BoolVar(&o.insecure, "insecure", false, "do not verify the certificates of servers")
	f.StringArrayVar(&o.upstreamCA, "upstream-ca", nil, "PEM `file` with further roots to trust for servers")
	f.StringVar(&o.upstream, "upstream", "", "`URL` of a proxy to go through, or none (default: HTTPS_PROXY and NO_PROXY of the environment)")
	o.addTLS(f)
}

// sending opens a session that names source as where its flows come from, and what sends
// the requests that are recorded in it.
func (o *proxyFlags) sending(source string) (*replay.Sender, *session.Store, error) {
	roots, err := o.roots()
	if err != nil {
		return nil, nil, err
	}
	identities, err := o.identities()
	if err != nil {
		return nil, nil, err
	}
	way, err := o.way(beforeUs(os.Getenv), nil)
	if err != nil {
		return nil, nil, err
	}
	if o.source = source; source == "-" {
		o.source = "standard input"
	}
	store, err := o.record()
	if err != nil {
		return nil, nil, err
	}
	return replay.New(replay.Options{Recorder: store, Roots: roots, Insecure: o.insecure, Upstream: way,
		Identities: identities, MinTLS: uint16(o.tlsMin), MaxTLS: uint16(o.tlsMax)}), store, nil
}

// beforeUs is the environment as it was before it was made to send everything through us:
// what we send ourselves goes the way that our proxy goes on.
func beforeUs(lookup func(string) string) func(string) string {
	return func(name string) string {
		v := lookup(name)
		ours := lookup("WHY403_CHILD_PROXY")
		if ours == "" {
			return v
		}
		switch lower := strings.ToLower(name); {
		case lower == "no_proxy":
			return lookup("WHY403_CHILD_NO_PROXY")
		case strings.HasSuffix(lower, "_proxy") && v == ours:
			return lookup("WHY403_CHILD_UPSTREAM")
		}
		return v
	}
}

// otherwise names how a replay went another way than the original, where both are known.
func otherwise(was, is *flow.Flow) []string {
	list := append([]string{}, is.Altered...)
	if was.Conn.Origin == "" { // it was read from a file that does not say how it went
		return list
	}
	way := func(f *flow.Flow) string {
		if f.Conn.Upstream == "" {
			return "directly"
		}
		return "through " + f.Conn.Upstream
	}
	if way(was) != way(is) {
		list = append(list, "sent "+way(is)+", the original went "+way(was))
	}
	if was.Conn.Upstream == "" && is.Conn.Upstream == "" && is.Conn.Origin != "" && is.Conn.Origin != was.Conn.Origin {
		list = append(list, "sent to "+is.Conn.Origin+", the original went to "+was.Conn.Origin)
	}
	a, b := was.Conn.OriginTLS, is.Conn.OriginTLS
	if a == nil || b == nil {
		return list
	}
	if a.Presented != b.Presented {
		named := func(s string) string {
			if s == "" {
				return "no client certificate"
			}
			return "the client certificate " + s
		}
		list = append(list, fmt.Sprintf("with %s, the original had %s", named(b.Presented), named(a.Presented)))
	}
	if a.Version != b.Version {
		list = append(list, fmt.Sprintf("over %s, the original came over %s", b.Version, a.Version))
	}
	if a.JA4 != "" && b.JA4 != "" && a.JA4 != b.JA4 {
		list = append(list, fmt.Sprintf("with the TLS hello %s, the original had %s", b.JA4, a.JA4))
	}
	return list
}

// staysHere reports whether a request goes to this machine: its host is loopback, and
// so is the address that its client connected to, if the recording has one.
func staysHere(f *flow.Flow) bool {
	u, err := url.Parse(f.Scheme + "://" + f.Authority)
	if err != nil || !isLoopback(u.Hostname()) {
		return false
	}
	host, _, err := net.SplitHostPort(f.Conn.Target)
	return err != nil || net.ParseIP(host) == nil || isLoopback(host)
}
