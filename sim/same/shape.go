package same

import (
	"fmt"
	"reflect"
	"unsafe"
)

// shape is how the values of a type are compared.
type shape struct {
	typ   reflect.Type
	size  uintptr
	plain bool // its bytes are all there is to it
	steps []step
}

// kind is what a step compares.
type kind uint8

const (
	bytesOf kind = iota // plain memory
	stringOf
	pointerOf
	identityOf
	listOf
	piecesOf
	itemsOf
	setOf
	mapOf
	arrayOf
)

// step compares one field, or several plain ones that lie side by side.
type step struct {
	kind   kind
	off    uintptr
	size   uintptr // bytesOf: of all; arrayOf: how many elements
	name   string  // of the field, "" for the value itself
	elem   *shape  // what it leads to or consists of
	typ    reflect.Type
	as     Treatment
	leaves []leaf // bytesOf
	tree   node   // itemsOf
}

// leaf is a plain field.
type leaf struct {
	name      string
	off, size uintptr
	typ       reflect.Type
	as        Treatment
	owner     string // the type that has the field
}

// node is where a tree's node has its fields.
type node struct {
	item, left, right uintptr
	elem              *shape
}

// shape returns the shape of a type.
func (p *table) shape(t reflect.Type) (*shape, error) {
	if s := p.made[t]; s != nil {
		return s, nil
	}
	s := &shape{typ: t, size: t.Size()}
	p.made[t] = s
	owner := typeName(t)
	if err := p.add(s, t, 0, "", 0, owner); err != nil {
		return nil, err
	}
	n := uintptr(0)
	for i := range s.steps {
		if s.steps[i].kind == bytesOf {
			n += s.steps[i].size
		}
	}
	s.plain = n == s.size
	return s, nil
}

// add appends the steps of a value of type t at off.
func (p *table) add(s *shape, t reflect.Type, off uintptr, name string, as Treatment, owner string) error {
	st := step{off: off, name: name, typ: t, as: as}
	var elem reflect.Type
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32,
		reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16,
		reflect.Uint32, reflect.Uint64, reflect.Uintptr, reflect.Float32, reflect.Float64:
		s.plainField(leaf{name, off, t.Size(), t, as, owner})
		return nil
	case reflect.Struct:
		return p.addFields(s, t, off, name)
	case reflect.Array:
		return p.addArray(s, st, owner)
	case reflect.String:
		st.kind = stringOf
	case reflect.Pointer:
		st.kind, elem = pointerOf, t.Elem()
		switch {
		case as&Identity != 0:
			st.kind, elem = identityOf, nil
		case as&Items != 0:
			return p.addTree(s, st)
		}
	case reflect.Slice:
		st.kind, elem = listOf, t.Elem()
		switch {
		case as&Pieces != 0:
			st.kind, elem = piecesOf, t.Elem().Elem()
		case as&AnyOrder != 0:
			st.kind = setOf
		}
	case reflect.Map:
		st.kind, elem = mapOf, t.Elem()
	default:
		return fmt.Errorf("%s.%s: values of type %v cannot be compared; expected a row that says what is to be done",
			owner, name, t)
	}
	if elem != nil {
		var err error
		if st.elem, err = p.shape(elem); err != nil {
			return err
		}
	}
	s.steps = append(s.steps, st)
	return nil
}

// addFields appends the steps of a struct's fields.
func (p *table) addFields(s *shape, t reflect.Type, off uintptr, name string) error {
	for i := range t.NumField() {
		f := t.Field(i)
		as := p.treatment(t, f.Name)
		if as&Skipped != 0 {
			continue
		}
		if err := p.add(s, f.Type, off+f.Offset, join(name, f.Name), as, typeName(t)); err != nil {
			return err
		}
	}
	return nil
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "." + b
}

// addArray appends an array: as plain memory where its elements are.
func (p *table) addArray(s *shape, st step, owner string) error {
	elem, err := p.shape(st.typ.Elem())
	if err != nil {
		return err
	}
	if elem.plain {
		s.plainField(leaf{st.name, st.off, st.typ.Size(), st.typ, st.as, owner})
		return nil
	}
	st.kind, st.elem, st.size = arrayOf, elem, uintptr(st.typ.Len())
	s.steps = append(s.steps, st)
	return nil
}

// addTree appends a tree.
func (p *table) addTree(s *shape, st step) error {
	t := st.typ.Elem()
	var f [3]reflect.StructField
	for i, name := range [...]string{"Item", "Left", "Right"} {
		var ok bool
		if f[i], ok = t.FieldByName(name); !ok {
			return fmt.Errorf("%v is no tree: it has no field %s", t, name)
		}
	}
	elem, err := p.shape(f[0].Type)
	st.kind, st.tree = itemsOf, node{f[0].Offset, f[1].Offset, f[2].Offset, elem}
	s.steps = append(s.steps, st)
	return err
}

// plainField appends a plain field, to the step before where it lies beside it.
func (s *shape) plainField(l leaf) {
	if n := len(s.steps); n > 0 {
		last := &s.steps[n-1]
		if last.kind == bytesOf && last.off+last.size == l.off {
			last.size += l.size
			last.leaves = append(last.leaves, l)
			return
		}
	}
	s.steps = append(s.steps, step{kind: bytesOf, off: l.off, size: l.size, leaves: []leaf{l}})
}

// list is the head of a slice.
type list struct {
	at       unsafe.Pointer
	len, cap int
}

func pointerAt(p unsafe.Pointer) unsafe.Pointer { return *(*unsafe.Pointer)(p) }

func equal(a, b unsafe.Pointer, n uintptr) bool {
	return a == b || unsafe.String((*byte)(a), n) == unsafe.String((*byte)(b), n)
}
