// Package wire is the byte-faithful HTTP/1 engine: it reads heads and keeps
// every byte of them, finds out where a body ends, and moves bodies verbatim
// while it takes a copy of their content for the recording. It opens no socket;
// it works on the connections and the dial function given to it.
//
// What it promises:
//
//   - A head or body that it lets pass leaves as it came: case, order,
//     duplicates, whitespace, folded lines, odd bytes, chunk sizes, chunk
//     extensions and trailers. The one thing it can change is the start line
//     of a request in absolute form and the Proxy-* lines meant for us.
//   - A request whose end two parsers could see in two places (RFC 9112, 6.3
//     and 11.2) is a *Fault and never sent on.
//   - Forward first, record second: bytes reach the other side before the
//     recorder sees them.
//   - What a Reader read and what an Outlet or Upstream wrote is summed up, so
//     that one can be compared with the other (Sum).
//   - Bounds: a head is at most MaxHead bytes, a chunk-size line maxChunkLine,
//     a trailer section maxTrailers. A copy holds one buffer of bufferSize and
//     at most flow.PartSize of content that the recorder has not seen yet.
//
// A Reader, a Body and a Tape belong to one goroutine at a time. Nothing here
// starts a goroutine. Every call blocks at most on the connection it was
// given, whose deadlines and closing are the caller's.
package wire
