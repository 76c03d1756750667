package launch

import (
	"net/netip"
	"strings"
)

// Bypass is a connection that went past the proxy.
type Bypass struct {
	Process string // what it calls itself
	PID     int
	Remote  netip.AddrPort
	Runtime string // go, node, python, java, ruby, php, or "" for others
	Cleared bool   // its environment does not name the proxy
	Times   int    // how often this process connected there
}

// Mend says why it went past, as far as that is known of such programs, and what to do.
func (b Bypass) Mend() (reason, mend string) {
	loopback := b.Remote.Addr().IsLoopback()
	switch {
	case b.Cleared:
		return "its environment was cleared, as sudo, env -i and some test runners do", "let it pass on the variables that why403 env prints (sudo --preserve-env)"
	case b.Remote.Port() == 22:
		return "ssh goes through no HTTP proxy", "use the https:// URL of the server"
	case b.Process == "curl":
		return "an option or .curlrc says so: --noproxy, or a --proxy of its own", "leave that out while you look; curl -q reads no .curlrc"
	case b.Runtime == "go" && loopback:
		return "Go sends nothing to loopback through a proxy", "call the server by a name below localhost, such as http://app.localhost:PORT, which goes through it"
	case b.Runtime == "go":
		return "its http.Transport has no Proxy, or it is no HTTP", "set Proxy: http.ProxyFromEnvironment in the Transport"
	case b.Runtime == "node":
		return "a client with an agent or dispatcher of its own, http2.connect, or a socket", "take the agent out while you look, or use Node 22.21 or newer; --no-node must not be given"
	case b.Runtime == "python":
		return "a client that was told not to look (trust_env=False), urllib3 alone, or a socket", "give it the proxy: urllib3.ProxyManager(os.environ['HTTPS_PROXY']); --no-python must not be given"
	case b.Runtime == "java":
		return "a client that does not read the system properties (Apache HttpClient, Reactor Netty)", "call useSystemProperties() or proxyWithSystemProperties() on its builder"
	case b.Runtime == "php":
		return "a stream with a context of its own", "give that context 'proxy' => 'tcp://…' and 'request_fulluri' => true"
	case b.Runtime == "ruby":
		return "Net::HTTP.new with nil as proxy, or a socket", "leave the proxy's arguments out; --no-ruby must not be given"
	}
	return "it does not read HTTPS_PROXY or was told not to, or this is no HTTP", "see its manual for a proxy; or put why403 in front of that server: why403 --mode reverse:URL"
}

// runtimeOf tells a runtime by the name of its program.
func runtimeOf(program string) string {
	program = strings.ToLower(program)
	for _, r := range []string{"node", "python", "java", "ruby", "php"} {
		if strings.HasPrefix(program, r) {
			return r
		}
	}
	return ""
}
