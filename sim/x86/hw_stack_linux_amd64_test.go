package x86

import (
	"testing"

	"zhuque/sim/phys"
)

// An access below the first thread's stack makes the stack grow, so that it succeeds on the
// host and not in the model: such addresses are the host's memory before they are touched.
func TestStackRoom(t *testing.T) {
	stack := hostStack()
	if stack.high == 0 {
		t.Skip("this process has no stack that grows")
	}
	for _, at := range []uint64{stack.high - 1, stack.high - 1<<20, stack.low} {
		if at >= stack.low && !hostMapped(at) {
			t.Errorf("%#x: not taken for memory of the host, whose stack may grow from %#x down to %#x",
				at, stack.high, stack.low)
		}
	}
	if hostMapped(1<<47) || hostMapped(phys.PageSize) {
		t.Error("what is no memory of programs, or is never mapped, is taken for memory of the host")
	}
}
