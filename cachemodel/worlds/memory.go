package worlds

import (
	"fmt"

	"zhuque/sim/phys"
)

// Domain says what of the machine a power cut spares.
type Domain uint8

// The persistence domains: rules 12 and 13.
const (
	ADR  Domain = iota // what the memory controller has accepted
	EADR               // what is globally visible
)

func (d Domain) String() string { return [...]string{"adr", "eadr"}[d] }

// FlushKind is one of the cache-line flush instructions.
type FlushKind uint8

// The flush instructions: rules 5 and 6. The last two differ in timing alone.
const (
	CLFLUSH FlushKind = iota
	CLFLUSHOPT
	CLWB
)

func (k FlushKind) String() string { return [...]string{"clflush", "clflushopt", "clwb"}[k] }

// FenceKind is one of the ordering instructions and events.
type FenceKind uint8

// What each orders: rules 7, 8 and 9.
const (
	SFENCE    FenceKind = iota
	LFENCE              // drains nothing, completes no flush
	MFENCE              //
	Locked              // a locked instruction or XCHG: before its load and after its store
	Serialize           // drains the buffers, completes no flush
	Interrupt           // as Serialize
)

func (k FenceKind) String() string {
	return [...]string{"sfence", "lfence", "mfence", "locked", "serialize", "interrupt"}[k]
}

// completes reports whether pending flushes get their guarantee at the fence.
func (k FenceKind) completes() bool { return k == SFENCE || k == MFENCE || k == Locked }

// Site is an instruction of the program as the machine numbers them; the engine
// hands it back and looks at nothing but equality.
type Site uint64

// Source shows current bytes: those of the machine's memory, with every retired
// store in them. A Memory asks it about a line when the line opens, before the
// first store of it changes anything, and after a cut about lines that were never
// open or have been taken over (see Memory.Open).
type Source interface {
	ReadLine(l phys.LineAddr, dst *[phys.LineSize]byte)
}

// Config is what a Memory is told of the machine.
type Config struct {
	Domain Domain
	Cores  int // 0 counts as 1
	// StoreBuffer is how many retired stores and flushes of a core may be
	// invisible. With 0 each is visible at once, which under ADR leaves out only
	// that a CLFLUSH may still wait at an acknowledgement. EADR needs 1 at least,
	// and takes 0 for that.
	StoreBuffer int
	// Keep keeps the bytes of lines that have closed, so that the Source need only
	// know what was there in the beginning.
	Keep bool
}

// Memory is persistent memory as the program has written it and as power cuts may
// have left it: the running generation and the past ones. See the package comment.
// Its methods are not for several goroutines at once; forks are independent.
type Memory struct {
	// Look, when it is not nil, is called before a lower bound moves up or a buffer
	// drains, when there are stores that no earlier look has seen. The Memory may be
	// forked and cut inside, and must not be changed.
	Look func()

	cfg   Config
	src   Source
	own   *owner
	lines trie[line] // of the running generation: those that are open
	last  *line      // the line of the last store, a shortcut; nil or in lines and ours
	cores []core
	pasts []past // oldest first

	seq     uint64 // stores that became visible, in all generations
	retired uint64 // stores that retired
	looked  uint64 // retired at the last look
	unseen  bool   // something beside stores has changed since then
	ntNew   uint64 // non-temporal stores since the last look

	fencing Site // while a barrier acts: the fence

	digest     digests
	trace      *Decision
	guarantees guarantees
}

// core is what is a core's own.
type core struct {
	ring       []buffered // a power of two; nil without a store buffer
	head, tail uint32
	weak       int // live entries that are CLFLUSHOPT or CLWB and wait
	strong     int // live entries that are CLFLUSH
	beside     int // live entries that are or were such
	noted      []phys.LineAddr
	combining  []phys.LineAddr // with non-temporal stores that have not left, oldest first
	retired    uint64
	looked     uint64
	thread     uint32 // that it runs
}

// New returns an empty record of a machine whose memory src shows.
func New(cfg Config, src Source) *Memory {
	cfg.Cores = max(cfg.Cores, 1)
	if cfg.Domain == EADR {
		cfg.StoreBuffer = max(cfg.StoreBuffer, 1)
	}
	return &Memory{cfg: cfg, src: src, own: new(owner), cores: make([]core, cfg.Cores)}
}

