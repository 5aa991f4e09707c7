package mm

import (
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newSpace(cfg Config) (*Space, *mem.Port) {
	cfg.DRAM, cfg.PMEM, cfg.Files = mem.NewStore(), mem.NewStore(), newTestFiles()
	cfg.Placement = Placement{PMEM, PMEM, DRAM}
	s := New(cfg)
	p := mem.NewPort(s, nil, cfg.DRAM, cfg.PMEM)
	s.OnChange(p.FlushTLB)
	return s, p
}

// TestRecoveredRemains: what an uncommitted allocation left in persistent memory
// must not show in the next mapping after a restart.
func TestRecoveredRemains(t *testing.T) {
	s, p := newSpace(Config{})
	s.cfg.PMEM.Write(phys.PMEMBase+5, []byte("remains"))
	at, err := s.Map(MapRequest{Length: 4096, Prot: Read, Kind: Anon})
	must(t, err)
	var b [8]byte
	must(t, p.ReadBytes(at+4, b[:]))
	if b != [8]byte{} {
		t.Fatalf("fresh memory reads %q", b)
	}
}

func TestFreedOnlyOnRelease(t *testing.T) {
	s, p := newSpace(Config{})
	at, err := s.Map(MapRequest{Length: 4096, Prot: Read | Write, Kind: Anon})
	must(t, err)
	must(t, p.WriteBytes(at, []byte{7}))
	v, _ := s.Find(at)
	must(t, s.Unmap(at, 4096))
	if pg := s.cfg.PMEM.Page(v.Phys.Frame()); pg == nil || pg[0] != 7 {
		t.Fatal("unmapped memory is gone before the change is durable")
	}
	s.ReleaseFreed()
	if s.cfg.PMEM.Page(v.Phys.Frame()) != nil {
		t.Fatal("unmapped memory is kept for ever")
	}
}

func TestChoiceOfAddress(t *testing.T) {
	s, _ := newSpace(Config{})
	get := func(r MapRequest) uint64 {
		t.Helper()
		r.Prot, r.Kind = Read, Anon
		at, err := s.Map(r)
		must(t, err)
		return at
	}
	a := get(MapRequest{Length: 0x3000})
	b := get(MapRequest{Length: 0x1000})
	if a != DefaultMmapTop-0x3000 || b != a-0x1000 {
		t.Fatalf("first mappings at %#x and %#x", a, b)
	}
	must(t, s.Unmap(a+0x1000, 0x1000))
	if c := get(MapRequest{Length: 0x1000}); c != a+0x1000 {
		t.Fatalf("the gap at %#x was not used: %#x", a+0x1000, c)
	}
	if c := get(MapRequest{Addr: 0x7000_0123, Length: 1}); c != 0x7000_1000 {
		t.Fatalf("hint 0x70000123 gave %#x", c)
	}
	if c := get(MapRequest{Addr: a, Length: 1}); c != b-0x1000 {
		t.Fatalf("a taken hint gave %#x", c)
	}
	_, err := s.Map(MapRequest{Addr: a, Length: 1, Prot: Read, Kind: Anon, NoReplace: true})
	if err != errno.EEXIST {
		t.Fatalf("MAP_FIXED_NOREPLACE over a mapping: %v", err)
	}
}

func TestBrk(t *testing.T) {
	const start = 0x40_0000
	s, p := newSpace(Config{})
	s.SetBrk(start, start)
	if got := s.Brk(0, 0); got != start {
		t.Fatalf("brk(0) = %#x", got)
	}
	for end := uint64(start + 100); end < start+0x20000; end += 0x1234 {
		if got := s.Brk(end, 0); got != end {
			t.Fatalf("brk(%#x) = %#x", end, got)
		}
		must(t, p.WriteBytes(end-1, []byte{1}))
		if _, err := s.Map(MapRequest{Length: 4096, Prot: Read | Write, Kind: Anon}); err != nil {
			t.Fatal(err)
		}
	}
	if v, _ := s.Find(start); v.Kind != Heap || v.End != (s.brkEnd+4095)&^4095 {
		t.Fatalf("the heap is not one mapping: %+v", v)
	}
	s.Brk(start+0x1000, 0)
	if err := p.WriteBytes(start+0x1000, []byte{1}); err == nil {
		t.Fatal("memory above a shrunken heap can be written")
	}
	s.Brk(start+0x3000, 0)
	var b [1]byte
	if must(t, p.ReadBytes(start+0x1233+100, b[:])); b[0] != 0 {
		t.Fatal("regrown heap is not zero")
	}
	if got := s.Brk(start+0x4000, 0x3000); got != start+0x3000 {
		t.Fatalf("brk beyond RLIMIT_DATA = %#x", got)
	}
	if got := s.Brk(TaskSize+1<<50, 0); got != start+0x3000 {
		t.Fatalf("brk beyond user space = %#x", got)
	}
}

func TestLimits(t *testing.T) {
	s, p := newSpace(Config{AddressLimit: 1 << 20, PMEMSize: 3 * phys.PageSize})
	if _, err := s.Map(MapRequest{Length: 2 << 20, Kind: Anon}); err != errno.ENOMEM {
		t.Fatalf("above RLIMIT_AS: %v", err)
	}
	if _, err := s.Map(MapRequest{Length: 4 * phys.PageSize, Prot: Read | Write, Kind: Anon}); err != errno.ENOMEM {
		t.Fatalf("more than the memory there is: %v", err)
	}
	at, err := s.Map(MapRequest{Length: 8 * phys.PageSize, Prot: Read | Write, Kind: Anon, NoReserve: true})
	must(t, err)
	must(t, p.WriteBytes(at, make([]byte, 3*phys.PageSize)))
	if f, ok := p.WriteBytes(at+3*phys.PageSize, []byte{1}).(*mem.Fault); !ok || f.Kind != mem.BusError {
		t.Fatal("a fourth page in a memory of three")
	}
	if err := s.TakeRefused(); err == nil || s.TakeRefused() != nil {
		t.Errorf("the refusal is told as %v, and a second time", err)
	}
	must(t, p.WriteBytes(at+5, []byte{1}))
}

// TestAddressesRunOut: whatever takes physical addresses is refused when there are no more
// of its medium, and never gets those of the other one or of file pages.
func TestAddressesRunOut(t *testing.T) {
	const size = 400 << 30
	file := MapRequest{Length: size, Prot: Read | Write, Kind: File, Node: 10}
	anon := MapRequest{Length: size, Prot: Read | Write, Kind: Anon, NoReserve: true, Shared: true}
	for name, take := range map[string]func(*Space) error{
		"private mappings of a file": func(s *Space) error { _, err := s.Map(file); return err },
		"memory":                     func(s *Space) error { _, err := s.Map(anon); return err },
		"children":                   func(s *Space) error { return s.CloneTo(New(s.cfg)) },
		"a file that becomes writable": func(s *Space) error {
			at, err := s.Map(MapRequest{Length: 100 << 30, Prot: Read, Kind: File, Node: 10})
			if err == nil {
				err = s.Protect(at, 100<<30, Read|Write)
			}
			return err
		},
	} {
		s, _ := newSpace(Config{PMEMBase: phys.PMEMBase + 1<<40})
		_, err := s.Map(file)
		for range 20 {
			if err != nil {
				break
			}
			err = take(s)
		}
		if next := s.cfg.Extents.next; err != errno.ENOMEM || next[DRAM] > phys.PMEMBase || next[PMEM] > vfs.FrameBase {
			t.Errorf("%s: %v, the next extents are at %v and %v", name, err, next[DRAM], next[PMEM])
		}
	}
}

// TestHostile gives every operation addresses and sizes that overflow.
func TestHostile(t *testing.T) {
	s, _ := newSpace(Config{})
	nums := []uint64{0, 1, 0xfff, 0x1000, 0x10000, TaskSize - 0x1000,
		TaskSize, 1 << 47, 1<<63 - 1, 1 << 63, ^uint64(0), ^uint64(0) &^ 0xfff}
	for _, a := range nums {
		for _, b := range nums {
			for _, c := range nums {
				for _, fixed := range []bool{false, true} {
					_, _ = s.Map(MapRequest{Addr: a, Length: b, Off: c, Prot: Read | Write,
						Kind: File, Node: 10, Fixed: fixed, NoReserve: true})
					_, _ = s.Remap(RemapRequest{Addr: a, OldLength: b, NewLength: c, NewAddr: c, Fixed: fixed, MayMove: true})
				}
				_ = s.Protect(a, b, Read)
				_ = s.Discard(a, b)
				_ = s.Unmap(a, c)
				_ = s.Brk(a, b)
				_ = s.Install(VMA{Start: a, End: b, Kind: Anon, Phys: phys.Addr(c)})
			}
		}
	}
	var last uint64
	for _, v := range s.VMAs() {
		if v.Start < last || v.End > TaskSize || v.End <= v.Start || (v.Start|v.End)&0xfff != 0 {
			t.Fatalf("mapping %+v", v)
		}
		last = v.End
	}
}
