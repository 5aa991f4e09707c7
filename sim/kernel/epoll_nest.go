package kernel

import (
	"iter"
	"math"
	"slices"

	"zhuque/sim/kernel/errno"
)

// Epoll instances may watch each other. Linux keeps that finite by the depth, and by the
// number of ways on which an event of one file goes up to an instance that nobody
// watches: both are looked at when a watch is added. Source: fs/eventpoll.c of Linux 6.18.

const maxNesting = 5 // epoll instances inside each other

// wakeupPaths is how many ways lead up from one file, by the number of instances between.
var wakeupPaths = [maxNesting]int{math.MaxInt, 500, 100, 50, 10}

// inside goes through the epoll instances that one watches.
func (k *Kernel) inside(ep *desc) iter.Seq[*desc] {
	return func(yield func(*desc) bool) {
		ep.watches.all(func(w Watch) bool {
			d := k.files.find(w.Desc)
			return d == nil || d.kind != FDEpoll || yield(d)
		})
	}
}

// depths remembers how many epoll instances stand inside each other, by description.
type depths map[int]int

// nesting returns how many epoll instances stand inside each other below one, itself
// included; more than maxNesting when one watches itself.
func (k *Kernel) nesting(ep *desc, known depths) int {
	if n, ok := known[ep.id]; ok {
		return n
	}
	known[ep.id] = maxNesting + 1 // for whoever comes back here
	deepest := 0
	for d := range k.inside(ep) {
		deepest = max(deepest, k.nesting(d, known))
	}
	known[ep.id] = min(deepest, maxNesting) + 1
	return known[ep.id]
}

// above returns how many epoll instances stand above one.
func (k *Kernel) above(ep *desc, known depths) int {
	if n, ok := known[ep.id]; ok {
		return n
	}
	highest := 0
	for _, by := range k.files.watchers.of[descKey(ep.id)] {
		highest = max(highest, 1+k.above(k.files.desc(by.epoll), known))
	}
	known[ep.id] = highest
	return highest
}

// nests says why an epoll instance must not watch a description that it does not watch yet.
func (k *Kernel) nests(ep, d *desc) error {
	if d.kind != FDEpoll && len(k.files.watchers.of[descKey(ep.id)]) == 0 {
		return nil
	}
	if d.kind == FDEpoll {
		below := depths{ep.id: maxNesting + 1} // it would watch itself
		if k.nesting(d, below)+1+k.above(ep, depths{}) > maxNesting {
			return errno.ELOOP
		}
	}
	for _, file := range k.filesBelow(d) {
		p := paths{Kernel: k, epoll: ep.id, watched: d.id}
		if !p.up(file, 0) {
			return errno.EINVAL
		}
	}
	return nil
}

// filesBelow returns the descriptions that are no epoll instances and that one watches,
// perhaps through others; or itself if it is none.
func (k *Kernel) filesBelow(d *desc) (files []int) {
	seen := map[int]bool{}
	var visit func(*desc)
	visit = func(d *desc) {
		if seen[d.id] {
			return
		}
		seen[d.id] = true
		if d.kind != FDEpoll {
			files = append(files, d.id)
			return
		}
		d.watches.all(func(w Watch) bool {
			visit(k.files.desc(w.Desc))
			return true
		})
	}
	visit(d)
	return files
}

// paths counts the ways up from a file, with a watch that is about to be added.
type paths struct {
	*Kernel
	epoll, watched int
	count          [maxNesting]int
}

// up follows the ways from a description that is so deep; false when there are too many.
func (p *paths) up(id, depth int) bool {
	for _, by := range p.files.watchers.of[descKey(id)] {
		if !p.through(by.epoll, depth) {
			return false
		}
	}
	return id != p.watched || p.through(p.epoll, depth)
}

// through follows the ways that lead through an epoll instance that is so deep.
func (p *paths) through(ep, depth int) bool {
	if depth >= maxNesting {
		return false
	}
	if ep != p.watched && len(p.files.watchers.of[descKey(ep)]) == 0 {
		p.count[depth]++
		return p.count[depth] <= wakeupPaths[depth]
	}
	return p.up(ep, depth+1)
}

// stirAbove has those who watch an epoll instance look at it again.
func (k *Kernel) stirAbove(ep *desc) {
	for _, by := range k.files.watchers.of[descKey(ep.id)] {
		k.stirWatch(by)
	}
}

// stirWatch has the instance of a watch look at what it watches again, and those above it.
func (k *Kernel) stirWatch(by watcher) {
	ep := k.files.desc(by.epoll)
	still := !ep.watches.stirs()
	ep.watches = ep.watches.stir(by.watch)
	if still {
		k.stirAbove(ep)
	}
}

// newsInside returns what has happened to all that an epoll instance watches, each of the
// instances below it counted once.
func (k *Kernel) newsInside(ep *desc, seen *[]int) (n news) {
	if slices.Contains(*seen, ep.id) {
		return n
	}
	*seen = append(*seen, ep.id)
	n.in = uint64(ep.watches.len())
	for w := range ep.watches.all {
		d, o := k.files.desc(w.Desc), news{}
		if d.kind == FDEpoll {
			o = k.newsInside(d, seen)
		} else {
			o = k.newsOf(d)
		}
		if w.Events&(pollOut|pollWrnorm|pollWrband) != 0 {
			n.in += o.out
		}
		n.in += o.in
	}
	return n
}
