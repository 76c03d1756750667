package rewrite

import (
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
)

// Book is the rules at work: what the proxy asks and the screen edits. All its
// methods may be called at any time; a message is treated by the rules of one
// moment.
type Book struct {
	set  atomic.Pointer[Set] // nil: no rule is on
	path string

	mu    sync.Mutex
	rules []Rule
}

// NewBook is a Book without rules, whose Save writes to path. "" keeps them in memory.
func NewBook(path string) *Book { return &Book{path: path} }

// Open is a Book with the rules of a file, which need not exist.
func Open(path string) (*Book, error) {
	rules, err := Load(path)
	if err != nil {
		return nil, err
	}
	b := NewBook(path)
	if err := b.Replace(rules); err != nil {
		return nil, &FileError{Path: path, Err: err}
	}
	return b, nil
}

// FileError is what is wrong in a rule file.
type FileError struct {
	Path string
	Err  error
}

func (e *FileError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap gives what is wrong.
func (e *FileError) Unwrap() error { return e.Err }

// Set is the rules that are on, nil if none is. It is one atomic load; a nil Book has none.
func (b *Book) Set() *Set {
	if b == nil {
		return nil
	}
	return b.set.Load()
}

// On is how many rules are at work.
func (b *Book) On() int {
	if s := b.Set(); s != nil {
		return len(s.steps[0]) + len(s.steps[1])
	}
	return 0
}

// Rules are all rules, in their order.
func (b *Book) Rules() []Rule {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.rules)
}

// Replace makes rules those at work. On an error, a *RuleError, nothing changes.
func (b *Book) Replace(rules []Rule) error {
	set, err := Compile(rules, filepath.Dir(b.path))
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rules = slices.Clone(rules)
	if set.Empty() {
		set = nil
	}
	b.set.Store(set)
	return nil
}

// Path is the file that Save writes to, "" if there is none.
func (b *Book) Path() string { return b.path }

// Save writes the rules to the book's file. Without one it does nothing.
func (b *Book) Save() error {
	if b.path == "" {
		return nil
	}
	return Save(b.path, b.Rules())
}
