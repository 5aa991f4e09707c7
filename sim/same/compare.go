package same

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// Difference is one place where two graphs differ.
type Difference struct {
	Path      string // from the root: "procs[1].umask"
	Want, Got string
}

func (d Difference) String() string {
	return fmt.Sprintf("%s is %s instead of %s", d.Path, d.Got, d.Want)
}

// Compare returns the differences between two graphs, at most limit. Neither is changed.
func (p *Plan[T]) Compare(want, got *T, limit int) []Difference {
	w := walk{limit: limit}
	w.shape(p.root, unsafe.Pointer(want), unsafe.Pointer(got))
	return w.found
}

// walk is one comparison.
type walk struct {
	found []Difference
	limit int

	pairs  []pair // objects that were met, the first few
	wants  map[unsafe.Pointer]unsafe.Pointer
	gots   map[unsafe.Pointer]unsafe.Pointer
	shared func(typ reflect.Type, name string) // told of memory that both graphs lead to; nil for nobody
}

// pair is what is the same object on both sides.
type pair struct{ want, got unsafe.Pointer }

// fewPairs is up to how many objects a list is searched.
const fewPairs = 24

// met enters a pair of objects. first: neither was met before; same: both are new, or
// they were met together.
func (w *walk) met(a, b unsafe.Pointer) (first, same bool) {
	if w.wants == nil {
		for _, p := range w.pairs {
			if p.want == a || p.got == b {
				return false, p.want == a && p.got == b
			}
		}
		if len(w.pairs) < fewPairs {
			w.pairs = append(w.pairs, pair{a, b})
			return true, true
		}
		w.wants, w.gots = map[unsafe.Pointer]unsafe.Pointer{}, map[unsafe.Pointer]unsafe.Pointer{}
		for _, p := range w.pairs {
			w.wants[p.want], w.gots[p.got] = p.got, p.want
		}
	}
	was, known := w.wants[a]
	from, taken := w.gots[b]
	if known || taken {
		return false, was == b && from == a
	}
	w.wants[a], w.gots[b] = b, a
	return true, true
}

func (w *walk) full() bool { return len(w.found) >= w.limit }

// differ notes a difference at the present place.
func (w *walk) differ(want, got string) {
	if !w.full() {
		w.found = append(w.found, Difference{Want: want, Got: got})
	}
}

// under puts the name of a place before the paths of the differences from the n-th on.
func (w *walk) under(n int, name string) {
	for i := n; i < len(w.found); i++ {
		if path := &w.found[i].Path; *path == "" || strings.HasPrefix(*path, "[") || name == "" {
			*path = name + *path
		} else {
			*path = name + "." + *path
		}
	}
}

// shape compares two values.
func (w *walk) shape(s *shape, a, b unsafe.Pointer) {
	if a == b {
		return
	}
	for i := range s.steps {
		if w.full() {
			return
		}
		st := &s.steps[i]
		n := len(w.found)
		w.step(st, unsafe.Add(a, st.off), unsafe.Add(b, st.off))
		if len(w.found) > n && st.kind != bytesOf {
			w.under(n, st.name)
		}
	}
}

func (w *walk) step(st *step, a, b unsafe.Pointer) {
	switch st.kind {
	case bytesOf:
		if !equal(a, b, st.size) {
			w.leaves(st, a, b)
		}
	case stringOf:
		if x, y := *(*string)(a), *(*string)(b); x != y {
			w.differ(fmt.Sprintf("%q", x), fmt.Sprintf("%q", y))
		}
	case pointerOf:
		w.pointer(st, pointerAt(a), pointerAt(b))
	case identityOf:
		if pointerAt(a) != pointerAt(b) {
			w.differ("one object", "another")
		}
	case listOf, setOf:
		w.list(st, (*list)(a), (*list)(b))
	case piecesOf:
		w.pieces(st, (*list)(a), (*list)(b))
	case itemsOf:
		w.items(st, pointerAt(a), pointerAt(b))
	case mapOf:
		w.maps(st, a, b)
	case arrayOf:
		for i := range st.size {
			n := len(w.found)
			w.shape(st.elem, unsafe.Add(a, i*st.elem.size), unsafe.Add(b, i*st.elem.size))
			if len(w.found) > n {
				w.under(n, fmt.Sprintf("[%d]", i))
			}
		}
	}
}

