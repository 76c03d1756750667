package ui

import (
	"slices"
	"strings"
)

// action is something a person can ask for. Keys, footer, help, palette and the docs all come from
// the one list below.
type action uint8

const (
	none action = iota
	goDown
	goUp
	goPageDown
	goPageUp
	goTop
	goEnd
	goHalfDown
	goHalfUp
	open
	back
	nextPane
	nextTab
	prevTab
	nextRefusal
	prevRefusal
	filterFlows
	searchTab
	nextHit
	prevHit
	sortFlows
	listEndpoints
	chooseColumns
	presetAll
	presetRefused
	presetPost403
	editReplay
	replayNewest
	replay
	applyFix
	pinpointIt
	pick
	markShown
	copyTrue
	copyMasked
	saveFlows
	compareMarked
	partnerBefore
	partnerAfter
	toggleRaw
	foldJSON
	unfoldJSON
	filterJSON
	numberLines
	diffView
	storyBack
	storyOn
	foldStories
	newRequest
	zoom
	toggleMouse
	stageMode
	chooseTheme
	commentFlow
	deleteFlow
	clearFlows
	pauseCapture
	ignoreHost
	showHelp
	palette
	quit
	// in the editor
	editSend
	editReset
	editClose
	editNext
	editPrev
	editAdd
	editDouble
	editDelete
	editToggle
	editRaise
	editLower
	editTake
	editExternal
	editUndo
	editShow
	editRaw
	editWhole
	editParts
	// what is held, and rules
	showPoints
	showHeld
	resumeHeld
	dropHeld
	resumeHeldAll
	showRules
	// in the lists of these
	boxDown
	boxUp
	boxClose
	boxAdd
	boxEdit
	boxToggle
	boxDelete
	boxRaise
	boxLower
	heldResume
	heldEdit
	heldDrop
	heldWait
	heldGo
	heldAll
	ruleSave
)

// place is where the keys go at the moment: one key means one thing in each.
type place uint8

const (
	inList place = 1 << iota
	inInspector
	inEditor
	inHeld   // the list of what is held
	inPoints // that of breakpoints
	inRules  // that of rules
	inRule   // a rule as text
	inBoxes  = inHeld | inPoints | inRules
	anywhere = inList | inInspector
)

// footLast is the order from which bindings stand in every footer, at its end.
const footLast = 10

// binding is one line of the help.
type binding struct {
	do    action
	where place
	keys  []string
	name  words // what it does, in the footer and the palette
	about words // the same in a sentence, for the help
	group words
	foot  int // order in the footer, 0: not there
}

