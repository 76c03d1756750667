package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/har"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/flow/transcript"
)

// sqliteMagic begins every SQLite file (file format, 1.3).
var sqliteMagic = []byte("SQLite format 3\x00")

// readFlows reads a session, a HAR, or the text of exchanges, told apart by what
// is in them; "-" is standard input.
func readFlows(ctx context.Context, std stdio, name string) ([]*flow.Flow, error) {
	if name == "-" {
		return readText(std.in, "standard input")
	}
	isSession, err := holdsSession(name)
	if err != nil {
		return nil, err
	}
	if isSession {
		return readSession(ctx, name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fileError(err)
	}
	defer f.Close()
	return readText(f, name)
}

func holdsSession(name string) (bool, error) {
	f, err := os.Open(name)
	if err != nil {
		return false, fileError(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return false, failedf("name a session, a HAR, or a file with the text of HTTP messages", "%s is a folder", name)
	}
	head := make([]byte, len(sqliteMagic))
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, fileError(err)
	}
	return bytes.Equal(head[:n], sqliteMagic), nil
}

func fileError(err error) error {
	hint := "check that it can be read"
	if missing(err) {
		hint = "check the name; why403 sessions list shows the recorded sessions"
	}
	return failed(err, hint)
}

const hintText = "give a session of why403, a HAR (JSON), HTTP messages as text, or the output of curl -v or curl -i"

// readText reads a HAR, which begins like a JSON object, or the text of messages.
func readText(r io.Reader, name string) ([]*flow.Flow, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, failed(fmt.Errorf("%s: %w", name, err), "check that it can be read")
	}
	if bytes.HasPrefix(head, sqliteMagic) {
		return nil, failedf("give its name instead: a session cannot be read from a pipe", "%s is a session of why403", name)
	}
	// The zero bytes are those of UTF-16, as Windows' shells write it.
	text := bytes.TrimLeft(head, "\xef\xbb\xbf\xff\xfe\x00 \t\r\n")
	if len(text) == 0 && len(head) < 4096 {
		return nil, failedf(hintText, "%s is empty", name)
	}
	if text[0] == '{' {
		flows, err := har.Read(br)
		if err != nil {
			return nil, failed(fmt.Errorf("%s: %w", name, err), "it must be a whole HAR file (JSON), or a session of why403; export it again from where it came")
		}
		return flows, nil
	}
	flows, err := transcript.Read(br)
	if errors.Is(err, transcript.ErrNothing) {
		return nil, failedf(hintText, "%s is no session (SQLite) and no HAR (a JSON object), and %w in it", name, transcript.ErrNothing)
	}
	if err != nil {
		return nil, failed(fmt.Errorf("%s: %w", name, err), hintText)
	}
	return flows, nil
}

// openSession opens a recorded session for reading alone.
func openSession(name string) (*session.Store, error) {
	s, err := session.Open(name, session.Options{})
	if err != nil {
		return nil, failed(err, "it must be a session of this why403, or of an older one; the file is left as it is")
	}
	return s, nil
}

func readSession(ctx context.Context, name string) ([]*flow.Flow, error) {
	s, err := openSession(name)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var flows []*flow.Flow
	for id := flow.ID(1); id <= s.Last(); id++ {
		f, err := s.Flow(ctx, id)
		if errors.Is(err, session.ErrNoFlow) || errors.Is(err, session.ErrNotKept) {
			continue
		}
		if err != nil {
			return nil, failed(fmt.Errorf("%s: flow %d: %w", name, id, err), "the file may be damaged; the other flows can still be looked at with why403 open "+name)
		}
		flows = append(flows, f)
	}
	return flows, nil
}
