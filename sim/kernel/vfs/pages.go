package vfs

import (
	"cmp"
	"slices"

	"zhuque/sim/mem"
)

// Pages are the contents of files that durable forms of one tree name by numbers, so
// that a form can be written without the pages that an earlier one had.
type Pages struct {
	number map[*mem.Page]uint64
	next   uint64
	fresh  []*mem.Page // named by the last form and by none before
	gone   []uint64    // not named by the last form, ascending
}

// NewPages returns the numbering of pages that an earlier life gave.
func NewPages(known map[uint64]*mem.Page) *Pages {
	p := &Pages{number: map[*mem.Page]uint64{}}
	for n, page := range known {
		if first, ok := p.number[page]; !ok || n < first { // pages of zeros may be one page
			p.number[page] = n
		}
		p.next = max(p.next, n+1)
	}
	return p
}

// Each calls fn for every page of the last form, ascending by number.
func (p *Pages) Each(fn func(number uint64, page *mem.Page)) {
	list := make([]*mem.Page, 0, len(p.number))
	for page := range p.number {
		list = append(list, page)
	}
	slices.SortFunc(list, func(a, b *mem.Page) int { return cmp.Compare(p.number[a], p.number[b]) })
	for _, page := range list {
		fn(p.number[page], page)
	}
}

// Changes calls fn for every page that the last form named first, and with nil for
// those that it names no more, ascending by number.
func (p *Pages) Changes(fn func(number uint64, page *mem.Page)) {
	for _, n := range p.gone {
		fn(n, nil)
	}
	for _, page := range p.fresh { // their numbers are the highest
		fn(p.number[page], page)
	}
}

// settle makes p what a form named.
func (p *Pages) settle(named map[*mem.Page]uint64, list []*mem.Page) {
	p.fresh, p.gone = nil, nil
	for page, n := range p.number {
		if _, ok := named[page]; !ok {
			p.gone = append(p.gone, n)
		}
	}
	slices.Sort(p.gone)
	for _, page := range list {
		if _, ok := p.number[page]; !ok {
			p.fresh = append(p.fresh, page)
		}
	}
	p.number = named
}
