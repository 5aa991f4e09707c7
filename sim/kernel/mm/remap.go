package mm

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// RemapRequest asks for a change of a mapping's size or place, as mremap(2) does.
type RemapRequest struct {
	Addr, OldLength, NewLength uint64
	MayMove                    bool
	Fixed                      bool // move to NewAddr
	NewAddr                    uint64
	Stay                       bool // MREMAP_DONTUNMAP: the old range stays mapped and is empty
}

// Remap resizes or moves a mapping and returns its address. Growth gets an extent
// of its own behind the old one; a move keeps the extents.
func (s *Space) Remap(r RemapRequest) (uint64, error) {
	lo, oldEnd, ok := pageRange(r.Addr, r.OldLength)
	if !ok || r.NewLength == 0 || r.Fixed && !r.MayMove {
		return 0, errno.EINVAL
	}
	if r.NewLength > TaskSize || r.Stay && roundUp(r.NewLength) != oldEnd-lo {
		return 0, errno.EINVAL
	}
	size := roundUp(r.NewLength)
	if r.OldLength == 0 {
		return s.duplicate(r, lo, size)
	}
	if r.Fixed {
		return s.moveTo(r, lo, oldEnd, size)
	}
	if r.Stay {
		if _, err := s.whole(lo, oldEnd); err != nil {
			return 0, err
		}
		at, err := s.gap(size)
		if err != nil {
			return 0, err
		}
		return at, s.moveAndStay(lo, oldEnd, at)
	}
	if lo+size <= oldEnd {
		if s.overlap(lo, lo+size) != size {
			return 0, errno.EFAULT
		}
		if lo+size == oldEnd {
			return lo, nil
		}
		return lo, s.Unmap(lo+size, oldEnd-lo-size)
	}
	src, err := s.whole(lo, oldEnd)
	if err != nil {
		return 0, err
	}
	if err := s.affordGrowth(src, size-(oldEnd-lo)); err != nil {
		return 0, err
	}
	if lo+size <= TaskSize && s.overlap(oldEnd, lo+size) == 0 {
		s.splice(oldEnd, lo+size, []VMA{s.grow(src, oldEnd, lo+size)})
		return lo, nil
	}
	if !r.MayMove {
		return 0, errno.ENOMEM
	}
	at, err := s.gap(size)
	if err != nil {
		return 0, err
	}
	s.move(lo, oldEnd, at, size)
	return at, nil
}

// whole returns the pieces of [lo, hi), which must be mapped without a gap and
// alike, as one mapping that grew in steps is.
func (s *Space) whole(lo, hi uint64) ([]VMA, error) {
	pieces := s.clip(lo, hi)
	at := lo
	for _, v := range pieces {
		if v.Start != at || v.Kind != pieces[0].Kind ||
			v.Prot != pieces[0].Prot || v.Shared != pieces[0].Shared || v.Node != pieces[0].Node {
			return nil, errno.EFAULT
		}
		at = v.End
	}
	if at != hi {
		return nil, errno.EFAULT
	}
	return pieces, nil
}

func (s *Space) affordGrowth(src []VMA, by uint64) error {
	last := src[len(src)-1]
	if last.Kind == Sparse && !s.lastOf(&last, by) {
		return errno.ENOMEM // what it would grow into is somewhere else
	}
	r := MapRequest{Prot: last.Prot, Shared: last.Shared, Kind: last.Kind, Node: last.Node}
	return s.afford(&r, by, 0)
}

// lastOf reports whether nothing maps what follows v in its file, which is large enough
// for by bytes more afterwards.
func (s *Space) lastOf(v *VMA, by uint64) bool {
	end := v.Off + v.Size()
	for o := range s.vmas.from(0) {
		if o.Node == v.Node && o.Kind == Sparse && o.Off >= end {
			return false
		}
	}
	s.cfg.Files.Widen(v.Node, int64(end+by))
	return true
}

