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
	"github.com/why403/why403/flow/paste"
	"github.com/why403/why403/flow/session"
	"github.com/why403/why403/flow/transcript"
)

// sqliteMagic begins every SQLite file (file format, 1.3).
var sqliteMagic = []byte("SQLite format 3\x00")

// readFlows reads all flows of a file; see eachFlow.
func readFlows(ctx context.Context, std stdio, name string) ([]*flow.Flow, error) {
	var flows []*flow.Flow
	err := eachFlow(ctx, std, name, func(f *flow.Flow) error {
		flows = append(flows, f)
		return nil
	})
	return flows, err
}

// eachFlow reads a session, a HAR, or the text of exchanges, told apart by what
// is in them; "-" is standard input. Of a session and a HAR one flow at a time is held.
func eachFlow(ctx context.Context, std stdio, name string, yield func(*flow.Flow) error) error {
	if name == "-" {
		return readText(ctx, std.in, "standard input", yield)
	}
	isSession, err := holdsSession(name)
	if err != nil {
		return err
	}
	if isSession {
		return readSession(ctx, name, yield)
	}
	f, err := os.Open(name)
	if err != nil {
		return fileError(err)
	}
	defer f.Close()
	return readText(ctx, f, name, yield)
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
func readText(ctx context.Context, r io.Reader, name string, yield func(*flow.Flow) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return failed(fmt.Errorf("%s: %w", name, err), "check that it can be read")
	}
	if bytes.HasPrefix(head, sqliteMagic) {
		return failedf("give its name instead: a session cannot be read from a pipe", "%s is a session of why403", name)
	}
	// The zero bytes are those of UTF-16, as Windows' shells write it.
	text := bytes.TrimLeft(head, "\xef\xbb\xbf\xff\xfe\x00 \t\r\n")
	if len(text) == 0 && len(head) < 4096 {
		return failedf(hintText, "%s is empty", name)
	}
	var wanted error // of yield: not the file's fault
	give := func(f *flow.Flow) error {
		if wanted = ctx.Err(); wanted == nil {
			wanted = yield(f)
		}
		return wanted
	}
	if len(text) > 0 && text[0] == '{' {
		if err := har.Each(br, give); err != nil && wanted == nil {
			return failed(fmt.Errorf("%s: %w", name, err), harHint(err))
		}
		return wanted
	}
	if paste.Looks(string(head)) {
		return readPasted(br, name, os.Stderr, give)
	}
	flows, err := transcript.Read(br)
	if errors.Is(err, transcript.ErrNothing) {
		return failedf(hintText, "%s is no session (SQLite) and no HAR (a JSON object), and %w in it", name, transcript.ErrNothing)
	}
	if err != nil {
		return failed(fmt.Errorf("%s: %w", name, err), hintText)
	}
	for _, f := range flows {
		if err := give(f); err != nil {
			return err
		}
	}
	return nil
}

func harHint(err error) string {
	var at *har.Error
	if errors.As(err, &at) && at.Hint != "" {
		return at.Hint
	}
	return "it must be a whole HAR file (JSON); export it again from where it came"
}

// openSession opens a recorded session for reading alone.
func openSession(name string) (*session.Store, error) {
	s, err := session.Open(name, session.Options{})
	if errors.Is(err, session.ErrNoLog) {
		return nil, failed(err, "copy it again when the why403 that records it has ended: then it is one file")
	}
	if err != nil {
		return nil, failed(err, "it must be a session of this why403, or of an older one; the file is left as it is")
	}
	return s, nil
}

func readSession(ctx context.Context, name string, yield func(*flow.Flow) error) error {
	s, err := openSession(name)
	if err != nil {
		return err
	}
	defer s.Close()
	for id := flow.ID(1); id <= s.Last(); id++ {
		f, err := s.Flow(ctx, id)
		if errors.Is(err, session.ErrNoFlow) || errors.Is(err, session.ErrNotKept) {
			continue
		}
		if err != nil {
			return failed(fmt.Errorf("%s: flow %d: %w", name, id, err), "the file may be damaged; the other flows can still be looked at with why403 open "+name)
		}
		if err := yield(f); err != nil {
			return err
		}
	}
	return nil
}
