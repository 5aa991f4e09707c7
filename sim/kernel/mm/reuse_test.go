package mm

import (
	"math/rand/v2"
	"slices"
	"testing"

	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// TestAddressesComeBack: a program may map and unmap large memory for ever.
func TestAddressesComeBack(t *testing.T) {
	s, p := newSpace(Config{})
	for range 2000 {
		at, err := s.Map(MapRequest{Length: 3 << 30, Prot: Read | Write, Kind: Anon})
		must(t, err)
		var b [1]byte
		must(t, p.ReadBytes(at+4096, b[:]))
		if b[0] != 0 {
			t.Fatal("memory is used again with what was in it")
		}
		must(t, p.WriteBytes(at+4096, []byte{7}))
		must(t, s.Unmap(at, 3<<30))
		s.ReleaseFreed()
	}
	if end := s.cfg.Extents.next[PMEM]; end > phys.PMEMBase+4<<30 {
		t.Errorf("physical addresses up to %v are used", end)
	}
}

// TestNotBackBeforeRelease: until the removal is durable a power cut finds the old mapping.
func TestNotBackBeforeRelease(t *testing.T) {
	s, p := newSpace(Config{})
	at, err := s.Map(MapRequest{Length: reused, Prot: Read | Write, Kind: Anon})
	must(t, err)
	must(t, p.WriteBytes(at, []byte{7}))
	old, _ := s.Find(at)
	must(t, s.Unmap(at, reused))
	at, err = s.Map(MapRequest{Length: reused, Prot: Read | Write, Kind: Anon})
	must(t, err)
	if v, _ := s.Find(at); v.Phys == old.Phys {
		t.Fatal("an extent is used again before its removal is durable")
	}
}

// TestExtentsAreDisjoint compares the allocator with a list of what is in use.
func TestExtentsAreDisjoint(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	e := NewExtents(0, 0)
	var live []extent
	for range 5000 {
		if len(live) > 0 && rng.IntN(2) == 0 {
			i := rng.IntN(len(live))
			x := live[i]
			live = slices.Delete(live, i, i+1)
			if cut := x.size / 2 &^ phys.PageMask; rng.IntN(3) == 0 && cut > 0 { // a part of it
				live = append(live, extent{x.at, cut})
				x = extent{x.at + phys.Addr(cut), x.size - cut}
			}
			e.give(x)
			continue
		}
		m, size := Medium(rng.IntN(2)), phys.PageSize*uint64(1+rng.IntN(reused>>10))
		at, ok := e.take(m, size)
		if !ok {
			t.Fatalf("no room for %d bytes beside %d extents", size, len(live))
		}
		if end := at + phys.Addr(size); at.IsPMEM() != (m == PMEM) ||
			end > vfs.FrameBase || m == DRAM && end > phys.PMEMBase {
			t.Fatalf("an extent of medium %d at %v", m, at)
		}
		for _, x := range live {
			if at < x.at+phys.Addr(x.size) && x.at < at+phys.Addr(size) {
				t.Fatalf("%v, %d bytes, overlaps %+v", at, size, x)
			}
		}
		live = append(live, extent{at, size})
		for i := 1; i < len(e.unused); i++ {
			if a, b := e.unused[i-1], e.unused[i]; a.at+phys.Addr(a.size) > b.at ||
				a.at+phys.Addr(a.size) == b.at && medium(a.at) == medium(b.at) {
				t.Fatalf("free pieces %+v and %+v", a, b)
			}
		}
	}
}

// TestSparse: memory of which far more is reserved than there are addresses reads as zero,
// keeps what is written, is copied to a child, and given back.
func TestSparse(t *testing.T) {
	fs, err := vfs.New(vfs.Options{Root: t.TempDir()})
	must(t, err)
	cfg := Config{DRAM: mem.NewStore(), PMEM: mem.NewStore(), Files: fs}
	fs.SetMemory(cfg.PMEM)
	s := New(cfg)
	p := mem.NewPort(s, nil, cfg.DRAM, cfg.PMEM)
	s.OnChange(p.FlushTLB)
	const size = 60 << 40
	at, err := s.Map(MapRequest{Length: size, Prot: Read | Write, Kind: Anon, NoReserve: true})
	must(t, err)
	must(t, p.WriteBytes(at+size-1, []byte{7}))
	must(t, s.Protect(at+size/2, 4096, 0))

	cfg.Extents = s.cfg.Extents
	child := New(cfg)
	must(t, s.CloneTo(child))
	cp := mem.NewPort(child, nil, cfg.DRAM, cfg.PMEM)
	child.OnChange(cp.FlushTLB)
	s.ReleaseFreed()
	child.ReleaseFreed()
	must(t, p.WriteBytes(at+size-1, []byte{8}))
	var b [2]byte
	must(t, cp.ReadBytes(at+size-2, b[:]))
	if b != [2]byte{0, 7} {
		t.Errorf("the child reads %v", b)
	}
	must(t, child.Discard(at+size-4096, 4096))
	must(t, cp.ReadBytes(at+size-2, b[:]))
	if b != [2]byte{} {
		t.Errorf("%v is left of discarded memory", b)
	}
	must(t, child.Unmap(0, TaskSize))
	must(t, p.ReadBytes(at+size-2, b[:]))
	if b != [2]byte{0, 8} {
		t.Errorf("the parent reads %v", b)
	}
	must(t, s.Unmap(at, size))
	s.ReleaseFreed()
	child.ReleaseFreed()
	fs.ReleaseFrames()
	if n := fs.Framed(); n != 0 || cfg.PMEM.Touched() != 0 {
		t.Errorf("%d pages in frames, %d in memory are not given back", n, cfg.PMEM.Touched())
	}
}
