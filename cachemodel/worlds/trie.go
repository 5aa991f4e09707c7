package worlds

// owner marks what a Memory may change in place. A fork gives both sides a new
// one, so whatever carries an older mark is shared and is copied before it is
// changed. It has a size, because pointers to things without one may be equal.
type owner struct{ _ byte }

const (
	trieBits  = 4
	trieWidth = 1 << trieBits
)

// trie is a map from numbers to pointers that forks in constant time: nodes are
// copied along the path of a change when they are shared. The zero trie is empty.
type trie[T any] struct {
	root *node[T]
	n    int
}

type node[T any] struct {
	own   *owner
	used  int
	slots [trieWidth]slot[T]
}

// slot holds a value or leads on; never both.
type slot[T any] struct {
	key   uint64
	val   *T
	child *node[T]
}

// mix spreads a key over all bits. It is a bijection, so that different keys
// part at some level.
func mix(k uint64) uint64 {
	k = (k ^ k>>32) * 0xd6e8feb86659fd93
	k = (k ^ k>>32) * 0xd6e8feb86659fd93
	return k ^ k>>32
}

func (t *trie[T]) get(key uint64) *T {
	h := mix(key)
	for n := t.root; n != nil; h >>= trieBits {
		s := &n.slots[h%trieWidth]
		if s.child == nil {
			if s.val != nil && s.key == key {
				return s.val
			}
			return nil
		}
		n = s.child
	}
	return nil
}

// mine returns the node or a copy that may be changed.
func (n *node[T]) mine(o *owner) *node[T] {
	switch {
	case n == nil:
		return &node[T]{own: o}
	case n.own == o:
		return n
	}
	c := *n
	c.own = o
	return &c
}

func (t *trie[T]) put(o *owner, key uint64, val *T) {
	t.root = t.root.mine(o)
	n := t.root
	h := mix(key)
	for depth := trieBits; ; depth += trieBits {
		s := &n.slots[h%trieWidth]
		h >>= trieBits
		switch {
		case s.child != nil:
			s.child = s.child.mine(o)
		case s.val == nil:
			*s = slot[T]{key: key, val: val}
			n.used++
			t.n++
			return
		case s.key == key:
			s.val = val
			return
		default: // two keys with one path: the older one moves down
			below := &node[T]{own: o, used: 1}
			below.slots[mix(s.key)>>depth%trieWidth] = slot[T]{key: s.key, val: s.val}
			*s = slot[T]{child: below}
		}
		n = s.child
	}
}

func (t *trie[T]) remove(o *owner, key uint64) {
	if t.get(key) == nil {
		return
	}
	t.root = t.root.without(o, key, mix(key))
	t.n--
}

// without returns the node without a key that it has, nil when it is empty then.
func (n *node[T]) without(o *owner, key, h uint64) *node[T] {
	s := n.slots[h%trieWidth]
	if s.child != nil {
		s.child = s.child.without(o, key, h>>trieBits)
	}
	if s.child == nil {
		if n.used == 1 {
			return nil
		}
		s = slot[T]{}
	}
	n = n.mine(o)
	n.slots[h%trieWidth] = s
	if s.child == nil {
		n.used--
	}
	return n
}

// each visits all values in an order that depends on the keys alone, until fn
// says no.
func (t *trie[T]) each(fn func(key uint64, val *T) bool) { t.root.each(fn) }

func (n *node[T]) each(fn func(key uint64, val *T) bool) bool {
	if n == nil {
		return true
	}
	for i := range n.slots {
		s := &n.slots[i]
		if s.val != nil && !fn(s.key, s.val) || s.child != nil && !s.child.each(fn) {
			return false
		}
	}
	return true
}

// diff calls fn with the values that differ between two tries of which one came from the
// other by changes, nil for one that is not there. What they share is not looked at.
func (n *node[T]) diff(o *node[T], fn func(key uint64, old, now *T)) {
	if n == o {
		return
	}
	for i := range trieWidth {
		var a, b slot[T]
		if n != nil {
			a = n.slots[i]
		}
		if o != nil {
			b = o.slots[i]
		}
		if a == b {
			continue
		}
		if a.child != nil && b.child != nil {
			a.child.diff(b.child, fn)
			continue
		}
		now := map[uint64]*T{}
		b.each(func(key uint64, val *T) bool { now[key] = val; return true })
		a.each(func(key uint64, val *T) bool {
			if v := now[key]; v != val {
				fn(key, val, v)
			}
			delete(now, key)
			return true
		})
		b.each(func(key uint64, val *T) bool {
			if now[key] != nil {
				fn(key, nil, val)
			}
			return true
		})
	}
}

func (s *slot[T]) each(fn func(key uint64, val *T) bool) bool {
	if s.val != nil {
		return fn(s.key, s.val)
	}
	return s.child.each(fn)
}
