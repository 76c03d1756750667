// Package ui is the screen: the list of flows as they come, the inspector that says why one was
// refused, the editor that changes and sends it again. It is the only place that knows Bubble Tea,
// Lip Gloss and the clipboard.
//
// Panes are plain structs with verbs and a view that draws the rows that fit. The root model routes
// messages; whatever may wait (the session's file, the network, the clipboard, an editor) runs in a
// command and answers with the version it was asked for, so that a late answer is dropped. Everything
// that grows is bounded: rows in memory, matches at 8 bytes each, undo steps, what is decoded of a body.
package ui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/why403/why403/inspect/pinpoint"
)

// fps bounds the frames a second. Only changed cells are written; at 120 a key is on the screen 7 ms
// sooner than at 60 (measured through tmux), for 0.6 % of a core when idle.
const fps = 120

// Run shows the screen until the user leaves, ctx ends or a signal comes. It needs a terminal.
func Run(ctx context.Context, o Options) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	m := newModel(ctx, o)
	if o.Hold != nil {
		defer o.Hold.Attach()() // whatever is held goes on when nobody is left to answer
	}
	// Lip Gloss has found out what colours the terminal has; asking again costs a
	// run of "tmux info" inside tmux.
	_, err := tea.NewProgram(m, tea.WithContext(ctx), tea.WithFPS(fps), tea.WithColorProfile(lipgloss.Writer.Profile)).Run()
	stop()
	m.crew.wait() // whoever closes the session does not do it under a command
	switch {
	case err == nil, errors.Is(err, tea.ErrInterrupted):
		return nil
	case errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil:
		return nil
	}
	return fmt.Errorf("screen: %w", err)
}

// withDefaults fills in the real thing for what tests replace.
func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Pinpoint == nil {
		o.Pinpoint = pinpoint.Run
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Clipboard == nil {
		o.Clipboard = systemClipboard{o.Getenv}
	}
	if o.Dir == "" && o.SessionPath != "" {
		o.Dir = filepath.Dir(o.SessionPath)
	}
	return o
}
