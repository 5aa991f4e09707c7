package same

import (
	"fmt"
	"reflect"
	"slices"
	"unsafe"
)

// This is for tests of plans and for tables of what is alive: to go through a graph, to change
// one thing in it, to copy it whole.

// Leaf is one thing in a graph that can be changed by itself.
type Leaf struct {
	Path  string
	Field string // its type and name: "kernel.Process.umask"
	As    Treatment
	Value reflect.Value // settable
}

// Fields returns every field that the plan compares, as Leaf.Field names it, ascending.
// Structs are told by their own fields.
func (p *Plan[T]) Fields() (all []string) {
	for t := range p.structs() {
		for i := range t.NumField() {
			if f := t.Field(i); p.treatment(t, f.Name)&Skipped == 0 && !nested(f.Type) {
				all = append(all, typeName(t)+"."+f.Name)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func nested(t reflect.Type) bool {
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Array && nested(t.Elem())
}

// structs yields the struct types that the plan compares.
func (p *table) structs() map[reflect.Type]bool {
	seen := map[reflect.Type]bool{}
	var visit func(t reflect.Type, as Treatment)
	visit = func(t reflect.Type, as Treatment) {
		switch t.Kind() {
		case reflect.Pointer:
			if as&Items != 0 {
				f, _ := t.Elem().FieldByName("Item")
				visit(f.Type, 0)
			} else if as&Identity == 0 {
				visit(t.Elem(), 0)
			}
		case reflect.Slice, reflect.Array, reflect.Map:
			visit(t.Elem(), 0)
		case reflect.Struct:
			if seen[t] {
				return
			}
			seen[t] = true
			for i := range t.NumField() {
				if f := t.Field(i); p.treatment(t, f.Name)&Skipped == 0 {
					visit(f.Type, p.treatment(t, f.Name))
				}
			}
		}
	}
	visit(p.root.typ, 0)
	return seen
}

// Each calls f for every leaf of a graph that is compared. f may change it, if it puts it
// back.
func (p *Plan[T]) Each(root *T, f func(Leaf)) {
	v := visitor{plan: &p.table, f: f, seen: map[unsafe.Pointer]bool{}}
	v.value(p.root.typ, unsafe.Pointer(root), Leaf{})
}

type visitor struct {
	plan *table
	f    func(Leaf)
	seen map[unsafe.Pointer]bool
}

func (v *visitor) value(t reflect.Type, at unsafe.Pointer, l Leaf) {
	l.Value = reflect.NewAt(t, at).Elem()
	elem := func(i int, t reflect.Type, at unsafe.Pointer) {
		v.value(t, at, Leaf{Path: fmt.Sprintf("%s[%d]", l.Path, i), Field: l.Field, As: l.As})
	}
	switch t.Kind() {
	case reflect.Struct:
		v.fields(t, at, l)
		return
	case reflect.Array:
		for i := range t.Len() {
			elem(i, t.Elem(), unsafe.Add(at, uintptr(i)*t.Elem().Size()))
		}
		return
	case reflect.Pointer:
		to := pointerAt(at)
		v.f(l)
		switch {
		case to == nil || l.As&Identity != 0:
		case l.As&Items != 0:
			v.tree(t.Elem(), to, l)
		case !v.seen[to]:
			v.seen[to] = true
			v.value(t.Elem(), to, Leaf{Path: l.Path, Field: l.Field, As: l.As &^ Shared})
		}
		return
	case reflect.Slice:
		v.f(l)
		for i := range l.Value.Len() {
			elem(i, t.Elem(), l.Value.Index(i).Addr().UnsafePointer())
		}
		return
	case reflect.Map:
		v.f(l)
		for it := l.Value.MapRange(); it.Next() && t.Elem().Kind() == reflect.Slice; {
			for i := range it.Value().Len() {
				elem(i, t.Elem().Elem(), it.Value().Index(i).Addr().UnsafePointer())
			}
		}
		return
	}
	v.f(l)
}

func (v *visitor) fields(t reflect.Type, at unsafe.Pointer, l Leaf) {
	for i := range t.NumField() {
		f := t.Field(i)
		as := v.plan.treatment(t, f.Name)
		if as&Skipped != 0 {
			continue
		}
		v.value(f.Type, unsafe.Add(at, f.Offset),
			Leaf{Path: join(l.Path, f.Name), Field: typeName(t) + "." + f.Name, As: as | l.As&Derived})
	}
}

// tree goes through the items of a tree.
func (v *visitor) tree(t reflect.Type, n unsafe.Pointer, l Leaf) {
	item, _ := t.FieldByName("Item")
	left, _ := t.FieldByName("Left")
	right, _ := t.FieldByName("Right")
	c := climb{tree: &node{item: item.Offset, left: left.Offset, right: right.Offset}}
	c.down(n)
	for i := 0; ; i++ {
		at := c.next()
		if at == nil {
			return
		}
		v.value(item.Type, at, Leaf{Path: fmt.Sprintf("%s[%d]", l.Path, i), Field: l.Field, As: l.As &^ (Items | Shared)})
	}
}

// Change gives the leaf another value and returns what puts the old one back.
func (l Leaf) Change() (undo func()) {
	v := l.Value
	old := reflect.New(v.Type()).Elem()
	old.Set(v)
	switch {
	case v.CanUint():
		v.SetUint(v.Uint() ^ 1)
	case v.CanInt():
		v.SetInt(v.Int() ^ 1)
	case v.CanFloat():
		v.SetFloat(v.Float() + 1)
	default:
		switch v.Kind() {
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.String:
			v.SetString(v.String() + "!")
		case reflect.Slice:
			longer := reflect.MakeSlice(v.Type(), v.Len()+1, v.Len()+1)
			reflect.Copy(longer, v)
			if l.As&Pieces != 0 && v.Type().Elem().Kind() == reflect.Slice {
				longer.Index(v.Len()).Set(reflect.MakeSlice(v.Type().Elem(), 1, 1)) // an empty piece is no change
			}
			v.Set(longer)
		case reflect.Pointer:
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			} else {
				v.SetZero()
			}
		case reflect.Map:
			more := reflect.MakeMap(v.Type())
			for it := v.MapRange(); it.Next(); {
				more.SetMapIndex(it.Key(), it.Value())
			}
			more.SetMapIndex(reflect.Zero(v.Type().Key()), reflect.Zero(v.Type().Elem()))
			v.Set(more)
		}
	}
	return func() { v.Set(old) }
}

// Clone returns a graph like another, which shares nothing with it but what is skipped or
// compared by identity.
func (p *Plan[T]) Clone(from *T) *T {
	c := cloner{&p.table, map[unsafe.Pointer]reflect.Value{}}
	to := new(T)
	dst := reflect.ValueOf(to)
	dst.Elem().Set(reflect.ValueOf(from).Elem())
	c.made[unsafe.Pointer(from)] = dst
	c.inside(dst.Elem(), 0)
	return to
}

type cloner struct {
	plan *table
	made map[unsafe.Pointer]reflect.Value
}

// inside replaces what a copied value leads to by copies.
func (c *cloner) inside(v reflect.Value, as Treatment) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if as := c.plan.treatment(v.Type(), f.Name); as&(Skipped|Identity) == 0 {
				c.inside(reflect.NewAt(f.Type, unsafe.Add(v.Addr().UnsafePointer(), f.Offset)).Elem(), as)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			c.inside(v.Index(i), as)
		}
	case reflect.Pointer:
		c.pointer(v, as)
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		list := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(list, v)
		for i := range list.Len() {
			c.inside(list.Index(i), as)
		}
		v.Set(list)
	case reflect.Map:
		if v.IsNil() {
			return
		}
		m := reflect.MakeMap(v.Type())
		for it := v.MapRange(); it.Next(); {
			val := reflect.New(v.Type().Elem()).Elem()
			val.Set(it.Value())
			c.inside(val, as)
			m.SetMapIndex(it.Key(), val)
		}
		v.Set(m)
	}
}

func (c *cloner) pointer(v reflect.Value, as Treatment) {
	if v.IsNil() {
		return
	}
	if known, ok := c.made[v.UnsafePointer()]; ok && known.Type() == v.Type() {
		v.Set(known)
		return
	}
	to := reflect.New(v.Type().Elem())
	to.Elem().Set(v.Elem())
	c.made[v.UnsafePointer()] = to
	v.Set(to)
	c.inside(to.Elem(), as)
}

// Common returns the memory that two graphs both lead to and that may be changed where it
// lies, by the fields that lead there.
func (p *Plan[T]) Common(a, b *T) (fields []string) {
	w := walk{limit: 1 << 20,
		shared: func(t reflect.Type, name string) { fields = append(fields, fmt.Sprintf("%s (%v)", name, t)) }}
	w.shape(p.root, unsafe.Pointer(a), unsafe.Pointer(b))
	slices.Sort(fields)
	return slices.Compact(fields)
}
