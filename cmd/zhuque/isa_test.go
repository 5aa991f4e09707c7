package main

import (
	"encoding/json"
	"strings"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/sim/x86"
)

// The summary counts every form once, and no form without a test is in the table.
func TestIsaSummary(t *testing.T) {
	r := zhuque(t, t.TempDir(), "", "isa", "--summary", "--format", "json").want(t, 0)
	var s isaSummary
	if err := json.Unmarshal([]byte(r.stdout), &s); err != nil {
		t.Fatal(err)
	}
	if s.Forms != len(x86.ISA()) || s.Stale != 0 || s.Host+s.Unit > s.Forms ||
		s.Host*10 < s.Forms*9 || s.Cases < 10_000*uint64(s.Host) || len(s.Processors) == 0 {
		t.Errorf("%+v", s)
	}
	text := zhuque(t, t.TempDir(), "", "isa", "--summary").want(t, 0).stdout
	if !strings.Contains(text, s.Processors[0]) || !strings.HasPrefix(text, "forms ") {
		t.Errorf("%s", text)
	}
	zhuque(t, t.TempDir(), "", "isa", "--summary", "--format", "xml").want(t, result.StatusBadInput)
}
