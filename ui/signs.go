package ui

import "strings"

// The signs that the screen draws. Each stands for one thing, so that nothing is told by colour alone.
const (
	signCursor     = "›"
	signLoud       = "▌"
	signLoudCursor = "▶"
	signMarked     = "*"
	signNo         = "✗"
	signYes        = "✓"
	signTrouble    = "!"
	signReplay     = "↻"
	signTo         = "→"
	signBack       = "←"
	signUpgraded   = "⇄"
	signHeld       = "‖"
	signEdited     = "✎"
	signOn         = "●"
	signOff        = "○"
	signTicked     = "☑"
	signUnticked   = "☐"
	signMore       = "…"
	signUnknown    = "?"
	signNotAsked   = "·"
	signFalling    = "↓"
	signRising     = "↑"
	signWriting    = "▏"
	signLevel      = "▁ ▄ █"
)

// signs are what each sign means, in the order of the help.
var signs = []struct {
	sign  words
	about words
}{
	{signLoud, "a refused request that would have changed something"},
	{signCursor, "the cursor"},
	{signLoudCursor, "the cursor, on such a refusal"},
	{signMarked, "marked, to compare, to delete or to save"},
	{signNo, "refused; in a field, what is wrong with it"},
	{signYes, "accepted, checked, valid"},
	{signTrouble, "broke off, or needs a look"},
	{signReplay, "sent again from here, of the flow with that number"},
	{signTo, "led to the flow with that number; in Messages, from the client; in a field, takes what is offered"},
	{signBack, "in Messages, from the server"},
	{signUpgraded, "upgraded, a WebSocket: both sides talk"},
	{signHeld, "held for you; in the first row, recording is paused"},
	{signEdited, "edited by you while it was held, in this run"},
	{signMore, "still on its way, or cut here"},
	{signOn, "on: recorded, a header that is sent, a rule or breakpoint at work"},
	{signOff, "off, left out; in the first row, a saved session"},
	{signTicked, "a difference that is sent with the next replay"},
	{signUnticked, "a difference that can be ticked"},
	{signUnknown, "a check that only the server's side can make; in Logs, a line that only its time ties"},
	{signNotAsked, "a check that does not apply"},
	{signWriting, "the text that is being written"},
	{signFalling, "sorted, largest first"},
	{signRising, "sorted, smallest first"},
	{signLevel, "refusals over the last minutes"},
}

// signsMarkdown is what each sign means, for the documentation.
func signsMarkdown() string {
	var b strings.Builder
	b.WriteString("\n## Signs\n\n| sign | what it means |\n|---|---|\n")
	for _, s := range signs {
		b.WriteString("| `" + string(s.sign) + "` | " + string(s.about) + " |\n")
	}
	return b.String()
}
