package ui

import "testing"

func TestASelfSignedServerIsNoReasonToSendAgain(t *testing.T) {
	s := play(t, troubled(), 200, 40)
	s.press("g")
	s.sees("The server was reached, but the TLS handshake with it failed", "is signed by CN=dev, which this machine",
		"the 502 that the client got is ours", "why403 --upstream-ca FILE", "why403 --insecure")
	s.seesNot("send it again")
}

func TestAServerThatIsDownIsTriedAgain(t *testing.T) {
	s := play(t, odd(), 200, 40)
	s.press("G")
	s.sees("The server could not be reached, or broke off", "connection refused", "the 502 that the client got is ours", "r send it again")
	s.seesNot("--insecure", "--upstream-ca")
}

func TestWhatYouDroppedIsNoFailure(t *testing.T) {
	s := play(t, troubled(), 200, 40)
	s.press("g", "j")
	s.sees("You dropped it, and the client's connection was closed", "held the request for 3.2s, then you dropped it", "the request did not reach the server", "r send the request now")
	s.seesNot("why403 could not pass this on")
	s.press("j")
	s.sees("You dropped it", "the answer of the server did not reach the client")
	s.seesNot("did not reach the server")
}
