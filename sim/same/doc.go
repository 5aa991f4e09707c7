// Package same tells whether two graphs of Go values are the same: two kernels, two file
// trees. It reads the values where they lie, exported or not, by plans that it makes once
// for each type; it knows nothing of what they mean, nor of any form in which they are
// saved. So a field that somebody forgets to save is a difference here.
//
// A field that is new is compared, until a Row says otherwise and why. Numbers, strings
// and lists are the same when their contents are; pointers when they lead to the same,
// and when what is one object on one side is one on the other; maps when they hold the
// same under the same keys.
//
// It must not import anything of the machine.
package same

import (
	"fmt"
	"reflect"
	"strings"
)

// Treatment is what is done with a field instead of the plain comparison. Its bits may
// stand together.
type Treatment uint8

const (
	// Skipped: not compared.
	Skipped Treatment = 1 << iota
	// Derived: compared, but saved nowhere, because it follows from other fields.
	Derived
	// Pieces: a list of lists that counts as one long list.
	Pieces
	// Items: a tree of nodes with the fields Item, Left and Right, compared by its items in
	// order whatever its shape.
	Items
	// AnyOrder: a list, or a map's lists, whose order means nothing.
	AnyOrder
	// Shared: never changed where it lies, so that graphs which are to be independent may
	// both lead to it, and how often one of them does means nothing.
	Shared
	// Identity: a pointer that must be the very same on both sides.
	Identity
)

// Row says how one field is treated. Type is written as reflect does, without type
// arguments: "kernel.Thread".
type Row struct {
	Type, Field string
	As          Treatment
	Why         string
}

// Plan compares graphs that begin with a T.
type Plan[T any] struct{ table }

// table is how the types of a graph are treated.
type table struct {
	root *shape
	rows map[string]*Row // by type and field
	used map[string]bool
	made map[reflect.Type]*shape
}

// New returns the plan for a type. A row that names no field which the graph leads to,
// one without a reason, and a field that cannot be compared are errors.
func New[T any](rows []Row) (*Plan[T], error) {
	p := &Plan[T]{table{rows: map[string]*Row{}, used: map[string]bool{}, made: map[reflect.Type]*shape{}}}
	for i, r := range rows {
		key := r.Type + "." + r.Field
		switch {
		case r.Why == "":
			return nil, fmt.Errorf("%s: no reason is given", key)
		case p.rows[key] != nil:
			return nil, fmt.Errorf("%s: two rows", key)
		}
		p.rows[key] = &rows[i]
	}
	var err error
	if p.root, err = p.shape(reflect.TypeFor[T]()); err != nil {
		return nil, err
	}
	for _, r := range rows {
		if key := r.Type + "." + r.Field; !p.used[key] {
			return nil, fmt.Errorf("%s: there is no such field", key)
		}
	}
	return p, nil
}

// Must is New for tables that are part of the program.
func Must[T any](rows []Row) *Plan[T] {
	p, err := New[T](rows)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return p
}

// treatment returns how a field is treated.
func (p *table) treatment(t reflect.Type, field string) Treatment {
	key := typeName(t) + "." + field
	r := p.rows[key]
	if r == nil {
		return 0
	}
	p.used[key] = true
	return r.As
}

// typeName returns a type's name without type arguments.
func typeName(t reflect.Type) string {
	name, _, _ := strings.Cut(t.String(), "[")
	return name
}
