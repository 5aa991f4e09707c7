package kernel

import (
	"iter"
	"slices"
	"sort"
)

// ordered is a list of what has a number each, ascending. It is kept in pieces, so
// that to find, enter and remove one costs next to nothing even among very many.
type ordered[T numbered] struct {
	pieces [][]T // none empty
	n      int
}

// numbered is what an ordered list holds.
type numbered interface{ number() int }

// maxPiece is how many one piece holds.
const maxPiece = 128

// place returns the piece in which a number is or belongs, and where in it.
func (o *ordered[T]) place(number int) (piece, at int, found bool) {
	piece = max(0, sort.Search(len(o.pieces), func(i int) bool { return o.pieces[i][0].number() > number })-1)
	if len(o.pieces) == 0 {
		return 0, 0, false
	}
	list := o.pieces[piece]
	at = sort.Search(len(list), func(i int) bool { return list[i].number() >= number })
	return piece, at, at < len(list) && list[at].number() == number
}

// find returns what has a number, nil when nothing has.
func (o *ordered[T]) find(number int) *T {
	piece, at, found := o.place(number)
	if !found {
		return nil
	}
	return &o.pieces[piece][at]
}

// insert enters v, whose number is free, and returns where it is: until the next
// insertion or removal.
func (o *ordered[T]) insert(v T) *T {
	o.n++
	if len(o.pieces) == 0 {
		o.pieces = [][]T{{v}}
		return &o.pieces[0][0]
	}
	piece, at, _ := o.place(v.number())
	list := o.pieces[piece]
	if len(list) == maxPiece {
		if piece == len(o.pieces)-1 && at == maxPiece { // full pieces behind each other, where numbers ascend
			o.pieces = append(o.pieces, []T{v})
			return &o.pieces[piece+1][0]
		}
		const half = maxPiece / 2
		o.pieces = slices.Insert(o.pieces, piece+1, slices.Clone(list[half:]))
		clear(list[half:])
		o.pieces[piece] = list[:half]
		if at > half {
			piece, at = piece+1, at-half
		}
	}
	o.pieces[piece] = slices.Insert(o.pieces[piece], at, v)
	return &o.pieces[piece][at]
}

// remove takes out what has a number, if it is there.
func (o *ordered[T]) remove(number int) {
	piece, at, found := o.place(number)
	if !found {
		return
	}
	o.n--
	if o.pieces[piece] = slices.Delete(o.pieces[piece], at, at+1); len(o.pieces[piece]) == 0 {
		o.pieces = slices.Delete(o.pieces, piece, piece+1)
	}
}

// free returns the lowest number from low up that nothing has.
func (o *ordered[T]) free(low int) int {
	piece, at, found := o.place(low)
	for found {
		list := o.pieces[piece]
		last := list[len(list)-1].number()
		if last-list[at].number() == len(list)-1-at { // no gap up to the end of the piece
			low = last + 1
			piece++
			at, found = 0, piece < len(o.pieces) && o.pieces[piece][0].number() == low
			continue
		}
		for ; list[at].number() == low; at++ {
			low++
		}
		found = false
	}
	return low
}

// last returns what has the highest number, nil of an empty list.
func (o *ordered[T]) last() *T {
	if o.n == 0 {
		return nil
	}
	list := o.pieces[len(o.pieces)-1]
	return &list[len(list)-1]
}

// all goes through the list, which must not get longer or shorter meanwhile.
func (o *ordered[T]) all() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for _, list := range o.pieces {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}

// fork returns an independent copy.
func (o *ordered[T]) fork() ordered[T] {
	c := ordered[T]{pieces: make([][]T, len(o.pieces)), n: o.n}
	all := make([]T, 0, o.n)
	for i, list := range o.pieces {
		from := len(all)
		all = append(all, list...)
		c.pieces[i] = all[from:len(all):len(all)]
	}
	return c
}

func (s slot) number() int { return s.num }
func (d desc) number() int { return d.id }
