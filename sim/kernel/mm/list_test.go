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
				repl = []VMA{{Start: lo * page, End: hi * page, Prot: Prot(1 + rng.IntN(3)), Kind: Anon, Phys: phys.PMEMBase + phys.Addr(lo*page)}}
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
	if got := l.flat(); !slices.Equal(got, want) || l.n != len(want) || l.bytes != bytes {
		t.Fatalf("%s: %d mappings (n %d, %d bytes), want %d (%d bytes)", what, len(got), l.n, l.bytes, len(want), bytes)
	}
	for i := range l.chunks {
		c := l.chunks[i]
		if len(c.vmas) == 0 || len(c.vmas) > maxChunk || newChunk(c.vmas).gap != c.gap {
			t.Fatalf("%s: chunk %d of %d mappings, gap %d", what, i, len(c.vmas), c.gap)
		}
	}
	if len(l.chunks) > 8+4*l.n/maxChunk {
		t.Fatalf("%s: %d chunks for %d mappings", what, len(l.chunks), l.n)
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

// BenchmarkMappings maps and unmaps a page among many mappings, as a call does:
// with its journal.
func BenchmarkMappings(b *testing.B) {
	for _, n := range []int{100, 10_000, 65_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := New(Config{DRAM: mem.NewStore(), PMEM: mem.NewStore(), Files: newTestFiles(), Placement: Placement{PMEM, PMEM, DRAM}})
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
				if _, err := s.Map(MapRequest{Addr: at, Length: phys.PageSize, Prot: Read | Exec, Kind: Anon, Fixed: true}); err != nil {
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
