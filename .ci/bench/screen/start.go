package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const starts = 15 // of each kind

// measureStart measures the first frame, and what the looking itself takes.
func measureStart(ctx context.Context, b *bench) error {
	p, err := openPane(ctx, b)
	if err != nil {
		return err
	}
	defer p.close()
	if _, err := p.start("cat"); err != nil {
		return err
	}
	var keys []string
	for i := range 60 {
		keys = append(keys, string(rune('a'+i%26)))
	}
	floor, err := p.each(keys, func(screen string) string { return screen })
	if err != nil {
		return err
	}
	b.table.add("the looking itself: a key to `cat` and back", floor.spread(), "")
	floor, err = b.frames(p, "echo seen; read x", "Enter", "seen")
	if err != nil {
		return err
	}
	b.table.add("the looking itself: a shell that prints a word", floor.middle(), "")
	first, err := b.frames(p, quoted(b.program, "--listen", "127.0.0.1:0", "--session", "none"), "q", "127.0.0.1:", "waiting for traffic")
	if err != nil {
		return err
	}
	b.table.add("first frame", first.middle(), "≤ 150 ms")
	return nil
}

// frames starts a command several times and tells how long it takes to show these; key ends it.
func (b *bench) frames(p *pane, command, key string, shows ...string) (all times, err error) {
	ended := filepath.Join(b.dir, "ended")
	for i := range starts + 1 {
		if err := os.Remove(ended); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		begun := time.Now()
		if _, err := p.begin(command + "\n: >" + quoted(ended)); err != nil {
			return nil, err
		}
		if _, err := p.shows(shows...); err != nil {
			return nil, err
		}
		if i > 0 { // the first one warms the caches
			all = append(all, time.Since(begun))
		}
		if err := p.press(key); err != nil {
			return nil, err
		}
		if err := eventually(p.ctx, patience, "the end of "+command, func() bool { _, err := os.Stat(ended); return err == nil }); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// eventually waits until ok says yes, but no longer than most.
func eventually(ctx context.Context, most time.Duration, what string, ok func() bool) error {
	for deadline := time.Now().Add(most); !ok(); time.Sleep(2 * time.Millisecond) {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return fmt.Errorf("waited %s in vain for %s", most, what)
		}
	}
	return nil
}
