package wire

import "fmt"

// Reason is the one word that marks an answer of ours, in the field X-Why403.
type Reason string

// Why a message cannot be passed on.
const (
	BadRequestLine Reason = "bad-request-line"
	BadStatusLine  Reason = "bad-status-line"
	BadVersion     Reason = "bad-version"
	BadAuthority   Reason = "bad-authority"
	BadField       Reason = "bad-field"
	BadLength      Reason = "bad-length"
	BadEncoding    Reason = "bad-transfer-encoding"
	Ambiguous      Reason = "ambiguous-length"
	BadChunk       Reason = "bad-chunk"
	HeadTooLarge   Reason = "head-too-large"
	HeadCut        Reason = "head-incomplete"
)

// Fault is a message that cannot be passed on without lying about it.
type Fault struct {
	Reason Reason
	Text   string // what is wrong, for people, quoting the bytes
}

func (f *Fault) Error() string { return string(f.Reason) + ": " + f.Text }

func fault(r Reason, format string, args ...any) *Fault {
	return &Fault{r, fmt.Sprintf(format, args...)}
}

// clip shortens what is quoted in a text for people.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
