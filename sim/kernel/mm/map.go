package mm

import (
	"slices"
	"strconv"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

func hex(v uint64) string { return "0x" + strconv.FormatUint(v, 16) }

// MapRequest asks for a mapping, as mmap(2) does.
type MapRequest struct {
	Addr      uint64 // wanted address: a hint unless Fixed
	Length    uint64 // bytes, rounded up to pages
	Prot      Prot
	Shared    bool
	Fixed     bool // MAP_FIXED: replace what is there
	NoReplace bool // MAP_FIXED_NOREPLACE: EEXIST instead
	NoReserve bool // MAP_NORESERVE
	Grows     bool
	Attr      Attr
	Anywhere  bool // below MinAddr too, where Addr is fixed
	Low       bool // MAP_32BIT: in the second gigabyte unless Fixed, from its lowest address on
	Kind      Kind // Anon, Stack, File or Direct; a writable private File becomes a Copy
	Node      vfs.NodeID
	Off       uint64 // page-aligned
}

// Where MAP_32BIT looks for room.
const (
	lowStart = 1 << 30
	lowEnd   = 2 << 30
)

func roundUp(n uint64) uint64 { return (n + phys.PageMask) &^ phys.PageMask }

// pageRange checks a range of addresses and rounds its length up to pages.
func pageRange(addr, length uint64) (lo, hi uint64, ok bool) {
	if addr&phys.PageMask != 0 || length > TaskSize || addr > TaskSize {
		return 0, 0, false
	}
	hi = addr + roundUp(length)
	return addr, hi, hi <= TaskSize
}

// Map makes a mapping and returns its address. Errors are errno values.
func (s *Space) Map(r MapRequest) (uint64, error) {
	if r.Length == 0 || r.Off&phys.PageMask != 0 {
		return 0, errno.EINVAL
	}
	if r.Length > TaskSize {
		return 0, errno.ENOMEM
	}
	size := roundUp(r.Length)
	if r.Off+size < r.Off || r.Off+size >= 1<<63 {
		return 0, errno.EOVERFLOW
	}
	at, err := s.place(&r, size)
	if err != nil {
		return 0, err
	}
	replaced := s.overlap(at, at+size)
	if err := s.afford(&r, size, replaced); err != nil {
		return 0, err
	}
	if r.Kind == Anon && !r.Shared && size >= SparseSize {
		if r.Node, err = s.cfg.Files.Hollow(int64(size)); err != nil {
			return 0, errno.ENOMEM
		}
		r.Kind, r.Off = Sparse, 0
		s.unref = append(s.unref, r.Node) // the mapping has its own
	}
	if (r.Kind == File || r.Kind == Direct || r.Kind == Sparse) && !s.maps(r.Node) {
		s.cfg.Files.Ref(r.Node)
	}
	old := s.clip(at, at+size)
	s.release(old)
	v := s.back(VMA{Start: at, End: at + size, Prot: r.Prot, Shared: r.Shared,
		Grows: r.Grows, Attr: r.Attr | s.lockNext, Kind: r.Kind, Node: r.Node, Off: r.Off})
	s.splice(at, at+size, []VMA{v})
	s.letGo(old)
	return at, nil
}

// Place chooses the address of a new mapping, as Map would; the request is for that
// address from then on.
func (s *Space) Place(r *MapRequest) error {
	if r.Length > TaskSize {
		return errno.ENOMEM
	}
	at, err := s.place(r, roundUp(r.Length))
	if err == nil {
		r.Addr, r.Fixed, r.NoReplace = at, true, false
	}
	return err
}

// place chooses the address of a new mapping.
func (s *Space) place(r *MapRequest, size uint64) (uint64, error) {
	if r.Fixed || r.NoReplace {
		lo, hi, ok := pageRange(r.Addr, size)
		switch {
		case r.Addr&phys.PageMask != 0:
			return 0, errno.EINVAL
		case !ok:
			return 0, errno.ENOMEM
		case lo < MinAddr && !r.Anywhere:
			return 0, errno.EPERM
		case r.NoReplace && s.overlap(lo, hi) > 0:
			return 0, errno.EEXIST
		}
		return lo, nil
	}
	if r.Addr != 0 {
		hint := max(roundUp(min(r.Addr, TaskSize)), MinAddr)
		if lo, hi, ok := pageRange(hint, size); ok && (!r.Low || hi <= lowEnd) && s.overlap(lo, hi) == 0 {
			return lo, nil
		}
	}
	if r.Low {
		return s.lowGap(size)
	}
	return s.gap(size)
}

// lowGap returns the lowest free address with room for size bytes where MAP_32BIT
// mappings lie.
func (s *Space) lowGap(size uint64) (uint64, error) {
	at := uint64(lowStart)
	for v := range s.vmas.from(lowStart) {
		if v.Start >= at+size {
			break
		}
		at = max(at, v.End)
	}
	if at+size > lowEnd {
		return 0, errno.ENOMEM
	}
	return at, nil
}

// gap returns the highest free address below the top of the mapping area that
// has room for size bytes.
func (s *Space) gap(size uint64) (uint64, error) {
	if at, ok := s.vmas.below(s.cfg.MmapTop, MinAddr, size); ok {
		return at, nil
	}
	return 0, errno.ENOMEM
}

// overlap returns how many bytes of [lo, hi) are mapped.
func (s *Space) overlap(lo, hi uint64) (n uint64) {
	for v := range s.vmas.from(lo) {
		if v.Start >= hi {
			break
		}
		n += min(hi, v.End) - max(lo, v.Start)
	}
	return n
}

// afford checks the limits of a mapping that grows the address space by size-replaced.
func (s *Space) afford(r *MapRequest, size, replaced uint64) error {
	if s.cfg.AddressLimit != 0 && s.Mapped()-replaced+size > s.cfg.AddressLimit {
		return errno.ENOMEM
	}
	if s.vmas.len() >= maxVMAs {
		return errno.ENOMEM
	}
	v := VMA{Kind: r.Kind, Prot: r.Prot, Shared: r.Shared}
	if v.data() && !s.affordData(size-replaced) {
		return errno.ENOMEM
	}
	m := s.medium(v)
	sparse := r.Kind == Sparse || r.Kind == Anon && !r.Shared && size >= SparseSize
	switch {
	case r.Kind == Direct, sparse:
	case !s.room(m, size),
		v.copies() && !(s.room(s.cfg.Placement.ReadOnlyFile, size) && s.cfg.Extents.room(m, size, size, heapReserve)):
		return errno.ENOMEM
	}
	limit := s.cfg.DRAMSize
	if m == PMEM {
		limit = s.cfg.PMEMSize
	}
	if limit != 0 && size > uint64(limit) && r.Prot != 0 && !r.NoReserve && r.Kind != File && r.Kind != Direct {
		return errno.ENOMEM // Linux's heuristic refuses what can never be filled
	}
	return nil
}

// data reports whether a mapping counts for RLIMIT_DATA (getrlimit(2)): it is private and
// writable, and no stack.
func (v *VMA) data() bool { return v.Prot&Write != 0 && !v.Shared && v.Kind != Stack && !v.Grows }

// affordData reports whether more bytes of data are within RLIMIT_DATA. Only where there is
// such a limit are they counted.
func (s *Space) affordData(more uint64) bool {
	if s.cfg.DataLimit == 0 {
		return true
	}
	for v := range s.vmas.from(0) {
		if v.data() {
			more += v.Size()
		}
	}
	return more <= s.cfg.DataLimit
}

// copies reports whether a mapping copies a page of its file when it is written.
func (v *VMA) copies() bool {
	return v.Kind == Copy || v.Kind == File && v.Prot&Write != 0 && !v.Shared
}

// medium returns where a mapping is placed.
func (s *Space) medium(v VMA) Medium {
	switch {
	case v.copies():
		return s.cfg.Placement.PrivateWritable
	case v.Kind == File:
		return s.cfg.Placement.ReadOnlyFile
	}
	return s.cfg.Placement.Anon
}

// back gives a new mapping its extents.
func (s *Space) back(v VMA) VMA {
	m := s.medium(v)
	switch {
	case v.InFrames():
		return v
	case v.copies():
		v.Kind = Copy
		v.Seen = s.alloc(s.cfg.Placement.ReadOnlyFile, v.Size())
	}
	v.Phys = s.alloc(m, v.Size())
	return v
}

// clip returns the pieces of mappings inside [lo, hi).
func (s *Space) clip(lo, hi uint64) []VMA {
	var out []VMA
	for v := range s.vmas.from(lo) {
		if v.Start >= hi {
			break
		}
		out = append(out, v.Part(lo, hi))
	}
	return out
}

// splice replaces whatever is mapped in [lo, hi) by repl, which lies inside and
// is in order, and joins neighbours that can be one mapping.
func (s *Space) splice(lo, hi uint64, repl []VMA) {
	r, old, now := s.vmas.replace(lo, hi, repl)
	s.vmas, s.flat = r, nil
	s.uses.change(old, now)
	for _, pieces := range [...][]VMA{old, now} {
		for _, v := range pieces {
			s.touched = append(s.touched, v.Start)
		}
	}
	s.notify()
}

// release notes that pieces lose their extents. The caller splices them out; a
// file that is mapped nowhere else is let go with them.
func (s *Space) release(pieces []VMA) {
	for _, v := range pieces {
		if v.Kind == Sparse {
			_ = s.cfg.Files.Zero(v.Node, int64(v.Off), int64(v.Size())) // it is there and can be written
		}
		if v.Phys != 0 && !s.cfg.Extents.keeps(&v) {
			s.freed = append(s.freed, extent{v.Phys, v.Size()})
		}
		if v.Seen != 0 {
			s.freed = append(s.freed, extent{v.Seen, v.Size()})
		}
	}
}

// letGo drops the references to files that pieces mapped and nothing maps now.
func (s *Space) letGo(pieces []VMA) {
	var gone []vfs.NodeID
	for _, v := range pieces {
		if v.hasNode() && !s.maps(v.Node) && !slices.Contains(gone, v.Node) {
			gone = append(gone, v.Node)
		}
	}
	s.unref = append(s.unref, gone...)
}

// Unmap removes every mapping in the range.
func (s *Space) Unmap(addr, length uint64) error {
	lo, hi, ok := pageRange(addr, length)
	if !ok || length == 0 {
		return errno.EINVAL
	}
	pieces := s.clip(lo, hi)
	if len(pieces) == 0 {
		return nil
	}
	if s.vmas.len()+1 > maxVMAs && len(pieces) == 1 {
		return errno.ENOMEM
	}
	s.release(pieces)
	s.splice(lo, hi, nil)
	s.letGo(pieces)
	return nil
}

// Protect changes what the mappings in the range allow. Like Linux it stops with
// ENOMEM at the first address that is not mapped, and with EACCES at a shared
// mapping of a file that is not open for writing, having changed what is below.
func (s *Space) Protect(addr, length uint64, prot Prot) error {
	lo, hi, ok := pageRange(addr, length)
	switch {
	case addr&phys.PageMask != 0:
		return errno.EINVAL
	case !ok:
		return errno.ENOMEM
	case lo == hi:
		return nil
	case s.vmas.len()+2 > maxVMAs:
		return errno.ENOMEM
	}
	pieces := s.clip(lo, hi)
	var repl []VMA
	at, denied := lo, false
	for _, v := range pieces {
		if v.Start != at {
			break
		}
		if (v.Kind == File && v.Shared || v.Attr&NeverWrite != 0) && prot&Write != 0 {
			denied = true // the file was not opened for writing
			break
		}
		after, ok := s.reprotect(v, prot)
		if !ok || after.data() && !v.data() && !s.affordData(v.Size()) {
			break
		}
		at = v.End
		repl = append(repl, after)
	}
	if at > lo {
		s.splice(lo, at, repl)
	}
	switch {
	case denied:
		return errno.EACCES
	case at < hi:
		return errno.ENOMEM
	}
	return nil
}

// reprotect returns v with another protection. A read-only private file mapping
// that becomes writable copies what is written from then on; ok is false when there is
// no room for that.
func (s *Space) reprotect(v VMA, prot Prot) (_ VMA, ok bool) {
	v.Prot = prot
	if v.Kind == File && v.copies() {
		if !s.room(s.cfg.Placement.PrivateWritable, v.Size()) {
			return v, false
		}
		v.Kind, v.Seen = Copy, v.Phys
		v.Phys = s.alloc(s.cfg.Placement.PrivateWritable, v.Size())
	}
	return v, true
}
