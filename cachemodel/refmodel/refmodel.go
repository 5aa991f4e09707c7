// Package refmodel is a deliberately dumb second implementation of cachemodel
// for its tests. It really carries data: every cached line, buffered store and
// write-combining buffer has bytes of its own, memory has what arrived there and
// nothing else, and bytes move from one to the other. A crash image is a copy of
// memory into which the surviving buffers and lines are moved.
//
// It follows the policies stated in cachemodel's package comment, shares no code
// with it but the configuration and the names of events, and is not fast. It has
// no timing. One core.
package refmodel

import (
	"slices"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// Line is the content of one line.
type Line [phys.LineSize]byte

// Machine is the hierarchy of one core and the memory behind it.
type Machine struct {
	Memory map[phys.LineAddr]Line // PMEM and DRAM; absent lines are zero
	Counts Counts

	cfg     cachemodel.Config
	cache   [cachemodel.Levels][][]*cached // level, set, ways from the most recently used
	buffer  []buffered
	wc      []*combining // oldest first
	flushes []*pendingFlush
}

// Counts are the events that both implementations count alike.
type Counts struct {
	PMEMReads, DRAMReads, PMEMWrites, DRAMWrites  uint64
	L1Misses, L2Misses, LLCMisses                 uint64
	WriteBacks                                    [cachemodel.Levels]uint64 // dirty victims
	FlushWriteBacks                               uint64
	StoresCommitted, WCEvictions, WCPartial, NTOp uint64
}

type cached struct {
	line  phys.LineAddr
	data  Line
	dirty bool
}

// buffered is a store, or a flush when data is nil.
type buffered struct {
	addr phys.Addr
	data []byte
	kind cachemodel.FlushKind
}

type combining struct {
	line   phys.LineAddr
	data   Line
	stored [phys.LineSize]bool
}

// pendingFlush promises that its barrier puts data into memory.
type pendingFlush struct {
	line  phys.LineAddr
	data  Line
	newer bool // the line was stored to since
	kind  cachemodel.FlushKind
}

// New returns a cold machine with empty memory.
func New(cfg cachemodel.Config) *Machine {
	m := &Machine{cfg: cfg, Memory: map[phys.LineAddr]Line{}}
	for i, g := range []cachemodel.Geometry{cfg.L1D, cfg.L2, cfg.LLC} {
		m.cache[i] = make([][]*cached, g.Sets())
	}
	return m
}

func (m *Machine) set(level int, l phys.LineAddr) *[]*cached {
	sets := m.cache[level]
	return &sets[uint64(l)%uint64(len(sets))]
}

// lookup returns the level that holds l, -1 for none.
func (m *Machine) lookup(l phys.LineAddr) (*cached, int) {
	for level := range m.cache {
		for _, c := range *m.set(level, l) {
			if c.line == l {
				return c, level
			}
		}
	}
	return nil, -1
}

func (m *Machine) remove(level int, l phys.LineAddr) {
	s := m.set(level, l)
	*s = slices.DeleteFunc(*s, func(c *cached) bool { return c.line == l })
}

// fill moves l to the front of its L1 set and victims outwards.
func (m *Machine) fill(l phys.LineAddr) *cached {
	c, level := m.lookup(l)
	m.Counts.L1Misses += count(level != 0)
	m.Counts.L2Misses += count(level != 0 && level != 1)
	m.Counts.LLCMisses += count(c == nil)
	if c != nil {
		m.remove(level, l)
	} else {
		if l.IsPMEM() {
			m.Counts.PMEMReads++
		} else {
			m.Counts.DRAMReads++
		}
		c = &cached{line: l, data: m.Memory[l]}
	}
	in := c
	for i, g := range []cachemodel.Geometry{m.cfg.L1D, m.cfg.L2, m.cfg.LLC} {
		s := m.set(i, in.line)
		*s = append([]*cached{in}, *s...)
		if len(*s) <= g.Ways {
			return c
		}
		in = (*s)[g.Ways]
		*s = (*s)[:g.Ways]
		m.Counts.WriteBacks[i] += count(in.dirty)
	}
	if in.dirty {
		m.writeBack(in)
	}
	return c
}

func count(yes bool) uint64 {
	if yes {
		return 1
	}
	return 0
}

func (m *Machine) write(l phys.LineAddr, d Line) {
	if l.IsPMEM() {
		m.Counts.PMEMWrites++
	} else {
		m.Counts.DRAMWrites++
	}
	m.Memory[l] = d
}

func (m *Machine) writeBack(c *cached) {
	m.write(c.line, c.data)
	c.dirty = false
	m.flushes = slices.DeleteFunc(m.flushes, func(p *pendingFlush) bool { return p.line == c.line })
}

// purge writes l back if it is dirty and drops it from the caches.
func (m *Machine) purge(l phys.LineAddr) {
	c, level := m.lookup(l)
	if c == nil {
		return
	}
	if c.dirty {
		m.Counts.FlushWriteBacks++
		m.writeBack(c)
	}
	m.remove(level, l)
}

// Load returns n bytes as the core itself sees them.
func (m *Machine) Load(a phys.Addr, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		b := a + phys.Addr(i)
		if i == 0 || b.Line() != (b-1).Line() {
			m.fill(b.Line())
		}
	}
	for i := range out {
		b := a + phys.Addr(i)
		out[i] = m.own(b)
	}
	return out
}

