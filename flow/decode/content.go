// Package decode turns what is inside a message into something that can be
// read: content codings and charsets undone, cookies, tokens, challenges, forms,
// multipart and JSON taken apart with the bytes they stand on.
//
// It never fails for a reader's sake: hostile and half-received input gives
// what could be read, plus a word about the rest. Everything is bounded: output,
// ratio, number of parts, depth of what is walked. Nothing is verified, for the
// server decides and we explain. All functions are pure and safe for concurrent use.
package decode

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/why403/why403/flow"
)

// Bounds of Content.
const (
	DefaultLimit = 16 << 20 // bytes of decoded content where the caller names no limit

	maxCodings = 4 // codings stacked on one body; servers use one, hostile ones many
	// Beyond this much output for each byte of input nothing is decoded: gzip's
	// own maximum is 1032, so that only bombs in the stronger codings meet it.
	maxRatio   = 1100
	ratioFloor = 1 << 20 // bytes that are always allowed, whatever the ratio
	zstdWindow = 8 << 20 // the window that RFC 9659 allows in HTTP
)

// ErrCoding is a content coding that is not known; the content is returned as it is.
var ErrCoding = errors.New("unknown content coding")

// Content is the body of m with its content codings removed (RFC 9110, 8.4), at
// most limit bytes of it (limit <= 0: DefaultLimit). truncated tells that there
// is more than text holds, or could be: the recording has only a prefix, a limit
// was met, or the coded data ends early. On an error text is what was decoded
// before it; where nothing was, the bytes as they are. Without a coding text is
// Body.Data itself and must not be changed.
func Content(m *flow.Message, limit int64) (text []byte, truncated bool, err error) {
	if m == nil {
		return nil, false, nil
	}
	if limit <= 0 {
		limit = DefaultLimit
	}
	data := m.Body.Data
	cut := !m.Body.Whole()
	codings := Codings(m.Header)
	if len(data) == 0 || len(codings) == 0 {
		if int64(len(data)) > limit {
			return data[:limit:limit], true, nil
		}
		return data, cut, nil
	}
	if len(codings) > maxCodings {
		return clip(data, limit), true, fmt.Errorf("content coding: %d codings on one body, at most %d are undone", len(codings), maxCodings)
	}
	bound := min(limit, ratioFloor+maxRatio*int64(len(data)))
	for _, c := range slices.Backward(codings) {
		out, more, err := undo(c, data, bound)
		if err != nil {
			if len(out) == 0 {
				return clip(data, limit), true, err
			}
			return out, true, err
		}
		data, cut = out, cut || more
	}
	return data, cut, nil
}

func clip(data []byte, limit int64) []byte {
	n := min(int64(len(data)), limit)
	return data[:n:n]
}

// Codings are the content codings of a message in the order in which they were
// applied, lower case, "identity" left out.
func Codings(h flow.Header) []string {
	var list []string
	for t := range h.Tokens("Content-Encoding") {
		if t = strings.ToLower(t); t != "identity" {
			list = append(list, t)
		}
	}
	return list
}

// undo removes one coding. more: the data ended early or the limit was met.
func undo(coding string, data []byte, limit int64) (out []byte, more bool, err error) {
	r, done, err := open(coding, data)
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return []byte{}, true, nil // the prefix ends inside the coding's own header
		}
		return nil, false, err
	}
	defer done()
	var buf bytes.Buffer
	_, err = io.Copy(&buf, io.LimitReader(r, limit+1))
	out = buf.Bytes()
	if int64(len(out)) > limit {
		return out[:limit:limit], true, nil
	}
	switch {
	case err == nil:
		return out, false, nil
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return out, true, nil
	case errors.Is(err, gzip.ErrHeader) && len(out) > 0:
		return out, false, nil // bytes after the last gzip member, which browsers ignore too
	case coding == "br" && brotliCut(err):
		return out, true, nil
	}
	return out, true, fmt.Errorf("content coding %s: %w", coding, err)
}

// brotliCut reports whether a brotli error only says that the input ended.
func brotliCut(err error) bool { return strings.Contains(err.Error(), "unexpected EOF") }

func open(coding string, data []byte) (io.Reader, func(), error) {
	return openStream(coding, bytes.NewReader(data))
}

// openStream undoes one coding of what in gives. The function that comes with the reader ends it.
func openStream(coding string, in io.Reader) (io.Reader, func(), error) {
	nothing := func() {}
	switch coding {
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil, wrapOpen(coding, err)
		}
		return z, nothing, nil
	case "deflate":
		// RFC 9110, 8.4.1.2 means zlib; some servers send the bare stream.
		buffered := bufio.NewReader(in)
		if head, _ := buffered.Peek(2); isZlib(head) {
			z, err := zlib.NewReader(buffered)
			if err != nil {
				return nil, nil, wrapOpen(coding, err)
			}
			return z, nothing, nil
		}
		return flate.NewReader(buffered), nothing, nil
	case "br":
		return brotli.NewReader(in), nothing, nil
	case "zstd":
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, nil, wrapOpen(coding, err)
		}
		return z, z.Close, nil
	}
	return nil, nil, fmt.Errorf("%w %q", ErrCoding, coding)
}

func wrapOpen(coding string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return fmt.Errorf("content coding %s: the body is not %s: %w", coding, coding, err)
}

// Encode applies codings in the given order: what Content takes off again. It is
// made for speed, not for size.
func Encode(data []byte, codings ...string) ([]byte, error) {
	for _, c := range codings {
		var buf bytes.Buffer
		var w io.WriteCloser
		switch c {
		case "gzip", "x-gzip":
			w, _ = gzip.NewWriterLevel(&buf, gzip.BestSpeed)
		case "deflate":
			w, _ = zlib.NewWriterLevel(&buf, zlib.BestSpeed)
		case "br":
			w = brotli.NewWriterLevel(&buf, brotli.BestSpeed)
		case "zstd":
			z, err := zstd.NewWriter(&buf, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
			if err != nil {
				return nil, fmt.Errorf("content coding %s: %w", c, err)
			}
			w = z
		default:
			return nil, fmt.Errorf("%w %q", ErrCoding, c)
		}
		_, err := w.Write(data)
		if e := w.Close(); err == nil {
			err = e
		}
		if err != nil {
			return nil, fmt.Errorf("content coding %s: %w", c, err)
		}
		data = buf.Bytes()
	}
	return data, nil
}

// isZlib reports whether data starts with a zlib header without a dictionary (RFC 1950, 2.2).
func isZlib(data []byte) bool {
	return len(data) >= 2 && data[1]&0x20 == 0 && data[0]&0x0f == 8 && data[0]>>4 <= 7 && (int(data[0])<<8|int(data[1]))%31 == 0
}
