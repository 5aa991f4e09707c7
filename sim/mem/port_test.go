package mem

import (
	"errors"
	"testing"

	"zhuque/cachemodel"
	"zhuque/sim/det"
	"zhuque/sim/phys"
)

// table is an address space with a page table: virtual page to translation.
type table map[uint64]Translation

func (s table) Translate(va uint64, _ Access) (Translation, bool, bool) {
	t, ok := s[va>>phys.PageShift]
	return t, ok, false
}

var rw = Translation{Read: true, Write: true}

func at(f phys.Frame, t Translation) Translation {
	t.Frame = f
	return t
}

// A run of loads and stores of all sizes, across lines and pages and through two
// names of one frame, with and without the cache model, against plain bytes.
func TestPortAgainstBytes(t *testing.T) {
	const base = phys.Frame(0x100)
	space := table{}
	for i := range phys.Frame(4) {
		space[0x10+uint64(i)] = at(base+i, rw)
		space[0x80+uint64(i)] = at(base+i, rw) // the same frames by another name
	}
	cfg, err := cachemodel.Preset("")
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range []bool{false, true} {
		dram, pmem := NewStore(), NewStore()
		var core *cachemodel.Core
		if model {
			h, err := cachemodel.New(cfg, reader{dram})
			if err != nil {
				t.Fatal(err)
			}
			core = h.Core(0)
		}
		p := NewPort(space, core, dram, pmem)
		var want [4 * phys.PageSize]byte
		r := det.Stream(5, "port")
		for n := range 20000 {
			if n%500 == 0 {
				dram.Fork() // every page is copied before its next write
				p.FlushTLB()
			}
			size := []uint{1, 2, 4, 8, 16}[r.IntN(5)]
			off := r.Uint64N(uint64(len(want)) - 16)
			va := []uint64{0x10, 0x80}[r.IntN(2)]<<phys.PageShift + off
			lo, hi := r.Uint64(), r.Uint64()
			switch r.IntN(3) {
			case 0:
				store(p, va, size, lo, hi)
				put(want[off:off+uint64(min(size, 8))], lo)
				if size == 16 {
					put(want[off+8:off+16], hi)
				}
			case 1:
				if size >= 4 {
					p.StoreNT(va, size, lo, hi)
					put(want[off:off+uint64(min(size, 8))], lo)
					if size == 16 {
						put(want[off+8:off+16], hi)
					}
				}
			}
			va = []uint64{0x10, 0x80}[r.IntN(2)]<<phys.PageShift + off
			gotLo, gotHi := load(p, va, size)
			if gotLo != get(want[off:off+uint64(min(size, 8))]) || size == 16 && gotHi != get(want[off+8:off+16]) {
				t.Fatalf("model %t, step %d: load of %d bytes at %#x gives %#x %#x", model, n, size, va, gotLo, gotHi)
			}
		}
	}
}

type reader struct{ s *Store }

func (r reader) ReadLine(l phys.LineAddr, dst *[phys.LineSize]byte) { r.s.Read(l.Addr(), dst[:]) }

func store(p *Port, va uint64, size uint, lo, hi uint64) {
	switch size {
	case 1:
		p.Store8(va, uint8(lo))
	case 2:
		p.Store16(va, uint16(lo))
	case 4:
		p.Store32(va, uint32(lo))
	case 8:
		p.Store64(va, lo)
	case 16:
		p.Store128(va, lo, hi)
	}
}

func load(p *Port, va uint64, size uint) (lo, hi uint64) {
	switch size {
	case 1:
		return uint64(p.Load8(va)), 0
	case 2:
		return uint64(p.Load16(va)), 0
	case 4:
		return uint64(p.Load32(va)), 0
	case 8:
		return p.Load64(va), 0
	}
	return p.Load128(va)
}

// A store that reaches into a page that it may not write changes nothing, and the
// fault names the first byte that could not be accessed.
func TestStoreAcrossAHoleChangesNothing(t *testing.T) {
	dram := NewStore()
	p := NewPort(table{0x10: at(1, rw), 0x12: at(2, Translation{Read: true})}, nil, dram, NewStore())
	for _, c := range []struct {
		va, size, fault uint64
		mapped          bool
	}{{0x10ffc, 8, 0x11000, false}, {0x10ff8, 16, 0x11000, false}, {0x10fff, 2, 0x11000, false}, {0x12000, 4, 0x12000, true}, {0x9000, 1, 0x9000, false}, {0x8000_0000_0000, 8, 0x8000_0000_0000, false}} {
		func() {
			defer func() {
				f, ok := recover().(*Fault)
				if !ok || f.Addr != c.fault || f.Access != Write ||
					f.Mapped != c.mapped || (f.Kind == NonCanonical) != (c.va>>47 != 0) {
					t.Errorf("store of %d bytes at %#x: fault %+v", c.size, c.va, f)
				}
			}()
			store(p, c.va, uint(c.size), ^uint64(0), ^uint64(0))
		}()
	}
	for f := range phys.Frame(4) {
		if *dram.ReadPage(f) != (Page{}) {
			t.Errorf("frame %d was changed", f)
		}
	}
}

func TestCodeWrittenIsToldOnceAndBefore(t *testing.T) {
	dram := NewStore()
	p := NewPort(table{0x10: at(1, rw)}, nil, dram, NewStore())
	told, next := 0, 5
	p.CodeWritten = func(f phys.Frame) {
		told++
		if f != 1 || dram.ReadPage(1)[next] != 0 {
			t.Errorf("told of frame %d after the store", f)
		}
	}
	p.Store8(0x10000, 0) // a write translation exists already
	p.WatchCode(1)
	p.Store8(0x10005, 9)
	p.Store8(0x10006, 9)
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
	p.WatchCode(1)
	next = 8
	if p.Store64(0x10008, 1); told != 2 {
		t.Errorf("after watching again: told %d times, want 2", told)
	}
}

func TestCopiesReportFaults(t *testing.T) {
	p := NewPort(table{0x10: at(1, rw)}, nil, NewStore(), NewStore())
	var f *Fault
	if err := p.WriteBytes(0x10ffa, []byte("0123456789")); !errors.As(err, &f) || f.Addr != 0x11000 {
		t.Errorf("write across the end: %v", err)
	}
	got := make([]byte, 6)
	if err := p.ReadBytes(0x10ffa, got); err != nil || string(got) != "012345" {
		t.Errorf("before the fault stands %q, %v", got, err)
	}
	if err := p.ReadBytes(0x10ffa, make([]byte, 7)); !errors.As(err, &f) || f.Addr != 0x11000 || f.Access != Read {
		t.Errorf("read across the end: %v", err)
	}
}

func BenchmarkPort(b *testing.B) {
	cfg, err := cachemodel.Preset("")
	if err != nil {
		b.Fatal(err)
	}
	for _, model := range []string{"off", "full"} {
		dram := NewStore()
		var core *cachemodel.Core
		if model == "full" {
			h, err := cachemodel.New(cfg, reader{dram})
			if err != nil {
				b.Fatal(err)
			}
			core = h.Core(0)
		}
		p := NewPort(table{0x10: at(1, rw)}, core, dram, NewStore())
		b.Run("load/model="+model, func(b *testing.B) {
			for i := uint64(0); b.Loop(); i += 8 {
				p.Load64(0x10000 + i&0xff8)
			}
		})
		b.Run("store/model="+model, func(b *testing.B) {
			for i := uint64(0); b.Loop(); i += 8 {
				p.Store64(0x10000+i&0xff8, i)
			}
		})
	}
}