// own returns one byte through the buffers.
func (m *Machine) own(a phys.Addr) byte {
	off := a % phys.LineSize
	v := m.Memory[a.Line()][off]
	if c, _ := m.lookup(a.Line()); c != nil {
		v = c.data[off]
	}
	if w := m.combining(a.Line()); w != nil && w.stored[off] {
		v = w.data[off]
	}
	for _, b := range m.buffer {
		if a >= b.addr && a < b.addr+phys.Addr(len(b.data)) {
			v = b.data[a-b.addr]
		}
	}
	return v
}

// Store retires a store of 1 to 16 bytes into the store buffer, in parts when it
// crosses a line.
func (m *Machine) Store(a phys.Addr, data []byte) {
	for len(data) > 0 {
		n := min(len(data), int(phys.LineSize-a%phys.LineSize))
		m.push(buffered{addr: a, data: slices.Clone(data[:n])})
		a, data = a+phys.Addr(n), data[n:]
	}
}

func (m *Machine) push(b buffered) {
	m.buffer = append(m.buffer, b)
	if len(m.buffer) > m.cfg.StoreBuffer {
		m.commit()
	}
}

// Flush retires a flush into the store buffer.
func (m *Machine) Flush(l phys.LineAddr, k cachemodel.FlushKind) {
	m.push(buffered{addr: l.Addr(), kind: k})
}

// commit lets the oldest entry of the store buffer act.
func (m *Machine) commit() {
	b := m.buffer[0]
	m.buffer = m.buffer[1:]
	l := b.addr.Line()
	switch {
	case b.data != nil:
		m.leaveWC(l)
		c := m.fill(l)
		copy(c.data[b.addr%phys.LineSize:], b.data)
		c.dirty = true
		m.Counts.StoresCommitted++
		for _, p := range m.flushes {
			p.newer = p.newer || p.line == l
		}
	case b.kind == cachemodel.CLFLUSH:
		m.leaveWC(l)
		m.purge(l)
	default:
		m.weakFlush(l, b.kind)
	}
}

func (m *Machine) weakFlush(l phys.LineAddr, k cachemodel.FlushKind) {
	c, _ := m.lookup(l)
	switch {
	case c == nil:
	case c.dirty && l.IsPMEM():
		m.flushes = slices.DeleteFunc(m.flushes, func(p *pendingFlush) bool { return p.line == l })
		m.flushes = append(m.flushes, &pendingFlush{line: l, data: c.data, kind: k})
		if len(m.flushes) > m.cfg.PendingFlushes {
			m.complete()
		}
	default:
		if c.dirty {
			m.Counts.FlushWriteBacks++
			m.writeBack(c)
		}
		m.settle(l, k)
	}
}

