package mm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"zhuque/sim/det"
	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// testFiles are two files whose page i starts with a byte that names it.
type testFiles struct {
	pages map[vfs.NodeID][]*mem.Page
	refs  map[vfs.NodeID]int
}

func newTestFiles() *testFiles {
	f := &testFiles{map[vfs.NodeID][]*mem.Page{}, map[vfs.NodeID]int{}}
	for id := vfs.NodeID(10); id < 12; id++ {
		for i := range 5 {
			p := new(mem.Page)
			p[0], p[4095] = byte(id)*16+byte(i), 0xee
			f.pages[id] = append(f.pages[id], p)
		}
	}
	return f
}

func (f *testFiles) Page(id vfs.NodeID, i uint64) (*mem.Page, bool, error) {
	if i >= uint64(len(f.pages[id])) {
		return nil, false, nil
	}
	return f.pages[id][i], true, nil
}

// Pin is for writable shared mappings, which the model does not know.
func (f *testFiles) Pin(vfs.NodeID, uint64) (phys.Frame, bool, error) { panic("pinned") }

func (f *testFiles) Frame(vfs.NodeID, uint64) (phys.Frame, bool) { return 0, false }

func (f *testFiles) Size(id vfs.NodeID) int64 { return int64(len(f.pages[id])) * phys.PageSize }

func (f *testFiles) Hollow(int64) (vfs.NodeID, error)    { panic("hollow") }
func (f *testFiles) Twin(vfs.NodeID) (vfs.NodeID, error) { panic("twin") }
func (f *testFiles) Zero(vfs.NodeID, int64, int64) error { panic("zero") }
func (f *testFiles) Widen(vfs.NodeID, int64)             { panic("widen") }

func (f *testFiles) Ref(id vfs.NodeID) { f.refs[id]++ }
func (f *testFiles) Unref(id vfs.NodeID) {
	if f.refs[id]--; f.refs[id] < 0 {
		panic("reference dropped twice")
	}
}

// modelPage is one mapped page of the dumb second implementation.
type modelPage struct {
	prot  Prot
	first byte       // the page's first byte
	node  vfs.NodeID // zero: anonymous
	index uint64
	bus   bool
}

// model is an address space as a map of pages.
type model struct {
	files *testFiles
	pages map[uint64]*modelPage
}

func (m *model) mapPages(r MapRequest, at uint64) {
	for off := uint64(0); off < r.Length; off += phys.PageSize {
		p := &modelPage{prot: r.Prot}
		if r.Kind == File {
			p.node, p.index = r.Node, (r.Off+off)/phys.PageSize
			m.fill(p)
		}
		m.pages[at+off] = p
	}
}

func (m *model) fill(p *modelPage) {
	pg, ok, _ := m.files.Page(p.node, p.index)
	p.bus = !ok
	if ok {
		p.first = pg[0]
	}
}

func (m *model) unmap(at, length uint64) {
	for off := uint64(0); off < length; off += phys.PageSize {
		delete(m.pages, at+off)
	}
}

func (m *model) protect(at, length uint64, prot Prot) bool {
	for off := uint64(0); off < length; off += phys.PageSize {
		p := m.pages[at+off]
		if p == nil {
			return false
		}
		p.prot = prot
	}
	return true
}

func (m *model) discard(at, length uint64) {
	for off := uint64(0); off < length; off += phys.PageSize {
		if p := m.pages[at+off]; p != nil && !p.bus {
			p.first = 0
			if p.node != 0 {
				m.fill(p)
			}
		}
	}
}

const (
	arena      = 0x10_0000_0000
	arenaPages = 24
)

// bench is a Space, its model and its memory.
type bench struct {
	*testing.T
	s          *Space
	m          *model
	dram, pmem *mem.Store
	files      *testFiles
	port       *mem.Port
	table      map[uint64]VMA // what TakeChanges built
}

func newBench(t *testing.T, place Placement) *bench {
	b := &bench{T: t, dram: mem.NewStore(), pmem: mem.NewStore(), files: newTestFiles(), table: map[uint64]VMA{}}
	b.s = New(Config{DRAM: b.dram, PMEM: b.pmem, Files: b.files, Placement: place})
	b.m = &model{b.files, map[uint64]*modelPage{}}
	b.attach()
	return b
}

func (b *bench) attach() {
	b.port = mem.NewPort(b.s, nil, b.dram, b.pmem)
	b.s.OnChange(b.port.FlushTLB)
}