// Fork returns a second Memory of the same state, whose bytes are behind src. It
// costs the same whatever has been stored, and what is in store buffers.
func (m *Memory) Fork(src Source) *Memory {
	f := *m
	f.src, f.Look, f.last, f.guarantees = src, nil, nil, nil
	m.own, m.last = new(owner), nil
	f.own = new(owner)
	f.cores = make([]core, len(m.cores))
	for i := range m.cores {
		f.cores[i] = m.cores[i].fork()
	}
	f.pasts = append([]past(nil), m.pasts...)
	f.digest.touched = m.digest.touched[:len(m.digest.touched):len(m.digest.touched)]
	m.digest.touched = f.digest.touched
	return &f
}

func (c *core) fork() core {
	f := *c
	if c.head != c.tail {
		f.ring = append([]buffered(nil), c.ring...)
	} else {
		f.ring = nil
	}
	f.noted = f.noted[:len(f.noted):len(f.noted)]
	f.combining = f.combining[:len(f.combining):len(f.combining)]
	c.combining = f.combining
	return f
}

// Store retires a store of 1 to 64 bytes. The bytes are not in the Source yet.
// Other cores' accesses to the line come first: see Access.
func (m *Memory) Store(id int, a phys.Addr, data []byte, site Site) {
	for joined := false; len(data) > 0; joined = true {
		off := int(a % phys.LineSize)
		n := min(len(data), phys.LineSize-off)
		ln := m.open(a.Line())
		if m.cfg.StoreBuffer == 0 {
			ln = m.makeWay(id, ln) // with its look, before this store counts
		}
		m.retired++
		c := &m.cores[id]
		c.retired++
		if m.cfg.StoreBuffer == 0 {
			m.visible(ln, id, off, data[:n], site, m.retired)
		} else {
			ln.buffered++
			b := c.push(m.cfg.StoreBuffer)
			b.kind, b.line, b.off, b.size, b.joined = bufferedStore, ln.addr, uint8(off), uint8(n), joined
			b.site, b.at = site, m.retired
			copy(b.data[:], data[:n])
		}
		a, data = a+phys.Addr(n), data[n:]
	}
	m.overflow(id)
}

// visible is a store that becomes globally visible.
func (m *Memory) visible(ln *line, id, off int, data []byte, site Site, at uint64) {
	ln = m.makeWay(id, ln)
	m.seq++
	if m.cfg.Domain == EADR {
		ln.put(off, data)
		ln.baseAt, ln.baseSite = at, site
		m.changed(ln)
		return
	}
	ln.add(entry{off: uint8(off), size: uint8(len(data)), core: uint8(id),
		thread: m.cores[id].thread, seq: m.seq, at: at, site: site}, data)
	m.changed(ln)
}

// makeWay lets the core's write-combining buffer of a line out before a store of
// the core becomes visible there: it is older, and of the same address (rule 10).
func (m *Memory) makeWay(id int, ln *line) *line {
	if ln.combines(id) < 0 {
		return ln
	}
	m.leave(id, ln.addr)
	return m.open(ln.addr)
}

// FlushEffect is what a flush found.
type FlushEffect uint8

// What a flush may find.
const (
	FlushDirty  FlushEffect = iota // stores that were not guaranteed, nor flushed by this core
	FlushClean                     // nothing to do
	FlushedOnce                    // nothing new since this core's last flush, which waits for a fence
)

// Flush retires a flush of the line.
func (m *Memory) Flush(id int, l phys.LineAddr, k FlushKind, site Site) FlushEffect {
	effect := m.found(id, l)
	c := &m.cores[id]
	switch {
	case k == CLFLUSH && m.cfg.StoreBuffer == 0:
		m.clflush(id, l, site)
	case k == CLFLUSH:
		b := c.push(m.cfg.StoreBuffer)
		b.kind, b.line, b.site, b.joined = bufferedCLFLUSH, l, site, false
		c.strong++
		m.overflow(id)
	case c.orders(l):
		if !c.waits(l, site) {
			b := c.push(m.cfg.StoreBuffer)
			b.kind, b.line, b.site, b.joined = bufferedFlush, l, site, false
			c.weak++
			c.beside++
		}
	default:
		m.note(id, l, site)
	}
	return effect
}

