// Package transcript reads exchanges from text that people keep and paste: raw
// HTTP messages (a request, its answer, or an answer alone, as they go over the
// wire or as an editor, httpie or a "raw" export writes them), the output of
// `curl -i`, and that of `curl -v` with or without `-i`.
//
// Such text has been through terminals, editors and issue trackers. Line ends may
// be CR LF, LF, or CR CR LF (a terminal); there may be colours, a progress meter,
// a prompt, a fence and an indentation around it. What it does not hold is left
// open rather than guessed: an answer alone is a flow without a request, the body
// that `curl -v` does not show is marked as not kept, and only the scheme, which a
// raw message never names, is concluded from its surroundings (see scheme).
package transcript

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/why403/why403/flow"
)

const (
	// MaxText is how many bytes of text are read; a longer one is an error.
	MaxText = 128 << 20
	// maxFlows bounds the exchanges of one text.
	maxFlows = 100_000
	// maxHead bounds the fields of one head.
	maxFields = 10_000
)

// ErrNothing is text without any HTTP message in it.
var ErrNothing = errors.New("no HTTP message and no output of curl -v or curl -i was found")

// Read reads all exchanges; their ids are 1, 2, 3 … in the order of the text.
func Read(r io.Reader) ([]*flow.Flow, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxText+1))
	if err != nil {
		return nil, fmt.Errorf("transcript: read: %w", err)
	}
	if len(text) > MaxText {
		return nil, fmt.Errorf("transcript: the text has more than %d MB", MaxText>>20)
	}
	if text, err = utf8Of(text); err != nil {
		return nil, fmt.Errorf("transcript: decode UTF-16: %w", err)
	}
	text = tidy(text)
	var found []piece
	if verbose(text) {
		found = readVerbose(text)
	} else {
		found = readRaw(text)
	}
	flows := assemble(found)
	if len(flows) == 0 {
		return nil, fmt.Errorf("transcript: %w", ErrNothing)
	}
	return flows, nil
}

// utf8Of turns what Windows shells write as UTF-16 into UTF-8 and drops a byte order mark.
func utf8Of(text []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		return text[3:], nil
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		out, _, err := transform.Bytes(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder(), text)
		return out, err
	}
	return text, nil
}

// piece is one message as it was found, with what its surroundings tell.
type piece struct {
	m         *flow.Message
	scheme    string // "" where nothing tells it
	authority string // host[:port] that it was sent to; "": the Host field says it
	address   string // of the server, host:port
	trouble   string // why no answer followed, in curl's words
}
