package main

import (
	"testing"

	"zhuque/crashinject/result"
)

// Only loopback addresses can be published, and only where nothing must be repeated.
func TestPublishRefusals(t *testing.T) {
	for value, says := range map[string]string{
		"0.0.0.0:8080:80":   "0.0.0.0 is not a loopback address, and nothing else can be published",
		"10.1.2.3:8080:80":  "10.1.2.3 is not a loopback address",
		"localhost:8080:80": "expected ADDRESS:PORT:GUEST-PORT with an address in figures",
		"127.0.0.1:8080":    "expected ADDRESS:PORT:GUEST-PORT",
		"127.0.0.1:8080:0":  "expected a port of the guest after the last colon",
		"8080":              "expected ADDRESS:PORT:GUEST-PORT",
	} {
		zhuque(t, t.TempDir(), "", "run", "--publish", value, "--", "guest:hello").want(t, result.StatusSimulator, says)
		zhuque(t, t.TempDir(), "", "crash", "--at", "5", "--publish",
			value, "--", "guest:hello").want(t, result.StatusBadInput, says)
	}
	zhuque(t, t.TempDir(), "", "campaign", "--publish", "127.0.0.1:8080:80", "--",
		"guest:hello").want(t, result.StatusBadInput, "a campaign must be repeatable")
	// A program that listens nowhere ends as it would without.
	zhuque(t, t.TempDir(), "", "run", "--publish", "127.0.0.1:0:80",
		"--", "guest:hello").want(t, 0, "port 80 of the guest is 127.0.0.1:")
	zhuque(t, t.TempDir(), "", "crash", "--at", "5", "--plan", "", "--publish",
		"127.0.0.1:0:80", "--", "guest:hello").want(t, 0, "pass: 1 of 1")
	zhuque(t, t.TempDir(), "", "crash", "--plan", "after 5 step 1", "--publish", "127.0.0.1:0:80",
		"--", "guest:hello").want(t, result.StatusBadInput, "no step, no rep and no skew")
}