func (m *Machine) settle(l phys.LineAddr, k cachemodel.FlushKind) {
	if k == cachemodel.CLFLUSHOPT || m.cfg.CLWBEvicts {
		m.purge(l)
	}
}

// complete keeps the promise of the oldest pending flush.
func (m *Machine) complete() {
	p := m.flushes[0]
	m.flushes = m.flushes[1:]
	m.Counts.FlushWriteBacks++
	m.write(p.line, p.data)
	if !p.newer {
		c, _ := m.lookup(p.line)
		c.dirty = false
		m.settle(p.line, p.kind)
	}
}

func (m *Machine) combining(l phys.LineAddr) *combining {
	for _, w := range m.wc {
		if w.line == l {
			return w
		}
	}
	return nil
}

// leaveWC sends the write-combining buffer of l to memory. Cached copies, which
// are stale now, are dropped.
func (m *Machine) leaveWC(l phys.LineAddr) {
	w := m.combining(l)
	if w == nil {
		return
	}
	m.wc = slices.DeleteFunc(m.wc, func(o *combining) bool { return o == w })
	d := m.Memory[l]
	m.Counts.WCEvictions++
	if w.merge(&d) < phys.LineSize {
		m.Counts.WCPartial++
	}
	m.write(l, d)
	m.purge(l)
}

func (w *combining) merge(d *Line) (bytes int) {
	for i, ok := range w.stored {
		if ok {
			d[i] = w.data[i]
			bytes++
		}
	}
	return bytes
}

// NTStore is a non-temporal store within one line.
func (m *Machine) NTStore(a phys.Addr, data []byte) {
	l := a.Line()
	m.Counts.NTOp++
	m.orderBefore(l)
	w := m.combining(l)
	if w == nil {
		if len(m.wc) == m.cfg.WCBuffers {
			m.leaveWC(m.wc[0].line)
		}
		m.purge(l)
		w = &combining{line: l}
		m.wc = append(m.wc, w)
	}
	for i, v := range data {
		off := (a + phys.Addr(i)) % phys.LineSize
		w.data[off], w.stored[off] = v, true
	}
}

func (m *Machine) orderBefore(l phys.LineAddr) {
	wait := 0
	for i, b := range m.buffer {
		if b.addr.Line() == l || b.data == nil && b.kind == cachemodel.CLFLUSH {
			wait = i + 1
		}
	}
	for range wait {
		m.commit()
	}
}

// DMA writes a line past the core.
func (m *Machine) DMA(l phys.LineAddr, d Line) {
	m.orderBefore(l)
	m.leaveWC(l)
	m.purge(l)
	m.Memory[l] = d
}

// Fence is an ordering instruction.
func (m *Machine) Fence(k cachemodel.FenceKind) {
	if k == cachemodel.LFENCE {
		return
	}
	for len(m.buffer) > 0 {
		m.commit()
	}
	switch k {
	case cachemodel.SFENCE, cachemodel.MFENCE, cachemodel.Locked:
		for len(m.flushes) > 0 {
			m.complete()
		}
	}
	for len(m.wc) > 0 {
		m.leaveWC(m.wc[0].line)
	}
}

// Inventory counts by looking.
func (m *Machine) Inventory() (v cachemodel.Inventory) {
	for _, b := range m.buffer {
		if b.data != nil {
			v.BufferedStores++
		}
	}
	v.WCEntries = len(m.wc)
	for level, sets := range m.cache {
		for _, s := range sets {
			for _, c := range s {
				if c.dirty {
					v.DirtyLines[level]++
					if c.line.IsPMEM() {
						v.DirtyPMEM[level]++
					}
				}
			}
		}
	}
	return v
}