// grow returns the mapping that continues src over [from, to).
func (s *Space) grow(src []VMA, from, to uint64) VMA {
	v := src[len(src)-1]
	if v.hasNode() {
		v.Off += v.Size()
	}
	v.Start, v.End = from, to
	return s.back(v)
}

// moveTo is mremap with MREMAP_FIXED.
func (s *Space) moveTo(r RemapRequest, lo, oldEnd, size uint64) (uint64, error) {
	to, toEnd, ok := pageRange(r.NewAddr, size)
	switch {
	case !ok || to < oldEnd && lo < toEnd:
		return 0, errno.EINVAL
	case to < MinAddr:
		return 0, errno.EPERM
	}
	keep := min(oldEnd, lo+size)
	src, err := s.whole(lo, keep)
	if keep == oldEnd && size == oldEnd-lo && s.overlap(lo, keep) == keep-lo && !r.Stay {
		err = nil // a mere move may be of several mappings side by side
	}
	if err != nil {
		return 0, err
	}
	if size > keep-lo {
		if err := s.affordGrowth(src, size-(keep-lo)); err != nil {
			return 0, err
		}
	}
	if err := s.Unmap(to, size); err != nil {
		return 0, err
	}
	if keep < oldEnd {
		if err := s.Unmap(keep, oldEnd-keep); err != nil {
			return 0, err
		}
	}
	if r.Stay {
		return to, s.moveAndStay(lo, keep, to)
	}
	s.move(lo, keep, to, size)
	return to, nil
}

// duplicate maps what a shared mapping shows from an address on at another one.
func (s *Space) duplicate(r RemapRequest, lo, size uint64) (uint64, error) {
	v := s.find(lo)
	switch {
	case v == nil:
		return 0, errno.EFAULT
	case !v.Shared:
		return 0, errno.EINVAL
	case !r.MayMove:
		return 0, errno.ENOMEM
	case lo+size > v.End && v.Kind == Anon:
		return 0, errno.ENOMEM // there is no memory behind its end
	}
	n := v.Part(lo, v.End)
	to, err := r.NewAddr, error(nil)
	if r.Fixed {
		if err = s.Unmap(to, size); err != nil {
			return 0, err
		}
	} else if to, err = s.gap(size); err != nil {
		return 0, err
	}
	n.Start, n.End = to, to+size
	if n.Kind == File {
		n = s.back(n)
	}
	if n.Kind == Anon {
		s.cfg.Extents.cloned = true
	}
	s.splice(to, to+size, []VMA{n})
	return to, nil
}

// moveAndStay is move that leaves the old range mapped, with nothing written to it.
func (s *Space) moveAndStay(lo, hi, at uint64) error {
	src := s.clip(lo, hi)
	for _, v := range src {
		if v.Shared && v.Kind == Anon || v.Kind == Heap || v.Kind == Stack || v.Kind == Sparse {
			return errno.EINVAL
		}
	}
	if err := s.affordGrowth(src, hi-lo); err != nil {
		return err
	}
	s.move(lo, hi, at, hi-lo)
	fresh := make([]VMA, len(src))
	for i, v := range src {
		v.Attr &^= Locked | OnFault
		fresh[i] = s.back(v)
	}
	s.splice(lo, hi, fresh)
	return nil
}

// move takes the mappings of [lo, hi) to the free address at and continues them
// to size bytes.
func (s *Space) move(lo, hi, at, size uint64) {
	src := s.clip(lo, hi)
	moved := make([]VMA, len(src))
	for i, v := range src {
		v.Start, v.End = v.Start-lo+at, v.End-lo+at
		moved[i] = v
	}
	end := at + (hi - lo)
	if end < at+size {
		moved = append(moved, s.grow(moved, end, at+size))
	}
	s.splice(lo, hi, nil)
	s.splice(at, at+size, moved)
}

