// Package har reads and writes HTTP Archives, the format in which browsers and
// other proxies save traffic (HAR 1.2, http://www.softwareishard.com/blog/har-12-spec/).
//
// Reading is entry by entry, so that a file of any size needs the memory of one
// entry at a time, and forgiving: the files of Chrome, Firefox, Safari, Charles, mitmproxy,
// Insomnia and converters disagree in many small ways. What HAR has no place for
// is kept in fields that begin with "_": postData.encoding, response._trailers, and
// _why403 with the heads byte for byte.
//
// HAR keeps the content of an answer with its content coding removed, while the header still names
// it. A flow's body is the coded content, so it is coded again on reading: the
// bytes differ from those of the wire, the meaning does not.
package har

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/decode"
)

// Error says where a file stops being a HAR and what to do about it.
type Error struct {
	Line  int   // from 1
	Byte  int64 // from 0
	Entry int   // the entry that was being read, from 1; 0: none
	What  string
	Hint  string
}

func (e *Error) Error() string {
	where := fmt.Sprintf("har: line %d, byte %d", e.Line, e.Byte)
	if e.Entry > 0 {
		where += fmt.Sprintf(", entry %d", e.Entry)
	}
	return where + ": " + e.What
}

// Read reads all flows of an archive; their ids are 1, 2, 3 … in the order of
// the file. On an error, an *Error, it returns those before it as well. Entries that are
// no HTTP (data:, blob:, extensions) have a number but are left out.
func Read(r io.Reader) ([]*flow.Flow, error) {
	var list []*flow.Flow
	err := Each(r, func(f *flow.Flow) error {
		list = append(list, f)
		return nil
	})
	return list, err
}

// Each reads an archive entry by entry and stops at the first error, its own or that of yield.
func Each(r io.Reader, yield func(*flow.Flow) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	counted := &lines{r: utf8Of(br)}
	s := &scanner{lines: counted, dec: json.NewDecoder(counted), yield: yield, ids: map[int64]flow.ID{}}
	return s.run(br)
}

// utf8Of turns what Windows tools save as UTF-16 into UTF-8 and skips a byte order mark.
func utf8Of(br *bufio.Reader) io.Reader {
	head, _ := br.Peek(3)
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, _ = br.Discard(3) // the bytes were just seen
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return transform.NewReader(br, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder())
	}
	return br
}

// lines passes bytes on and remembers where lines end, a byte or two for each.
type lines struct {
	r      io.Reader
	offset int64
	stop   int64 // bytes from here on are not read; 0: no bound
	last   int64
	ends   []byte // distances between line ends, as uvarints
}

func (l *lines) Read(p []byte) (int, error) {
	if l.stop > 0 && l.offset >= l.stop {
		return 0, errTooLarge
	}
	n, err := l.r.Read(p)
	for i := 0; i < n; {
		j := bytes.IndexByte(p[i:n], '\n')
		if j < 0 {
			break
		}
		at := l.offset + int64(i+j)
		l.ends = binary.AppendUvarint(l.ends, uint64(at-l.last))
		l.last = at
		i += j + 1
	}
	l.offset += int64(n)
	return n, err
}

// maxValue is how many bytes one entry, or one other part of the file, may have:
// a part is read into memory as a whole.
const maxValue = 256 << 20

var errTooLarge = fmt.Errorf("this part of the file has more than %d MB", maxValue>>20)

// line is the number of the line that holds a byte.
func (l *lines) line(offset int64) int {
	n, at := 1, int64(0)
	for ends := l.ends; len(ends) > 0; n++ {
		d, size := binary.Uvarint(ends)
		if at += int64(d); at >= offset {
			break
		}
		ends = ends[size:]
	}
	return n
}

type scanner struct {
	lines *lines
	dec   *json.Decoder
	yield func(*flow.Flow) error
	entry int               // being read
	ids   map[int64]flow.ID // id in the session that wrote the file -> id here
}

const (
	hintTruncated = "the file was not written to its end: save it again; what stands before that point was read"
	hintTooLarge  = "save the traffic again without the bodies of downloads; what stands before that part was read"
	hintNoHAR     = "save the traffic as HAR: in a browser's network tab \"Save all as HAR with content\""
)

