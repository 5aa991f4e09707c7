package kernel

import (
	"cmp"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
)

const (
	epollPrivate = 0xf << 28 // bits of a watch that are no events
	epollOneshot = 1 << 30
	epollEdge    = 1 << 31
	epollEvent   = 12 // size of a struct epoll_event

	maxEvent = ^uint64(0) - 1 // highest value of an eventfd
)

// Watch is what an epoll instance waits for.
type Watch struct {
	FD     int // the number it was added under, perhaps closed since
	Desc   int // the description it is about
	Events uint32
	Data   uint64
}

func (w *Watch) code(c *codec) {
	code(c, &w.FD)
	code(c, &w.Desc)
	code(c, &w.Events)
	code(c, &w.Data)
}

// Compare orders watches as their instance lists them.
func (w Watch) Compare(o Watch) int {
	return cmp.Or(cmp.Compare(w.FD, o.FD), cmp.Compare(w.Desc, o.Desc))
}

func sysEpollCreate(c *call) (uint64, error) {
	if int32(c.a[0]) <= 0 {
		return 0, errno.EINVAL
	}
	num, err := c.install(desc{kind: FDEpoll, flags: oRdwr}, false)
	return uint64(num), err
}

func sysEpollCreate1(c *call) (uint64, error) {
	if c.a[0]&^oCloexec != 0 {
		return 0, errno.EINVAL
	}
	num, err := c.install(desc{kind: FDEpoll, flags: oRdwr}, c.a[0]&oCloexec != 0)
	return uint64(num), err
}

// epoll returns the epoll instance in argument 0.
func (c *call) epoll() (*desc, error) {
	d, err := c.desc(0)
	if err == nil && d.kind != FDEpoll {
		err = errno.EINVAL
	}
	return d, err
}

func sysEpollCtl(c *call) (uint64, error) {
	const add, del, mod = 1, 2, 3
	op := int32(c.a[1])
	w := Watch{FD: c.fd(2)}
	if op != del {
		b := make([]byte, epollEvent)
		if err := c.load(c.a[3], b); err != nil {
			return 0, err
		}
		w.Events, w.Data = le.Uint32(b)|pollErr|pollHup, le.Uint64(b[4:])
	}
	ep, err := c.desc(0)
	if err != nil {
		return 0, err
	}
	d, err := c.desc(2)
	switch {
	case err != nil:
		return 0, err
	case d.kind == FDNode && c.FS.Device(d.node) != vfs.DevRandom && c.FS.Device(d.node) != vfs.DevURandom:
		return 0, errno.EPERM
	case ep.kind != FDEpoll || ep.id == d.id:
		return 0, errno.EINVAL
	case d.kind == FDEpoll:
		return 0, c.lacks("an epoll instance inside another")
	case w.Events&epollEdge != 0:
		return 0, c.lacks("EPOLLET")
	}
	w.Desc = d.id
	i, found := slices.BinarySearchFunc(ep.watches, w, Watch.Compare)
	list := slices.Clone(ep.watches) // forks share the old one
	switch {
	case op == add && found:
		return 0, errno.EEXIST
	case op == add:
		list = slices.Insert(list, i, w)
	case op != del && op != mod:
		return 0, errno.EINVAL
	case !found:
		return 0, errno.ENOENT
	case op == mod:
		list[i] = w
	default:
		list = slices.Delete(list, i, i+1)
	}
	c.watch(ep, list)
	return 0, nil
}

// watch gives an epoll instance a new list.
func (k *Kernel) watch(ep *desc, list []Watch) {
	for _, both := range [][]Watch{ep.watches, list} {
		for _, w := range both {
			k.touch(watchKey(ep.id, w))
		}
	}
	ep.watches = list
}

