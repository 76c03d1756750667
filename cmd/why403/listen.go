package main

import (
	"errors"
	"net"
	"syscall"
)

const defaultPort = "8403"

// listen opens the addresses of the proxy. Without any it takes port 8403 of
// 127.0.0.1 and, where the system has IPv6, of ::1. Other than loopback is
// accepted only when clients must log in: who can reach the proxy can send
// requests in the user's name.
func listen(addresses []string, open bool) ([]net.Listener, error) {
	optional := len(addresses) == 0
	if optional {
		addresses = []string{"127.0.0.1:" + defaultPort, "[::1]:" + defaultPort}
	}
	var ls []net.Listener
	for i, a := range addresses {
		l, err := listenOne(a, open)
		if err != nil && optional && i > 0 && !errors.Is(err, syscall.EADDRINUSE) {
			continue // no IPv6 here
		}
		if err != nil {
			closeAll(ls)
			return nil, err
		}
		ls = append(ls, l)
	}
	return ls, nil
}

func listenOne(address string, open bool) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usagef("give host:port, such as --listen 127.0.0.1:8403; port 0 takes a free one", "--listen %q: %v", address, addrError(err))
	}
	if !open && !isLoopback(host) {
		return nil, usagef("make clients log in with --proxy-auth @FILE, or listen on 127.0.0.1 and reach it with ssh -L "+port+":127.0.0.1:"+port,
			"--listen %q is not a loopback address: anybody who reaches it could send requests from this machine", address)
	}
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, failedf("another why403 may be running; pick a free port with --listen 127.0.0.1:0", "cannot listen on %s: address already in use", address)
	case err != nil:
		return nil, failedf("pick another address with --listen host:port", "cannot listen on %s: %v", address, addrError(err))
	}
	return l, nil
}

// addrError is what is wrong with an address, without repeating the address.
func addrError(err error) error {
	var bad *net.AddrError
	if errors.As(err, &bad) {
		return errors.New(bad.Err)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func closeAll(ls []net.Listener) {
	for _, l := range ls {
		l.Close()
	}
}