// found says what a flush of the line is good for.
func (m *Memory) found(id int, l phys.LineAddr) FlushEffect {
	ln := m.lines.get(uint64(l))
	switch {
	case ln == nil || ln.buffered == 0 && len(ln.list) == 0 && len(ln.nt) == 0 || m.cfg.Domain == EADR:
		return FlushClean
	case ln.buffered == 0 && len(ln.list) > 0:
		if i := ln.noteOf(id); i >= 0 && ln.notes[i].seq >= ln.list[len(ln.list)-1].seq {
			return FlushedOnce
		}
	}
	return FlushDirty
}

// clflush is a CLFLUSH that leaves the store buffer, or never was in one.
func (m *Memory) clflush(id int, l phys.LineAddr, site Site) {
	ln := m.lines.get(uint64(l))
	if ln == nil {
		return
	}
	if ln.combines(id) >= 0 {
		m.leave(id, l)
		ln = m.lines.get(uint64(l))
	}
	if ln == nil || len(ln.list) == 0 {
		return
	}
	m.before()
	ln = m.mine(m.lines.get(uint64(l)))
	ln.flushed = note{core: uint8(id), seq: m.seq, site: site}
	m.raise(ln, m.seq, site)
	m.closeIfDone(ln)
}

// note is the earliest instant at which a CLFLUSHOPT or CLWB may act: what is
// visible in the line now is guaranteed at the core's next barrier.
func (m *Memory) note(id int, l phys.LineAddr, site Site) {
	ln := m.lines.get(uint64(l))
	if ln == nil || len(ln.list) == 0 {
		return
	}
	ln = m.mine(ln)
	n := note{core: uint8(id), seq: m.seq, site: site}
	ln.flushed = n
	if i := ln.noteOf(id); i >= 0 {
		ln.notes[i] = n
		return
	}
	ln.notes = append(ln.notes, n)
	c := &m.cores[id]
	if len(c.noted) > 2*m.lines.n+1024 {
		c.noted = m.stillNoted(id)
	}
	c.noted = append(c.noted, l)
}

// stillNoted returns the lines that have a note of the core, each once.
func (m *Memory) stillNoted(id int) (kept []phys.LineAddr) {
	m.lines.each(func(_ uint64, ln *line) bool {
		if ln.noteOf(id) >= 0 {
			kept = append(kept, ln.addr)
		}
		return true
	})
	return kept
}

// Fence is an ordering instruction or event of the core. It returns how many
// lines got a guarantee that they did not have.
func (m *Memory) Fence(id int, k FenceKind, site Site) (lines int) {
	if k == LFENCE {
		return 0
	}
	m.Drain(id)
	return m.barrier(id, k.completes(), site)
}

// barrier completes the core's flushes and lets its write-combining buffers out.
func (m *Memory) barrier(id int, flushes bool, site Site) (lines int) {
	c := &m.cores[id]
	if len(c.combining) == 0 && (!flushes || len(c.noted) == 0) {
		return 0
	}
	if len(c.combining) > 0 || m.promises(id) {
		m.before()
	}
	m.fencing = site
	defer func() { m.fencing = 0 }()
	for flushes && len(c.noted) > 0 {
		l := c.noted[0]
		c.noted = c.noted[1:]
		ln := m.lines.get(uint64(l))
		if ln == nil || ln.noteOf(id) < 0 {
			continue
		}
		ln = m.mine(ln)
		i := ln.noteOf(id)
		if m.raise(ln, ln.notes[i].seq, ln.notes[i].site) {
			lines++
		}
		if i = ln.noteOf(id); i >= 0 {
			ln.notes = append(ln.notes[:i], ln.notes[i+1:]...)
		}
		m.closeIfDone(ln)
	}
	if flushes {
		c.noted = nil
	}
	for len(c.combining) > 0 {
		m.leave(id, c.combining[0])
		lines++
	}
	return lines
}

// promises reports whether a barrier of the core would move a lower bound.
func (m *Memory) promises(id int) bool {
	for _, l := range m.cores[id].noted {
		ln := m.lines.get(uint64(l))
		if ln == nil || len(ln.list) == 0 {
			continue
		}
		if i := ln.noteOf(id); i >= 0 && ln.list[0].seq <= ln.notes[i].seq {
			return true
		}
	}
	return false
}

// before is called before states are lost that a cut could have left until now.
// Look may fork, after which no line is the Memory's own: ask for lines after it.
func (m *Memory) before() {
	if m.fresh() {
		m.Looked()
	}
}

// fresh reports whether there are stores that no look has seen.
func (m *Memory) fresh() bool { return m.retired != m.looked || m.unseen }

