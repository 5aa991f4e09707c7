package vfs

// trie is an ordered map from 64-bit keys that forks in constant time: copying
// the struct copies the map. Branches and leaves of the writer's epoch are
// changed in place, all others copied first. Lookups go by the key's nibbles,
// lowest first, so that consecutive keys spread; the shape follows from the key
// set alone, hence so does the order of each.
type trie[T any] struct {
	root *twig[T]
	n    int
}

const (
	twigBits = 4
	twigFan  = 1 << twigBits
)

// twig is a leaf (kids nil) or a branch.
type twig[T any] struct {
	epoch uint64
	key   uint64
	val   T
	kids  *[twigFan]*twig[T]
}

func (t *trie[T]) get(key uint64) (val T, ok bool) {
	n, k := t.root, key
	for n != nil && n.kids != nil {
		n = n.kids[k%twigFan]
		k >>= twigBits
	}
	if n == nil || n.key != key {
		return val, false
	}
	return n.val, true
}

func (t *trie[T]) set(epoch, key uint64, val T) {
	at := &t.root
	for shift := uint(0); ; shift += twigBits {
		n := *at
		switch {
		case n == nil:
			*at = &twig[T]{epoch: epoch, key: key, val: val}
			t.n++
			return
		case n.kids == nil && n.key == key:
			if n.epoch != epoch {
				n = &twig[T]{epoch: epoch, key: key}
				*at = n
			}
			n.val = val
			return
		case n.kids == nil:
			b := &twig[T]{epoch: epoch, kids: new([twigFan]*twig[T])}
			b.kids[n.key>>shift%twigFan] = n
			*at, n = b, b
		case n.epoch != epoch:
			kids := *n.kids
			n = &twig[T]{epoch: epoch, kids: &kids}
			*at = n
		}
		at = &n.kids[key>>shift%twigFan]
	}
}

func (t *trie[T]) del(epoch, key uint64) {
	if _, ok := t.get(key); ok {
		t.root = t.root.without(epoch, key, 0)
		t.n--
	}
}

// without returns n less the key, which is there; a branch left with one leaf
// becomes that leaf.
func (n *twig[T]) without(epoch, key uint64, shift uint) *twig[T] {
	if n.kids == nil {
		return nil
	}
	i := key >> shift % twigFan
	kid := n.kids[i].without(epoch, key, shift+twigBits)
	if kid == nil || kid.kids == nil {
		if only, ok := n.onlyLeaf(i, kid); ok {
			return only
		}
	}
	if n.epoch != epoch {
		kids := *n.kids
		n = &twig[T]{epoch: epoch, kids: &kids}
	}
	n.kids[i] = kid
	return n
}

// onlyLeaf reports what n collapses to once its child i is kid.
func (n *twig[T]) onlyLeaf(i uint64, kid *twig[T]) (*twig[T], bool) {
	only := kid
	for j, k := range n.kids {
		if k == nil || uint64(j) == i {
			continue
		}
		if only != nil || k.kids != nil {
			return nil, false
		}
		only = k
	}
	return only, true
}

// each calls fn for every pair, in an order that depends on the keys alone,
// until fn returns false. fn must not change the trie.
func (t *trie[T]) each(fn func(key uint64, val T) bool) { t.root.each(fn) }

func (n *twig[T]) each(fn func(uint64, T) bool) bool {
	if n == nil {
		return true
	}
	if n.kids == nil {
		return fn(n.key, n.val)
	}
	for _, k := range n.kids {
		if !k.each(fn) {
			return false
		}
	}
	return true
}
