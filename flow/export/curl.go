package export

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/why403/why403/flow"
	"github.com/why403/why403/flow/curl"
)

// curlFormat is a command per flow. Masked, it asks for the secrets as shell variables and runs when they are set.
var curlFormat = Format{Name: "curl", Help: "a curl command for sh that sends the same bytes", Ext: ".sh", runs: true, write: writeCurl}

func writeCurl(w io.Writer, flows []*flow.Flow, o Options) error {
	if len(flows) == 1 {
		text, err := curl.Command(flows[0], o.Curl)
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, verified("#", o)+text)
		return err
	}
	written := 0
	var last error
	for _, f := range flows {
		text, err := curl.Command(f, o.Curl)
		if err != nil {
			last = fmt.Errorf("flow %d: %w", f.ID, err)
			text = "# cannot be written: " + oneLine(err.Error()) + "\n"
		} else {
			written++
			text = verified("#", o) + text
		}
		if _, err := fmt.Fprintf(w, "# %s\n%s\n", oneLine(title(f)), text); err != nil {
			return err
		}
	}
	if written == 0 {
		return errors.Join(errors.New("none of the flows can be written as curl"), last)
	}
	return nil
}

// title names a flow in a comment.
func title(f *flow.Flow) string {
	method := ""
	if f.Request != nil {
		method = f.Request.Method + " "
	}
	s := fmt.Sprintf("%d: %s%s", f.ID, method, f.URL())
	if f.Status() > 0 {
		s += fmt.Sprintf(" was answered %d", f.Status())
	}
	return s
}

// oneLine keeps text of others from leaving a comment.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, s)
}
