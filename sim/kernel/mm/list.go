package mm

import (
	"iter"
	"slices"

	"zhuque/sim/kernel/balanced"
	"zhuque/sim/kernel/vfs"
)

// list is an ascending list of mappings that do not overlap. It is a value: forks and
// the journal keep theirs at no cost.
type list struct{ root *node }

type node = balanced.Node[*VMA, layout]

// layout is what a tree of mappings tells of itself.
type layout struct {
	bytes       uint64 // mapped in all
	locked      uint64 // and Locked
	first, last uint64 // address of the first mapping, end of the last one
	gap         uint64 // largest hole between neighbours in it
}

// Of is what makes layout a balanced.Summary.
func (layout) Of(l *layout, v *VMA, r *layout) layout {
	e := layout{bytes: v.Size(), first: v.Start, last: v.End}
	if v.Attr&Locked != 0 {
		e.locked = v.Size()
	}
	if l != nil {
		e.bytes, e.first, e.locked = e.bytes+l.bytes, l.first, e.locked+l.locked
		e.gap = max(l.gap, v.Start-l.last)
	}
	if r != nil {
		e.bytes, e.last, e.locked = e.bytes+r.bytes, r.last, e.locked+r.locked
		e.gap = max(e.gap, r.gap, r.first-v.End)
	}
	return e
}

// build returns the tree of mappings in order, which it keeps.
func build(vmas []VMA) *node {
	return balanced.Build[*VMA, layout](len(vmas), func(i int) *VMA { return &vmas[i] })
}

// from yields the mappings of a tree that end after va, in order, and reports whether
// yield wants more.
func from(n *node, va uint64, yield func(*VMA) bool) bool {
	switch {
	case n == nil || n.Sum.last <= va:
		return true
	case n.Sum.first > va:
		return n.Each(yield)
	}
	return from(n.Left, va, yield) && (n.Item.End <= va || yield(n.Item)) && from(n.Right, va, yield)
}

func (l *list) len() int { return l.root.Len() }

// bytes returns how much is mapped in all.
func (l *list) bytes() uint64 {
	if l.root == nil {
		return 0
	}
	return l.root.Sum.bytes
}

// find returns the first mapping that ends after va, nil for none.
func (l *list) find(va uint64) (v *VMA) {
	for n := l.root; n != nil; {
		if n.Item.End > va {
			v, n = n.Item, n.Left
		} else {
			n = n.Right
		}
	}
	return v
}

// from yields the mappings that end after va, in order.
func (l *list) from(va uint64) iter.Seq[*VMA] {
	return func(yield func(*VMA) bool) { from(l.root, va, yield) }
}

// starting returns the mapping that starts at va, nil for none.
func (l *list) starting(va uint64) *VMA {
	if v := l.find(va); v != nil && v.Start == va {
		return v
	}
	return nil
}

// flat returns all mappings in one slice.
func (l *list) flat() []VMA {
	out := make([]VMA, 0, l.len())
	l.root.Each(func(v *VMA) bool {
		out = append(out, *v)
		return true
	})
	return out
}

// below returns the highest free range of size bytes that ends at top or lower and
// starts at floor or higher.
func (l *list) below(top, floor, size uint64) (at uint64, ok bool) {
	if below(l.root, &top, size) {
		return top - size, top-size >= floor
	}
	return top - size, top >= floor && top-floor >= size
}

// below lowers top to the end of the highest hole of size bytes that ends there or lower
// and reports true, or to the beginning of the lowest mapping there and reports false.
func below(n *node, top *uint64, size uint64) bool {
	if n == nil || n.Sum.first >= *top {
		return false
	}
	if n.Sum.last <= *top {
		if *top-n.Sum.last >= size {
			return true
		}
		if n.Sum.gap < size {
			*top = n.Sum.first
			return false
		}
	}
	if below(n.Right, top, size) {
		return true
	}
	if v := n.Item; v.Start < *top {
		if *top >= v.End && *top-v.End >= size {
			return true
		}
		*top = v.Start
	}
	return below(n.Left, top, size)
}

// replace returns the list with repl, which lies inside [lo, hi) and is in order,
// in place of all that was mapped there. Neighbours that can be one mapping are
// joined. old and now are the mappings that differ from one list to the other,
// with their neighbours.
func (l *list) replace(lo, hi uint64, repl []VMA) (r list, old, now []VMA) {
	left, rest := l.root.Split(func(v *VMA) bool { return v.End <= lo })
	inside, right := rest.Split(func(v *VMA) bool { return v.Start < hi })
	if left != nil {
		var v *VMA
		left, v = left.CutLast()
		old, now = append(old, *v), append(now, *v)
	}
	var behind []VMA
	inside.Each(func(v *VMA) bool {
		old = append(old, *v)
		if v.Start < lo {
			now = append(now, v.Part(0, lo))
		}
		if v.End > hi {
			behind = append(behind, v.Part(hi, v.End))
		}
		return true
	})
	if right != nil {
		var v *VMA
		v, right = right.CutFirst()
		old, behind = append(old, *v), append(behind, *v)
	}
	now = join(append(append(now, repl...), behind...))
	return list{balanced.Concat(balanced.Concat(left, build(slices.Clone(now))), right)}, old, now
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
	if !v.InFrames() {
		n.indirect += by
	}
	if n.all == 0 {
		delete(u.count, v.Node)
	} else {
		u.count[v.Node] = n
	}
}
