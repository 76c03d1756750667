//go:build !unix

package session

import "time"

func processorTime() time.Duration { return 0 }