// Looked calls Look and takes all stores so far as seen. A machine calls it for
// the looks of its own: before calls that change files, before acknowledgements,
// at the end. It reports whether there was anything new.
func (m *Memory) Looked() (fresh bool) {
	fresh = m.fresh()
	m.rehash() // once here, and not in each fork that the look makes
	if m.Look != nil {
		m.Look()
	}
	m.looked, m.ntNew, m.unseen = m.retired, 0, false
	for i := range m.cores {
		m.cores[i].looked = m.cores[i].retired
	}
	return fresh
}

// Changed says that something beside stores is not as the last look found it, such as a
// file or what was acknowledged: the states that are lost next are new with it.
func (m *Memory) Changed() { m.unseen = true }

// Fresh reports whether a store has retired, or something has Changed, since the last look.
func (m *Memory) Fresh() bool { return m.fresh() }

// Access makes visible what other cores than id have buffered for a line. A
// machine in which loads see retired stores calls it before each load, store and
// flush of a core when there are several, so that the order in which stores retire
// is the order in which they become visible.
func (m *Memory) Access(id int, l phys.LineAddr) {
	if len(m.cores) == 1 {
		return
	}
	ln := m.lines.get(uint64(l))
	for o := range m.cores {
		if o == id || ln == nil && m.cores[o].strong == 0 {
			continue
		}
		m.commitThrough(o, func(b *buffered) bool { return b.acts() && b.line == l })
		if ln = m.lines.get(uint64(l)); ln != nil && ln.combines(o) >= 0 {
			m.leave(o, l)
		}
	}
}

// Write is a write past the cores and guaranteed at once: a device, a loader. The
// bytes are within one line and not in the Source yet.
func (m *Memory) Write(a phys.Addr, data []byte, site Site) {
	l := a.Line()
	for id := range m.cores {
		m.commitThrough(id, func(b *buffered) bool { return b.acts() && b.line == l })
		if ln := m.lines.get(uint64(l)); ln != nil && ln.combines(id) >= 0 {
			m.leave(id, l)
		}
	}
	m.before()
	m.retired++
	ln := m.open(l)
	m.raise(ln, m.seq, site)
	ln.put(int(a%phys.LineSize), data)
	ln.baseAt, ln.baseSite = m.retired, site
	m.changed(ln)
	m.closeIfDone(ln)
}

// Unguaranteed calls fn with every store that is not guaranteed, and why: of visible ones
// line by line, in no order that counts.
func (m *Memory) Unguaranteed(fn func(l phys.LineAddr, store Ref, why Missing)) {
	m.lines.each(func(_ uint64, ln *line) bool {
		for i := range ln.list {
			why, _ := ln.why(&ln.list[i])
			fn(ln.addr, Ref{ln.list[i].site, ln.list[i].at}, why)
		}
		return true
	})
}

// Runs says which thread a core runs, for Unpersisted.
func (m *Memory) Runs(id int, thread uint32) { m.cores[id].thread = thread }

// Unpersisted returns the youngest store that is visible in n bytes at a, within one line, and
// not guaranteed, and the thread that made it; ok is false when there is none. Stores in
// buffers do not count.
func (m *Memory) Unpersisted(a phys.Addr, n int) (s Ref, thread uint32, ok bool) {
	ln := m.lines.get(uint64(a.Line()))
	if ln == nil {
		return s, 0, false
	}
	off := int(a % phys.LineSize)
	for i := len(ln.list) - 1; i >= 0; i-- {
		if e := &ln.list[i]; int(e.off) < off+n && off < int(e.off+e.size) {
			return Ref{e.site, e.at}, e.thread, true
		}
	}
	return s, 0, false
}

// Waits reports whether a store to the line is visible and not guaranteed, and why.
func (m *Memory) Waits(l phys.LineAddr, at uint64) (why Missing, waits bool) {
	ln := m.lines.get(uint64(l))
	if ln == nil {
		return 0, false
	}
	for i := range ln.list {
		if ln.list[i].at == at {
			why, _ = ln.why(&ln.list[i])
			return why, true
		}
	}
	return 0, false
}

// Retired returns how many stores have retired: the next one is Ref.At that and one more.
func (m *Memory) Retired() uint64 { return m.retired }

// String says how much is open.
func (m *Memory) String() string {
	return fmt.Sprintf("%v, generation %d, %d lines recorded", m.cfg.Domain, len(m.pasts), m.lines.n)
}
