package paste

import "strings"

// shortNames are curl's letters.
var shortNames = map[byte]string{
	'X': "request", 'H': "header", 'd': "data", 'F': "form", 'G': "get", 'I': "head", 'u': "user", 'b': "cookie", 'A': "user-agent",
	'e': "referer", 'k': "insecure", 'L': "location", 'x': "proxy", 'T': "upload-file", 'g': "globoff", 'm': "max-time", 'o': "output",
	's': "silent", 'S': "show-error", 'v': "verbose", 'i': "include", 'w': "write-out", 'E': "cert", 'r': "range", 'f': "fail", 'N': "no-buffer",
	'O': "remote-name", 'J': "remote-header-name", 'c': "cookie-jar", 'K': "config", 'q': "disable", 'U': "proxy-user", 'z': "time-cond",
	'0': "http1.0", '1': "tlsv1", '2': "sslv2", '3': "sslv3", '4': "ipv4", '6': "ipv6", 'D': "dump-header", 'C': "continue-at", 'Y': "speed-limit",
	'y': "speed-time", '#': "progress-bar", 'j': "junk-session-cookies", 'n': "netrc", 'p': "proxytunnel", 'a': "append", 'P': "ftp-port", 'Q': "quote",
	't': "telnet-option", 'V': "version", 'M': "manual", 'R': "remote-time", 'Z': "parallel", 'l': "list-only", 'B': "use-ascii", 'h': "help",
}

// valued are the options of curl 8 that take a value.
var valued = words(`
	url request request-target header data data-ascii data-binary data-raw data-urlencode json form form-string user oauth2-bearer cookie user-agent referer
	range connect-to resolve upload-file aws-sigv4 proxy cert key unix-socket abstract-unix-socket max-time output write-out cookie-jar config proxy-user time-cond
	dump-header continue-at speed-limit speed-time ftp-port quote telnet-option alt-svc cacert capath cert-type ciphers connect-timeout create-file-mode crlfile
	curves delegation dns-interface dns-ipv4-addr dns-ipv6-addr dns-servers doh-url ech egd-file engine etag-compare etag-save expect100-timeout form-escape
	ftp-account ftp-alternative-to-user ftp-method ftp-ssl-ccc-mode happy-eyeballs-timeout-ms haproxy-clientip hostpubmd5 hostpubsha256 hsts interface ip-tos ipfs-gateway
	keepalive-cnt keepalive-time key-type krb libcurl limit-rate local-port login-options mail-auth mail-from mail-rcpt max-filesize max-redirs netrc-file
	noproxy output-dir parallel-max pass pinnedpubkey preproxy proto proto-default proto-redir proxy-cacert proxy-capath proxy-cert proxy-cert-type proxy-ciphers
	proxy-crlfile proxy-header proxy-key proxy-key-type proxy-pass proxy-pinnedpubkey proxy-service-name proxy-tls13-ciphers proxy-tlsauthtype proxy-tlspassword
	proxy-tlsuser proxy1.0 pubkey random-file rate retry retry-delay retry-max-time sasl-authzid service-name socks4 socks4a socks5 socks5-gssapi-service
	socks5-hostname stderr tftp-blksize tls-max tls13-ciphers tlsauthtype tlspassword tlsuser trace trace-ascii trace-config url-query variable vlan-priority`)

// ignored are options without a value that say nothing about the request.
var ignored = words(`
	location silent show-error verbose include fail fail-with-body fail-early no-buffer buffer remote-name remote-name-all remote-header-name disable tlsv1 tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3
	sslv2 sslv3 ipv4 ipv6 progress-bar junk-session-cookies netrc netrc-optional proxytunnel append version manual remote-time parallel parallel-immediate list-only use-ascii help
	location-trusted post301 post302 post303 tcp-nodelay tcp-fastopen keepalive no-keepalive basic styled-output no-styled-output progress-meter no-progress-meter ssl ssl-reqd
	ssl-no-revoke ssl-allow-beast ssl-auto-client-cert raw tr-encoding no-alpn no-npn no-sessionid retry-connrefused retry-all-errors create-dirs xattr false-start cert-status
	compressed-ssh metalink proxy-insecure proxy-basic proxy-digest proxy-ntlm proxy-negotiate proxy-anyauth ca-native trace-time trace-ids suppress-connect-headers http0.9 disallow-username-in-url
	no-clobber remove-on-error skip-existing out-null no-location no-compressed no-insecure`)

func words(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

func takesValue(name string) bool { return valued[name] }
