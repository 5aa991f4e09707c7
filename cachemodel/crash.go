package cachemodel

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"zhuque/sim/phys"
)

// Inventory is what a power failure finds outside memory.
type Inventory struct {
	BufferedStores int         // retired, not yet visible
	WCEntries      int         // write-combining buffers in use
	DirtyLines     [Levels]int // in L1D, L2, LLC
	DirtyPMEM      [Levels]int // of these, lines of persistent memory
}

// Inventory counts in constant time.
func (h *Hierarchy) Inventory() (v Inventory) {
	for _, c := range h.cores {
		v.BufferedStores += c.BufferedStores()
		v.WCEntries += c.wc.n
		for i, l := range [2]*level{&c.l1, &c.l2} {
			v.DirtyLines[i] += l.dirty
			v.DirtyPMEM[i] += l.dirtyPMEM
		}
	}
	v.DirtyLines[2], v.DirtyPMEM[2] = h.llc.dirty, h.llc.dirtyPMEM
	return v
}

// BufferedStores returns how many of the core's stores are retired and not yet
// visible: what Loss.KeepStores chooses from.
func (c *Core) BufferedStores() int { return int(c.SB.tail - c.SB.head - c.SB.flushes) }

// Cut is what a plan says of the buffers at a power cut. The zero Cut is the clean one:
// every buffer drains, as interrupt entry has it.
type Cut struct {
	// Keep is how many of the buffered stores of the core that executes become visible
	// before the end, the oldest first; absent for all.
	Keep phys.Opt[int]
	// KeepOn says the same for other cores; those that it does not name drain theirs.
	KeepOn []CoreCount
	// LoseWC loses the write-combining buffers.
	LoseWC bool
}

// CoreCount is a core and a number: of its stores, or of its instructions.
type CoreCount struct {
	Core int
	N    uint64
}

// Loss is what a power cut loses, resolved for each core and line. The zero Loss drains everything.
type Loss struct {
	// KeepStores is, for each core, how many of the oldest buffered stores
	// became visible before the end: at most all of them, -1 for drained. Flushes
	// older than the youngest kept store have left the buffer too; drained lets
	// all leave. Cores beyond the end of the slice are drained. What leaves at the
	// end leaves core by core, core 0 first.
	KeepStores []int
	// Tear is, for each core, which parts of the oldest store that is not kept
	// became visible nonetheless: bit i for the part in the i-th aligned 8 bytes
	// that it touches.
	Tear []uint8
	// WCLost loses the write-combining buffers, except those that a kept store
	// or CLFLUSH of the same line forced out.
	WCLost bool
	// WCKept, when WCLost, names aligned 8-byte pieces (0..7) of buffers that had
	// left before the end; nil for none. A full buffer leaves whole: its piece 0 decides.
	WCKept func(l phys.LineAddr, piece int) bool
	// CachesLost tells the lines whose visible content is lost; nil for none, as
	// when the caches are drained (eADR). It must answer the same every time.
	CachesLost func(l phys.LineAddr) bool
}

// TakeBacks calls put for what a power cut takes back from persistent memory:
// applied in this order onto the current bytes, the calls give the crash image.
// old is valid during the call only. The hierarchy is not changed. Without
// CachesLost the cost is that of the buffers.
func (h *Hierarchy) TakeBacks(loss Loss, put func(a phys.Addr, old []byte)) {
	if h.losesNothing(loss) {
		return
	}
	h.takeBacks(loss, put)
}

// losesNothing reports whether everything visible and buffered survives.
func (h *Hierarchy) losesNothing(loss Loss) bool {
	if loss.CachesLost != nil {
		return false
	}
	for i, c := range h.cores {
		if c.kept(loss.KeepStores, i) != c.SB.tail || loss.WCLost && c.wc.n > 0 {
			return false
		}
	}
	return true
}

