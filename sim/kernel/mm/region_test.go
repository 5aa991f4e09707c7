package mm

import (
	"slices"
	"testing"

	"zhuque/sim/phys"
)

// A region is what a process takes for one mapping, wherever its pieces lie.
func TestRegions(t *testing.T) {
	heap := func(start, end uint64, at uint64) VMA {
		return VMA{Start: start, End: end, Prot: Read | Write, Kind: Heap, Phys: phys.PMEMBase + phys.Addr(at)}
	}
	file := func(start, end, off uint64) VMA {
		return VMA{Start: start, End: end, Prot: Read, Kind: File, Node: 7, Off: off}
	}
	for _, c := range []struct {
		name       string
		list, want []VMA
	}{
		{"pieces of a heap that grew after a restart", []VMA{heap(0x1000, 0x3000, 0), heap(0x3000, 0x4000, 0x9000), heap(0x4000, 0x5000, 0x5000)}, []VMA{heap(0x1000, 0x5000, 0)}},
		{"a gap between", []VMA{heap(0x1000, 0x2000, 0), heap(0x3000, 0x4000, 0x2000)}, []VMA{heap(0x1000, 0x2000, 0), heap(0x3000, 0x4000, 0x2000)}},
		{"file offsets go on", []VMA{file(0x1000, 0x2000, 0), file(0x2000, 0x3000, 0x1000)}, []VMA{file(0x1000, 0x3000, 0)}},
		{"file offsets do not go on", []VMA{file(0x1000, 0x2000, 0), file(0x2000, 0x3000, 0)}, []VMA{file(0x1000, 0x2000, 0), file(0x2000, 0x3000, 0)}},
		{"other rights", []VMA{file(0x1000, 0x2000, 0), heap(0x2000, 0x3000, 0)}, []VMA{file(0x1000, 0x2000, 0), heap(0x2000, 0x3000, 0)}},
	} {
		before := slices.Clone(c.list)
		if got := Regions(c.list); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if !slices.Equal(c.list, before) {
			t.Errorf("%s: the list itself was changed", c.name)
		}
	}
}