// leaves notes which of the plain fields of a step differ.
func (w *walk) leaves(st *step, a, b unsafe.Pointer) {
	for _, l := range st.leaves {
		x, y := unsafe.Add(a, l.off-st.off), unsafe.Add(b, l.off-st.off)
		if !equal(x, y, l.size) {
			n := len(w.found)
			w.differ(show(l.typ, x), show(l.typ, y))
			w.under(n, l.name)
		}
	}
}

// show returns a plain value in words.
func show(t reflect.Type, p unsafe.Pointer) string {
	v := reflect.NewAt(t, p).Elem()
	switch {
	case v.CanUint():
		return fmt.Sprintf("%#x", v.Uint())
	case v.CanInt():
		return fmt.Sprint(v.Int())
	case v.Kind() == reflect.Bool:
		return fmt.Sprint(v.Bool())
	}
	return fmt.Sprintf("%v", v)
}

func (w *walk) pointer(st *step, a, b unsafe.Pointer) {
	switch {
	case a == nil && b == nil:
		return
	case a == nil:
		w.differ("nothing", "there")
		return
	case b == nil:
		w.differ("there", "nothing")
		return
	case st.as&Shared != 0:
		w.shape(st.elem, a, b)
		return
	}
	w.both(st, a, b)
	switch first, same := w.met(a, b); {
	case !same:
		w.differ("one object", "another that is met elsewhere")
	case first:
		w.shape(st.elem, a, b)
	}
}

// both tells of memory that both graphs lead to.
func (w *walk) both(st *step, a, b unsafe.Pointer) {
	if a == b && a != nil && w.shared != nil && st.as&(Shared|Identity) == 0 {
		w.shared(st.typ, st.name)
	}
}

func (w *walk) list(st *step, a, b *list) {
	if a.len != b.len {
		w.differ(entries(a.len), entries(b.len))
		return
	}
	if a.cap > 0 && b.cap > 0 {
		w.both(st, a.at, b.at)
	}
	if a.len == 0 || a.at == b.at {
		return
	}
	if st.elem.plain && equal(a.at, b.at, uintptr(a.len)*st.elem.size) {
		return
	}
	if st.kind == setOf {
		w.set(st, a, b)
		return
	}
	for i := range a.len {
		if w.full() {
			return
		}
		off := uintptr(i) * st.elem.size
		n := len(w.found)
		w.shape(st.elem, unsafe.Add(a.at, off), unsafe.Add(b.at, off))
		if len(w.found) > n {
			w.under(n, fmt.Sprintf("[%d]", i))
		}
	}
}

func entries(n int) string { return fmt.Sprintf("%d entries", n) }

// set compares two lists of equal lengths in any order.
func (w *walk) set(st *step, a, b *list) {
	taken := make([]bool, b.len)
	for i := range a.len {
		found := false
		for n := range b.len { // mostly at the same place
			j := (i + n) % b.len
			if taken[j] {
				continue
			}
			probe := walk{limit: 1}
			probe.shape(st.elem, unsafe.Add(a.at, uintptr(i)*st.elem.size), unsafe.Add(b.at, uintptr(j)*st.elem.size))
			if found = len(probe.found) == 0; found {
				taken[j] = true
				break
			}
		}
		if !found {
			n := len(w.found)
			w.differ("there", "nothing")
			w.under(n, fmt.Sprintf("[%d]", i))
			return
		}
	}
}

// run goes through a list of lists as one.
type run struct {
	rest []list
	at   list
}

func runOf(l *list) run { return run{rest: unsafe.Slice((*list)(l.at), l.len)} }

// next returns the next element, nil behind the last.
func (r *run) next(size uintptr) unsafe.Pointer {
	for r.at.len == 0 {
		if len(r.rest) == 0 {
			return nil
		}
		r.at, r.rest = r.rest[0], r.rest[1:]
	}
	p := r.at.at
	if r.at.len--; r.at.len > 0 {
		r.at.at = unsafe.Add(p, size)
	}
	return p
}