func (h *Hierarchy) takeBacks(loss Loss, put func(a phys.Addr, old []byte)) {
	var flushed []phys.LineAddr // by CLFLUSHes among what the cores let go at the end
	for i := len(h.cores) - 1; i >= 0; i-- {
		c := h.cores[i]
		t := takeBack{c: c, loss: &loss, put: put, end: c.kept(loss.KeepStores, i), flushed: flushed}
		if i < len(loss.Tear) && loss.Tear[i] != 0 {
			t.tearAt(loss.Tear[i])
		}
		if t.end != c.SB.tail || loss.CachesLost != nil {
			t.stores()
		}
		if loss.WCLost {
			t.writeCombining()
		}
		flushed = t.flushed
	}
	if loss.CachesLost == nil {
		return
	}
	for _, v := range h.levels() {
		if v.dirtyPMEM == 0 {
			continue
		}
		v.each(func(_ uint64, _ int, w word) bool {
			if l := w.line(); w&dirty != 0 && l.IsPMEM() && !slices.Contains(flushed, l) && loss.CachesLost(l) {
				put(l.Addr(), h.images.at(w.index())[:])
			}
			return true
		})
	}
}

// levels returns all caches, the inner ones first.
func (h *Hierarchy) levels() (v []*level) {
	for _, c := range h.cores {
		v = append(v, &c.l1)
	}
	for _, c := range h.cores {
		v = append(v, &c.l2)
	}
	return append(v, &h.llc)
}

// kept returns the ring position before which the buffer's entries have left.
func (c *Core) kept(keep []int, core int) uint32 {
	b := &c.SB
	if core >= len(keep) || keep[core] < 0 {
		return b.tail
	}
	end := b.head
	for i, n := b.head, keep[core]; i != b.tail && n > 0; i++ {
		if b.ring[i%ringSize].Size != 0 {
			n--
			end = i + 1
		}
	}
	return end
}

// takeBack is one core's part of TakeBacks.
type takeBack struct {
	c       *Core
	loss    *Loss
	put     func(phys.Addr, []byte)
	end     uint32 // ring position: older entries left the buffer
	tear    uint8
	flushed []phys.LineAddr // by CLFLUSHes that left at the end, of younger entries and later cores
	old     [16]byte
}

// tearAt lets the next store out in parts, and the flushes before it whole.
func (t *takeBack) tearAt(parts uint8) {
	b := &t.c.SB
	for i := t.end; i != b.tail; i++ {
		if b.ring[i%ringSize].Size != 0 {
			t.end, t.tear = i, parts
			return
		}
	}
}

// stores takes back the stores that stayed in the buffer, and those that left it
// into a line that is lost. Newest first.
func (t *takeBack) stores() {
	b := &t.c.SB
	for i := b.tail; i != b.head; i-- {
		e := &b.ring[(i-1)%ringSize]
		l := e.Addr.Line()
		left := int32(i-1-t.end) < 0
		switch {
		case !l.IsPMEM():
		case e.Size == 0:
			if left && FlushKind(e.Old[0]) == CLFLUSH {
				t.flushed = append(t.flushed, l)
			}
		case left && t.safe(l):
		default:
			t.undo(e, t.torn(i-1, l))
		}
	}
}

// torn returns which parts of the entry at position i stay although it did not leave.
func (t *takeBack) torn(i uint32, l phys.LineAddr) uint8 {
	if i != t.end || !t.safe(l) {
		return 0
	}
	return t.tear
}

// safe reports whether what leaves the store buffer into a line now is not lost.
func (t *takeBack) safe(l phys.LineAddr) bool {
	return t.loss.CachesLost == nil || slices.Contains(t.flushed, l) || !t.loss.CachesLost(l)
}

// undo puts back a store's old bytes except in the parts of keep.
func (t *takeBack) undo(e *Buffered, keep uint8) {
	for k := range e.Size {
		t.old[k] = byte(e.Old[k>>3] >> (8 * (k & 7)))
	}
	for k, part := uint8(0), 0; k < e.Size; part++ {
		n := min(8-uint8(e.Addr+phys.Addr(k))&7, e.Size-k)
		if keep>>part&1 == 0 {
			t.put(e.Addr+phys.Addr(k), t.old[k:k+n])
		}
		k += n
	}
}

