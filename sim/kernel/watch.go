package kernel

import (
	"cmp"
	"math"
	"slices"

	"zhuque/sim/kernel/balanced"
)

// An epoll instance may watch very many descriptions of which hardly any has something
// to tell, and it is asked often: by its callers, and at every choice of a thread while
// one of them waits. So it remembers which watches had nothing to tell when it last
// looked, and looks at them again only after the record of what they are about has
// been touched: whatever makes a description ready changes a record. What it remembers
// is no state of the machine: without it the answers are the same.

// Watch is what an epoll instance waits for.
type Watch struct {
	FD     int // the number it was added under, perhaps closed since
	Desc   int // the description it is about
	Events uint32
	Data   uint64

	seen  news // what had happened when an edge-triggered watch last told of it
	fresh bool // it tells of the state that it finds
}

func (w *Watch) code(c *codec) {
	code(c, &w.FD)
	code(c, &w.Desc)
	code(c, &w.Events)
	code(c, &w.Data)
	w.seen.code(c)
	c.flag(&w.fresh)
}

// Compare orders watches as their instance lists them.
func (w Watch) Compare(o Watch) int {
	return cmp.Or(cmp.Compare(w.FD, o.FD), cmp.Compare(w.Desc, o.Desc))
}

// watchSet is the watches of an epoll instance. It is a value, as its tree is.
type watchSet struct{ root *watchTree }

type watchTree = balanced.Node[watched, stirred]

// watched is a watch with what its instance remembers: that it may have something to
// tell.
type watched struct {
	Watch
	stirred stirred
}

func (w watched) compare(o watched) int { return w.Watch.Compare(o.Watch) }

// stirred is what a tree of watches tells: whether any of them is.
type stirred bool

// Of is what makes stirred a balanced.Summary.
func (stirred) Of(l *stirred, w watched, r *stirred) stirred {
	return w.stirred || l != nil && *l || r != nil && *r
}

// newWatchSet returns the set of a list, which it sorts.
func newWatchSet(list []Watch) watchSet {
	slices.SortFunc(list, Watch.Compare)
	return watchSet{balanced.Build[watched, stirred](len(list), func(i int) watched { return watched{list[i], true} })}
}

func (s watchSet) len() int { return s.root.Len() }

// stirs reports whether any of the watches may have something to tell.
func (s watchSet) stirs() bool { return s.root != nil && bool(s.root.Sum) }

// all goes through the watches in order.
func (s watchSet) all(yield func(Watch) bool) {
	s.root.Each(func(w watched) bool { return yield(w.Watch) })
}

// find returns the watch for the same descriptor and description as w.
func (s watchSet) find(w Watch) (found Watch, ok bool) {
	if at := s.root.Find(watched{Watch: w}, watched.compare); at != nil {
		return at.Watch, true
	}
	return found, false
}

// with returns the set with w, which is new or was changed.
func (s watchSet) with(w Watch) watchSet {
	return watchSet{s.root.With(watched{w, true}, watched.compare)}
}

// without returns the set without w, which is in it.
func (s watchSet) without(w Watch) watchSet {
	return watchSet{s.root.Without(watched{Watch: w}, watched.compare)}
}

// stir returns the set in which the watch for w's descriptor and description may have
// something to tell.
func (s watchSet) stir(w Watch) watchSet {
	at := s.root.Find(watched{Watch: w}, watched.compare)
	if at.stirred {
		return s
	}
	return s.with(at.Watch)
}

// watcher is a watch of an epoll instance.
type watcher struct {
	epoll int
	watch Watch // its descriptor and description alone
}

// watchers lists for each record on which the readiness of a watched description hangs
// who watches it. Forks share it until it changes.
type watchers struct {
	of     map[Key][]watcher
	shared bool
}

// change replaces the list of a record.
func (w *watchers) change(key Key, f func([]watcher) []watcher) {
	if w.of == nil || w.shared {
		c := make(map[Key][]watcher, len(w.of)+1)
		for key, list := range w.of {
			c[key] = list
		}
		w.of, w.shared = c, false
	}
	if list := f(slices.Clone(w.of[key])); len(list) > 0 {
		w.of[key] = list
	} else {
		delete(w.of, key)
	}
}

