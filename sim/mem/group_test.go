package mem

import (
	"bytes"
	"testing"

	"zhuque/cachemodel"
	"zhuque/sim/det"
	"zhuque/sim/phys"
)

// bench is the ports of n cores over one memory, all with the same address space.
type bench struct {
	h          *cachemodel.Hierarchy // nil without the cache model
	dram, pmem *Store
	ports      []*Port
}

func newPorts(t testing.TB, space AddressSpace, n int, model bool) *bench {
	t.Helper()
	b := &bench{dram: NewStore(), pmem: NewStore()}
	if model {
		cfg, err := cachemodel.Preset("")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Cores = n
		if b.h, err = cachemodel.New(cfg, both{b.dram, b.pmem}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		var core *cachemodel.Core
		if model {
			core = b.h.Core(i)
		}
		p := NewPort(space, core, b.dram, b.pmem)
		if i > 0 {
			p.Join(b.ports[0])
		}
		b.ports = append(b.ports, p)
	}
	return b
}

type both struct{ dram, pmem *Store }

func (r both) ReadLine(l phys.LineAddr, dst *[phys.LineSize]byte) {
	s := r.dram
	if l.IsPMEM() {
		s = r.pmem
	}
	s.Read(l.Addr(), dst[:])
}

// persisted returns what a cut that loses the store buffers leaves of PMEM.
func (b *bench) persisted(keep ...int) *Store {
	s := b.pmem.Fork()
	for _, p := range b.ports {
		p.FlushTLB()
	}
	b.h.TakeBacks(cachemodel.Loss{KeepStores: keep, WCLost: true}, s.Write)
	return s
}

// Each of several ports sees at once what another wrote, whichever of them made a
// page's copy after a fork, and the fork sees nothing of it. With the cache model
// nothing that a port has loaded is taken back by a cut that loses all store buffers.
func TestPortsSeeEachOther(t *testing.T) {
	base := phys.PMEMBase.Frame()
	space := table{}
	for i := range phys.Frame(3) {
		space[0x10+uint64(i)] = at(base+i, rw)
		space[0x80+uint64(i)] = at(base+i, rw)
	}
	for _, model := range []bool{false, true} {
		b := newPorts(t, space, 3, model)
		var want, atFork [3 * phys.PageSize]byte
		fork := b.pmem.Fork()
		r := det.Stream(9, "ports")
		for n := range 12000 {
			if n%250 == 0 {
				var got [3 * phys.PageSize]byte
				if fork.Read(phys.PMEMBase, got[:]); got != atFork {
					t.Fatalf("model %t, step %d: a write reached the fork", model, n)
				}
				fork, atFork = b.pmem.Fork(), want
				b.ports[r.IntN(3)].FlushTLB()
			}
			size := []uint{1, 2, 4, 8, 16}[r.IntN(5)]
			off := r.Uint64N(4) * 1021 * uint64(r.IntN(3)) // few places, so that the ports meet there
			va := []uint64{0x10, 0x80}[r.IntN(2)]<<phys.PageShift + off
			lo, hi := r.Uint64(), r.Uint64()
			if size >= 4 && r.IntN(4) == 0 {
				b.ports[r.IntN(3)].StoreNT(va, size, lo, hi)
			} else {
				store(b.ports[r.IntN(3)], va, size, lo, hi)
			}
			put(want[off:off+uint64(min(size, 8))], lo)
			if size == 16 {
				put(want[off+8:off+16], hi)
			}
			reader := r.IntN(3)
			gotLo, gotHi := load(b.ports[reader], va, size)
			if gotLo != get(want[off:off+uint64(min(size, 8))]) || size == 16 && gotHi != get(want[off+8:off+16]) {
				t.Fatalf("model %t, step %d: port %d loads %d bytes at %#x as %#x %#x", model, n, reader, size, va, gotLo, gotHi)
			}
			if !model || n%10 != 0 {
				continue
			}
			other := (reader + 1) % 3
			load(b.ports[other], va, size) // both have seen it, so whoever stored it cannot take it back
			kept := make([]byte, size)
			b.persisted(0, 0, 0).Read(phys.PMEMBase+phys.Addr(off), kept)
			if !bytes.Equal(kept, want[off:off+uint64(size)]) {
				t.Fatalf("step %d: a cut leaves %x of what was loaded as %x", n, kept, want[off:off+uint64(size)])
			}
		}
	}
}

// A translation that was made for reading follows the copy that another port's
// first write after a fork makes, also of a page that was never written.
func TestCopyOnWriteReachesOtherPorts(t *testing.T) {
	b := newPorts(t, table{0x10: at(1, rw), 0x11: at(2, rw)}, 2, false)
	b.ports[0].Store8(0x10000, 1)
	frozen := b.dram.Fork()
	b.ports[0].FlushTLB()
	for i, va := range []uint64{0x10000, 0x11000} {
		before := b.ports[1].Load8(va)
		b.ports[0].Store8(va, before+7)
		if got := b.ports[1].Load8(va); got != before+7 {
			t.Errorf("the other port loads %d at %#x, want %d", got, va, before+7)
		}
		b.ports[1].Store8(va, before+8)
		if got := b.ports[0].Load8(va); got != before+8 {
			t.Errorf("and back: %d at %#x, want %d", got, va, before+8)
		}
		if got := frozen.ReadPage(phys.Frame(1 + i))[0]; got != before {
			t.Errorf("the fork reads %d at frame %d, want %d", got, 1+i, before)
		}
	}
}

// A store to code is told to every core, whoever decoded it and whoever stores.
func TestCodeWrittenIsToldToAllPorts(t *testing.T) {
	b := newPorts(t, table{0x10: at(1, rw)}, 2, false)
	var told [2]int
	for i, p := range b.ports {
		p.CodeWritten = func(phys.Frame) { told[i]++ }
		p.Store8(0x10000, 0) // a write translation exists already
	}
	for round, by := range [][2]int{{0, 1}, {1, 0}, {1, 1}} {
		b.ports[by[0]].WatchCode(1)
		b.ports[by[1]].Store8(0x10001, 9)
		b.ports[by[1]].Store8(0x10002, 9)
		b.ports[by[0]].Store8(0x10003, 9)
		if want := [2]int{round + 1, round + 1}; told != want {
			t.Errorf("port %d watches, port %d stores: told %v times, want %v", by[0], by[1], told, want)
		}
	}
}

// What a core decodes is not taken back either.
func TestFetchedCodeStays(t *testing.T) {
	code := Translation{Read: true, Write: true, Exec: true}
	b := newPorts(t, table{0x10: at(phys.PMEMBase.Frame(), code)}, 2, true)
	b.ports[0].Store64(0x10000, 0x90)
	b.ports[0].Store64(0x10100, 0xc3)
	if b.persisted(0, 0).ReadPage(phys.PMEMBase.Frame())[0] != 0 {
		t.Fatal("the store left the buffer by itself")
	}
	b.ports[1].FetchPage(0x10000)
	if got := b.persisted(0, 0).ReadPage(phys.PMEMBase.Frame()); got[0] != 0x90 || got[0x100] != 0xc3 {
		t.Errorf("a cut takes back code that another core fetched: % x", got[:4])
	}
}

// A freed port leaves its group, and serves another machine.
func TestFreeLeavesTheGroup(t *testing.T) {
	b := newPorts(t, table{0x10: at(1, rw)}, 2, false)
	told := 0
	b.ports[1].CodeWritten = func(phys.Frame) { told++ }
	b.ports[1].Free()
	b.ports[0].WatchCode(1)
	b.ports[0].Store8(0x10000, 1)
	if len(b.ports[0].group.members) != 1 || told != 0 {
		t.Errorf("%d members after Free, the freed port was told %d times", len(b.ports[0].group.members), told)
	}
	next := NewPort(table{0x10: at(1, rw)}, nil, NewStore(), NewStore())
	if next.group == b.ports[0].group || len(next.group.members) != 1 {
		t.Error("a new port is in an old group")
	}
}

func TestJoinOfOtherMemoryIsABug(t *testing.T) {
	b := newPorts(t, table{}, 1, false)
	defer func() {
		if recover() == nil {
			t.Error("ports over different memory share a group")
		}
	}()
	NewPort(table{}, nil, NewStore(), b.pmem).Join(b.ports[0])
}
