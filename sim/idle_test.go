package sim

import (
	"testing"

	"zhuque/sim/phys"
)

// A machine in which nothing moves is noticed, and one in which instructions run or time
// passes is not, however often it enters the kernel.
func TestIdle(t *testing.T) {
	var still, runs, waits idle
	for n := range uint64(2 * maxIdle) {
		if got := still.stands(7, 9); got != (n+1 >= maxIdle) {
			t.Fatalf("entry %d without progress: %v", n+1, got)
		}
		if runs.stands(n/(maxIdle-1), 9) {
			t.Fatalf("entry %d: instructions run", n+1)
		}
		if waits.stands(7, phys.Nanos(n/(maxIdle-1))) {
			t.Fatalf("entry %d: time passes", n+1)
		}
	}
}
