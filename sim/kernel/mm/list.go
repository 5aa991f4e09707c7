package mm

import (
	"iter"
	"slices"
	"sort"

	"zhuque/sim/kernel/vfs"
)

// list is an ascending list of mappings that do not overlap. It is a value: a
// change makes a new list, which shares all chunks but the ones it touches, so that
// forks and the journal keep theirs at no cost and a change costs the square root
// of the length.
type list struct {
	chunks []chunk
	n      int
	bytes  uint64 // mapped in all
}

// chunk is a stretch of a list, never empty and never changed.
type chunk struct {
	vmas []VMA
	gap  uint64 // largest hole between neighbours in it
}

const maxChunk = 256

// place is a position in a list; the chunk of its end is len(chunks).
type place struct{ c, i int }

// find returns the place of the first mapping that ends after va.
func (l *list) find(va uint64) place {
	c := sort.Search(len(l.chunks), func(c int) bool {
		v := l.chunks[c].vmas
		return v[len(v)-1].End > va
	})
	if c == len(l.chunks) {
		return place{c, 0}
	}
	v := l.chunks[c].vmas
	return place{c, sort.Search(len(v), func(i int) bool { return v[i].End > va })}
}

// at returns the mapping at a place, nil at the end.
func (l *list) at(p place) *VMA {
	if p.c == len(l.chunks) {
		return nil
	}
	return &l.chunks[p.c].vmas[p.i]
}

func (l *list) next(p place) place {
	if p.i++; p.i == len(l.chunks[p.c].vmas) {
		return place{p.c + 1, 0}
	}
	return p
}

// prev returns the place before p, and p itself at the beginning.
func (l *list) prev(p place) place {
	switch {
	case p.i > 0:
		return place{p.c, p.i - 1}
	case p.c > 0:
		return place{p.c - 1, len(l.chunks[p.c-1].vmas) - 1}
	}
	return p
}

// from yields the mappings that end after va, in order.
func (l *list) from(va uint64) iter.Seq[*VMA] {
	return func(yield func(*VMA) bool) {
		for p := l.find(va); p.c < len(l.chunks); p = l.next(p) {
			if !yield(l.at(p)) {
				return
			}
		}
	}
}

// starting returns the mapping that starts at va, nil for none.
func (l *list) starting(va uint64) *VMA {
	if v := l.at(l.find(va)); v != nil && v.Start == va {
		return v
	}
	return nil
}

// flat returns all mappings in one slice.
func (l *list) flat() []VMA {
	out := make([]VMA, 0, l.n)
	for _, c := range l.chunks {
		out = append(out, c.vmas...)
	}
	return out
}

// below returns the highest free range of size bytes that ends at top or lower and
// starts at floor or higher.
func (l *list) below(top, floor, size uint64) (at uint64, ok bool) {
	p := l.find(top - 1)
	if v := l.at(p); v != nil {
		top = min(top, v.Start)
	}
	for p != (place{}) {
		p = l.prev(p)
		c := &l.chunks[p.c]
		v := &c.vmas[p.i]
		if top >= v.End && top-v.End >= size {
			return top - size, top-size >= floor
		}
		top = v.Start
		if p.i == len(c.vmas)-1 && c.gap < size {
			p.i, top = 0, c.vmas[0].Start // nothing in this chunk is wide enough
		}
	}
	return top - size, top >= floor && top-floor >= size
}

// replace returns the list with repl, which lies inside [lo, hi) and is in order,
// in place of all that was mapped there. Neighbours that can be one mapping are
// joined. old and now are the mappings that differ from one list to the other,
// with their neighbours.
func (l *list) replace(lo, hi uint64, repl []VMA) (r list, old, now []VMA) {
	first := l.find(lo)
	left := l.prev(first)
	if left != first {
		v := *l.at(left)
		old, now = append(old, v), append(now, v)
	}
	p := first
	if v := l.at(p); v != nil && v.Start < lo {
		now = append(now, v.Part(0, lo))
	}
	var rest []VMA
	for ; ; p = l.next(p) {
		v := l.at(p)
		if v == nil {
			break
		}
		old = append(old, *v)
		if v.End > hi {
			rest = append(rest, v.Part(max(hi, v.Start), v.End))
		}
		if v.Start >= hi {
			p = l.next(p) // the right neighbour, which may be joined
			break
		}
	}
	now = join(append(append(now, repl...), rest...))
	r = l.exchange(left, p, now)
	r.n += len(now) - len(old)
	for _, v := range old {
		r.bytes -= v.Size()
	}
	for _, v := range now {
		r.bytes += v.Size()
	}
	return r, old, now
}

// exchange returns the list with now in place of [from, to).
func (l *list) exchange(from, to place, now []VMA) list {
	r := list{n: l.n, bytes: l.bytes}
	var head, tail []VMA
	lastChunk := to.c
	if from.c < len(l.chunks) {
		head = l.chunks[from.c].vmas[:from.i]
	}
	if to.c < len(l.chunks) && to.i > 0 {
		tail = l.chunks[to.c].vmas[to.i:]
		lastChunk++
	}
	firstChunk := from.c
	size := len(head) + len(now) + len(tail)
	if firstChunk > 0 && size+len(l.chunks[firstChunk-1].vmas) <= maxChunk {
		firstChunk--
		size += len(l.chunks[firstChunk].vmas)
		head = slices.Concat(l.chunks[firstChunk].vmas, head)
	}
	all := make([]VMA, 0, size)
	all = append(append(append(all, head...), now...), tail...)
	pieces := (size + maxChunk - 1) / maxChunk
	r.chunks = make([]chunk, 0, len(l.chunks)-(lastChunk-firstChunk)+pieces)
	r.chunks = append(r.chunks, l.chunks[:firstChunk]...)
	for i := range pieces {
		r.chunks = append(r.chunks, newChunk(all[i*size/pieces:(i+1)*size/pieces]))
	}
	r.chunks = append(r.chunks, l.chunks[lastChunk:]...)
	return r
}

func newChunk(vmas []VMA) chunk {
	c := chunk{vmas: vmas}
	for i := 1; i < len(vmas); i++ {
		c.gap = max(c.gap, vmas[i].Start-vmas[i-1].End)
	}
	return c
}

// join merges neighbours in place.
func join(vmas []VMA) []VMA {
	w := 0
	for _, v := range vmas {
		if w > 0 && vmas[w-1].joins(v) {
			vmas[w-1].End = v.End
			continue
		}
		vmas[w] = v
		w++
	}
	return vmas[:w]
}

// uses counts the mappings of each file. Forks share it until it changes.
type uses struct {
	count  map[vfs.NodeID]use
	shared bool
}

// use is how many mappings a file has, and how many of them are not Direct.
type use struct{ all, indirect int }

// change corrects the counts: old mappings became now.
func (u *uses) change(old, now []VMA) {
	for _, d := range [...]struct {
		vmas []VMA
		by   int
	}{{old, -1}, {now, 1}} {
		for _, v := range d.vmas {
			if v.hasNode() {
				u.add(&v, d.by)
			}
		}
	}
}

func (u *uses) add(v *VMA, by int) {
	if u.count == nil || u.shared {
		c := make(map[vfs.NodeID]use, len(u.count)+1)
		for id, n := range u.count {
			c[id] = n
		}
		u.count, u.shared = c, false
	}
	n := u.count[v.Node]
	n.all += by
	if v.Kind != Direct {
		n.indirect += by
	}
	if n.all == 0 {
		delete(u.count, v.Node)
	} else {
		u.count[v.Node] = n
	}
}
