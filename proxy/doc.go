// Package proxy is the forward proxy: listeners, client connections, tunnels
// and TLS interception, and the recording of what passes. It never judges.
//
// Every HTTP/1 request and every CONNECT is dispatched by goproxy
// (goproxy.go, the one file that imports it); package wire moves the bytes.
//
// One port tells its clients apart by their first byte: HTTP/1 (absolute-form,
// CONNECT), SOCKS5, and TLS to the proxy with either inside (door.go). With
// Options.Reverse the port stands for a server instead. Origins are reached
// directly or through one proxy after us (Options.Upstream, package wire).
//
// What is agreed on by ALPN is what the origin chose from the client's list.
// HTTP/2, also without TLS, is relayed byte by byte and looked at on the way
// (h2relay.go, package h2). While there are rules or breakpoints, both
// connections end here instead, and each stream is framed anew (h2desk.go);
// relays that are open then have their clients open another connection.
//
// Who may block whom, and what is bounded:
//
//   - One goroutine serves a client connection. Beside it there are at most: one that sends a request body that has not
//     arrived whole (an early answer must not wait for it), one that watches a client while its origin has been silent for
//     20 ms, two for an upgraded or opaque connection, one for a relay of HTTP/2, and where its messages may be held four, and two for each
//     stream. The serving goroutine waits for all of them before it ends, and
//     Serve waits for the serving goroutines.
//   - Connections to origins belong to one client connection and are never shared (connection-bound authentication stays
//     true); at most maxUpstreams of them, closed after 90 s without use.
//   - A slow reader slows its own sender by TCP's means, or HTTP/2's windows, and nobody else. A relay holds one read of
//     each direction in memory; where messages may be held, at most what the receivers' windows allow. The recorder is called after the bytes were
//     forwarded, and may hold the data path only by its own overload policy.
//   - A client has 30 s to finish a head that it began, and 5 minutes between requests, or without an open stream. Dialling takes at most 10 s, a TLS
//     handshake 15 s, a proxy after us to connect 15 s. Bodies, answers and upgraded connections may take forever; ending Serve's context ends them.
//   - Each Begin of a flow is followed by exactly one End. One goroutine of Serve finds out which processes the clients are
//     (Linux; 256 questions at most, 200 ms a batch); the End of a flow that comes before the answer is called by it, and
//     Serve waits for that. Nothing on the data path waits.
//
// What left is compared with what came (fidelity.go), by checksums taken where
// a socket is read and where one is written.
package proxy
