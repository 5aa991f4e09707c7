// Package balanced has trees that are values: a change makes a new tree, which shares
// with the old one all nodes but those on the way to what it touches. So forks and
// journals keep theirs at no cost, and a change costs the logarithm of the length. They
// are balanced as Adelson-Velsky and Landis have it; changes are splits and joins.
package balanced

// Summary is what a node tells of its whole tree. Of makes that of a tree from those of
// its halves, nil for an empty half, and what lies between them.
type Summary[T, S any] interface {
	Of(left *S, item T, right *S) S
}

// Node is a tree, never changed; nil is the empty one. Its item lies between those on
// its left and on its right.
type Node[T any, S Summary[T, S]] struct {
	Item        T
	Left, Right *Node[T, S]
	Sum         S
	height, n   int
}

// Len returns the number of items.
func (n *Node[T, S]) Len() int {
	if n == nil {
		return 0
	}
	return n.n
}

// Height returns how many nodes lie on the longest way down.
func (n *Node[T, S]) Height() int {
	if n == nil {
		return 0
	}
	return n.height
}

func (n *Node[T, S]) sum() *S {
	if n == nil {
		return nil
	}
	return &n.Sum
}

// tree returns the tree of two trees, whose heights differ by one at most, and what lies
// between them.
func tree[T any, S Summary[T, S]](l *Node[T, S], item T, r *Node[T, S]) *Node[T, S] {
	n := &Node[T, S]{Item: item, Left: l, Right: r, height: 1 + max(l.Height(), r.Height()), n: 1 + l.Len() + r.Len()}
	n.Sum = n.Sum.Of(l.sum(), item, r.sum())
	return n
}

// balanced is tree where the heights may differ by two.
func balanced[T any, S Summary[T, S]](l *Node[T, S], item T, r *Node[T, S]) *Node[T, S] {
	switch hl, hr := l.Height(), r.Height(); {
	case hl > hr+1 && l.Left.Height() >= l.Right.Height():
		return tree(l.Left, l.Item, tree(l.Right, item, r))
	case hl > hr+1:
		return tree(tree(l.Left, l.Item, l.Right.Left), l.Right.Item, tree(l.Right.Right, item, r))
	case hr > hl+1 && r.Right.Height() >= r.Left.Height():
		return tree(tree(l, item, r.Left), r.Item, r.Right)
	case hr > hl+1:
		return tree(tree(l, item, r.Left.Left), r.Left.Item, tree(r.Left.Right, r.Item, r.Right))
	}
	return tree(l, item, r)
}

// Link returns the tree of two trees and what lies between them.
func Link[T any, S Summary[T, S]](l *Node[T, S], item T, r *Node[T, S]) *Node[T, S] {
	switch hl, hr := l.Height(), r.Height(); {
	case hl > hr+1:
		return balanced(l.Left, l.Item, Link(l.Right, item, r))
	case hr > hl+1:
		return balanced(Link(l, item, r.Left), r.Item, r.Right)
	}
	return tree(l, item, r)
}

// Concat returns the tree of two trees, one behind the other.
func Concat[T any, S Summary[T, S]](l, r *Node[T, S]) *Node[T, S] {
	if r == nil {
		return l
	}
	item, rest := r.CutFirst()
	return Link(l, item, rest)
}

// CutFirst takes the first item off a tree, which is not empty.
func (n *Node[T, S]) CutFirst() (T, *Node[T, S]) {
	if n.Left == nil {
		return n.Item, n.Right
	}
	item, rest := n.Left.CutFirst()
	return item, balanced(rest, n.Item, n.Right)
}

// CutLast takes the last item off a tree, which is not empty.
func (n *Node[T, S]) CutLast() (*Node[T, S], T) {
	if n.Right == nil {
		return n.Left, n.Item
	}
	rest, item := n.Right.CutLast()
	return balanced(n.Left, n.Item, rest), item
}

// Split divides a tree: items for which low is true come before those for which it is
// not.
func (n *Node[T, S]) Split(low func(T) bool) (l, r *Node[T, S]) {
	switch {
	case n == nil:
		return nil, nil
	case low(n.Item):
		m, r := n.Right.Split(low)
		return Link(n.Left, n.Item, m), r
	}
	l, m := n.Left.Split(low)
	return l, Link(m, n.Item, n.Right)
}

// Build returns the tree of n items, in order; item gives each.
func Build[T any, S Summary[T, S]](n int, item func(i int) T) *Node[T, S] {
	return build[T, S](0, n, item)
}

func build[T any, S Summary[T, S]](from, to int, item func(i int) T) *Node[T, S] {
	if from == to {
		return nil
	}
	i := from + (to-from)/2
	return tree(build[T, S](from, i, item), item(i), build[T, S](i+1, to, item))
}

// Each yields all items of a tree in order, and reports whether yield wants more.
func (n *Node[T, S]) Each(yield func(T) bool) bool {
	return n == nil || n.Left.Each(yield) && yield(n.Item) && n.Right.Each(yield)
}

// With returns the tree with an item, in place of the one that compares equal, if any.
func (n *Node[T, S]) With(item T, compare func(a, b T) int) *Node[T, S] {
	if n == nil {
		return tree[T, S](nil, item, nil)
	}
	switch order := compare(item, n.Item); {
	case order < 0:
		return balanced(n.Left.With(item, compare), n.Item, n.Right)
	case order > 0:
		return balanced(n.Left, n.Item, n.Right.With(item, compare))
	}
	return tree(n.Left, item, n.Right)
}

// Without returns the tree without the item that compares equal, which is in it.
func (n *Node[T, S]) Without(item T, compare func(a, b T) int) *Node[T, S] {
	switch order := compare(item, n.Item); {
	case order < 0:
		return balanced(n.Left.Without(item, compare), n.Item, n.Right)
	case order > 0:
		return balanced(n.Left, n.Item, n.Right.Without(item, compare))
	}
	return Concat(n.Left, n.Right)
}

// Find returns the item that compares equal, nil when there is none.
func (n *Node[T, S]) Find(item T, compare func(a, b T) int) *T {
	for n != nil {
		switch order := compare(item, n.Item); {
		case order < 0:
			n = n.Left
		case order > 0:
			n = n.Right
		default:
			return &n.Item
		}
	}
	return nil
}
