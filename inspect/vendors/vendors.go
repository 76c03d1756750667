// Package vendors knows who answers how: one data file per product says what
// marks its decisions (as against its mere presence in the path), which cause a
// code or phrase stands for, which id to quote to its support, and where its log
// and its settings are.
//
// A file is data/ID.vendor:
//
//	name Django                      the product's name
//	layer backend-app                where it says no
//	site https://…                   its documentation
//	log …, setting …, support …      where to look, whom to ask and with which id
//	csrf cookie=… header=… field=…   where its CSRF token travels
//	server ^nginx                    what its Server field looks like
//	at \.slack\.com$                 of a service: its hosts. Elsewhere its codes are somebody else's
//
//	answered                         conditions that show that it made the answer
//	  header Server ~ ^WSGIServer
//
//	decision csrf-missing certain    a cause and how sure it is
//	  from django/middleware/csrf.py, 4.2
//	  checked Django 5.2.1           where its wording was looked up, and found as it stands here
//	  body "CSRF cookie not set."
//	  say the CSRF cookie was not sent
//	  next …
//
// In place of checked, unverified says that it was looked for and not found: such a
// decision is never certain. With neither, nobody has compared it with its source
// yet: a verdict that rests on it alone is likely at most.
//
// A section with the word common rests on words that others use as well: the
// product is named only where an answered section, its Server field or its host shows it.
//
// followed by transcripts, "-- NAME: CAUSE --", that the test runs.
// All conditions of a section must hold; alternatives stand on one line, parted by "|".
package vendors

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

//go:embed data/*.vendor
var files embed.FS

// Vendor is one product.
type Vendor struct {
	ID      string
	Name    string
	Layer   string
	Site    string
	Log     string // where its log is
	Setting string // where the decision is configured
	Support string // whom to ask
	IDs     []ID   // where the answer carries the id to quote
	CSRF    []Scheme
	Server  *Cond // what its Server field looks like; nil: it has none of its own
	At      *Cond // the hosts of a service that runs nowhere else; nil: it may run anywhere
	// Answered: any of these shows that the product made the answer.
	Answered  []*Section
	Decisions []*Section
	// Examples is the part of the file after the data: transcripts for the test.
	Examples string
}

// ID says where an answer carries an id that the product's support or log knows.
type ID struct{ Cond *Cond }

// Scheme is where a framework's CSRF token travels. Names may be alternatives.
type Scheme struct {
	Cookies []string // that hold the token or its secret; a trailing * is any rest
	Headers []string
	Fields  []string // of a form or JSON body
	// Same is true where header and cookie must be equal (a plain double submit).
	Same bool
	// Unescape is true where the header is the cookie with its percent-encoding removed.
	Unescape bool
}

// Section is one decision, or one way to know who answered.
type Section struct {
	Vendor     *Vendor
	Cause      string
	Confidence string // possible, likely, certain
	From       string // the file or page and the version that the phrase comes from
	Checked    string // what the wording was compared with, "" where nobody did
	Unverified bool   // looked for and not found
	Say        string
	Next       string
	Title      string
	Layer      string // where it is not the product's own
	Other      string // vendor id where the decision is another product's
	Items      []int
	Conds      []*Cond
	// AnyStatus is true where a status is among the conditions: then it may make
	// a refusal of an answer that by its status is none.
	AnyStatus bool
	// Common marks words that others use as well: they say why, and who only
	// where something else shows the product.
	Common bool
	// Logged is true where a log line is among the conditions.
	Logged    bool
	bodyAlone bool  // see onBody
	quotes    bool  // a text that it asks for has a quotation mark, as JSON has
	text      *Cond // the first condition on the words of the body, nil: none
	// Basis is "code" (a mark that only this product sets) or "sentence".
	Basis string
}

// All is the list of products, parsed once, sorted by id.
var All = sync.OnceValue(func() []*Vendor {
	vs, err := load(files)
	if err != nil {
		panic(err) // a test loads them all
	}
	return vs
})

// ByID is the product of that id, nil if there is none.
func ByID(id string) *Vendor {
	return index()[id]
}

// Sources counts the decisions of all files, those whose wording was compared
// with its source, and those that were looked for and not found.
func Sources() (all, checked, unverified int) {
	for _, v := range All() {
		a, c, u := v.Sources()
		all, checked, unverified = all+a, checked+c, unverified+u
	}
	return all, checked, unverified
}

// Sources is Sources for one product.
func (v *Vendor) Sources() (all, checked, unverified int) {
	for _, d := range v.Decisions {
		if d.Checked != "" {
			checked++
		}
		if d.Unverified {
			unverified++
		}
	}
	return len(v.Decisions), checked, unverified
}

var index = sync.OnceValue(func() map[string]*Vendor {
	m := make(map[string]*Vendor, len(All()))
	for _, v := range All() {
		m[v.ID] = v
	}
	return m
})

func load(fsys fs.FS) ([]*Vendor, error) {
	names, err := fs.Glob(fsys, "data/*.vendor")
	if err != nil {
		return nil, err
	}
	vs := make([]*Vendor, len(names))
	// It is a good part of the time that explaining one flow takes, so all processors share it.
	var group errgroup.Group
	share := (len(names) + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	for from := 0; from < len(names); from += share {
		group.Go(func() error {
			for i := from; i < min(from+share, len(names)); i++ {
				b, err := fs.ReadFile(fsys, names[i])
				if err != nil {
					return err
				}
				if vs[i], err = parse(strings.TrimSuffix(path.Base(names[i]), ".vendor"), string(b)); err != nil {
					return fmt.Errorf("%s: %w", names[i], err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return vs, nil
}

// Lower is s with the ASCII letters in lower case; offsets stay as they are,
// whatever the bytes.
func Lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}
