// Package launch makes clients use the proxy and trust its certificate
// authority, without installing anything: it lays out the files that a client
// needs (certificates, a trust store for Java, small shims for runtimes that
// ignore the environment) in a folder of this process, says which variables
// point there, starts commands and browsers with them, and finds out what went
// past the proxy all the same.
//
// # What lies where
//
// Everything is below Dir, 0700, and belongs to a Seat: PID.json, which tells
// others of a running proxy, and the folder PID with the files for its clients.
// A seat is held by a lock of the system, gone with the process however that
// ends; what a kill left behind is removed by the next Take, or by Sweep.
// Nothing outside of Dir is written, except by Install and Uninstall (trust),
// which say what they will do before they do it.
//
// # Concurrency
//
// A Seat belongs to one goroutine. Several processes may take seats, read and
// sweep at once. Nothing here starts a goroutine that outlives the call, and
// every wait ends with its context. What outlives a watched command on Linux has
// a process beside it (Keep), which ends with it.
package launch
