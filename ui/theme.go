package ui

// style is the parameters of an SGR sequence (ECMA-48, 8.3.117), prepared so that a loop over rows
// only copies bytes. "" is the terminal's own colour.
type style string

// theme is every colour and emphasis of the screen. Meaning is never carried by colour alone:
// a mark, a word or a place says the same.
type theme struct {
	name string

	text   style // facts
	bright style // what the eye should find first
	muted  style // labels, what has not changed
	faint  style // rules, what may be ignored
	key    style // a key that can be pressed
	accent style // names of things in a request, links to flows
	verb   style // methods that change something
	safe   style // methods that do not
	good   style // accepted, proven
	warn   style // needs a look
	bad    style // refused

	str, num, word style // JSON: strings, numbers, literals

	brand   style // the name in the corner
	chip    style // the tab that is open
	badge   style // a confidence or a proof
	badgeLo style // a weak confidence

	rule style // SGR parameters of the lines between panes

	// Bases lie under a whole row.
	cursor    style // the row the keys act on, pane focused
	cursorOff style // the same, another pane focused
	refused   style // a refused request that changes something
	field     style // the field being edited
	box       style // a dialog
	// cursorBad is the cursor on a refused row: it replaces every style of the row.
	cursorBad    style
	cursorBadOff style
	mark         style // the character under the text cursor
	hit          style // a search hit
}

// dark is drawn on a dark terminal background, which stays the terminal's own.
var dark = theme{
	name:  "dark",
	text:  "38;2;169;177;214",
	muted: "38;2;115;122;162", faint: "38;2;84;89;122",
	bright: "1;38;2;226;230;250",
	key:    "1;38;2;224;175;104",
	accent: "38;2;125;207;255",
	verb:   "38;2;187;154;247",
	safe:   "38;2;122;162;247",
	good:   "38;2;158;206;106",
	warn:   "38;2;224;175;104",
	bad:    "38;2;255;107;107",
	str:    "38;2;158;206;106", num: "38;2;255;158;100", word: "38;2;187;154;247",
	brand:   "1;38;2;26;27;38;48;2;122;162;247",
	chip:    "1;38;2;226;230;250;48;2;47;53;84",
	badge:   "1;38;2;26;27;38;48;2;158;206;106",
	badgeLo: "1;38;2;26;27;38;48;2;224;175;104",
	rule:    "38;2;84;89;122",
	cursor:  "48;2;47;53;84", cursorOff: "48;2;36;40;59",
	refused:   "48;2;62;34;48",
	field:     "48;2;40;46;73",
	box:       "48;2;31;35;53",
	cursorBad: "1;38;2;26;27;38;48;2;255;107;107", cursorBadOff: "1;38;2;26;27;38;48;2;201;93;99",
	mark: "7",
	hit:  "1;38;2;26;27;38;48;2;224;175;104",
}

// light is drawn when the terminal says that its background is light.
var light = theme{
	name:  "light",
	text:  "38;2;52;59;88",
	muted: "38;2;104;110;140", faint: "38;2;160;165;185",
	bright: "1;38;2;15;20;45",
	key:    "1;38;2;143;94;21",
	accent: "38;2;0;105;146",
	verb:   "38;2;120;71;189",
	safe:   "38;2;46;88;184",
	good:   "38;2;56;117;28",
	warn:   "38;2;143;94;21",
	bad:    "38;2;190;30;50",
	str:    "38;2;56;117;28", num: "38;2;176;78;10", word: "38;2;120;71;189",
	brand:   "1;38;2;255;255;255;48;2;46;88;184",
	chip:    "1;38;2;15;20;45;48;2;208;213;230",
	badge:   "1;38;2;255;255;255;48;2;56;117;28",
	badgeLo: "1;38;2;255;255;255;48;2;143;94;21",
	rule:    "38;2;160;165;185",
	cursor:  "48;2;208;213;230", cursorOff: "48;2;226;229;240",
	refused:   "48;2;250;222;224",
	field:     "48;2;214;222;244",
	box:       "48;2;236;238;246",
	cursorBad: "1;38;2;255;255;255;48;2;190;30;50", cursorBadOff: "1;38;2;255;255;255;48;2;205;90;100",
	mark: "7",
	hit:  "1;38;2;255;255;255;48;2;143;94;21",
}

// plain is used under NO_COLOR and on terminals without colours: emphasis only.
var plain = theme{
	name:   "plain",
	bright: "1", key: "1", badge: "7", badgeLo: "7", brand: "7", chip: "7",
	bad: "1", verb: "1",
	cursor: "7", cursorOff: "4", cursorBad: "1;7", cursorBadOff: "1;4", refused: "1",
	field: "4", mark: "7", hit: "7",
}

// themeFor chooses the theme before the terminal has said anything.
func themeFor(getenv func(string) string) *theme {
	if getenv("NO_COLOR") != "" || getenv("TERM") == "dumb" { // https://no-color.org
		return &plain
	}
	return &dark
}
