package explore

import (
	"context"
	"errors"
	"testing"

	"zhuque/crashinject"
)

// Each standard input is explored, those that touch nothing are counted, and a failure says
// which input has it; run alone that one fails alike.
func TestInputs(t *testing.T) {
	example := []byte("nothing\nset 1 1\nset 2 2\nset 1 1\n")
	opt := pair(t, "lines", "show")
	input := func(n int) []byte { return crashinject.FuzzLines(example, 1, n) }
	r, err := Inputs(context.Background(), opt, 0, 12, input)
	if err != nil {
		t.Fatal(err)
	}
	if r.Inputs+r.Untouched != 12 || len(r.Failures) == 0 || r.Verdict != "violation" {
		t.Fatalf("%d inputs, %d without a store: %s", r.Inputs, r.Untouched, r.Text())
	}
	f := r.Failures[0]
	one, err := Inputs(context.Background(), opt, f.Input.N, f.Input.N+1, input)
	if err != nil || one.Inputs != 1 || len(one.Failures) == 0 || one.Failures[0].identity() != f.identity() {
		t.Errorf("input %d alone: %v, %+v", f.Input.N, err, one)
	}
	_, err = Inputs(context.Background(), opt, 0, 3, func(int) []byte { return []byte("nothing\n") })
	if !errors.As(err, new(*NoPMEM)) {
		t.Errorf("no input stores anything: %v", err)
	}
	opt.Worlds = 3
	if r, err := Inputs(context.Background(), opt, 0, 12, input); err != nil ||
		r.Worlds+r.Before.Worlds > 3 || r.Exhaustive || r.Stopped == "" {
		t.Errorf("bound on worlds over all inputs: %+v, %v", r, err)
	}
}