// SetBrk places an empty heap at start, or a recovered one that ends at end.
func (s *Space) SetBrk(start, end uint64) { s.brkStart, s.brkEnd = start, max(start, end) }

// BrkRange returns where the heap starts and ends, in bytes.
func (s *Space) BrkRange() (start, end uint64) { return s.brkStart, s.brkEnd }

// Brk moves the end of the heap and returns where it is then: unchanged when the
// wish cannot be granted, as the system call does. limit is RLIMIT_DATA, zero for none.
func (s *Space) Brk(addr, limit uint64) uint64 {
	if addr < s.brkStart || addr > TaskSize || limit != 0 && addr-s.brkStart > limit {
		return s.brkEnd
	}
	lo, hi := roundUp(s.brkEnd), roundUp(addr)
	switch {
	case hi < lo:
		if s.Unmap(hi, lo-hi) != nil {
			return s.brkEnd
		}
	case hi > lo:
		r := MapRequest{Prot: Read | Write, Kind: Heap, Attr: s.lockNext}
		if s.overlap(lo, hi) != 0 || s.afford(&r, hi-lo, 0) != nil {
			return s.brkEnd
		}
		v := VMA{Start: lo, End: hi, Prot: Read | Write, Kind: Heap, Attr: r.Attr, Phys: s.heapExtent(hi - lo)}
		s.splice(lo, hi, []VMA{v})
	}
	s.brkEnd = addr
	return addr
}

// heapExtent takes memory for the heap from its physical reserve.
func (s *Space) heapExtent(size uint64) phys.Addr {
	if uint64(s.heapLast-s.heapNext) < size {
		reserve := max(size, heapReserve)
		s.heapNext = s.alloc(s.cfg.Placement.Anon, reserve)
		s.heapLast = s.heapNext + phys.Addr(reserve)
	}
	a := s.heapNext
	s.heapNext += phys.Addr(size)
	return a
}

// Discard is madvise(MADV_DONTNEED): private memory reads as zero, or as the
// file, afterwards. ENOMEM tells of unmapped parts; the rest is discarded.
func (s *Space) Discard(addr, length uint64) error {
	lo, hi, ok := pageRange(addr, length)
	if !ok {
		return errno.EINVAL
	}
	var mapped uint64
	for _, v := range s.clip(lo, hi) {
		mapped += v.Size()
		if v.Kind == Direct || v.Shared {
			continue
		}
		if v.Kind == Sparse {
			_ = s.cfg.Files.Zero(v.Node, int64(v.Off), int64(v.Size())) // it is there and can be written
			continue
		}
		s.drop(v.Phys, v.Size())
	}
	s.notify()
	if mapped != hi-lo {
		return errno.ENOMEM
	}
	return nil
}

// Lockable reports whether size bytes more may be Locked beside what is, under a limit in bytes.
func (s *Space) Lockable(size, limit uint64) bool {
	locked := s.Locked()
	return size <= limit && locked <= limit-size
}

// Locked returns how much of the mappings is Locked, in bytes.
func (s *Space) Locked() uint64 {
	if s.vmas.root == nil {
		return 0
	}
	return s.vmas.root.Sum.locked
}

// LockedIn returns how much of a range is.
func (s *Space) LockedIn(lo, hi uint64) (n uint64) {
	for v := range s.vmas.from(lo) {
		if v.Start >= hi {
			break
		}
		if v.Attr&Locked != 0 {
			n += min(hi, v.End) - max(lo, v.Start)
		}
	}
	return n
}

// LockNext returns what new mappings are locked with; SetLockNext sets it.
func (s *Space) LockNext() Attr     { return s.lockNext }
func (s *Space) SetLockNext(a Attr) { s.lockNext = a }