var bindings = []binding{
	{goDown, anywhere, []string{"j", "down"}, "down", "next row, or scroll down", "Move", 0},
	{goUp, anywhere, []string{"k", "up"}, "up", "previous row, or scroll up", "Move", 0},
	{goPageDown, anywhere, []string{"pgdown", "ctrl+f"}, "page down", "a page on", "Move", 0},
	{goPageUp, anywhere, []string{"pgup", "ctrl+b"}, "page up", "a page back", "Move", 0},
	{goHalfDown, anywhere, []string{"ctrl+d"}, "half page down", "half a page on", "Move", 0},
	{goHalfUp, anywhere, []string{"ctrl+u"}, "half page up", "half a page back", "Move", 0},
	{goTop, anywhere, []string{"g", "home"}, "first", "first row", "Move", 0},
	{goEnd, anywhere, []string{"G", "end"}, "newest", "last row; in the list, follow the newest again", "Move", 0},
	{nextRefusal, anywhere, []string{"n"}, "next refusal", "next refused request, around the end", "Move", 9},
	{prevRefusal, anywhere, []string{"N"}, "previous refusal", "previous refused request, around the start", "Move", 0},
	{open, anywhere, []string{"enter"}, "open", "open the flow; in a tab, show more, or the place of the evidence", "Move", 0},
	{back, anywhere, []string{"esc"}, "back", "back to the list; then drop the filter", "Move", 0},
	{nextPane, anywhere, []string{"tab"}, "other pane", "list or inspector", "Move", 0},
	{nextTab, anywhere, []string{"l", "right"}, "next tab", "next tab of the inspector", "Move", 0},
	{prevTab, anywhere, []string{"h", "left"}, "previous tab", "previous tab of the inspector", "Move", 0},

	{editReplay, anywhere, []string{"e"}, "edit & replay", "change the request and send it again as a new flow", "Refusal", 1},
	{replay, anywhere, []string{"r"}, "replay", "send the request again, unchanged, as a new flow", "Refusal", 2},
	{replayNewest, anywhere, []string{"K"}, "newest cookies", "send the request again with the cookies of the newest login: shows them first", "Refusal", 0},
	{applyFix, anywhere, []string{"f"}, "fix", "show the verdict's change, then send the request with it", "Refusal", 3},
	{pinpointIt, anywhere, []string{"p"}, "pinpoint", "find by experiment what decides: shows its plan first", "Refusal", 6},
	{pick, anywhere, []string{"space"}, "mark", "mark the flow; in Diff, tick the difference", "Refusal", 0},
	{markShown, anywhere, []string{"*"}, "mark all shown", "mark all flows that are shown, or take their marks away", "Refusal", 0},
	{compareMarked, anywhere, []string{"d"}, "diff", "compare with a marked flow, two marked ones, or the last success", "Refusal", 5},
	{newRequest, anywhere, []string{"ctrl+n"}, "new request", "write a request from nothing; a curl command that is pasted opens here too", "Refusal", 0},
	{partnerBefore, anywhere, []string{"["}, "earlier partner", "compare with an earlier success", "Refusal", 0},
	{storyBack, anywhere, []string{"{"}, "step before", "go to the request that led to this one: its redirect, preflight or challenge", "Move", 0},
	{storyOn, anywhere, []string{"}"}, "step after", "go to the request that this one led to", "Move", 0},
	{partnerAfter, anywhere, []string{"]"}, "later partner", "compare with a later success", "Refusal", 0},

	{copyTrue, anywhere, []string{"y"}, "copy", "copy as curl, URL, header, body, verdict", "Take away", 4},
	{copyMasked, anywhere, []string{"Y"}, "copy masked", "the same with secrets masked", "Take away", 0},
	{saveFlows, anywhere, []string{"w"}, "save", "write the flows shown, or those marked, to a HAR file; or one body", "Take away", 0},

	{pauseCapture, anywhere, []string{"P"}, "pause", "pause the recording, or go on with it; traffic goes through", "Record", 0},
	{ignoreHost, anywhere, []string{"I"}, "ignore host", "pass this host through unread and unrecorded from now on, or record it again", "Record", 0},
	{commentFlow, anywhere, []string{";"}, "comment", "write a comment beside the flow; comment: in the filter finds it", "Record", 0},
	{deleteFlow, anywhere, []string{"D", "delete"}, "delete flow", "delete the flow, or all that were marked, and overwrite it on disk", "Record", 0},
	{clearFlows, anywhere, []string{"ctrl+x"}, "clear all", "delete all flows that have ended, and overwrite them on disk", "Record", 0},

	{filterFlows, anywhere, []string{"/"}, "filter", "show only flows that match", "Find", 8},
	{foldStories, anywhere, []string{"F"}, "fold stories", "hide redirects, preflights and challenges behind the request that they led to, or show them", "Find", 0},
	{sortFlows, anywhere, []string{"o"}, "sort", "sort the list by a column, or newest first", "Find", 0},
	{listEndpoints, anywhere, []string{"E"}, "endpoints", "flows and refusals by endpoint", "Find", 0},
	{searchTab, inInspector, []string{"s"}, "search", "look for text in this tab", "Find", 7},
	{filterJSON, inInspector, []string{"$"}, "JSONPath", "show only the values of a JSON body that a JSONPath names", "Find", 7},
	{nextHit, inInspector, []string{">"}, "next hit", "next place of the text looked for, or of what Why quotes", "Find", 0},
	{prevHit, inInspector, []string{"<"}, "previous hit", "previous place of it", "Find", 0},
	{presetAll, anywhere, []string{"1"}, "all", "all flows", "Find", 0},
	{presetRefused, anywhere, []string{"2"}, "refused", "refused flows only", "Find", 0},
	{presetPost403, anywhere, []string{"3"}, "POST 403", "POST requests answered 403", "Find", 0},

	{showPoints, anywhere, []string{"B"}, "breakpoints", "hold requests or answers that match, to edit or drop them", "Hold and rewrite", 0},
	{showHeld, anywhere, []string{"H"}, "held list", "what is held, with the time it has left", "Hold and rewrite", 0},
	{resumeHeld, anywhere, []string{"c"}, "resume", "let the held flow go on as it came", "Hold and rewrite", 0},
	{dropHeld, anywhere, []string{"x"}, "drop", "drop the held flow and close its client's connection", "Hold and rewrite", 0},
	{resumeHeldAll, anywhere, []string{"A"}, "resume all", "let everything held go on", "Hold and rewrite", 0},
	{showRules, anywhere, []string{"R"}, "rewrite rules", "change messages on their way: add, edit, switch on and off", "Hold and rewrite", 0},
	{heldResume, inHeld, []string{"enter", "c"}, "resume", "in the list of what is held: let it go on as it came", "Hold and rewrite", 1},
	{heldEdit, inHeld, []string{"e"}, "edit", "edit it, then let it go on", "Hold and rewrite", 2},
	{heldDrop, inHeld, []string{"x"}, "drop", "drop it and close its client's connection", "Hold and rewrite", 3},
	{heldWait, inHeld, []string{"w"}, "more time", "begin its waiting time anew", "Hold and rewrite", 4},
	{heldGo, inHeld, []string{"o", "l"}, "show", "go to its flow", "Hold and rewrite", 5},
	{heldAll, inHeld, []string{"A"}, "all", "let everything go on", "Hold and rewrite", 6},
	{showPoints, inHeld, []string{"B"}, "breakpoints", "the breakpoints that hold them", "Hold and rewrite", 7},
	{boxAdd, inPoints | inRules, []string{"a", "+"}, "add", "in lists of breakpoints and rules: a new one", "Hold and rewrite", 1},
	{boxEdit, inPoints | inRules, []string{"e", "enter"}, "edit", "change it", "Hold and rewrite", 2},
	{boxToggle, inPoints | inRules, []string{"space"}, "on/off", "switch it off, or on again", "Hold and rewrite", 3},
	{boxDelete, inPoints | inRules, []string{"d", "delete"}, "delete", "delete it", "Hold and rewrite", 4},
	{boxRaise, inRules, []string{"K", "alt+up"}, "earlier", "apply the rule earlier", "Hold and rewrite", 5},
	{boxLower, inRules, []string{"J", "alt+down"}, "later", "apply the rule later", "Hold and rewrite", 6},
	{showHeld, inPoints, []string{"H"}, "held", "what they hold", "Hold and rewrite", 5},
	{ruleSave, inRule, []string{"ctrl+s"}, "save", "put the rule to work and save it", "Hold and rewrite", 1},
	{boxDown, inBoxes, []string{"j", "down", "tab"}, "down", "next one in the list", "Hold and rewrite", 0},
	{boxUp, inBoxes, []string{"k", "up", "shift+tab"}, "up", "previous one", "Hold and rewrite", 0},
	{boxClose, inBoxes | inRule, []string{"esc", "ctrl+c"}, "back", "close the list", "Hold and rewrite", 8},
	{boxClose, inBoxes, []string{"q"}, "close", "close the list", "Hold and rewrite", 0},

	{chooseColumns, anywhere, []string{"C"}, "columns", "choose the columns of the list", "Look", 0},
	{toggleRaw, anywhere, []string{"b"}, "raw body", "the body as it was sent, or made readable", "Look", 0},
	{foldJSON, inInspector, []string{"-"}, "fold", "fold JSON, XML or HTML one level more; enter or a click folds one line alone", "Look", 7},
	{unfoldJSON, inInspector, []string{"+", "="}, "unfold", "unfold one level", "Look", 0},
	{numberLines, inInspector, []string{"#"}, "line numbers", "numbers before the lines of bodies", "Look", 0},
	{diffView, inInspector, []string{"v"}, "side by side", "Diff side by side, or one below the other", "Look", 7},
	{zoom, anywhere, []string{"z"}, "zoom", "give the focused pane the whole screen", "Look", 0},
	{stageMode, anywhere, []string{"S"}, "stage mode", "mask secrets on the screen, to show it to others", "Look", 0},
	{chooseTheme, anywhere, []string{"T"}, "theme", "choose the colours: dark, light, high contrast, none", "Look", 0},
	{toggleMouse, anywhere, []string{"M"}, "mouse", "give the mouse back to the terminal, to select text", "Look", 0},

	{palette, anywhere, []string{":", "ctrl+p"}, "all actions", "find any action by its name", "Program", 10},
	{showHelp, anywhere, []string{"?"}, "keys", "this list", "Program", 11},
	{quit, anywhere, []string{"q", "ctrl+c"}, "quit", "leave; the session stays on disk", "Program", 0},

	{editSend, inEditor, []string{"ctrl+s"}, "send", "send the request as it stands", "Edit", 1},
	{editTake, inEditor, []string{"ctrl+g"}, "value of the success", "take this field from the last success", "Edit", 2},
	{editAdd, inEditor, []string{"ctrl+n"}, "add header", "a new header below this one", "Edit", 3},
	{editToggle, inEditor, []string{"ctrl+t"}, "on/off", "leave the header out, or put it back", "Edit", 4},
	{editDelete, inEditor, []string{"ctrl+d"}, "delete", "delete the header", "Edit", 0},
	{editDouble, inEditor, []string{"ctrl+y"}, "duplicate", "the same header once more", "Edit", 0},
	{editRaise, inEditor, []string{"alt+up"}, "raise", "move the header up", "Edit", 0},
	{editLower, inEditor, []string{"alt+down"}, "lower", "move the header down", "Edit", 0},
	{editNext, inEditor, []string{"tab"}, "next field", "next field", "Edit", 0},
	{editPrev, inEditor, []string{"shift+tab"}, "previous field", "previous field", "Edit", 0},
	{editExternal, inEditor, []string{"ctrl+e"}, "$EDITOR", "edit the body in $EDITOR", "Edit", 5},
	{editRaw, inEditor, []string{"ctrl+x"}, "raw/form", "the whole request as one text, or as a form again", "Edit", 6},
	{editWhole, inEditor, []string{"alt+e"}, "$EDITOR, whole", "edit the whole request in $EDITOR", "Edit", 0},
	{editParts, inEditor, []string{"ctrl+p"}, "one by one", "query parameters, cookies or form fields of this field as a table", "Edit", 2},
	{editUndo, inEditor, []string{"ctrl+z"}, "undo", "take back the last change", "Edit", 9},
	{editShow, inEditor, []string{"ctrl+o"}, "show answer", "close the editor and go to the last answer", "Edit", 1},
	{editReset, inEditor, []string{"ctrl+r"}, "reset", "back to the request as it was sent", "Edit", 7},
	{editClose, inEditor, []string{"esc"}, "close", "back, without sending", "Edit", 10},
}

