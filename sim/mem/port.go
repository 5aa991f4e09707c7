package mem

import (
	"encoding/binary"
	"fmt"
	"sync"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// Access is a kind of memory access, as in the page-fault error code.
type Access uint8

const (
	Read Access = iota
	Write
	Exec
)

func (a Access) String() string { return [...]string{"read", "write", "execute"}[a] }

// FaultKind tells the architectural exception of a failed access.
type FaultKind uint8

const (
	PageFault    FaultKind = iota // #PF: not mapped, or not allowed by the mapping
	NonCanonical                  // #GP (#SS through the stack segment)
	Misaligned                    // #GP: an aligned SSE operand is not 16-byte aligned
	BusError                      // #PF whose page lies behind the end of a mapped file
	Unaligned                     // #AC: see CheckAlignment
)

// Fault is a failed access. The Port panics with its own *Fault; the processor
// and the kernel's copy routines recover it.
type Fault struct {
	Kind   FaultKind
	Addr   uint64 // first byte that could not be accessed
	Access Access
	Mapped bool // PageFault: a mapping exists but forbids the access
	Hidden bool // Mapped, and it forbids everything: the processor sees no page
}

func (f *Fault) Error() string {
	return fmt.Sprintf("%s fault at %#x", f.Access, f.Addr)
}

// Translation is where a virtual page lies and what may be done with it.
type Translation struct {
	Frame             phys.Frame
	Read, Write, Exec bool
	Fresh             bool // the page has come with this translation
}

// AddressSpace resolves the Port's TLB misses.
type AddressSpace interface {
	// Translate returns the translation of the page that holds va, materializing
	// file pages where needed. ok is false when nothing is mapped there; bus is
	// true when a file mapping has no page there.
	Translate(va uint64, acc Access) (t Translation, ok, bus bool)
}

const (
	tlbBits = 9
	tlbSize = 1 << tlbBits
	noTag   = ^uint64(0)
)

// entry translates one virtual page. Tags are virtual page numbers, noTag when
// the access must take the slow way.
type entry struct {
	rtag, wtag uint64
	page       *Page
	base       phys.Addr // physical address of the page's first byte
}

// Port is a core's way to memory: software TLB, then cache model, then Store.
// Every guest load and store, and every access of the kernel and of the runtime
// to guest memory, goes through it. The ports of a machine's cores form a group;
// see Join.
type Port struct {
	tlb   [tlbSize]entry
	space AddressSpace
	core  *cachemodel.Core // nil: no cache model
	dram  *Store
	pmem  *Store
	fault Fault

	// CodeWritten is called before a store, of any port of the group, changes a
	// page that holds decoded instructions.
	CodeWritten func(f phys.Frame)
	group       *group
	dirty       bool // the TLB may hold something
	strict      bool // see CheckAlignment

	watch Watch     // nil: nobody is told of accesses
	from  phys.Addr // the persistent memory that watch is told of begins here

	// Step, when set, is called before each store of the runtime
	// (StorePhys64): the places where a system call can be cut in half.
	Step func()

	// Faulted, when set, is told of the first touch of a page, in which an operating system
	// takes a page fault: nothing else comes of it here.
	Faulted func()
}

// NewPort returns a port with an empty TLB. core is nil to run without a cache model.
func NewPort(space AddressSpace, core *cachemodel.Core, dram, pmem *Store) *Port {
	p, ok := ports.Get().(*Port)
	if !ok {
		p = &Port{dirty: true}
	}
	p.space, p.core, p.dram, p.pmem = space, core, dram, pmem
	if p.group == nil {
		p.group = newGroup(p)
	}
	p.flush()
	return p
}

var ports sync.Pool // of *Port, see Free

// Free gives the port's memory back for another NewPort; p must not be used any more.
func (p *Port) Free() {
	p.space, p.core, p.dram, p.pmem, p.CodeWritten, p.Step, p.watch, p.Faulted = nil, nil, nil, nil, nil, nil, nil, nil
	p.leave()
	ports.Put(p)
}

// SetSpace makes the port lead to another address space. It reports whether that
// is a change, with which decoded blocks must be invalidated too.
func (p *Port) SetSpace(space AddressSpace) (changed bool) {
	if p.space == space {
		return false
	}
	p.space = space
	p.FlushTLB()
	return true
}

// Core returns the cache model's core, nil without a cache model.
func (p *Port) Core() *cachemodel.Core { return p.core }

// FlushTLB forgets every translation, in all ports of the group: after a change
// of mappings or a Fork.
func (p *Port) FlushTLB() {
	for _, m := range p.group.members {
		m.flush()
	}
}

func (p *Port) flush() {
	if !p.dirty {
		return
	}
	for i := range p.tlb {
		p.tlb[i] = entry{rtag: noTag, wtag: noTag}
	}
	p.dirty = false
}

func (p *Port) store(a phys.Addr) *Store {
	if a.IsPMEM() {
		return p.pmem
	}
	return p.dram
}

func (p *Port) fail(k FaultKind, va uint64, acc Access, mapped bool) {
	p.fault = Fault{Kind: k, Addr: va, Access: acc, Mapped: mapped}
	panic(&p.fault)
}

// forbid fails an access that the mapping does not allow.
func (p *Port) forbid(va uint64, acc Access, t Translation) {
	p.fault = Fault{Kind: PageFault, Addr: va, Access: acc, Mapped: true, Hidden: !t.Read && !t.Write && !t.Exec}
	panic(&p.fault)
}

// CheckAlignment turns the check of operands for alignment on or off: a load or store
// of 2, 4, 8 or 16 bytes at an address that is no multiple of its size is then a Fault
// of kind Unaligned. It costs nothing while it is off: while it is on no access
// finds its translation in the TLB, and only what comes then looks at the address.
func (p *Port) CheckAlignment(on bool) {
	if on {
		p.flush()
	}
	p.strict = on
}

// Align fails an access that CheckAlignment forbids: for what checks before it stores, or
// stores in pieces.
func (p *Port) Align(va uint64, size uint, acc Access) {
	if p.strict && va&uint64(size-1) != 0 && size&(size-1) == 0 && canonical(va) && canonical(va+uint64(size)-1) {
		p.fail(Unaligned, va, acc, false)
	}
}

func canonical(va uint64) bool { return uint64(int64(va<<16)>>16) == va }

// fill loads the TLB entry for va, or panics with a *Fault.
func (p *Port) fill(va uint64, acc Access) *entry {
	if !canonical(va) {
		p.fail(NonCanonical, va, acc, false)
	}
	t, ok, bus := p.space.Translate(va, acc)
	switch {
	case !ok:
		p.fail(PageFault, va, acc, false)
	case acc == Read && !t.Read, acc == Write && !t.Write, acc == Exec && !t.Exec:
		p.forbid(va, acc, t)
	case bus:
		p.fail(BusError, va, acc, false)
	}
	e := &p.tlb[va>>phys.PageShift&(tlbSize-1)]
	vpn := va >> phys.PageShift
	s := p.store(t.Frame.Addr())
	p.dirty = p.dirty || !p.strict
	e.base = t.Frame.Addr()
	e.rtag, e.wtag = noTag, noTag
	p.first(t, acc)
	told := p.watched(e.base)
	if t.Read && !p.strict && !(told && p.watch.Loads(t.Frame)) {
		e.rtag = vpn
	}
	if acc == Write {
		p.group.codeWritten(t.Frame)
		before := s.raw(t.Frame)
		e.page = s.WritablePage(t.Frame)
		if !p.strict && !told {
			e.wtag = vpn
		}
		if e.page != before {
			p.group.repoint(e.base, e.page)
		}
		return e
	}
	if e.page = s.raw(t.Frame); e.page == nil {
		e.page = &zeroPage
	}
	return e
}

// first tells of a page that is touched for the first time.
func (p *Port) first(t Translation, acc Access) {
	if p.Faulted != nil && (t.Fresh || acc == Write && p.store(t.Frame.Addr()).raw(t.Frame) == nil) {
		p.Faulted()
	}
}

// span checks an access to [va, va+size) that reaches into a second page, before
// anything is counted or changed. When the second is beyond the canonical
// addresses, the processor does not look at the first.
func (p *Port) span(va uint64, size uint64, acc Access) {
	last := va + size - 1
	if !canonical(last) {
		p.fail(NonCanonical, va, acc, false)
	}
	p.fill(va, acc)
	p.fill(last&^phys.PageMask, acc)
}

// FetchPage returns the page that holds va for instruction fetch.
func (p *Port) FetchPage(va uint64) (*Page, phys.Frame) {
	if !canonical(va) {
		p.fail(NonCanonical, va, Exec, false)
	}
	t, ok, bus := p.space.Translate(va, Exec)
	switch {
	case !ok:
		p.fail(PageFault, va, Exec, false)
	case !t.Exec:
		p.forbid(va, Exec, t)
	case bus:
		p.fail(BusError, va, Exec, false)
	}
	p.first(t, Exec)
	if p.core != nil {
		p.core.Fetch(t.Frame)
	}
	return p.store(t.Frame.Addr()).Whole(t.Frame), t.Frame
}

// touch tells the cache model of a load of size bytes at a.
func (p *Port) touch(a phys.Addr, size uint) {
	c := p.core
	l := a.Line()
	c.Loads++
	if c.MRU[l&c.MRUMask&63] != l {
		c.Load(l)
	}
	if uint(a)&(phys.LineSize-1)+size > phys.LineSize {
		c.Loads++
		if l++; c.MRU[l&c.MRUMask&63] != l {
			c.Load(l)
		}
	}
}

// buffer puts a store of size bytes (at most 8) that replaces old into the store buffer.
func (p *Port) buffer(a phys.Addr, size uint8, old uint64) {
	if in := phys.LineSize - uint8(a)&(phys.LineSize-1); size > in {
		p.push(a, in, old, 0)
		a, old, size = a+phys.Addr(in), old>>(8*in), size-in
	}
	p.push(a, size, old, 0)
}

func (p *Port) push(a phys.Addr, size uint8, lo, hi uint64) {
	if p.core.SB.Push(a, size, lo, hi) {
		p.core.Pushed()
	}
}

// Load8 loads one byte.
func (p *Port) Load8(va uint64) uint8 {
	e := &p.tlb[va>>phys.PageShift&(tlbSize-1)]
	off := va & phys.PageMask
	if e.rtag != va>>phys.PageShift {
		return uint8(p.loadSlow(va, 1))
	}
	if p.core != nil {
		p.touch(e.base+phys.Addr(off), 1)
	}
	return e.page[off]
}

// Load16 loads two bytes.
func (p *Port) Load16(va uint64) uint16 {
	e := &p.tlb[va>>phys.PageShift&(tlbSize-1)]
	off := va & phys.PageMask
	if e.rtag != va>>phys.PageShift || off > phys.PageSize-2 {
		return uint16(p.loadSlow(va, 2))
	}
	if p.core != nil {
		p.touch(e.base+phys.Addr(off), 2)
	}
	return binary.LittleEndian.Uint16(e.page[off : off+2])
}

// Load32 loads four bytes.
func (p *Port) Load32(va uint64) uint32 {
	e := &p.tlb[va>>phys.PageShift&(tlbSize-1)]
	off := va & phys.PageMask
	if e.rtag != va>>phys.PageShift || off > phys.PageSize-4 {
		return uint32(p.loadSlow(va, 4))
	}
	if p.core != nil {
		p.touch(e.base+phys.Addr(off), 4)
	}
	return binary.LittleEndian.Uint32(e.page[off : off+4])
}

// Load64 loads eight bytes.
func (p *Port) Load64(va uint64) uint64 {
	e := &p.tlb[va>>phys.PageShift&(tlbSize-1)]
	off := va & phys.PageMask
	if e.rtag != va>>phys.PageShift || off > phys.PageSize-8 {
		return p.loadSlow(va, 8)
	}
	if p.core != nil {
		p.touch(e.base+phys.Addr(off), 8)
	}
	return binary.LittleEndian.Uint64(e.page[off : off+8])
}

// loadSlow loads up to 8 bytes after a TLB miss or across a page.
func (p *Port) loadSlow(va uint64, size uint) uint64 {
	p.Align(va, size, Read)
	off := uint(va & phys.PageMask)
	if off+size <= phys.PageSize {
		e := p.fill(va, Read)
		if p.core != nil {
			p.touch(e.base+phys.Addr(off), size)
		}
		if p.watched(e.base) {
			return p.toldLoad(e, off, size)
		}
		return get(e.page[off : off+size])
	}
	first := phys.PageSize - off
	p.span(va, uint64(size), Read)
	lo := p.loadSlow(va, first)
	hi := p.loadSlow(va+uint64(first), size-first)
	return lo | hi<<(8*first)
}

func get(b []byte) (v uint64) {
	for i := range b {
		v |= uint64(b[i]) << (8 * i)
	}
	return v
}

func put(b []byte, v uint64) {
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
}

// Store8 stores one byte.
func (p *Port) Store8(va uint64, v uint8) {
	e := &p.tlb[va>>phys.PageShift&(tlbSize-1)]
	if e.wtag != va>>phys.PageShift {
		p.storeSlow(va, 1, uint64(v))
		return
	}
	off := va & phys.PageMask
	if p.core != nil {
		p.push(e.base+phys.Addr(off), 1, uint64(e.page[off]), 0)
	}
	e.page[off] = v
}

// Store16 stores two bytes.
func (p *Port) Store16(va uint64, v uint16) {
	e := &p.tlb[va>>phys.PageShift&(tlbSize-1)]
	off := va & phys.PageMask
	if e.wtag != va>>phys.PageShift || off > phys.PageSize-2 {
		p.storeSlow(va, 2, uint64(v))
		return
	}
	b := e.page[off : off+2]
	if p.core != nil {
		p.buffer(e.base+phys.Addr(off), 2, uint64(binary.LittleEndian.Uint16(b)))
	}
	binary.LittleEndian.PutUint16(b, v)
}

// Store32 stores four bytes.
func (p *Port) Store32(va uint64, v uint32) {
	e := &p.tlb[va>>phys.PageShift&(tlbSize-1)]
	off := va & phys.PageMask
	if e.wtag != va>>phys.PageShift || off > phys.PageSize-4 {
		p.storeSlow(va, 4, uint64(v))
		return
	}
	b := e.page[off : off+4]
	if p.core != nil {
		p.buffer(e.base+phys.Addr(off), 4, uint64(binary.LittleEndian.Uint32(b)))
	}
	binary.LittleEndian.PutUint32(b, v)
}

// Store64 stores eight bytes.
func (p *Port) Store64(va uint64, v uint64) {
	e := &p.tlb[va>>phys.PageShift&(tlbSize-1)]
	off := va & phys.PageMask
	if e.wtag != va>>phys.PageShift || off > phys.PageSize-8 {
		p.storeSlow(va, 8, v)
		return
	}
	b := e.page[off : off+8]
	if p.core != nil {
		p.buffer(e.base+phys.Addr(off), 8, binary.LittleEndian.Uint64(b))
	}
	binary.LittleEndian.PutUint64(b, v)
}

// storeSlow stores up to 8 bytes after a TLB miss or across a page.
func (p *Port) storeSlow(va uint64, size uint, v uint64) {
	p.Align(va, size, Write)
	off := uint(va & phys.PageMask)
	if off+size > phys.PageSize {
		first := phys.PageSize - off
		p.span(va, uint64(size), Write)
		p.storeSlow(va, first, v)
		p.storeSlow(va+uint64(first), size-first, v>>(8*first))
		return
	}
	e := p.fill(va, Write)
	if p.watched(e.base) {
		p.toldStore(va, size, v, 0, p.watch.Store)
		e = p.fill(va, Write) // whoever was told may have forked the memory
	}
	b := e.page[off : off+size]
	if p.core != nil {
		p.buffer(e.base+phys.Addr(off), uint8(size), get(b))
	}
	put(b, v)
}

// Load128 loads 16 bytes, low half first.
func (p *Port) Load128(va uint64) (lo, hi uint64) {
	e := &p.tlb[va>>phys.PageShift&(tlbSize-1)]
	off := va & phys.PageMask
	if e.rtag != va>>phys.PageShift || off > phys.PageSize-16 {
		p.Align(va, 16, Read)
		if off > phys.PageSize-16 {
			p.span(va, 16, Read)
			return p.loadSlow(va, 8), p.loadSlow(va+8, 8)
		}
		if e = p.fill(va, Read); p.watched(e.base) {
			if p.core != nil {
				p.touch(e.base+phys.Addr(off), 16)
			}
			return p.toldLoad(e, uint(off), 8), p.toldLoad(e, uint(off)+8, 8)
		}
	}
	if p.core != nil {
		p.touch(e.base+phys.Addr(off), 16)
	}
	b := e.page[off : off+16]
	return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
}

// Store128 stores 16 bytes, low half first. Inside a line it becomes visible at once.
func (p *Port) Store128(va uint64, lo, hi uint64) {
	e := &p.tlb[va>>phys.PageShift&(tlbSize-1)]
	off := va & phys.PageMask
	if e.wtag != va>>phys.PageShift || off > phys.PageSize-16 {
		p.Align(va, 16, Write)
		if off > phys.PageSize-16 {
			p.span(va, 16, Write)
			p.storeSlow(va, 8, lo)
			p.storeSlow(va+8, 8, hi)
			return
		}
		if p.fill(va, Write); p.watched(e.base) {
			p.toldStore(va, 16, lo, hi, p.watch.Store)
			p.fill(va, Write)
		}
	}
	b := e.page[off : off+16]
	if p.core != nil {
		a, l, h := e.base+phys.Addr(off), binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		if off&(phys.LineSize-1) <= phys.LineSize-16 {
			p.push(a, 16, l, h)
		} else {
			p.buffer(a, 8, l)
			p.buffer(a+8, 8, h)
		}
	}
	binary.LittleEndian.PutUint64(b, lo)
	binary.LittleEndian.PutUint64(b[8:], hi)
}

// Check panics with a *Fault unless [va, va+size) may be accessed.
func (p *Port) Check(va uint64, size uint64, acc Access) {
	if last := va + size - 1; last>>phys.PageShift != va>>phys.PageShift {
		p.span(va, size, acc)
		return
	}
	p.fill(va, acc)
}

// StoreNT stores size (4, 8 or 16) bytes past the caches into a write-combining buffer.
func (p *Port) StoreNT(va uint64, size uint, lo, hi uint64) {
	p.Align(va, size, Write)
	p.Check(va, uint64(size), Write)
	for i := uint(0); i < size; i += 8 {
		n := min(size-i, 8)
		p.ntPiece(va+uint64(i), n, lo)
		lo = hi
	}
}

func (p *Port) ntPiece(va uint64, size uint, v uint64) {
	if in := phys.LineSize - uint(va)&(phys.LineSize-1); size > in {
		p.ntPiece(va, in, v)
		va, v, size = va+uint64(in), v>>(8*in), size-in
	}
	e := p.fill(va, Write)
	off := va & phys.PageMask
	if p.watched(e.base) {
		p.toldStore(va, size, v, 0, p.watch.NTStore)
		e = p.fill(va, Write)
	}
	b := e.page[off : off+uint64(size)]
	old := get(b)
	if p.core != nil {
		p.core.NTStore(e.base+phys.Addr(off), uint8(size), old, 0)
	}
	put(b, v)
}

// Flush executes a CLFLUSH, CLFLUSHOPT or CLWB of the line that holds va.
func (p *Port) Flush(va uint64, k cachemodel.FlushKind) {
	e := p.fill(va, Read)
	l := (e.base + phys.Addr(va&phys.PageMask)).Line()
	if p.watched(e.base) {
		p.watch.Flush(l, k)
	}
	if p.core != nil {
		p.core.Flush(l, k)
	}
}

// FlushPhys is Flush of the line that holds a physical address: of the runtime's own state.
func (p *Port) FlushPhys(a phys.Addr, k cachemodel.FlushKind) {
	if p.core != nil {
		p.core.Flush(a.Line(), k)
	}
}

// Fence executes an ordering instruction.
func (p *Port) Fence(k cachemodel.FenceKind) {
	if p.watch != nil {
		p.watch.Fence(k)
	}
	if p.core != nil {
		p.core.Fence(k)
	}
}

// ReadBytes copies guest memory into buf, a line at a time.
func (p *Port) ReadBytes(va uint64, buf []byte) (err error) {
	defer recoverFault(&err)
	for len(buf) > 0 {
		e := p.fill(va, Read)
		off := va & phys.PageMask
		n := min(len(buf), phys.LineSize-int(va&(phys.LineSize-1)))
		if p.core != nil {
			p.touch(e.base+phys.Addr(off), uint(n))
		}
		if p.watched(e.base) && p.watch.Loads(e.base.Frame()) {
			p.watch.Load(e.base+phys.Addr(off), buf[:n])
		} else {
			copy(buf[:n], e.page[off:])
		}
		buf, va = buf[n:], va+uint64(n)
	}
	return nil
}

// WriteBytes copies data into guest memory, in stores of at most 8 bytes. On a
// fault, what lies before the faulting byte is written, as in the kernel.
func (p *Port) WriteBytes(va uint64, data []byte) (err error) {
	defer recoverFault(&err)
	for len(data) > 0 {
		n := min(len(data), 8-int(va&7))
		if n == 8 {
			p.Store64(va, binary.LittleEndian.Uint64(data))
		} else {
			p.storeSlow(va, uint(n), get(data[:n]))
		}
		data, va = data[n:], va+uint64(n)
	}
	return nil
}

func recoverFault(err *error) {
	switch f := recover().(type) {
	case nil:
	case *Fault:
		*err = f
	default:
		panic(f)
	}
}

// StorePhys64 stores eight aligned bytes of physical memory: the runtime's own state.
func (p *Port) StorePhys64(a phys.Addr, v uint64) {
	if p.Step != nil {
		p.Step()
	}
	b := p.store(a).WritablePage(a.Frame())[a&phys.PageMask:]
	if p.core != nil {
		p.push(a, 8, binary.LittleEndian.Uint64(b), 0)
	}
	binary.LittleEndian.PutUint64(b, v)
}