// SetAttr changes attributes of the mappings in [lo, hi), piece by piece, up to the first
// that check refuses; nil for no check. ENOMEM tells of addresses where nothing is
// mapped: it stops there, or with skip goes on behind them.
func (s *Space) SetAttr(lo, hi uint64, set, drop Attr, skip bool, check func(*VMA) error) (err error) {
	pieces := s.clip(lo, hi)
	at, done := lo, lo
	var repl []VMA
	for i := range pieces {
		v := &pieces[i]
		if v.Start != at {
			if err = errno.ENOMEM; !skip {
				break
			}
		}
		if check != nil {
			if e := check(v); e != nil {
				err, skip = e, true
				break
			}
		}
		at = v.End
		n := *v
		n.Attr = n.Attr&^drop | set
		repl, done = append(repl, n), v.End
	}
	if done < hi && err == nil {
		err = errno.ENOMEM
	}
	if s.vmas.len()+2 > maxVMAs && len(repl) > 0 {
		return errno.ENOMEM
	}
	for _, n := range repl {
		if v := s.find(n.Start); v.Attr != n.Attr {
			s.splice(n.Start, n.End, []VMA{n})
		}
	}
	return err
}

// Populate makes the pages of a range resident, as a read or a write of each would. EFAULT tells of
// one that is not there to be had.
func (s *Space) Populate(lo, hi uint64, write bool) error {
	acc := mem.Read
	if write {
		acc = mem.Write
	}
	for _, v := range s.clip(lo, hi) {
		for va := v.Start; va < v.End; va += phys.PageSize {
			t, ok, bus := s.Translate(va, acc)
			if !ok || bus || s.full(t.Frame) {
				s.refused = nil
				return errno.EFAULT
			}
			if st := s.store(t.Frame.Addr()); !v.hasNode() && st.Page(t.Frame) == nil {
				st.Share(t.Frame, &emptyPage)
			}
		}
	}
	s.notify()
	return nil
}

var emptyPage mem.Page // what a populated page reads as; never written

// Pieces returns the parts of the mappings inside a range.
func (s *Space) Pieces(lo, hi uint64) []VMA { return s.clip(lo, hi) }

// Zero makes a range of shared anonymous memory read as zero, for all that share it.
func (s *Space) Zero(v *VMA) {
	s.drop(v.Phys, v.Size())
	s.notify()
}

// Resident tells for each page of the range whether it was touched (mincore(2)).
func (s *Space) Resident(addr, length uint64) ([]bool, error) {
	lo, hi, ok := pageRange(addr, length)
	if addr&phys.PageMask != 0 {
		return nil, errno.EINVAL
	}
	if !ok || s.overlap(lo, hi) != hi-lo {
		return nil, errno.ENOMEM
	}
	out := make([]bool, 0, (hi-lo)>>phys.PageShift)
	for _, v := range s.clip(lo, hi) {
		for a := v.Start; a < v.End; a += phys.PageSize {
			out = append(out, s.resident(&v, a))
		}
	}
	return out, nil
}

// resident reports whether the page at va of v is in memory.
func (s *Space) resident(v *VMA, va uint64) bool {
	if v.Attr&(Locked|OnFault) == Locked && v.Prot != 0 {
		return true
	}
	for _, at := range [...]phys.Addr{v.Phys, v.Seen} {
		if f := (at + phys.Addr(va-v.Start)).Frame(); at != 0 && s.store(f.Addr()).Page(f) != nil {
			return true
		}
	}
	if !v.hasNode() {
		return false
	}
	_, ok := s.cfg.Files.Frame(v.Node, (v.Off+va-v.Start)>>phys.PageShift)
	return ok
}

// ZeroTail zeroes [addr, end of its page) and is used when a program is loaded:
// what follows a segment's file content in its last page is BSS.
func (s *Space) ZeroTail(addr uint64) {
	t, ok, bus := s.Translate(addr, mem.Write)
	if !ok || bus || addr&phys.PageMask == 0 {
		return
	}
	clear(s.store(t.Frame.Addr()).WritablePage(t.Frame)[addr&phys.PageMask:])
	s.notify()
}