func (w *walk) pieces(st *step, a, b *list) {
	if w.shared != nil && a.cap > 0 && b.cap > 0 {
		w.both(st, a.at, b.at)
	}
	if a.at == b.at && a.len == b.len {
		return
	}
	ra, rb := runOf(a), runOf(b)
	for i := 0; !w.full(); i++ {
		x, y := ra.next(st.elem.size), rb.next(st.elem.size)
		n := len(w.found)
		switch {
		case x == nil && y == nil:
			return
		case x == nil || y == nil:
			w.differ(presence(x), presence(y))
			w.under(n, fmt.Sprintf("[%d]", i))
			return
		}
		if x == y && w.shared != nil {
			w.shared(st.typ, st.name)
		}
		w.shape(st.elem, x, y)
		if len(w.found) > n {
			w.under(n, fmt.Sprintf("[%d]", i))
		}
	}
}

func presence(p unsafe.Pointer) string {
	if p == nil {
		return "nothing"
	}
	return "there"
}

// climb goes through the nodes of a tree in order.
type climb struct {
	tree  *node
	above []unsafe.Pointer
}

func (c *climb) down(n unsafe.Pointer) {
	for n != nil {
		c.above = append(c.above, n)
		n = pointerAt(unsafe.Add(n, c.tree.left))
	}
}

// next returns the next item, nil behind the last.
func (c *climb) next() unsafe.Pointer {
	last := len(c.above) - 1
	if last < 0 {
		return nil
	}
	n := c.above[last]
	c.above = c.above[:last]
	c.down(pointerAt(unsafe.Add(n, c.tree.right)))
	return unsafe.Add(n, c.tree.item)
}

func (w *walk) items(st *step, a, b unsafe.Pointer) {
	w.both(st, a, b)
	if a == b {
		return
	}
	ca, cb := climb{tree: &st.tree}, climb{tree: &st.tree}
	ca.down(a)
	cb.down(b)
	for i := 0; !w.full(); i++ {
		x, y := ca.next(), cb.next()
		n := len(w.found)
		switch {
		case x == nil && y == nil:
			return
		case x == nil || y == nil:
			w.differ(presence(x), presence(y))
		default:
			w.shape(st.tree.elem, x, y)
		}
		if len(w.found) > n {
			w.under(n, fmt.Sprintf("[%d]", i))
		}
		if x == nil || y == nil {
			return
		}
	}
}

func (w *walk) maps(st *step, a, b unsafe.Pointer) {
	x, y := reflect.NewAt(st.typ, a).Elem(), reflect.NewAt(st.typ, b).Elem()
	w.both(st, pointerAt(a), pointerAt(b))
	if x.Len() == 0 && y.Len() == 0 || x.UnsafePointer() == y.UnsafePointer() {
		return
	}
	from := len(w.found)
	inner := step{kind: listOf, elem: st.elem, typ: st.typ.Elem(), as: st.as}
	if st.typ.Elem().Kind() == reflect.Slice {
		if inner.elem = st.elem.steps[0].elem; st.as&AnyOrder != 0 {
			inner.kind = setOf
		}
	}
	for it := x.MapRange(); it.Next(); {
		key, n := it.Key(), len(w.found)
		other := y.MapIndex(key)
		if !other.IsValid() {
			w.differ("there", "nothing")
		} else {
			va, vb := addressed(it.Value()), addressed(other)
			if inner.typ.Kind() == reflect.Slice {
				w.list(&inner, (*list)(va), (*list)(vb))
			} else {
				w.shape(st.elem, va, vb)
			}
		}
		if len(w.found) > n {
			w.under(n, fmt.Sprintf("[%v]", key))
		}
	}
	for it := y.MapRange(); it.Next(); {
		if n := len(w.found); !x.MapIndex(it.Key()).IsValid() {
			w.differ("nothing", "there")
			if len(w.found) > n {
				w.under(n, fmt.Sprintf("[%v]", it.Key()))
			}
		}
	}
	slices.SortFunc(w.found[from:], func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
}

// addressed returns where a copy of a value lies.
func addressed(v reflect.Value) unsafe.Pointer {
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p.UnsafePointer()
}
