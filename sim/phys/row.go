package phys

import (
	"fmt"
	"strconv"
)

// Opt is a value that may be absent. The zero Opt is, and no value of T means absence.
type Opt[T any] struct {
	value T
	given bool
}

// Some is an Opt that holds v.
func Some[T any](v T) Opt[T] { return Opt[T]{v, true} }

// Get returns the value and whether there is one.
func (o Opt[T]) Get() (T, bool) { return o.value, o.given }

// Given reports whether there is a value.
func (o Opt[T]) Given() bool { return o.given }

// Or returns the value, or def where it is absent.
func (o Opt[T]) Or(def T) T {
	if o.given {
		return o.value
	}
	return def
}

// Cell is where a parameter's value lies.
type Cell struct {
	Get func() uint64
	Set func(uint64)
}

// CellOf is the place p; a number that is negative has no cell.
func CellOf[T ~int | ~uint64](p *T) Cell {
	return Cell{func() uint64 { return uint64(*p) }, func(n uint64) { *p = T(n) }}
}

// Row is one parameter of a configuration with the place of its value: the table that a
// configuration is printed, changed and checked by.
type Row struct {
	Name string
	Cell
	Unit    string
	Lo, Hi  uint64
	Status  Status
	Source  string
	Accepts string // beside Lo to Hi, in words; "" for nothing
}

// Param is the row as it is printed, with the value that it has now.
func (r *Row) Param(span string) Param {
	if r.Accepts != "" {
		span = r.Accepts
	}
	return Param{Name: r.Name, Value: float64(r.Get()), Unit: r.Unit, Status: r.Status, Source: r.Source, Range: span}
}

// Parse reads a value of the row. Errors: no whole number, out of range.
func (r *Row) Parse(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s %q: expected a whole number", r.Name, text)
	case n < r.Lo || n > r.Hi:
		return 0, fmt.Errorf("%s %d: expected %d to %d%s", r.Name, n, r.Lo, r.Hi, r.unit())
	}
	return n, nil
}

func (r *Row) unit() string {
	if r.Unit == "" {
		return ""
	}
	return " " + r.Unit
}
