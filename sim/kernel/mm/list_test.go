package mm

import (
	"fmt"
	"slices"
	"testing"

	"zhuque/sim/det"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// TestList compares long lists with a plain slice: changes, searches, gaps, the
// count and the size, while older versions stay what they were.
func TestList(t *testing.T) {
	const page, pages = phys.PageSize, 6000
	for seed := range uint64(6) {
		rng := det.Stream(seed, "mm/list")
		var l list
		var model [pages]*VMA // the mapping of each page, cut to it
		var kept []list
		var flats [][]VMA
		for step := range 3000 {
			lo := rng.Uint64N(pages)
			hi := min(pages, lo+1+rng.Uint64N(1+rng.Uint64N(20)))
			if rng.IntN(300) == 0 {
				hi = min(pages, lo+3000)
			}
			var repl []VMA
			if rng.IntN(4) != 0 {
				repl = []VMA{{Start: lo * page, End: hi * page, Prot: Prot(1 + rng.IntN(3)),
					Kind: Anon, Phys: phys.PMEMBase + phys.Addr(lo*page)}}
			}
			var old, now []VMA
			before := l
			l, old, now = l.replace(lo*page, hi*page, repl)
			for i := lo; i < hi; i++ {
				model[i] = nil
				if repl != nil {
					v := repl[0].Part(i*page, (i+1)*page)
					model[i] = &v
				}
			}
			for _, v := range old {
				if s := before.starting(v.Start); s == nil || *s != v {
					t.Fatalf("seed %d step %d: %+v was not in the list", seed, step, v)
				}
			}
			for _, v := range now {
				if s := l.starting(v.Start); s == nil || *s != v {
					t.Fatalf("seed %d step %d: %+v is not in the list", seed, step, v)
				}
			}
			if step%50 == 0 {
				checkList(t, fmt.Sprintf("seed %d step %d", seed, step), &l, model[:])
				kept, flats = append(kept, l), append(flats, l.flat())
			}
			top, floor, size := rng.Uint64N(pages)*page+page, rng.Uint64N(50)*page, (1+rng.Uint64N(4))*page
			if at, ok := l.below(top, floor, size); ok != plainGap(model[:], top, floor, size, at) {
				t.Fatalf("seed %d step %d: a gap of %d below %#x: %#x, %v", seed, step, size, top, at, ok)
			}
		}
		for i, old := range kept {
			if !slices.Equal(old.flat(), flats[i]) {
				t.Fatalf("seed %d: an older version of the list changed", seed)
			}
		}
	}
}

func checkList(t *testing.T, what string, l *list, model []*VMA) {
	t.Helper()
	var want []VMA
	var bytes uint64
	for _, v := range model {
		if v != nil {
			want = append(want, *v)
			bytes += v.Size()
		}
	}
	want = join(want)
	if got := l.flat(); !slices.Equal(got, want) || l.len() != len(want) || l.bytes() != bytes {
		t.Fatalf("%s: %d mappings (n %d, %d bytes), want %d (%d bytes)", what, len(got), l.len(), l.bytes(), len(want), bytes)
	}
	checkTree(t, what, l.root)
}

// checkTree looks at what each node says of its tree.
func checkTree(t *testing.T, what string, n *node) {
	t.Helper()
	if n == nil {
		return
	}
	checkTree(t, what, n.Left)
	checkTree(t, what, n.Right)
	if d := n.Left.Height() - n.Right.Height(); d < -1 || d > 1 {
		t.Fatalf("%s: a node has heights %d and %d below it", what, n.Left.Height(), n.Right.Height())
	}
	all := (&list{n}).flat()
	gap, bytes, locked := uint64(0), uint64(0), uint64(0)
	for i, v := range all {
		if bytes += v.Size(); v.Attr&Locked != 0 {
			locked += v.Size()
		}
		if i > 0 {
			gap = max(gap, v.Start-all[i-1].End)
		}
	}
	if want := (layout{bytes, locked, all[0].Start, all[len(all)-1].End, gap}); n.Len() != len(all) || n.Sum != want {
		t.Fatalf("%s: a node says %d mappings, %+v of %v", what, n.Len(), n.Sum, all)
	}
}

// plainGap checks page by page that at is the highest gap, or that there is none.
func plainGap(model []*VMA, top, floor, size, at uint64) bool {
	const page = phys.PageSize
	free := func(at uint64) bool {
		for p := at / page; p < (at+size)/page; p++ {
			if p < uint64(len(model)) && model[p] != nil {
				return false
			}
		}
		return true
	}
	for a := int64(top - size); a >= int64(floor); a -= page {
		if free(uint64(a)) {
			return uint64(a) == at
		}
	}
	return false
}

// A change and a search among 100,000 mappings cost the logarithm of their number: what
// they allocate tells, and how deep the tree is.
func TestMappingsCostTheLogarithm(t *testing.T) {
	long := func(n uint64) *list {
		vmas := make([]VMA, n)
		for i := range vmas {
			at := uint64(i) * 2 * phys.PageSize
			vmas[i] = VMA{Start: at, End: at + phys.PageSize, Prot: Read, Kind: Anon, Phys: phys.PMEMBase + phys.Addr(at)}
		}
		return &list{build(vmas)}
	}
	cost := func(l *list, n uint64) float64 {
		rng := det.Stream(1, "mm/cost")
		return testing.AllocsPerRun(200, func() {
			at := rng.Uint64N(n) * 2 * phys.PageSize
			*l, _, _ = l.replace(at, at+phys.PageSize, nil)
			if hole, ok := l.below(at+phys.PageSize, 0, phys.PageSize); !ok || hole != at {
				t.Fatalf("the hole at %#x is found at %#x", at, hole)
			}
			*l, _, _ = l.replace(at, at+phys.PageSize,
				[]VMA{{Start: at, End: at + phys.PageSize, Prot: Write, Kind: Anon, Phys: phys.PMEMBase + phys.Addr(at)}})
		})
	}
	few, many := long(100), long(100_000)
	if a, b := cost(few, 100), cost(many, 100_000); b > 4*a {
		t.Errorf("%v allocations among 100 mappings, %v among 100,000", a, b)
	}
	if h := many.root.Height(); h > 24 {
		t.Errorf("100,000 mappings are %d deep", h)
	}
}

// BenchmarkMappings maps and unmaps a page among many mappings, as a call does:
// with its journal.
func BenchmarkMappings(b *testing.B) {
	for _, n := range []int{100, 10_000, 65_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := New(Config{DRAM: mem.NewStore(), PMEM: mem.NewStore(),
				Files: newTestFiles(), Placement: Placement{PMEM, PMEM, DRAM}})
			for i := range n {
				prot := Read | Prot(i&1)*Write
				if _, err := s.Map(MapRequest{Length: phys.PageSize, Prot: prot, Kind: Anon}); err != nil {
					b.Fatal(err)
				}
			}
			s.TakeChanges()
			rng := det.Stream(1, "mm/mappings")
			low := s.VMAs()[0].Start
			for b.Loop() {
				at := low + rng.Uint64N(uint64(n))*phys.PageSize
				if err := s.Unmap(at, phys.PageSize); err != nil {
					b.Fatal(err)
				}
				s.TakeChanges()
				s.ReleaseFreed()
				if _,
					err := s.Map(MapRequest{Addr: at, Length: phys.PageSize, Prot: Read | Exec, Kind: Anon, Fixed: true}); err != nil {
					b.Fatal(err)
				}
				s.TakeChanges()
				f := s.Fork(s.cfg.DRAM, s.cfg.PMEM, s.cfg.Files, nil)
				if f.Len() != s.Len() {
					b.Fatal("a fork of another length")
				}
			}
		})
	}
}
