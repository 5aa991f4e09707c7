package main

import (
	"context"
	"strings"
	"testing"

	"zhuque/runtime/wpp"
)

func TestMutantsRun(t *testing.T) {
	dir := t.TempDir()
	r := zhuque(t, dir, "", "mutants", "--run", "x87-not-saved", "callee-saved-only").want(t, 0)
	if lines := strings.Split(strings.TrimSpace(r.stdout), "\n"); len(lines) != 3 ||
		!strings.Contains(lines[1], " caught ") || !strings.HasPrefix(lines[2], "callee-saved-only") {
		t.Errorf("%q", r.stdout)
	}
	r = zhuque(t, dir, "", "mutants", "--run", "--format", "json", "x87-not-saved").want(t, 0)
	if !strings.Contains(r.stdout, `"caught_at": 1,`) {
		t.Errorf("%s", r.stdout)
	}
	zhuque(t, dir, "", "mutants", "x87-not-saved").want(t, 2)
	zhuque(t, dir, "", "mutants", "--run", "nobody").want(t, 2)
}

// A runtime without a defect is not caught, and that is told.
func TestSoundRuntimeIsNotCaught(t *testing.T) {
	row, err := catch(context.Background(), wpp.Mutant{Guest: "hello", Strategy: "random", Points: 5})
	if err != nil || row.CaughtAt != 0 || row.Verdict != "not caught" || row.Points != 5 {
		t.Errorf("%+v, %v", row, err)
	}
}
