package refmodel

import (
	"maps"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// wreck is a machine between the cut and the end.
type wreck struct {
	image map[phys.LineAddr]Line // memory
	dirty map[phys.LineAddr]Line // visible, not yet in memory
	wc    []*combining           // of the core whose buffer is let out
}

// Crash returns memory as a power cut with this loss leaves it; m is unchanged.
// Stores that leave the buffers at the end displace no other line; core 0's leave
// first.
func (m *Machine) Crash(loss cachemodel.Loss) map[phys.LineAddr]Line {
	x := wreck{image: maps.Clone(m.Memory), dirty: map[phys.LineAddr]Line{}}
	m.each(func(_ int, c *cached) {
		if c.dirty {
			x.dirty[c.line] = c.data
		}
	})
	for i, c := range m.cores {
		keep, tear := -1, uint8(0)
		if i < len(loss.KeepStores) {
			keep = loss.KeepStores[i]
		}
		if i < len(loss.Tear) {
			tear = loss.Tear[i]
		}
		x.wc = c.wc
		x.buffer(c.buffer, keep, tear)
		for _, w := range x.wc {
			x.combine(w, loss)
		}
	}
	for l, d := range x.dirty {
		if loss.CachesLost == nil || !loss.CachesLost(l) {
			x.image[l] = d
		}
	}
	return x.image
}

// buffer lets out what leaves a store buffer before the end.
func (x *wreck) buffer(entries []buffered, keep int, tear uint8) {
	var flushes []phys.LineAddr // that leave if the next store does
	for _, b := range entries {
		l := b.addr.Line()
		if b.data == nil {
			if b.kind == cachemodel.CLFLUSH {
				flushes = append(flushes, l)
			}
			continue
		}
		if keep == 0 && tear == 0 {
			return
		}
		x.flush(flushes)
		flushes = nil
		if keep == 0 {
			x.store(b.addr, b.data, tear)
			return
		}
		x.store(b.addr, b.data, 0xff)
		if keep > 0 {
			keep--
		}
	}
	if keep < 0 {
		x.flush(flushes)
	}
}

// store makes the named parts (aligned 8-byte pieces) of a store visible.
func (x *wreck) store(a phys.Addr, data []byte, parts uint8) {
	l := a.Line()
	x.force(l)
	d, ok := x.dirty[l]
	if !ok {
		d = x.image[l]
	}
	for i, v := range data {
		b := a + phys.Addr(i)
		if parts>>(b/8-a/8)&1 != 0 {
			d[b%phys.LineSize] = v
		}
	}
	x.dirty[l] = d
}

func (x *wreck) flush(lines []phys.LineAddr) {
	for _, l := range lines {
		x.force(l)
		if d, ok := x.dirty[l]; ok {
			x.image[l] = d
			delete(x.dirty, l)
		}
	}
}

// force sends the write-combining buffer of l to memory.
func (x *wreck) force(l phys.LineAddr) {
	var rest []*combining
	for _, w := range x.wc {
		if w.line != l {
			rest = append(rest, w)
			continue
		}
		d := x.image[l]
		w.merge(&d)
		x.image[l] = d
	}
	x.wc = rest
}

// combine sends those pieces of a buffer to memory that survive.
func (x *wreck) combine(w *combining, loss cachemodel.Loss) {
	d := x.image[w.line]
	whole := d
	full := w.merge(&whole) == phys.LineSize
	for i, ok := range w.stored {
		piece := i / 8
		if full {
			piece = 0
		}
		if ok && (!loss.WCLost || loss.WCKept != nil && loss.WCKept(w.line, piece)) {
			d[i] = w.data[i]
		}
	}
	x.image[w.line] = d
}
