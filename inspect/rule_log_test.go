package inspect

import (
	"testing"

	"github.com/why403/why403/flow"
)

// TestStateNearby: a line of another request, perhaps, does not say that this account is suspended.
func TestStateNearby(t *testing.T) {
	for tied, want := range map[string]int{"request": 1, "id": 1, "near": 0} {
		c := &Case{
			Flow: &flow.Flow{Request: &flow.Message{Method: "POST"}, Response: &flow.Message{Status: 403}},
			Logs: []Line{{Label: "app", N: 1, Text: "WARN rejected: tenant acme is suspended", Tied: tied}},
		}
		if got := len(logSays.Run(c)); got != want {
			t.Errorf("%s: %d findings, want %d", tied, got, want)
		}
	}
}
