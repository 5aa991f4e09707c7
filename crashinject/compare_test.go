package crashinject

import (
	"strings"
	"testing"

	"zhuque/crashinject/check"
	"zhuque/sim/mem"
)

// A byte of memory that several processes share counts, whichever of them still maps it.
func TestSharedMemoryIsComparedWhoeverMapsIt(t *testing.T) {
	s, err := parseSituation("mmap: mmap 0x20000000 0x4000 3 0x21 -1 0; fork (munmap 0x20001000 0x3000; nanosleep {0 900000} 0; exit 0); nanosleep {0 500000} 0; spin 5000; wait4 -1 0 0 0", "")
	if err != nil {
		t.Fatal(err)
	}
	m := newRig(t, s.setup(t)).at(4000)
	compared := 0
	for _, p := range m.Kernel().Processes() {
		for _, v := range p.MM.VMAs() {
			for page := v.Start; v.Shared && page < v.End; page += 0x1000 {
				f := m.Fork()
				at, _, _ := f.Kernel().Processes()[p.PID()-1000].MM.Translate(page, mem.Read)
				f.Store(at.Frame.Addr()).Write(at.Frame.Addr(), []byte{77})
				var c check.Comparer
				if r := c.Compare(m, f); len(r.Differences) != 1 || !strings.Contains(r.Differences[0], "memory at ") {
					t.Errorf("page %#x of process %d: reported is %q", page, p.PID(), r.Differences)
				}
				compared++
			}
		}
	}
	if compared != 5 {
		t.Errorf("%d shared pages are mapped", compared)
	}
}
