package cachemodel_test

import (
	"bytes"
	"fmt"
	"testing"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// written is one store, or one part of a store that crosses a line, with its
// place in its core's program order.
type written struct {
	core, nth int // nth counts from 1
	addr      phys.Addr
	data      []byte
}

// history is all that was stored, in the order in which loads see it, and for
// each core how many of its stores another core has seen: by a load, or by
// storing to their line.
type history struct {
	stores []written
	last   map[phys.Addr]written   // of each byte
	line   map[phys.LineAddr][]int // of each line and core, the nth of its last store
	count  []int                   // of each core
	seen   []int                   // of each core
}

func newHistory(cores int) *history {
	return &history{last: map[phys.Addr]written{}, line: map[phys.LineAddr][]int{},
		count: make([]int, cores), seen: make([]int, cores)}
}

func (h *history) see(core, nth, by int) {
	if core != by {
		h.seen[core] = max(h.seen[core], nth)
	}
}

func (h *history) load(by int, a phys.Addr, n int) {
	for i := range phys.Addr(n) {
		if w, ok := h.last[a+i]; ok {
			h.see(w.core, w.nth, by)
		}
	}
}

func (h *history) store(by int, a phys.Addr, data []byte) {
	for len(data) > 0 {
		n := min(len(data), int(phys.LineSize-a%phys.LineSize))
		h.count[by]++
		w := written{by, h.count[by], a, data[:n]}
		h.stores = append(h.stores, w)
		for i := range phys.Addr(n) {
			h.last[a+i] = w
		}
		if h.line[a.Line()] == nil {
			h.line[a.Line()] = make([]int, len(h.count))
		}
		for core, nth := range h.line[a.Line()] {
			h.see(core, nth, by)
		}
		h.line[a.Line()][by] = h.count[by]
		a, data = a+phys.Addr(n), data[n:]
	}
}

// image is memory with the first stores of each core, so many as prefix says.
func (h *history) image(prefix []int) flat {
	f := flat{}
	for _, w := range h.stores {
		if w.nth <= prefix[w.core] {
			f.put(w.addr, w.data)
		}
	}
	return f
}

// Under eADR a crash image is a prefix of each core's stores, replayed in the one
// order that all loads agree with, and no prefix is shorter than what another
// core has seen of it.
func TestCrashImageIsTSOPrefix(t *testing.T) {
	for seed := range uint64(48) {
		cfg := tiny(byte(seed))
		cfg.Cores = 2 + int(seed%3)
		cfg.StoreBuffer = 4 + int(seed%9)
		d, past := newDriver(t, cfg), newHistory(cfg.Cores)
		for i, e := range programs(sample(seed, "tso", 300), cfg.Cores) {
			if e.kind == opNT || e.kind == opDMA || e.kind == opOver {
				continue // not ordered with other stores
			}
			got := d.on(e.core).do(e.op)
			switch e.kind {
			case opLoad:
				past.load(e.core, e.addr, len(got))
			case opStore:
				past.store(e.core, e.addr, e.data)
			}
			if err := past.compare(d, uint64(i)); err != nil {
				t.Fatalf("seed %d, after event %d (%v): %v", seed, i, e, err)
			}
		}
	}
}

// compare checks two cuts: one that loses all store buffers and one that keeps a
// part of each.
func (h *history) compare(d *driver, salt uint64) error {
	for part := range 2 {
		var loss cachemodel.Loss
		prefix := make([]int, len(h.count))
		for core := range prefix {
			buffered := d.h.Core(core).BufferedStores()
			keep := part * int(lineHash(phys.LineAddr(core), salt)>>8%uint64(buffered+1))
			loss.KeepStores = append(loss.KeepStores, keep)
			prefix[core] = h.count[core] - buffered + keep
			if prefix[core] < h.seen[core] {
				return fmt.Errorf("%d stores of core %d are visible, but another core has seen its store %d",
					prefix[core], core, h.seen[core])
			}
		}
		got, want := d.image(loss), h.image(prefix)
		for l := range h.line {
			if g, w := got.line(l), want.line(l); l.IsPMEM() && !bytes.Equal(g[:], w[:]) {
				return fmt.Errorf("keep %d, line %v:\n got %x\nwant %x", loss.KeepStores, l.Addr(), g[:], w[:])
			}
		}
	}
	return nil
}
