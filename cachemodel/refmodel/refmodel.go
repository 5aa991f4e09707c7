// Package refmodel is a deliberately dumb second implementation of cachemodel
// for its tests. It really carries data: every cached copy, buffered store and
// write-combining buffer has bytes of its own, memory has what arrived there and
// nothing else, and bytes move from one to the other. A load returns the bytes
// that reached its core. A crash image is a copy of memory into which the
// surviving buffers and lines are moved.
//
// It follows the policies stated in cachemodel's package comment, shares no code
// with it but the configuration and the names of events, and is not fast: who
// else has a line is found by searching everybody, and which of two flushes saw
// the newer line by counting the stores to it. It has no timing.
package refmodel

import (
	"bytes"
	"fmt"
	"slices"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// Line is the content of one line.
type Line [phys.LineSize]byte

// Machine is the cores, their hierarchy and the memory behind it.
type Machine struct {
	Memory map[phys.LineAddr]Line // PMEM and DRAM; absent lines are zero
	Counts Counts

	cfg     cachemodel.Config
	cores   []*core
	llc     cache
	version map[phys.LineAddr]int // stores to a line that became visible
}

// core is what belongs to one core alone.
type core struct {
	m       *Machine
	cache   [2]cache // L1D, L2
	buffer  []buffered
	wc      []*combining // oldest first
	flushes []*pendingFlush
}

// Counts are the events that both implementations count alike.
type Counts struct {
	PMEMReads, DRAMReads, PMEMWrites, DRAMWrites  uint64
	L1Misses, L2Misses, LLCMisses                 uint64
	Transfers, Downgrades, Upgrades, Invalidated  uint64
	WriteBacks                                    [cachemodel.Levels]uint64 // dirty victims
	FlushWriteBacks                               uint64
	StoresCommitted, WCEvictions, WCPartial, NTOp uint64
}

// cached is one copy of a line.
type cached struct {
	line   phys.LineAddr
	data   Line
	dirty  bool
	shared bool // once another core had a copy too
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
	line    phys.LineAddr
	data    Line
	version int // of data
	kind    cachemodel.FlushKind
}

// New returns a cold machine with empty memory.
func New(cfg cachemodel.Config) *Machine {
	m := &Machine{cfg: cfg, Memory: map[phys.LineAddr]Line{}, llc: newCache(cfg.LLC), version: map[phys.LineAddr]int{}}
	for range cfg.Cores {
		m.cores = append(m.cores, &core{m: m, cache: [2]cache{newCache(cfg.L1D), newCache(cfg.L2)}})
	}
	return m
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

// forget drops the pending flushes of a line that saw at most this version.
func (m *Machine) forget(l phys.LineAddr, version int) {
	for _, c := range m.cores {
		c.flushes = slices.DeleteFunc(c.flushes, func(p *pendingFlush) bool { return p.line == l && p.version <= version })
	}
}

func (m *Machine) writeBack(c *cached) {
	m.write(c.line, c.data)
	c.dirty = false
	m.forget(c.line, m.version[c.line])
}

// Load returns n bytes as a core sees them.
func (m *Machine) Load(id int, a phys.Addr, n int) (out []byte) {
	c := m.cores[id]
	for n > 0 {
		part := min(n, int(phys.LineSize-a%phys.LineSize))
		m.showTo(c, a.Line())
		d := c.obtain(a.Line(), false).data
		c.forward(a.Line(), &d)
		out = append(out, d[a%phys.LineSize:][:part]...)
		a, n = a+phys.Addr(part), n-part
	}
	return out
}

// forward lays what the core itself has buffered for a line over it.
func (c *core) forward(l phys.LineAddr, d *Line) {
	if w := c.combining(l); w != nil {
		w.merge(d)
	}
	for _, b := range c.buffer {
		if b.addr.Line() == l {
			copy(d[b.addr%phys.LineSize:], b.data)
		}
	}
}

// showTo makes visible what others than c have buffered for a line.
func (m *Machine) showTo(c *core, l phys.LineAddr) {
	for _, o := range m.cores {
		if o != c {
			o.show(func(of phys.LineAddr) bool { return of == l })
		}
	}
}

// show makes the core's stores to some lines visible, and what is before them.
func (c *core) show(of func(phys.LineAddr) bool) {
	wait := 0
	for i, b := range c.buffer {
		if b.data != nil && of(b.addr.Line()) {
			wait = i + 1
		}
	}
	for range wait {
		c.commit()
	}
	for _, w := range slices.Clone(c.wc) {
		if of(w.line) {
			c.leaveWC(w.line)
		}
	}
}

// Fetch decodes instructions of a frame.
func (m *Machine) Fetch(id int, f phys.Frame) {
	for _, o := range m.cores {
		if o != m.cores[id] {
			o.show(func(of phys.LineAddr) bool { return of.Addr().Frame() == f })
		}
	}
}

// Store retires a store of 1 to 16 bytes into the store buffer, in parts when it
// crosses a line.
func (m *Machine) Store(id int, a phys.Addr, data []byte) {
	c := m.cores[id]
	for len(data) > 0 {
		n := min(len(data), int(phys.LineSize-a%phys.LineSize))
		m.showTo(c, a.Line())
		c.push(buffered{addr: a, data: slices.Clone(data[:n])})
		a, data = a+phys.Addr(n), data[n:]
	}
}

func (c *core) push(b buffered) {
	c.buffer = append(c.buffer, b)
	if len(c.buffer) > c.m.cfg.StoreBuffer {
		c.commit()
	}
}

// Flush retires a flush into the store buffer.
func (m *Machine) Flush(id int, l phys.LineAddr, k cachemodel.FlushKind) {
	m.cores[id].push(buffered{addr: l.Addr(), kind: k})
}

// commit lets the oldest entry of the store buffer act.
func (c *core) commit() {
	b := c.buffer[0]
	c.buffer = c.buffer[1:]
	l := b.addr.Line()
	switch {
	case b.data != nil:
		c.leaveWC(l)
		line := c.obtain(l, true)
		copy(line.data[b.addr%phys.LineSize:], b.data)
		line.dirty = true
		c.m.version[l]++
		c.m.Counts.StoresCommitted++
	case b.kind == cachemodel.CLFLUSH:
		c.leaveWC(l)
		c.m.purge(l)
	default:
		c.weakFlush(l, b.kind)
	}
}

func (c *core) weakFlush(l phys.LineAddr, k cachemodel.FlushKind) {
	m := c.m
	line := m.newest(l)
	switch {
	case line == nil:
	case line.dirty && l.IsPMEM():
		c.flushes = slices.DeleteFunc(c.flushes, func(p *pendingFlush) bool { return p.line == l })
		c.flushes = append(c.flushes, &pendingFlush{line: l, data: line.data, version: m.version[l], kind: k})
		if len(c.flushes) > m.cfg.PendingFlushes {
			c.complete()
		}
	default:
		if line.dirty {
			m.Counts.FlushWriteBacks++
			m.writeBack(line)
		}
		m.settle(l, k)
	}
}

func (m *Machine) settle(l phys.LineAddr, k cachemodel.FlushKind) {
	if k == cachemodel.CLFLUSHOPT || m.cfg.CLWBEvicts {
		m.purge(l)
	}
}

// complete keeps the promise of the core's oldest pending flush.
func (c *core) complete() {
	m, p := c.m, c.flushes[0]
	m.Counts.FlushWriteBacks++
	m.write(p.line, p.data)
	m.forget(p.line, p.version)
	if m.version[p.line] == p.version {
		m.newest(p.line).dirty = false
		m.settle(p.line, p.kind)
	}
}

func (c *core) combining(l phys.LineAddr) *combining {
	for _, w := range c.wc {
		if w.line == l {
			return w
		}
	}
	return nil
}

// leaveWC sends the core's write-combining buffer of l to memory. Cached copies,
// which are stale now, are dropped.
func (c *core) leaveWC(l phys.LineAddr) {
	w := c.combining(l)
	if w == nil {
		return
	}
	c.wc = slices.DeleteFunc(c.wc, func(o *combining) bool { return o == w })
	d := c.m.Memory[l]
	c.m.Counts.WCEvictions++
	if w.merge(&d) < phys.LineSize {
		c.m.Counts.WCPartial++
	}
	c.m.write(l, d)
	c.m.purge(l)
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
func (m *Machine) NTStore(id int, a phys.Addr, data []byte) {
	c, l := m.cores[id], a.Line()
	m.Counts.NTOp++
	m.showTo(c, l)
	c.orderBefore(l)
	w := c.combining(l)
	if w == nil {
		if len(c.wc) == m.cfg.WCBuffers {
			c.leaveWC(c.wc[0].line)
		}
		m.purge(l)
		w = &combining{line: l}
		c.wc = append(c.wc, w)
	}
	for i, v := range data {
		off := (a + phys.Addr(i)) % phys.LineSize
		w.data[off], w.stored[off] = v, true
	}
}

func (c *core) orderBefore(l phys.LineAddr) {
	wait := 0
	for i, b := range c.buffer {
		if b.addr.Line() == l || b.data == nil && b.kind == cachemodel.CLFLUSH {
			wait = i + 1
		}
	}
	for range wait {
		c.commit()
	}
}

// DMA writes a line past the cores.
func (m *Machine) DMA(l phys.LineAddr, d Line) {
	for _, c := range m.cores {
		c.orderBefore(l)
		c.leaveWC(l)
	}
	m.purge(l)
	m.Memory[l] = d
}

// Overwrite puts bytes of one line past the cores into memory, and into every copy.
func (m *Machine) Overwrite(a phys.Addr, data []byte) {
	l := a.Line()
	put := func(at phys.Addr, into []byte) {
		for i := range into {
			if k := int64(at) + int64(i) - int64(a); k >= 0 && k < int64(len(data)) {
				into[i] = data[k]
			}
		}
	}
	d := m.Memory[l]
	put(l.Addr(), d[:])
	m.Memory[l] = d
	m.each(func(_ int, c *cached) {
		if c.line == l {
			put(l.Addr(), c.data[:])
		}
	})
	for _, c := range m.cores {
		for _, b := range c.buffer {
			put(b.addr, b.data)
		}
		for _, w := range c.wc {
			if w.line == l {
				put(l.Addr(), w.data[:])
			}
		}
		for _, p := range c.flushes {
			if p.line == l {
				put(l.Addr(), p.data[:])
			}
		}
	}
}

// WriteBack makes a frame persistent as the cores see it; its lines stay where they are.
func (m *Machine) WriteBack(f phys.Frame) {
	for _, c := range m.cores {
		c.show(func(of phys.LineAddr) bool { return of.Addr().Frame() == f })
	}
	m.each(func(_ int, c *cached) {
		if c.line.Addr().Frame() == f && c.dirty {
			m.Counts.FlushWriteBacks++
			m.writeBack(c)
		}
	})
}

// Fence is an ordering instruction of a core.
func (m *Machine) Fence(id int, k cachemodel.FenceKind) {
	if k == cachemodel.LFENCE {
		return
	}
	c := m.cores[id]
	for len(c.buffer) > 0 {
		c.commit()
	}
	switch k {
	case cachemodel.SFENCE, cachemodel.MFENCE, cachemodel.Locked:
		for len(c.flushes) > 0 {
			c.complete()
		}
	}
	for len(c.wc) > 0 {
		c.leaveWC(c.wc[0].line)
	}
}

// Inventory counts by looking.
func (m *Machine) Inventory() (v cachemodel.Inventory) {
	for _, c := range m.cores {
		for _, b := range c.buffer {
			v.BufferedStores += int(count(b.data != nil))
		}
		v.WCEntries += len(c.wc)
	}
	m.each(func(level int, c *cached) {
		if c.dirty {
			v.DirtyLines[level]++
			v.DirtyPMEM[level] += int(count(c.line.IsPMEM()))
		}
	})
	return v
}

// Check reports a copy that is not what the others and memory hold.
func (m *Machine) Check() (err error) {
	m.each(func(level int, c *cached) {
		want := m.Memory[c.line]
		if n := m.newest(c.line); n.dirty {
			want = n.data
		}
		if !bytes.Equal(c.data[:], want[:]) {
			err = fmt.Errorf("a copy of %v at level %d holds %x, want %x", c.line.Addr(), level, c.data[:], want[:])
		}
	})
	return err
}
