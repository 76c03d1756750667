// Package filter is the one filter language of the list, of breakpoints and
// rules, and of the command line.
//
// An expression is a list of terms that must all hold:
//
//	method:post status:403          a key and what it must be
//	denied "not allowed"            words: looked for in method, URL, status, content type, verdict, error, comment
//	/v\d+\/orders/ path:/^\/api/    regular expressions (Go's syntax) between slashes; a space in one is \s or \x20
//	!host:cdn                       not
//	status:4xx or is:error          and binds closer than or; side by side is and
//	(host:a or host:b) refused:yes  parentheses
//	path:"/a b" 'it\'s'             quotes, with \" \' \\ \n \t in them
//	status:401,403 id:3-9 dur:>1s   alternatives, ranges and comparisons
//
// Case never counts; (?-i) in a regular expression makes it count there. Text
// matches anywhere in what its key names; method, scheme, refused, marked and is
// take whole words.
//
// An Expr is immutable and safe for concurrent use, and Match allocates nothing
// unless it looks into bodies or has a regular expression for the URL.
package filter
