package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/why403/why403/proxy/launch"
)

// announce lets run, env, browser and doctor find this proxy while it lives.
// Without that it works as well, only they do not find it: no reason to stop.
func (s *stack) announce(kind string, o *proxyFlags) {
	seat, err := launch.Take(launch.Dir())
	if err != nil {
		return
	}
	s.seat = seat
	i := launch.Instance{
		Started: time.Now(), Kind: kind, CA: s.caFile, Session: s.store.Stats().Path,
		Reverse: o.inFront(), Login: o.proxyAuth != "",
	}
	for _, l := range s.listeners {
		i.Addresses = append(i.Addresses, l.Addr().String())
	}
	if i.CA == "" { // in memory alone: its certificate must be somewhere for clients
		folder, err := seat.Folder()
		if err != nil {
			return
		}
		i.CA = filepath.Join(folder, "ca.pem")
		if os.WriteFile(i.CA, s.ca.PEM(), 0o600) != nil {
			return
		}
	}
	_ = seat.Announce(i)
}
