package sim

import "testing"

// Natively on PMEM a process's memory lies where it lies under Zhuque: the runtime is all that
// a comparison of the two measures.
func TestZhuqueAndNativeOnPMEMPlaceMemoryAlike(t *testing.T) {
	if a, b := placement(Zhuque), placement(PMEM); a != b {
		t.Errorf("under Zhuque %+v, natively on PMEM %+v", a, b)
	}
	if placement(Native) == placement(PMEM) {
		t.Error("native memory lies in PMEM")
	}
}
