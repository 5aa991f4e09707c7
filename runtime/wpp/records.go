package wpp

import (
	"encoding/binary"
	"fmt"
	"slices"

	"zhuque/sim"
	"zhuque/sim/kernel"
)

// table is what is known of the record table beside its content: all of it can be
// found out again from the image.
type table struct {
	blocks map[kernel.Key]block
	free   map[uint64][]uint64 // by number of cells: offsets of free blocks
	freed  []block             // by the call that is being committed, which must not use them
	cells  uint64              // ever used
	rings  pool
	areas  pool // save areas of threads
}

// area returns where a thread's save area is. A thread that the call in flight ends has
// none: should the call be issued again, it ends again whatever its registers are.
func (t *table) area(tid int32) (off uint64, ok bool) {
	if b, ok := t.blocks[kernel.Key{Kind: kernel.KindThread, A: uint64(tid)}]; ok {
		return threadOff + threadSize*uint64(b.slot), true
	}
	return 0, false
}

// pool hands out numbers below a limit. Which are in use, the table knows too.
type pool struct {
	used  []bool
	limit int
	what  string
}

func (p *pool) take() (int, error) {
	i := slices.Index(p.used, false)
	if i < 0 {
		if i = len(p.used); i == p.limit {
			return 0, fmt.Errorf("more than %d %s", p.limit, p.what)
		}
		p.used = append(p.used, false)
	}
	p.used[i] = true
	return i, nil
}

// claim marks a number that an image names; false when it is out of range or taken.
func (p *pool) claim(n uint64) bool {
	if n >= uint64(p.limit) {
		return false
	}
	for uint64(len(p.used)) <= n {
		p.used = append(p.used, false)
	}
	if p.used[n] {
		return false
	}
	p.used[n] = true
	return true
}

// pool returns where records of a kind have something beside them, nil for none.
func (t *table) pool(kind kernel.RecordKind) *pool {
	switch kind {
	case kernel.KindPipe:
		return &t.rings
	case kernel.KindThread:
		return &t.areas
	}
	return nil
}

// block is where a record lies.
type block struct {
	off   uint64
	cells uint64
	slot  int // its ring or save area, -1 for none
	kind  kernel.RecordKind
}

// newTable returns the table of no records yet. free is made when there is something in it.
func newTable(records uint64) table {
	return table{blocks: make(map[kernel.Key]block, records),
		rings: pool{limit: maxRings, what: "pipes"}, areas: pool{limit: maxThreads, what: "threads"}}
}

func (t *table) fork() table {
	c := table{blocks: make(map[kernel.Key]block, len(t.blocks)), cells: t.cells, rings: t.rings, areas: t.areas}
	c.rings.used, c.areas.used = slices.Clone(t.rings.used), slices.Clone(t.areas.used)
	for k, b := range t.blocks {
		c.blocks[k] = b
	}
	for n, list := range t.free {
		for _, off := range list {
			c.release(n, off)
		}
	}
	return c
}

// settle makes the blocks that a committed call freed available.
func (t *table) settle() {
	for _, b := range t.freed {
		t.release(b.cells, b.off)
		if b.slot >= 0 {
			t.pool(b.kind).used[b.slot] = false
		}
	}
	t.freed = t.freed[:0]
}

// release makes a block available.
func (t *table) release(cells, off uint64) {
	if t.free == nil {
		t.free = map[uint64][]uint64{}
	}
	t.free[cells] = append(t.free[cells], off)
}

// take returns a block for n payload words.
func (t *table) take(n int) (block, error) {
	cells := (uint64(cellWord0+n) + cellWords - 1) / cellWords
	if list := t.free[cells]; len(list) > 0 {
		t.free[cells] = list[:len(list)-1]
		return block{off: list[len(list)-1], cells: cells, slot: -1}, nil
	}
	if t.cells+cells > maxCells || n > maxRecordWords {
		return block{}, fmt.Errorf("the record table is full: it has %d cells", maxCells)
	}
	b := block{off: recordOff + t.cells*cellSize, cells: cells, slot: -1}
	t.cells += cells
	return b, nil
}

// head returns the first word of a block. All words of the block but the first
// must be given.
func head(cells, payload uint64, used bool, rest ...uint64) uint64 {
	w := payload | cells<<cellCountShift
	if used {
		w |= cellUsed
	}
	var s sum
	s.add(w)
	s.add(rest...)
	return w | s.value()<<32
}

// record notes what became of a record: its words go into the log, the bytes that
// a pipe gained into unused parts of its ring.
func (r *Runtime) record(m *sim.Machine, key kernel.Key) error {
	rec, there := m.Kernel().Record(key)
	b, had := r.table.blocks[key]
	if !there {
		if !had {
			return nil // made and gone in one call
		}
		r.forget(m, key, b)
		return nil
	}
	if !had {
		b = block{slot: -1, kind: key.Kind}
		if p := r.table.pool(key.Kind); p != nil {
			var err error
			if b.slot, err = p.take(); err != nil {
				return err
			}
		}
	}
	payload := rec.Words
	switch key.Kind {
	case kernel.KindPipe:
		r.fillRing(m, b, had, &rec)
		payload = append(slices.Clone(payload), uint64(b.slot), uint64(len(rec.Bytes)))
	case kernel.KindThread:
		payload = append(slices.Clone(payload), uint64(b.slot))
	}
	if need := uint64(cellWord0 + len(payload)); need > b.cells*cellWords {
		if had {
			r.vacate(m, block{b.off, b.cells, -1, b.kind})
		}
		n, err := r.table.take(len(payload))
		if err != nil {
			return err
		}
		b.off, b.cells = n.off, n.cells
	}
	r.table.blocks[key] = b
	words := make([]uint64, cellWord0, cellWord0+len(payload))
	words[cellKind], words[cellB] = uint64(key.Kind)<<56|key.A, key.B
	words = append(words, payload...)
	words[cellHead] = head(b.cells, uint64(len(payload)), true, words[1:]...)
	for i, w := range words {
		r.set(m, b.off+8*uint64(i), w)
	}
	return nil
}

