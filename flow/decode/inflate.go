package decode

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
)

const (
	inflateMost = 16 << 20 // bytes that one compressed message may become
	window      = 32 << 10 // bytes of what came before that a message can refer to (RFC 1951, 2)
)

// messageEnd completes a message's DEFLATE data: the empty block that the sender
// left out (RFC 7692, 7.2.2), and a last one, so that the reader sees an end.
var messageEnd = []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}

// inflater undoes permessage-deflate in one direction.
type inflater struct {
	takeover bool   // a message may refer to those before it
	lost     string // why no further message can be inflated; "": it can
	z        io.ReadCloser
	past     []byte // the end of what came before, at most two windows
	scratch  []byte
}

// message inflates one message, whose bytes may be changed. At most messageMost
// bytes of it come back; cut says that it has more, or that the rest is broken.
// If later messages need what cannot be had then, lost is set.
func (f *inflater) message(data []byte) (out []byte, cut bool) {
	in := bytes.NewReader(append(data, messageEnd...))
	total := 0
	err := f.stream(in, &out, &total)
	for err == nil && in.Len() > len(messageEnd) { // the sender may end a stream within a message (RFC 7692, 7.2.3.4)
		err = f.stream(in, &out, &total)
	}
	switch {
	case !f.takeover:
		f.past = f.past[:0]
	case err != nil && f.lost == "":
		f.lost = err.Error()
	}
	return out, err != nil || total > len(out)
}

func (f *inflater) stream(in *bytes.Reader, out *[]byte, total *int) error {
	if err := f.reset(in); err != nil {
		return err
	}
	for {
		n, err := f.z.Read(f.scratch)
		*total += n
		*out = append(*out, f.scratch[:min(n, messageMost-len(*out))]...)
		f.remember(f.scratch[:n])
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case *total > inflateMost:
			return fmt.Errorf("a message that became more than %d bytes", inflateMost)
		}
	}
}

func (f *inflater) reset(in *bytes.Reader) error {
	dict := f.past[max(0, len(f.past)-window):]
	if f.z == nil {
		f.scratch = make([]byte, 8<<10)
		f.z = flate.NewReaderDict(in, dict)
		return nil
	}
	return f.z.(flate.Resetter).Reset(in, dict)
}

// remember keeps the last window of what was inflated.
func (f *inflater) remember(p []byte) {
	if len(f.past)+len(p) > 2*window {
		f.past = append(f.past[:0], f.past[max(0, len(f.past)-window):]...)
	}
	f.past = append(f.past, p...)
}