// writeCombining takes back the buffers that were lost.
func (t *takeBack) writeCombining() {
	for i := t.c.wc.n - 1; i >= 0; i-- {
		e := &t.c.wc.entry[i]
		if !e.line.IsPMEM() || t.forcedOut(e.line) {
			continue
		}
		for piece := range 8 {
			t.undoPiece(e, piece)
		}
	}
}

// forcedOut reports whether an entry that left the store buffer pushed out the
// write-combining buffer of its line.
func (t *takeBack) forcedOut(l phys.LineAddr) bool {
	b := &t.c.SB
	last := t.end
	if t.tear != 0 {
		last++
	}
	for i := b.head; i != last; i++ {
		e := &b.ring[i%ringSize]
		if e.Addr.Line() == l && (e.Size != 0 || FlushKind(e.Old[0]) == CLFLUSH) {
			return true
		}
	}
	return false
}

func (t *takeBack) undoPiece(e *wcEntry, piece int) {
	decides := piece
	if bits.OnesCount64(e.mask) == phys.LineSize {
		decides = 0
	}
	if t.loss.WCKept != nil && t.loss.WCKept(e.line, decides) {
		return
	}
	for k := 8 * piece; k < 8*piece+8; k++ {
		if e.mask>>k&1 != 0 {
			t.put(e.line.Addr()+phys.Addr(k), e.old[k:k+1])
		}
	}
}

// DrainOrder is the order in which flush-on-fail writes dirty lines back.
type DrainOrder string

// The drain orders.
const (
	DrainByLevel   DrainOrder = "level"     // L1D, L2, LLC; sets ascending; most recent way first
	DrainByAddress DrainOrder = "address"   // ascending
	DrainLRUFirst  DrainOrder = "lru-first" // LLC, L2, L1D; least recent ways of all sets first
)

// DrainOrders returns all orders, the default first.
func DrainOrders() []DrainOrder {
	return []DrainOrder{DrainByLevel, DrainByAddress, DrainLRUFirst}
}

// ParseDrainOrder reads a drain order; "" is the default.
func ParseDrainOrder(s string) (DrainOrder, error) {
	if s == "" {
		return DrainByLevel, nil
	}
	if o := DrainOrder(s); slices.Contains(DrainOrders(), o) {
		return o, nil
	}
	var names []string
	for _, o := range DrainOrders() {
		names = append(names, string(o))
	}
	return "", fmt.Errorf("drain order %q is not known; the orders are %s", s, strings.Join(names, ", "))
}

// EachDirtyPMEM calls fn for every dirty line of persistent memory and the level
// (0 to 2) that holds it, in the given order, until fn returns false. leaving are the lines
// that the buffers have made dirty at the end (Leaving.Dirtied): the most recent of the L1D.
// It costs as much as the caches hold.
func (h *Hierarchy) EachDirtyPMEM(order DrainOrder, leaving []phys.LineAddr, fn func(l phys.LineAddr, level int) bool) {
	type dirtyLine struct {
		l          phys.LineAddr
		level, way int
	}
	var all []dirtyLine
	for _, l := range leaving {
		all = append(all, dirtyLine{l, 0, -1})
	}
	for i, v := range h.levels() {
		if v.dirtyPMEM == 0 {
			continue
		}
		k := min(i/len(h.cores), Levels-1)
		v.each(func(_ uint64, way int, w word) bool {
			if l := w.line(); w&dirty != 0 && l.IsPMEM() {
				all = append(all, dirtyLine{l, k, way})
			}
			return true
		})
	}
	switch order {
	case DrainByLevel, "":
	case DrainByAddress:
		slices.SortFunc(all, func(a, b dirtyLine) int { return compare(a.l, b.l) })
	case DrainLRUFirst:
		slices.SortStableFunc(all, func(a, b dirtyLine) int {
			if a.level != b.level {
				return b.level - a.level
			}
			return b.way - a.way
		})
	default:
		panic("BUG: unknown drain order " + string(order))
	}
	for _, d := range all {
		if !fn(d.l, d.level) {
			return
		}
	}
}

func compare(a, b phys.LineAddr) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