// unwatch forgets a description that is closed.
func (k *Kernel) unwatch(id int) {
	for i := range k.files.descs {
		ep := &k.files.descs[i]
		about := func(w Watch) bool { return w.Desc == id }
		if slices.ContainsFunc(ep.watches, about) {
			k.watch(ep, slices.DeleteFunc(slices.Clone(ep.watches), about))
		}
	}
}

// occurred returns the events that a watch has to tell of now.
func (k *Kernel) occurred(w Watch) uint32 {
	return uint32(k.ready(k.files.desc(w.Desc))) & w.Events
}

// sysEpollWait is also epoll_pwait. Ready descriptors are
// told of in the order of their numbers.
func sysEpollWait(c *call) (uint64, error) {
	n, ms := int(int32(c.a[2])), int32(c.a[3])
	if n <= 0 || n > 1<<27 {
		return 0, errno.EINVAL
	}
	ep, err := c.epoll()
	if err != nil {
		return 0, err
	}
	if c.row.Name == "epoll_pwait" {
		if err := c.maskAt(c.a[4], c.a[5]); err != nil {
			return 0, err
		}
	}
	var out []byte
	list := slices.Clone(ep.watches)
	for i, w := range list {
		got := c.occurred(w)
		if got == 0 {
			continue
		}
		out = le.AppendUint64(le.AppendUint32(out, got), w.Data)
		if w.Events&epollOneshot != 0 {
			list[i].Events &= epollPrivate // until it is changed
		}
		if len(out) == n*epollEvent {
			break
		}
	}
	if len(out) == 0 {
		if err := c.waitAny([]interest{{ep.id, pollIn}}, milliseconds(ms)); err != nil {
			return 0, err
		}
	}
	if err := c.store(c.a[1], out); err != nil {
		return 0, err
	}
	if !slices.Equal(list, ep.watches) {
		c.watch(ep, list)
	}
	return uint64(len(out) / epollEvent), nil
}

func sysEventfd(c *call) (uint64, error) { return c.makeEventfd(0) }

func sysEventfd2(c *call) (uint64, error) { return c.makeEventfd(c.a[1]) }

// makeEventfd opens an eventfd, whose value is kept where others have their offset.
func (c *call) makeEventfd(flags uint64) (uint64, error) {
	const semaphore = 1
	if flags&^(semaphore|oCloexec|oNonblock) != 0 {
		return 0, errno.EINVAL
	}
	d := desc{kind: FDEvent, off: int64(uint32(c.a[0])), flags: oRdwr | uint32(flags)&oNonblock}
	if flags&semaphore != 0 {
		d.kind = FDSemaphore
	}
	num, err := c.install(d, flags&oCloexec != 0)
	return uint64(num), err
}

// peekEvent returns what a read of an eventfd gives.
func (c *call) peekEvent(d *desc, n int) ([]byte, error) {
	v := uint64(d.off)
	switch {
	case n < 8:
		return nil, errno.EINVAL
	case v == 0 && d.flags&oNonblock != 0:
		return nil, errno.EAGAIN
	case v == 0:
		return nil, c.waitReady(d, pollIn)
	case d.kind == FDSemaphore:
		v = 1
	}
	return le.AppendUint64(nil, v), nil
}

// takeEvent makes a peeked value read.
func (c *call) takeEvent(d *desc) {
	if d.kind == FDSemaphore {
		d.off--
	} else {
		d.off = 0
	}
	c.touchDesc(d.id)
}

func (c *call) sinkEvent(d *desc, data []byte) (int, error) {
	if len(data) < 8 {
		return 0, errno.EINVAL
	}
	v := le.Uint64(data)
	switch room := maxEvent - uint64(d.off); {
	case v > maxEvent:
		return 0, errno.EINVAL
	case v > room && d.flags&oNonblock != 0:
		return 0, errno.EAGAIN
	case v > room:
		return 0, c.waitFor(wait{on: []interest{{d.id, pollOut}}, deadline: forever})
	}
	d.off += int64(v)
	c.touchDesc(d.id)
	return 8, nil
}
