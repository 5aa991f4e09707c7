package mem

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"zhuque/sim/det"
	"zhuque/sim/phys"
)

// dumb is a second implementation of Store: a map that every fork copies whole.
type dumb map[phys.Frame]Page

func (d dumb) write(a phys.Addr, data []byte) {
	for i, b := range data {
		at := a + phys.Addr(i)
		p := d[at.Frame()]
		p[at&phys.PageMask] = b
		d[at.Frame()] = p
	}
}

// frames spread over near, far, DRAM and PMEM addresses, so that all levels of
// the tree are shared and split.
func frames() (list []phys.Frame) {
	for _, base := range []phys.Frame{0, 1 << 6, 1 << 12, 1 << 20,
		phys.PMEMBase.Frame(), phys.PMEMBase.Frame() + 1<<18, 1<<30 - 80} {
		for i := range phys.Frame(70) {
			if i%9 == 0 || i > 60 {
				list = append(list, base+i)
			}
		}
	}
	return list
}

func same(t *testing.T, s *Store, d dumb, all []phys.Frame) {
	t.Helper()
	for _, f := range all {
		want, touched := d[f]
		if got := s.Page(f); (got != nil) != touched || *s.ReadPage(f) != want {
			t.Fatalf("frame %#x: touched %t, want %t, or its bytes differ", uint64(f), got != nil, touched)
		}
	}
	if s.Touched() != int64(len(d)) {
		t.Fatalf("%d frames touched, want %d", s.Touched(), len(d))
	}
	var seen []phys.Frame
	s.Each(0, 1<<30, func(f phys.Frame, _ *Page) bool { seen = append(seen, f); return true })
	if want := slices.Sorted(maps.Keys(d)); !slices.Equal(seen, want) {
		t.Fatalf("Each visits %v, want %v", seen, want)
	}
}

func TestStoreAgainstCopies(t *testing.T) {
	all := frames()
	for seed := range uint64(8) {
		r := det.Stream(seed, "store")
		type pair struct {
			s *Store
			d dumb
		}
		live := []pair{{NewStore(), dumb{}}}
		for range 1500 {
			i := r.IntN(len(live))
			p := live[i]
			f := all[r.IntN(len(all))]
			switch r.IntN(12) {
			case 0:
				if len(live) < 6 {
					live = append(live, pair{p.s.Fork(), maps.Clone(p.d)})
				}
			case 1:
				hi := f + phys.Frame(r.IntN(20))
				p.s.Drop(f, hi)
				maps.DeleteFunc(p.d, func(g phys.Frame, _ Page) bool { return g >= f && g < hi })
			case 2:
				shared := new(Page)
				shared[7] = byte(r.Uint32())
				before := *shared
				p.s.Share(f, shared)
				p.d[f] = *shared
				p.s.Write(f.Addr()+9, []byte{1})
				p.d.write(f.Addr()+9, []byte{1})
				if *shared != before {
					t.Fatal("a write through the Store changed a page that was only shared with it")
				}
			case 3:
				child := p.s.Borrow()
				child.Write(f.Addr(), []byte{0xaa, byte(r.Uint32())})
				p.s.Return()
			default:
				data := []byte{byte(r.Uint32()), byte(r.Uint32()), 3, 4}
				a := f.Addr() + phys.Addr(r.IntN(phys.PageSize-4))
				p.s.Write(a, data)
				p.d.write(a, data)
				got := make([]byte, 4)
				if p.s.Read(a, got); !bytes.Equal(got, data) {
					t.Fatalf("read %x back, wrote %x", got, data)
				}
			}
		}
		for _, p := range live {
			same(t, p.s, p.d, all)
		}
	}
}

// Diff finds every frame that one side wrote since a fork, and no other.
func TestDiffIsWhatWasWritten(t *testing.T) {
	all := frames()
	r := det.Stream(1, "diff")
	a := NewStore()
	for _, f := range all {
		a.Write(f.Addr(), []byte{1})
	}
	b := a.Fork()
	written := map[phys.Frame]bool{}
	for range 20 {
		f := all[r.IntN(len(all))]
		b.Write(f.Addr()+8, []byte{1})
		written[f] = true
	}
	var got []phys.Frame
	Diff(a, b, 0, 1<<30, func(f phys.Frame, pa, pb *Page) bool {
		if pa == pb || *pa == *pb {
			t.Errorf("frame %#x does not differ", uint64(f))
		}
		got = append(got, f)
		return true
	})
	if want := slices.Sorted(maps.Keys(written)); !slices.Equal(got, want) {
		t.Errorf("Diff gives %v, want %v", got, want)
	}
	lo, hi := got[3], got[9]
	got = nil
	Diff(a, b, lo, hi, func(f phys.Frame, _, _ *Page) bool { got = append(got, f); return true })
	if len(got) != 6 || got[0] != lo {
		t.Errorf("Diff of [%#x, %#x) gives %v", uint64(lo), uint64(hi), got)
	}
}

func TestWriteWhileBorrowedIsABug(t *testing.T) {
	s := NewStore()
	s.Borrow()
	defer func() {
		if recover() == nil {
			t.Error("a borrowed Store was written")
		}
	}()
	s.Write(0, []byte{1})
}

func BenchmarkFork(b *testing.B) {
	for _, pages := range []int{16 << 20 >> phys.PageShift, 256 << 20 >> phys.PageShift} {
		s := NewStore()
		for f := range phys.Frame(pages) {
			s.WritablePage(f)
		}
		b.Run(phys.Addr(pages*phys.PageSize).String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c := s.Borrow()
				c.WritablePage(phys.Frame(pages / 2))
				s.Return()
			}
		})
	}
}

// The page that was written last is found again only as long as it is the Store's own.
func TestWritablePageTwice(t *testing.T) {
	s := NewStore()
	first := s.WritablePage(7)
	if s.WritablePage(7) != first {
		t.Error("two pages for one frame")
	}
	first[0] = 1
	c := s.Fork()
	s.WritablePage(7)[0] = 2
	c.WritablePage(7)[0] = 3
	if first[0] != 1 || s.ReadPage(7)[0] != 2 || c.ReadPage(7)[0] != 3 {
		t.Errorf("a fork shares writes: %d, %d, %d", first[0], s.ReadPage(7)[0], c.ReadPage(7)[0])
	}
	s.Drop(0, 8)
	if p := s.WritablePage(7); p[0] != 0 || s.ReadPage(7) != p {
		t.Error("what was dropped is written to")
	}
	shared := &Page{9}
	s.Share(7, shared)
	s.WritablePage(7)[0] = 4
	if shared[0] != 9 || s.ReadPage(7)[0] != 4 {
		t.Error("a shared page is written in place")
	}
}

func TestWriteToBorrowedIsABug(t *testing.T) {
	s := NewStore()
	s.WritablePage(7)
	s.Borrow()
	defer s.Return()
	defer func() {
		if recover() == nil {
			t.Error("the page that was written last is written while it is borrowed")
		}
	}()
	s.WritablePage(7)
}
