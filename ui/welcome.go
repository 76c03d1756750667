package ui

import (
	"net"

	tea "charm.land/bubbletea/v2"

	"github.com/why403/why403/flow/curl"
	"github.com/why403/why403/ui/safe"
)

// way is one way to send traffic, which a key copies.
type way struct {
	key, name words
	line      string
	about     string
}

// ways are those that work now, for this address and CA.
func (m *model) ways() []way {
	if m.o.Listen == "" {
		return nil
	}
	proxy := "http://" + m.o.Listen
	ws := []way{
		{"1", "one command", "why403 run -- npm test", "sets proxy and CA for its runtime (Node, Python, Java, Go, Ruby, PHP, curl …); its traffic shows here"},
		{"2", "a browser that trusts us", "why403 browser https://app.example", "a throw-away profile; your own browser stays as it is"},
		{"3", "this shell", `eval "$(why403 env)"`, "all that is started in it from then on; undo with why403_off"},
	}
	if ca := m.o.CA.Path; ca != "" {
		ws = append(ws, way{"4", "by hand", "curl --proxy " + proxy + " --cacert " + quote(ca) + " https://example.com/", "any client that takes a proxy and a CA certificate"})
	} else {
		ws = append(ws, way{"4", "by hand", "curl --proxy " + proxy + " http://example.com/", "any client that takes a proxy"})
	}
	return ws
}

func quote(path string) string {
	for i := range len(path) {
		switch c := path[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '/', c == '.', c == '-', c == '_':
		default:
			return curl.Quote(path)
		}
	}
	return path
}

// welcome is the screen before the first flow.
func (m *model) welcome(w, h int) []string {
	th := m.th
	in := 4
	if w >= wide {
		in = 6
	}
	var out []string
	add := func(l *line) { out = append(out, l.end()) }
	if m.o.Listen == "" {
		add(row(w).gap(in).put(th.bright, "This session holds no flows."))
		return out
	}
	add(row(w).gap(in).put(th.bright, "Send something through the proxy.").put(th.muted, " Press the key to copy the line."))
	add(row(w))
	for _, y := range m.ways() {
		name := row(w).gap(in).put(th.key, y.key).gap(2).put(th.text, y.name)
		if in+30+safe.Of(y.line).Width() < w {
			add(name.to(in+30).text(th.accent, safe.Of(y.line)))
		} else {
			add(name)
			for _, part := range wrap(safe.Of(y.line), w-in-4) {
				add(row(w).gap(in+3).text(th.accent, part))
			}
		}
		if len(out)+6 < h {
			add(row(w).gap(in+3).text(th.muted, safe.Of(y.about)))
			if len(out)+6 < h {
				add(row(w))
			}
		}
	}
	if len(out)+3 < h {
		add(row(w))
	}
	add(row(w).gap(in).put(th.muted, "or watch it happen: ").put(th.accent, "why403 demo").put(th.muted, "   ·   ").put(th.key, keyOf(newRequest)).put(th.muted, " a request of your own   ·   ").put(th.key, keyOf(showHelp)).put(th.muted, " keys"))
	if len(out)+2 < h {
		m.authority(row(w).gap(in), add)
	}
	if len(out)+3 < h {
		add(row(w))
		add(row(w).gap(in).text(th.muted, safe.Of(m.reach())))
	}
	return out
}

// authority says how it stands with our certificates.
func (m *model) authority(l *line, add func(*line)) {
	th, ca := m.th, &m.o.CA
	l.put(th.muted, "certificate authority: ")
	switch {
	case ca.Ephemeral:
		add(l.put(th.text, "in memory, for this run"))
	case ca.Trusted:
		add(l.put(th.good, "trusted by this system"))
	case ca.Path != "" && ca.Ask == nil:
		add(l.put(th.warn, "not trusted by this system").put(th.muted, "; 1 2 3 need no trust, for all else: ").put(th.accent, "why403 ca install"))
	}
}

func (m *model) reach() string {
	if host, _, err := net.SplitHostPort(m.o.Listen); err == nil {
		if ip := net.ParseIP(host); ip != nil && !ip.IsLoopback() {
			return "This proxy can be reached from other machines. Nothing leaves this one unless you export it."
		}
	}
	return "Only loopback listens. Nothing leaves this machine unless you export it."
}

// welcomeKey copies a way while nothing has come yet.
func (m *model) welcomeKey(name string) (tea.Cmd, bool) {
	if m.list.last != 0 {
		return nil, false
	}
	for _, y := range m.ways() {
		if string(y.key) == name {
			return m.copyText("the line for "+string(y.name), y.line), true
		}
	}
	return nil, false
}