// check compares every page of the arena and the invariants of the list.
func (b *bench) check(what string) {
	b.Helper()
	for i := uint64(0); i < 3*arenaPages; i++ {
		va := arena + i*phys.PageSize
		p := b.m.pages[va]
		var buf [1]byte
		err := b.port.ReadBytes(va, buf[:])
		switch {
		case p == nil || p.prot == 0 || p.bus:
			if err == nil {
				b.Fatalf("%s: page %d can be read", what, i)
			}
			f := err.(*mem.Fault)
			if want := p != nil && p.prot == 0; p != nil && f.Mapped != want ||
				p == nil && (f.Mapped || f.Kind == mem.BusError) {
				b.Fatalf("%s: page %d: %v (mapped %t, kind %d)", what, i, err, f.Mapped, f.Kind)
			}
		case err != nil || buf[0] != p.first:
			b.Fatalf("%s: page %d reads %#x, want %#x (%v)", what, i, buf[0], p.first, err)
		}
		if t, ok, _ := b.s.Translate(va, mem.Read); ok && (t.Write != (p.prot&Write != 0) || t.Exec != (p.prot&Exec != 0)) {
			b.Fatalf("%s: page %d: protection %+v, want %v", what, i, t, p.prot)
		}
	}
	var last uint64
	extents := map[phys.Frame]bool{}
	for _, v := range b.s.VMAs() {
		if v.Start < last || v.End <= v.Start {
			b.Fatalf("%s: mappings out of order: %+v", what, b.s.VMAs())
		}
		last = v.End
		for _, at := range []phys.Addr{v.Phys, v.Seen} {
			for a := at; at != 0 && a < at+phys.Addr(v.Size()); a += phys.PageSize {
				if extents[a.Frame()] {
					b.Fatalf("%s: frame %v backs two pages", what, a)
				}
				extents[a.Frame()] = true
			}
		}
	}
}

// journal applies the changes to the table and compares it with the list.
func (b *bench) journal(rng *rand.Rand) {
	ch := b.s.TakeChanges()
	rng.Shuffle(len(ch), func(i, j int) { ch[i], ch[j] = ch[j], ch[i] })
	for _, c := range ch {
		if c.Old != nil {
			if got, ok := b.table[c.Old.Start]; !ok || got != *c.Old {
				b.Fatalf("journal: old entry %+v is %+v", *c.Old, got)
			}
			if c.New == nil {
				delete(b.table, c.Old.Start)
			}
		}
		if c.New != nil {
			b.table[c.New.Start] = *c.New
		}
	}
	if len(b.table) != len(b.s.VMAs()) {
		b.Fatalf("journal: table has %d entries, the list %d", len(b.table), len(b.s.VMAs()))
	}
	for _, v := range b.s.VMAs() {
		if b.table[v.Start] != v {
			b.Fatalf("journal: table has %+v, the list %+v", b.table[v.Start], v)
		}
	}
	b.s.ReleaseFreed()
}

// restart rebuilds the Space from its list, with DRAM lost.
func (b *bench) restart() {
	old := b.s
	b.dram = mem.NewStore()
	b.files.refs = map[vfs.NodeID]int{}
	b.s = New(Config{DRAM: b.dram, PMEM: b.pmem, Files: b.files, Placement: old.cfg.Placement})
	list := old.VMAs()
	for i := range list {
		if err := b.s.Install(list[len(list)-1-i]); err != nil {
			b.Fatal(err)
		}
	}
	if got := b.s.TakeChanges(); got != nil {
		b.Fatalf("recovery looks like a change: %+v", got)
	}
	b.attach()
}

// step makes one random operation on both implementations.
func (b *bench) step(rng *rand.Rand, n int) {
	page := func() uint64 { return arena + rng.Uint64N(arenaPages)*phys.PageSize }
	at, length := page(), (1+rng.Uint64N(6))*phys.PageSize
	prot := []Prot{0, Read, Read | Write, Read | Exec, Read | Write | Exec}[rng.IntN(5)]
	what := fmt.Sprintf("step %d", n)
	switch rng.IntN(10) {
	case 0, 1, 2:
		r := MapRequest{Addr: at, Length: length, Prot: prot, Kind: Anon, Fixed: true, Shared: rng.IntN(8) == 0}
		if rng.IntN(2) == 0 {
			r.Kind, r.Node, r.Off, r.Shared = File, 10+vfs.NodeID(rng.IntN(2)), rng.Uint64N(4)*phys.PageSize, false
		}
		what += fmt.Sprintf(" map %+v", r)
		if _, err := b.s.Map(r); err != nil {
			b.Fatal(what, err)
		}
		b.m.unmap(at, length)
		b.m.mapPages(r, at)
	case 3:
		what += fmt.Sprintf(" unmap %#x %d", at, length/phys.PageSize)
		if err := b.s.Unmap(at, length); err != nil {
			b.Fatal(what, err)
		}
		b.m.unmap(at, length)
	case 4, 5:
		what += fmt.Sprintf(" protect %#x %d %v", at, length/phys.PageSize, prot)
		err := b.s.Protect(at, length, prot)
		if ok := b.m.protect(at, length, prot); ok != (err == nil) || err != nil && err != errno.ENOMEM {
			b.Fatal(what, err)
		}
	case 6:
		what += fmt.Sprintf(" discard %#x %d", at, length/phys.PageSize)
		b.discard(at, length)
	case 7:
		what += b.remap(rng, at, length)
	default:
		what += fmt.Sprintf(" write %#x", at)
		v := byte(1 + rng.IntN(255))
		p := b.m.pages[at]
		err := b.port.WriteBytes(at, []byte{v})
		if want := p != nil && p.prot&Write != 0 && !p.bus; want != (err == nil) {
			b.Fatal(what, err)
		}
		if err == nil {
			p.first = v
		}
	}
	b.check(what)
}