// postpone takes the updates behind the first n out of the call's commit.
func (r *Runtime) postpone(n int) {
	r.late = append(r.late, r.log[n:]...)
	r.log = r.log[:n]
}

// forget removes a record that is gone.
func (r *Runtime) forget(m *sim.Machine, key kernel.Key, b block) {
	delete(r.table.blocks, key)
	if key.Kind != kernel.KindMapping || !r.bug.ForgetUnmap {
		r.vacate(m, b)
	}
}

// vacate marks a block as free.
func (r *Runtime) vacate(m *sim.Machine, b block) {
	r.set(m, b.off, head(b.cells, 0, false))
	r.table.freed = append(r.table.freed, b)
}

// fillRing puts the bytes that a pipe gained into its ring: at their position in the
// stream modulo the ring's size, where nothing is that a restart could need.
func (r *Runtime) fillRing(m *sim.Machine, b block, had bool, rec *kernel.Record) {
	first, tail := rec.Words[0], rec.Words[0]
	if had {
		n := uint64(len(rec.Words))
		first = peek(m.Durable().PMEM, b.off+8*cellWord0)
		tail = first + peek(m.Durable().PMEM, b.off+8*(cellWord0+n+1))
	}
	end := rec.Words[0] + uint64(len(rec.Bytes))
	if end-first > ringSize {
		panic("BUG: a call puts bytes into a pipe in the place of others that it takes")
	}
	tail = max(tail, rec.Words[0]) // what came and went in one call is nowhere
	if tail >= end {
		return
	}
	at, data := tail, rec.Bytes[tail-rec.Words[0]:]
	for len(data) > 0 {
		off := ringOff + ringSize*uint64(b.slot) + at&^7%ringSize
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], peek(m.Durable().PMEM, off))
		n := copy(word[at&7:], data)
		if v := binary.LittleEndian.Uint64(word[:]); r.bug.PipeBytesLate {
			r.late = append(r.late, update{off, v})
		} else {
			r.put(m, off, v)
		}
		data, at = data[n:], at+uint64(n)
	}
}

// records reads the record table of an image and learns where everything lies.
func (r *Runtime) records(im *image) ([]kernel.Record, error) {
	cells := im.counter(sbCells)
	if cells > maxCells {
		return nil, refuse("record table: %d cells in use, it has %d", cells, maxCells)
	}
	guess := cells/2 + 1 // of the number of records: most have one cell or two
	r.table = newTable(guess)
	r.table.cells = cells
	out := make([]kernel.Record, 0, guess)
	all := make([]uint64, cells*cellWords)
	im.words(recordOff, all)
	for at := uint64(0); at < cells; {
		off := recordOff + at*cellSize
		cell := all[at*cellWords:]
		w0 := cell[cellHead]
		n, count := w0&maxRecordWords, w0>>cellCountShift&0x7fff
		if count == 0 || at+count > cells || cellWord0+n > count*cellWords {
			return nil, refuse("record table: block at cell %d: %d cells with %d words", at, count, n)
		}
		var words []uint64
		if w0&cellUsed != 0 {
			words = cell[1 : cellWord0+n : cellWord0+n]
		}
		if head(count, n, w0&cellUsed != 0, words...) != w0 && !r.bug.InPlace {
			return nil, refuse("record table: block at cell %d: wrong checksum", at)
		}
		at += count
		if w0&cellUsed == 0 {
			r.table.release(count, off)
			continue
		}
		rec, err := r.readRecord(im, block{off, count, -1, 0}, words)
		if err != nil {
			return nil, err
		}
		out = append(out, rec)
	}
	return out, nil
}

// readRecord reads one record; words is its block without the first word.
func (r *Runtime) readRecord(im *image, b block, words []uint64) (kernel.Record, error) {
	key := kernel.Key{Kind: kernel.RecordKind(words[0] >> 56), A: words[0] & (1<<56 - 1), B: words[1]}
	rec := kernel.Record{Key: key, Words: words[cellWord0-1:]}
	b.kind = key.Kind
	extra := 0
	switch key.Kind {
	case kernel.KindPipe:
		extra = 2
	case kernel.KindThread:
		extra = 1
	}
	n := len(rec.Words) - extra
	if n < 1 {
		return rec, refuse("%v: a record of %d words", key, len(rec.Words))
	}
	if p := r.table.pool(key.Kind); p != nil {
		slot := rec.Words[n]
		if !p.claim(slot) {
			return rec, refuse("%v: place %d among %s is not possible", key, slot, p.what)
		}
		b.slot = int(slot)
	}
	if key.Kind == kernel.KindPipe {
		length := rec.Words[n+1]
		if length > ringSize {
			return rec, refuse("%v: %d bytes, a pipe holds %d", key, length, ringSize)
		}
		rec.Bytes = make([]byte, length)
		for i := range rec.Bytes {
			at := rec.Words[0] + uint64(i)
			rec.Bytes[i] = byte(im.word(ringOff+ringSize*uint64(b.slot)+at&^7%ringSize) >> (at & 7 * 8))
		}
	}
	rec.Words = rec.Words[:n]
	r.table.blocks[key] = b
	return rec, nil
}
