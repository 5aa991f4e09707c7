package kernel

import (
	"testing"

	"zhuque/sim/kernel/errno"
)

// Linux has calls with all these numbers and no others; each has a name and a sentence.
func TestEveryNumberHasAName(t *testing.T) {
	for nr := range uint64(maxNr) {
		is := nr <= 336 || nr >= 424 && nr <= 469
		c, known := Lookup(nr)
		if known != is {
			t.Errorf("call %d: in the table %v, in Linux %v", nr, known, is)
		}
		if known && (c.Name == "" || c.State != Works && c.Reason == "") {
			t.Errorf("call %d has the name %q and the sentence %q", nr, c.Name, c.Reason)
		}
	}
}

// The labels of the table are true: what always answers the same does, whatever it is
// asked; what is refused stops the run; what works or has limits does neither by itself.
func TestLabelsAreTrue(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range Table() {
		if c.State != Always && c.State != Refused {
			continue
		}
		for _, a := range []uint64{0, 1, scratch, ^uint64(0)} {
			if c.State == Refused {
				r.stops(c.Name, a, a, a, a, a, a)
			} else {
				r.want(c.Answer, c.Name, a, a, a, a, a, a)
			}
		}
	}
	r.prepare("getpid")
	r.c.R[0] = 400 // no call of Linux
	if out := r.k.Syscall(r.c); out.Stops() || int64(r.c.R[0]) != -int64(errno.ENOSYS) {
		t.Errorf("call 400: %+v, result %d", out, int64(r.c.R[0]))
	}
}