// lookup is the action of key in a place.
func lookup(in place, key string) action {
	for i := range bindings {
		b := &bindings[i]
		if b.where&in == 0 {
			continue
		}
		for _, k := range b.keys {
			if k == key {
				return b.do
			}
		}
	}
	return none
}

// nameOf is what an action is called.
func nameOf(a action) words {
	for i := range bindings {
		if bindings[i].do == a {
			return bindings[i].name
		}
	}
	return ""
}

// keyOf is the key to name for an action, "" if it has none.
func keyOf(a action) words {
	for i := range bindings {
		if b := &bindings[i]; b.do == a && len(b.keys) > 0 {
			return words(b.keys[0])
		}
	}
	return ""
}

// KeysMarkdown is the list of keys for the documentation, by group, and that of signs.
func KeysMarkdown() string {
	var b strings.Builder
	group := words("")
	for _, g := range groups() {
		for _, x := range bindings {
			if x.group != g {
				continue
			}
			if group != g {
				group = g
				b.WriteString("\n## " + string(g) + "\n\n| key | what it does | name |\n|---|---|---|\n")
			}
			keys := make([]string, len(x.keys))
			for i, k := range x.keys {
				keys[i] = "`" + k + "`"
			}
			b.WriteString("| " + strings.Join(keys, " ") + " | " + string(x.about) + " | `" + x.id() + "` |\n")
		}
	}
	b.WriteString(signsMarkdown())
	return strings.TrimPrefix(b.String(), "\n")
}

// groups are the groups of keys in the order in which they stand in the list.
func groups() []words {
	var gs []words
	for _, b := range bindings {
		if !slices.Contains(gs, b.group) {
			gs = append(gs, b.group)
		}
	}
	return gs
}