// keysOf returns the records on which the readiness of a description hangs.
func (k *Kernel) keysOf(d *desc) []Key {
	keys := []Key{descKey(d.id)}
	switch {
	case d.pipe != 0:
		return append(keys, pipeKey(d.pipe))
	case d.kind == FDSocket:
		return append(keys, sockKey(d.socket))
	case d.kind == FDQueue:
		return append(keys, mqKey(d.socket))
	case d.isTerm():
		t := k.termOf(d)
		return append(keys, termKey(t.id), pipeKey(t.in), pipeKey(t.out))
	}
	return keys
}

// watch enters who watches a description.
func (k *Kernel) watch(epoll int, w Watch) {
	for _, key := range k.keysOf(k.files.desc(w.Desc)) {
		k.files.watchers.change(key, func(list []watcher) []watcher {
			return append(list, watcher{epoll, Watch{FD: w.FD, Desc: w.Desc}})
		})
	}
}

// unwatch takes a watch from its instance.
func (k *Kernel) unwatch(ep *desc, w Watch) {
	ep.watches = ep.watches.without(w)
	for _, key := range k.keysOf(k.files.desc(w.Desc)) {
		k.files.watchers.change(key, func(list []watcher) []watcher {
			return slices.DeleteFunc(list, func(o watcher) bool { return o.epoll == ep.id && o.watch.Compare(w) == 0 })
		})
	}
	k.touch(watchKey(ep.id, w))
}

// unwatchAll forgets what an epoll instance that is closed watches.
func (k *Kernel) unwatchAll(ep *desc) {
	ep.watches.all(func(w Watch) bool {
		k.unwatch(ep, w)
		return true
	})
}

// unwatched forgets a description that is closed.
func (k *Kernel) unwatched(closed *desc) {
	for _, by := range k.files.watchers.of[descKey(closed.id)] {
		k.unwatch(k.files.desc(by.epoll), by.watch)
	}
}

// stir notes that a record changes: those who wait for what it is about look again.
func (k *Kernel) stir(key Key) {
	switch key.Kind {
	case KindDesc, KindPipe, KindSocket, KindTerminal, KindWatch, KindMQueue:
		k.files.changes++
	}
	for _, by := range k.files.watchers.of[key] {
		k.stirWatch(by)
	}
}

// settles reports whether nothing makes a description ready but what changes one of
// its records: not the time, not another thread's look, not the host.
func (k *Kernel) settles(d *desc) bool {
	switch d.kind {
	case FDTimer, FDSignal:
		return false
	case FDEpoll:
		return !d.watches.stirs()
	case FDSocket:
		s := k.sockOf(d)
		return s.outside == 0 && s.state != sockListening
	}
	return true
}

// telling goes through the watches of an epoll instance that have something to tell, with
// the events, in order from a descriptor on and then from the beginning to there, until
// yield wants no more.
func (k *Kernel) telling(ep *desc, from int, yield func(w Watch, events uint32) bool) {
	root, more := k.ask(ep.watches.root, from, math.MaxInt, yield)
	if more {
		root, _ = k.ask(root, 0, from, yield)
	}
	ep.watches.root = root
}

// ask is telling for the descriptors in [from, to) of a tree. It returns the tree in which
// those that had nothing to tell are not stirred any more, and whether yield wants more.
func (k *Kernel) ask(n *watchTree, from, to int,
	yield func(w Watch, events uint32) bool) (asked *watchTree, more bool) {
	if n == nil || !bool(n.Sum) {
		return n, true
	}
	l, item, r, more := n.Left, n.Item, n.Right, true
	if item.FD >= from {
		l, more = k.ask(l, from, to, yield)
	}
	if more && item.FD >= from && item.FD < to && bool(item.stirred) {
		if events := k.occurred(item.Watch); events != 0 {
			more = yield(item.Watch, events)
		} else {
			item.stirred = !stirred(k.settles(k.files.desc(item.Desc)))
		}
	}
	if more && item.FD < to {
		r, more = k.ask(r, from, to, yield)
	}
	if l == n.Left && item.stirred == n.Item.stirred && r == n.Right {
		return n, more
	}
	return balanced.Link(l, item, r), more
}
