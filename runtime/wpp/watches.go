package wpp

import (
	"cmp"
	"fmt"
	"slices"

	"zhuque/sim"
	"zhuque/sim/kernel"
)

// watchKey tells the watches of all epoll instances apart.
type watchKey struct{ epoll, fd, desc int }

// watchList records what changed in the lists of some epoll instances.
func (r *Runtime) watchList(m *sim.Machine, epolls []int) error {
	for _, id := range epolls {
		list := m.Kernel().Epoll(id)
		for slot, k := range r.watches {
			if k.epoll == id && !slices.ContainsFunc(list, func(w kernel.Watch) bool { return k == keyOf(id, w) }) {
				r.watches[slot] = watchKey{}
				r.set(m, watchSlot(slot)+watchEpoll, 0)
				r.set(m, watchSlot(slot)+watchChecksum, 0)
			}
		}
		for _, w := range list {
			slot := slices.Index(r.watches, keyOf(id, w))
			if slot < 0 {
				slot = slices.Index(r.watches, watchKey{})
			}
			if slot < 0 {
				slot = len(r.watches)
				r.watches = append(r.watches, watchKey{})
			}
			if slot >= maxWatches {
				return fmt.Errorf("epoll instances watch more than %d descriptors", maxWatches)
			}
			r.watches[slot] = keyOf(id, w)
			for i, v := range encodeWatch(id, w) {
				r.set(m, watchSlot(slot)+8*uint64(i), v)
			}
		}
	}
	r.set(m, sbWatches, guarded(uint64(len(r.watches))))
	return nil
}

func keyOf(epoll int, w kernel.Watch) watchKey { return watchKey{epoll, w.FD, w.Desc} }

func encodeWatch(epoll int, w kernel.Watch) [watchSize / 8]uint64 {
	e := [watchSize / 8]uint64{uint64(epoll), uint64(w.FD), uint64(w.Desc), uint64(w.Events), w.Data}
	e[watchChecksum/8] = checksum(e[:watchChecksum/8]...)
	return e
}

// restoreWatches reads the epoll instances of an image into s.
func (r *Runtime) restoreWatches(im *image, s *kernel.ProcState) error {
	n := im.counter(sbWatches)
	if n > maxWatches {
		return refuse("epoll table: %d slots in use, it holds %d", n, maxWatches)
	}
	r.watches = make([]watchKey, n)
	lists := map[int][]kernel.Watch{}
	for slot := range r.watches {
		var w [watchSize / 8]uint64
		im.words(watchSlot(slot), w[:])
		if w[watchEpoll/8] == 0 && w[watchChecksum/8] == 0 {
			continue
		}
		if w[watchChecksum/8] != checksum(w[:watchChecksum/8]...) {
			return refuse("epoll slot %d: wrong checksum", slot)
		}
		id, e := int(w[watchEpoll/8]), kernel.Watch{FD: int(w[watchFD/8]), Desc: int(w[watchDesc/8]), Events: uint32(w[watchEvents/8]), Data: w[watchData/8]}
		r.watches[slot] = keyOf(id, e)
		if lists[id] == nil {
			s.Epolls = append(s.Epolls, kernel.Epoll{Desc: id})
		}
		lists[id] = append(lists[id], e)
	}
	slices.SortFunc(s.Epolls, func(a, b kernel.Epoll) int { return cmp.Compare(a.Desc, b.Desc) })
	for i := range s.Epolls {
		e := &s.Epolls[i]
		e.Watches = lists[e.Desc]
		slices.SortFunc(e.Watches, kernel.Watch.Compare)
	}
	return nil
}

func watchSlot(slot int) uint64 { return watchOff + watchSize*uint64(slot) }
