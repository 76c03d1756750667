package diff

import (
	"fmt"

	"github.com/why403/why403/flow"
)

// Says tells how a difference from partner stands to the accepted requests that
// were learnt from, in a few words; "" if they say nothing about it, as when partner is none of them.
func (l *Learned) Says(c flow.Change, partner flow.ID) string {
	if l == nil || l.successes < 2 || !l.ids[partner] || c.Part == flow.InConn || c.Part == flow.InProto {
		return ""
	}
	at := spotOf(c)
	switch {
	case l.presence[at]:
		return fmt.Sprintf("in some of %d accepted", l.successes)
	case c.Before == nil && c.After != nil:
		return fmt.Sprintf("in all %d accepted", l.successes)
	case c.After == nil:
		return fmt.Sprintf("in none of %d accepted", l.successes)
	case l.values[at]:
		return fmt.Sprintf("varies in %d accepted", l.successes)
	}
	return fmt.Sprintf("the same in all %d accepted", l.successes)
}