func (b *bench) discard(at, length uint64) {
	for _, v := range b.s.VMAs() { // the model knows no shared mappings
		if v.Shared && v.Start < at+length && at < v.End {
			return
		}
	}
	_ = b.s.Discard(at, length) // ENOMEM for holes, done nevertheless
	b.m.discard(at, length)
}

// remap moves a random range elsewhere, or resizes it in place.
func (b *bench) remap(rng *rand.Rand, at, length uint64) string {
	size := (1 + rng.Uint64N(8)) * phys.PageSize
	r := RemapRequest{Addr: at, OldLength: length, NewLength: size, MayMove: true, Fixed: true,
		NewAddr: arena + (arenaPages+8+rng.Uint64N(arenaPages))*phys.PageSize}
	if rng.IntN(2) == 0 {
		r.Fixed, r.MayMove = false, false
	}
	before := map[uint64]modelPage{}
	for va, p := range b.m.pages {
		before[va] = *p
	}
	to, err := b.s.Remap(r)
	what := fmt.Sprintf(" remap %+v: %v", r, err)
	if err != nil {
		return what
	}
	last := before[at+min(length, size)-phys.PageSize]
	b.m.unmap(at, length)
	b.m.unmap(to, size)
	for off := uint64(0); off < size; off += phys.PageSize {
		p, ok := before[at+off]
		if !ok || off >= length {
			p = modelPage{prot: last.prot}
			if last.node != 0 {
				p.node, p.index = last.node, last.index+(off-(min(length, size)-phys.PageSize))/phys.PageSize
				b.m.fill(&p)
			}
		}
		b.m.pages[to+off] = &p
	}
	return what
}

// TestModel compares random sequences with the dumb implementation, in every
// placement, with restarts from the list of mappings in between. It catches wrong
// splits, joins and offsets, lost or leaked extents, a journal that does not lead
// to the list, and memory that a recovery would miss.
func TestModel(t *testing.T) {
	for name, place := range map[string]Placement{"zhuque": {PMEM, PMEM, DRAM}, "pmem": {PMEM, PMEM, PMEM}} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(40) {
				rng := det.Stream(seed, "mm/"+name)
				b := newBench(t, place)
				for n := range 150 {
					b.step(rng, n)
					if rng.IntN(4) == 0 {
						b.journal(rng)
						b.check("release")
					}
					if rng.IntN(40) == 0 {
						b.journal(rng)
						b.restart()
						b.check("restart")
					}
				}
				b.forked(rng)
				b.refs()
			}
		})
	}
}

// forked changes a fork and looks whether the original notices.
func (b *bench) forked(rng *rand.Rand) {
	d, p := b.dram.Fork(), b.pmem.Fork()
	c := &bench{T: b.T, s: b.s.Fork(d, p, b.files, nil), dram: d, pmem: p, files: b.files, m: b.m}
	c.attach()
	b.port.FlushTLB()
	c.check("fork")
	if err := c.s.Unmap(arena, 3*arenaPages*phys.PageSize); err != nil {
		b.Fatal(err)
	}
	if _, err := c.s.Map(MapRequest{Addr: arena, Length: arenaPages * phys.PageSize,
		Prot: Read | Write, Kind: Anon, Fixed: true}); err != nil {
		b.Fatal(err)
	}
	for i := range uint64(arenaPages) {
		if err := c.port.WriteBytes(arena+i*phys.PageSize, []byte{byte(rng.Uint32())}); err != nil {
			b.Fatal(err)
		}
	}
	c.s.freed, c.s.unref = nil, nil // the files are shared with the original here
	b.check("after the fork changed")
}

// refs looks whether every mapped file, and no other, is held after all is gone.
func (b *bench) refs() {
	for _, v := range b.s.VMAs() {
		if v.hasNode() && b.files.refs[v.Node] == 0 {
			b.Fatalf("file %d is mapped and not held", v.Node)
		}
	}
	if err := b.s.Unmap(arena, 3*arenaPages*phys.PageSize); err != nil {
		b.Fatal(err)
	}
	b.s.ReleaseFreed()
	for id, n := range b.files.refs {
		if n != 0 {
			b.Fatalf("file %d is held %d times and not mapped", id, n)
		}
	}
	if n := b.pmem.Touched(); n != 0 {
		b.Fatalf("%d frames of freed memory are still there", n)
	}
}
