package kernel

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
)

const (
	epollPrivate   = 0xf << 28 // bits of a watch that are no events
	epollExclusive = 1 << 28
	epollWakeup    = 1 << 29
	epollOneshot   = 1 << 30
	epollEdge      = 1 << 31
	epollEvent     = 12 // size of a struct epoll_event

	maxEvent = ^uint64(0) - 1 // highest value of an eventfd
)

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
	const exclusiveOK = pollIn | pollOut | pollErr | pollHup | epollWakeup | epollEdge | epollExclusive
	op := int32(c.a[1])
	w := Watch{FD: c.fd(2), fresh: true}
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
	case w.Events&epollExclusive != 0 && (op == mod || op == add && (d.kind == FDEpoll || w.Events&^exclusiveOK != 0)):
		return 0, errno.EINVAL
	}
	w.Desc = d.id
	old, found := ep.watches.find(w)
	switch {
	case op == add && found:
		return 0, errno.EEXIST
	case op != add && op != del && op != mod:
		return 0, errno.EINVAL
	case op != add && !found:
		return 0, errno.ENOENT
	case op == mod && old.Events&epollExclusive != 0:
		return 0, errno.EINVAL
	case op == del:
		c.unwatch(ep, w)
		return 0, nil
	case op == add:
		if err := c.nests(ep, d); err != nil {
			return 0, err
		}
		c.watch(ep.id, w)
	}
	ep.watches = ep.watches.with(w)
	c.stirAbove(ep)
	c.touch(watchKey(ep.id, w))
	return 0, nil
}

// occurred returns the events that a watch has to tell of now. An edge-triggered
// one is silent until something has happened that concerns it: every arrival
// counts, whatever was there before.
func (k *Kernel) occurred(w Watch) uint32 {
	const out = pollOut | pollWrnorm | pollWrband
	d := k.files.desc(w.Desc)
	if w.Events&epollEdge != 0 && !w.fresh {
		n := k.newsOf(d)
		if n.in == w.seen.in && (n.out == w.seen.out || w.Events&out == 0) || w.Events&^epollPrivate == 0 {
			return 0
		}
	}
	return uint32(k.ready(d)) & w.Events &^ epollPrivate
}

// told notes that a watch has told of what happened.
func (k *Kernel) told(w Watch) Watch {
	if w.Events&epollEdge != 0 {
		w.seen, w.fresh = k.newsOf(k.files.desc(w.Desc)), false
	}
	if w.Events&epollOneshot != 0 {
		w.Events &= epollPrivate // until it is changed
	}
	return w
}

// sysEpollWait is also epoll_pwait and epoll_pwait2. Ready descriptors are
// told of in the order of their numbers.
func sysEpollWait(c *call) (uint64, error) {
	const most = (1<<31 - 1) / epollEvent
	n := int(int32(c.a[2]))
	ep, err := c.epoll()
	switch {
	case err == errno.EBADF:
		return 0, err
	case err != nil || n <= 0 || n > most:
		return 0, errno.EINVAL
	}
	timeout := milliseconds(int32(c.a[3]))
	if c.row.Name == "epoll_pwait2" {
		timeout = forever
		if c.a[3] != 0 {
			if timeout, err = c.timespecAt(c.a[3]); err != nil {
				return 0, err
			}
		}
	}
	if c.row.Name != "epoll_wait" {
		if err := c.maskAt(c.a[4], c.a[5]); err != nil {
			return 0, err
		}
	}
	out, told, next := c.events(ep, n)
	if len(out) == 0 {
		if err := c.waitAny([]interest{{ep.id, pollIn, 0}}, timeout); err != nil {
			return 0, err
		}
	}
	if err := c.store(c.a[1], out); err != nil {
		return 0, err
	}
	for _, w := range told {
		ep.watches = ep.watches.with(w)
		c.stirAbove(ep)
		c.touch(watchKey(ep.id, w))
	}
	if ep.off != next {
		ep.off = next
		c.touchDesc(ep.id)
	}
	return uint64(len(out) / epollEvent), nil
}

// events returns up to n events as they go to the program, the watches that change when
// they have told of them, and at which descriptor to begin next time. It begins where
// the last call had no room for more, so that everybody's turn comes.
func (c *call) events(ep *desc, n int) (out []byte, told []Watch, next int64) {
	c.telling(ep, int(ep.off), func(w Watch, events uint32) bool {
		if len(out) == n*epollEvent {
			next = int64(w.FD)
			return false
		}
		out = le.AppendUint64(le.AppendUint32(out, events), w.Data)
		if after := c.told(w); after != w {
			told = append(told, after)
		}
		return true
	})
	return out, told, next
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
	d.news.out++
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
		return 0, c.waitFor(wait{on: []interest{{d.id, pollOut, 0}}, deadline: forever})
	}
	d.off += int64(v)
	d.news.in++
	c.touchDesc(d.id)
	return 8, nil
}