func (s *scanner) run(br *bufio.Reader) error {
	first, err := s.dec.Token()
	switch {
	case errors.Is(err, io.EOF):
		return s.fail(0, "the file is empty", hintNoHAR)
	case err != nil:
		return s.syntax(err, "this is no HAR, which is JSON")
	case first != json.Delim('{'):
		return s.fail(s.dec.InputOffset(), "this is no HAR, which is a JSON object", hintNoHAR)
	}
	found, err := s.object(func(name string) (bool, error) {
		switch name {
		case "log":
			return s.log()
		case "entries": // some converters leave the log out
			return true, s.entries()
		}
		return false, s.skip()
	})
	if err != nil {
		return err
	}
	if !found {
		return s.fail(s.dec.InputOffset(), "this is JSON, but has no log.entries", hintNoHAR)
	}
	return nil
}

// object calls member for each name of the object that was just opened and says whether one of them was it.
func (s *scanner) object(member func(name string) (bool, error)) (found bool, err error) {
	for s.dec.More() {
		t, err := s.dec.Token()
		if err != nil {
			return found, s.syntax(err, "")
		}
		name, _ := t.(string)
		hit, err := member(name)
		if err != nil {
			return found, err
		}
		found = found || hit
	}
	if _, err := s.dec.Token(); err != nil {
		return found, s.syntax(err, "")
	}
	return found, nil
}

func (s *scanner) skip() error {
	var raw json.RawMessage
	s.lines.stop = s.dec.InputOffset() + maxValue
	if err := s.dec.Decode(&raw); err != nil {
		return s.syntax(err, "")
	}
	return nil
}

func (s *scanner) log() (bool, error) {
	if t, err := s.dec.Token(); err != nil || t != json.Delim('{') {
		if err != nil {
			return false, s.syntax(err, "")
		}
		return false, s.fail(s.dec.InputOffset(), "\"log\" is no object", hintNoHAR)
	}
	return s.object(func(name string) (bool, error) {
		if name == "entries" {
			return true, s.entries()
		}
		return false, s.skip()
	})
}

func (s *scanner) entries() error {
	if t, err := s.dec.Token(); err != nil || t != json.Delim('[') {
		if err != nil {
			return s.syntax(err, "")
		}
		return s.fail(s.dec.InputOffset(), "\"entries\" is no array", hintNoHAR)
	}
	for s.dec.More() {
		s.entry++
		var raw json.RawMessage
		s.lines.stop = s.dec.InputOffset() + maxValue
		if err := s.dec.Decode(&raw); err != nil {
			return s.syntax(err, "")
		}
		doc, err := decode.ParseJSON(raw)
		if err != nil {
			return s.fail(s.dec.InputOffset()-int64(len(raw)), err.Error(), hintNoHAR)
		}
		f := entryFlow(doc.Root())
		if f == nil {
			continue
		}
		f.ID = flow.ID(s.entry)
		if note := doc.Root().Get("_why403"); note.Exists() {
			f.Parent = s.ids[integer(note.Get("parent"))]
			s.ids[integer(note.Get("id"))] = f.ID
			delete(s.ids, 0)
		}
		if err := s.yield(f); err != nil {
			return err
		}
	}
	s.entry = 0
	if _, err := s.dec.Token(); err != nil {
		return s.syntax(err, "")
	}
	return nil
}

func (s *scanner) fail(at int64, what, hint string) error {
	return &Error{Line: s.lines.line(at), Byte: at, Entry: s.entry, What: what, Hint: hint}
}

func (s *scanner) syntax(err error, what string) error {
	at := s.dec.InputOffset()
	var bad *json.SyntaxError
	switch {
	case errors.Is(err, errTooLarge):
		return s.fail(at, errTooLarge.Error(), hintTooLarge)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return s.fail(s.lines.offset, "the file ends too early", hintTruncated)
	case errors.As(err, &bad):
		if bad.Offset > 0 {
			at = bad.Offset - 1
		}
		if strings.Contains(bad.Error(), "unexpected end") {
			return s.fail(s.lines.offset, "the file ends too early", hintTruncated)
		}
		text := bad.Error()
		if what != "" {
			return s.fail(at, what+" ("+text+")", hintNoHAR)
		}
		if skipped, broken := s.broken(); broken != nil {
			at, text = s.dec.InputOffset()+int64(skipped+broken.Offset), broken.What
		}
		return s.fail(at, text, hintNoHAR)
	}
	return fmt.Errorf("har: read: %w", err)
}

// broken looks at the value that could not be read, of which the decoder knows
// the place only roughly.
func (s *scanner) broken() (skipped int, err *decode.JSONError) {
	rest, _ := io.ReadAll(s.dec.Buffered()) // reads memory
	value := bytes.TrimLeft(rest, ", \t\r\n")
	if _, e := decode.ParseJSON(value); errors.As(e, &err) {
		return len(rest) - len(value), err
	}
	return 0, nil
}
