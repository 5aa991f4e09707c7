package mm

import (
	"iter"
	"slices"

	"zhuque/sim/kernel/vfs"
)

// list is an ascending list of mappings that do not overlap. It is a value: a
// change makes a new list, which shares all nodes but those on the way to the ones it
// touches, so that forks and the journal keep theirs at no cost, and a change costs the
// logarithm of the length. It is a balanced tree (Adelson-Velsky and Landis), whose
// changes are splits and joins of trees.
type list struct{ root *node }

// node is a tree, never changed. Its mapping lies between those on its left and on its
// right.
type node struct {
	vma         *VMA
	left, right *node
	height, n   int
	bytes       uint64 // mapped in all
	first, last uint64 // address of the first mapping, end of the last one
	gap         uint64 // largest hole between neighbours in it
}

func height(n *node) int {
	if n == nil {
		return 0
	}
	return n.height
}

// tree returns the tree of two trees, whose heights differ by one at most, and what lies
// between them.
func tree(l *node, v *VMA, r *node) *node {
	n := &node{vma: v, left: l, right: r, height: 1 + max(height(l), height(r)), n: 1, bytes: v.Size(), first: v.Start, last: v.End}
	if l != nil {
		n.n, n.bytes, n.first = n.n+l.n, n.bytes+l.bytes, l.first
		n.gap = max(l.gap, v.Start-l.last)
	}
	if r != nil {
		n.n, n.bytes, n.last = n.n+r.n, n.bytes+r.bytes, r.last
		n.gap = max(n.gap, r.gap, r.first-v.End)
	}
	return n
}

// balanced is tree where the heights may differ by two.
func balanced(l *node, v *VMA, r *node) *node {
	switch hl, hr := height(l), height(r); {
	case hl > hr+1 && height(l.left) >= height(l.right):
		return tree(l.left, l.vma, tree(l.right, v, r))
	case hl > hr+1:
		return tree(tree(l.left, l.vma, l.right.left), l.right.vma, tree(l.right.right, v, r))
	case hr > hl+1 && height(r.right) >= height(r.left):
		return tree(tree(l, v, r.left), r.vma, r.right)
	case hr > hl+1:
		return tree(tree(l, v, r.left.left), r.left.vma, tree(r.left.right, r.vma, r.right))
	}
	return tree(l, v, r)
}

// link is tree for any heights.
func link(l *node, v *VMA, r *node) *node {
	switch hl, hr := height(l), height(r); {
	case hl > hr+1:
		return balanced(l.left, l.vma, link(l.right, v, r))
	case hr > hl+1:
		return balanced(link(l, v, r.left), r.vma, r.right)
	}
	return tree(l, v, r)
}

// concat returns the tree of two trees, one behind the other.
func concat(l, r *node) *node {
	if r == nil {
		return l
	}
	v, rest := r.cutFirst()
	return link(l, v, rest)
}

// cutFirst takes the first mapping off a tree.
func (n *node) cutFirst() (*VMA, *node) {
	if n.left == nil {
		return n.vma, n.right
	}
	v, rest := n.left.cutFirst()
	return v, balanced(rest, n.vma, n.right)
}

// cutLast takes the last mapping off a tree.
func (n *node) cutLast() (*node, *VMA) {
	if n.right == nil {
		return n.left, n.vma
	}
	rest, v := n.right.cutLast()
	return balanced(n.left, n.vma, rest), v
}

// split divides a tree: mappings for which low is true come before those for which it is
// not.
func (n *node) split(low func(*VMA) bool) (l, r *node) {
	switch {
	case n == nil:
		return nil, nil
	case low(n.vma):
		m, r := n.right.split(low)
		return link(n.left, n.vma, m), r
	}
	l, m := n.left.split(low)
	return l, link(m, n.vma, n.right)
}

// build returns the tree of mappings in order, which it keeps.
func build(vmas []VMA) *node {
	if len(vmas) == 0 {
		return nil
	}
	i := len(vmas) / 2
	return tree(build(vmas[:i]), &vmas[i], build(vmas[i+1:]))
}

// each yields all mappings of a tree in order, and reports whether yield wants more.
func (n *node) each(yield func(*VMA) bool) bool {
	return n == nil || n.left.each(yield) && yield(n.vma) && n.right.each(yield)
}

// from yields the mappings that end after va, in order.
func (n *node) from(va uint64, yield func(*VMA) bool) bool {
	switch {
	case n == nil || n.last <= va:
		return true
	case n.first > va:
		return n.each(yield)
	}
	return n.left.from(va, yield) && (n.vma.End <= va || yield(n.vma)) && n.right.from(va, yield)
}

func (l *list) len() int {
	if l.root == nil {
		return 0
	}
	return l.root.n
}

// bytes returns how much is mapped in all.
func (l *list) bytes() uint64 {
	if l.root == nil {
		return 0
	}
	return l.root.bytes
}

// find returns the first mapping that ends after va, nil for none.
func (l *list) find(va uint64) (v *VMA) {
	for n := l.root; n != nil; {
		if n.vma.End > va {
			v, n = n.vma, n.left
		} else {
			n = n.right
		}
	}
	return v
}

// from yields the mappings that end after va, in order.
func (l *list) from(va uint64) iter.Seq[*VMA] {
	return func(yield func(*VMA) bool) { l.root.from(va, yield) }
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
	l.root.each(func(v *VMA) bool {
		out = append(out, *v)
		return true
	})
	return out
}

// below returns the highest free range of size bytes that ends at top or lower and
// starts at floor or higher.
func (l *list) below(top, floor, size uint64) (at uint64, ok bool) {
	if l.root.below(&top, size) {
		return top - size, top-size >= floor
	}
	return top - size, top >= floor && top-floor >= size
}

// below lowers top to the end of the highest hole of size bytes that ends there or lower
// and reports true, or to the beginning of the lowest mapping there and reports false.
func (n *node) below(top *uint64, size uint64) bool {
	if n == nil || n.first >= *top {
		return false
	}
	if n.last <= *top {
		if *top-n.last >= size {
			return true
		}
		if n.gap < size {
			*top = n.first
			return false
		}
	}
	if n.right.below(top, size) {
		return true
	}
	if v := n.vma; v.Start < *top {
		if *top >= v.End && *top-v.End >= size {
			return true
		}
		*top = v.Start
	}
	return n.left.below(top, size)
}

// replace returns the list with repl, which lies inside [lo, hi) and is in order,
// in place of all that was mapped there. Neighbours that can be one mapping are
// joined. old and now are the mappings that differ from one list to the other,
// with their neighbours.
func (l *list) replace(lo, hi uint64, repl []VMA) (r list, old, now []VMA) {
	left, rest := l.root.split(func(v *VMA) bool { return v.End <= lo })
	inside, right := rest.split(func(v *VMA) bool { return v.Start < hi })
	if left != nil {
		var v *VMA
		left, v = left.cutLast()
		old, now = append(old, *v), append(now, *v)
	}
	var behind []VMA
	inside.each(func(v *VMA) bool {
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
		v, right = right.cutFirst()
		old, behind = append(old, *v), append(behind, *v)
	}
	now = join(append(append(now, repl...), behind...))
	return list{concat(concat(left, build(slices.Clone(now))), right)}, old, now
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
