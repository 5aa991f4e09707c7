package main

import (
	"encoding/json"
	"testing"
)

func TestLockstepVerb(t *testing.T) {
	dir := t.TempDir()
	r := zhuque(t, dir, "", "lockstep", "--from", "100", "--max-steps",
		"500", "--format", "json", "--", "guest:counter").want(t, 0)
	var got struct {
		Verdict    string
		From       uint64
		Compared   uint64
		Mirrored   uint64
		Forms      []string
		End        string
		Difference any
	}
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
		t.Fatalf("%v in %s", err, r.stdout)
	}
	if got.Verdict != "pass" || got.From != 100 || got.Compared+got.Mirrored != 500 ||
		len(got.Forms) == 0 || got.Difference != nil || got.End == "" {
		t.Errorf("%s", r.stdout)
	}
	place(t, dir, "code32", program(code32, ""))
	zhuque(t, dir, "", "lockstep", "--", "./code32").want(t, 12, "unsupported", "32-bit code")
	zhuque(t, dir, "", "lockstep", "--memory-every", "0", "--",
		"guest:hello").want(t, 2, "--memory-every 0: expected at least 1")
	zhuque(t, dir, "", "lockstep", "--from", "1000", "--", "guest:hello").want(t,
		2, "does not reach instruction 1000", "exited with status 0 after 37")
	zhuque(t, dir, "", "lockstep").want(t, 2, "no program")
	zhuque(t, dir, "", "lockstep", "--", "/no/such/program").want(t, 2, "/no/such/program")
}
