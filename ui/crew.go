package ui

import (
	"sync"

	tea "charm.land/bubbletea/v2"
)

// crew knows the commands that are at work, so that nobody closes the session under them.
type crew struct {
	mu   sync.Mutex
	home bool // nobody sets out any more
	out  sync.WaitGroup
}

// cmd is f as a command that the crew waits for.
func (c *crew) cmd(f func() tea.Msg) tea.Cmd {
	return func() tea.Msg {
		c.mu.Lock()
		if c.home {
			c.mu.Unlock()
			return nil
		}
		c.out.Add(1)
		c.mu.Unlock()
		defer c.out.Done()
		return f()
	}
}

// wait lets no command begin and waits for those at work. Their context has ended.
func (c *crew) wait() {
	c.mu.Lock()
	c.home = true
	c.mu.Unlock()
	c.out.Wait()
}
