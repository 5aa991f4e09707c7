package kernel

import (
	"bytes"
	"cmp"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
)

// An inotify instance is a description: its events wait in a pipe, and its offset is the
// number of the last watch that it handed out. A mark is one of its watches. Events come
// in the order of Linux 6.1; a file with several names is taken to be used by the first one.
// Sources: inotify(7), fs/notify and include/linux/fsnotify.h.

// Events and flags of inotify.
const (
	inAccess       = 0x1
	inModify       = 0x2
	inAttrib       = 0x4
	inCloseWrite   = 0x8
	inCloseNowrite = 0x10
	inOpen         = 0x20
	inMovedFrom    = 0x40
	inMovedTo      = 0x80
	inCreate       = 0x100
	inDelete       = 0x200
	inDeleteSelf   = 0x400
	inMoveSelf     = 0x800
	inAllEvents    = 0xfff

	inOverflow = 0x4000
	inIgnored  = 0x8000
	inIsdir    = 1 << 30

	inOnlydir    = 1 << 24
	inDontFollow = 1 << 25
	inExclUnlink = 1 << 26
	inMaskCreate = 1 << 28
	inMaskAdd    = 1 << 29
	inOneshot    = 1 << 31

	inotifyEvent = 16 // size of a struct inotify_event without a name
	maxMarks     = 65536
)

// mark is a watch of an inotify instance.
type mark struct {
	desc   int // the instance
	wd     int32
	node   vfs.NodeID
	events uint32 // with inOneshot and inExclUnlink
}

func (m *mark) code(c *codec) {
	code(c, &m.node)
	code(c, &m.events)
}

func (m *mark) key() Key { return Key{KindMark, uint64(m.desc), uint64(m.wd)} }

func (m *mark) compare(o mark) int {
	return cmp.Or(cmp.Compare(m.desc, o.desc), cmp.Compare(m.wd, o.wd))
}

// mark returns the place of a watch in the list of all.
func (f *files) mark(desc int, wd int32) (i int, ok bool) {
	return slices.BinarySearchFunc(f.marks, mark{desc: desc, wd: wd}, func(a, b mark) int { return a.compare(b) })
}

func sysInotifyInit(c *call) (uint64, error) { return c.inotify(0) }

func sysInotifyInit1(c *call) (uint64, error) {
	if c.a[0]&^(oCloexec|oNonblock) != 0 {
		return 0, errno.EINVAL
	}
	return c.inotify(uint32(c.a[0]))
}

func (c *call) inotify(flags uint32) (uint64, error) {
	if c.proc.free(0) >= c.fdLimit() {
		return 0, errno.EMFILE
	}
	queue := pipe{id: c.newID(), readers: 1}
	c.files.pipes = append(c.files.pipes, queue)
	c.touchPipe(queue.id)
	num, err := c.install(desc{kind: FDInotify, pipe: queue.id, flags: flags & oNonblock}, flags&oCloexec != 0)
	return uint64(num), err
}

// instance returns the inotify instance in argument 0.
func (c *call) instance() (*desc, error) {
	d, err := c.desc(0)
	if err == nil && d.kind != FDInotify {
		err = errno.EINVAL
	}
	return d, err
}

func sysInotifyAddWatch(c *call) (uint64, error) {
	const known = inAllEvents | 0x2000 | inOverflow | inIgnored | inIsdir | inOnlydir | inDontFollow | inExclUnlink | inMaskCreate | inMaskAdd | inOneshot
	mask := uint32(c.a[2])
	if mask&known == 0 || mask&inMaskAdd != 0 && mask&inMaskCreate != 0 {
		return 0, errno.EINVAL
	}
	d, err := c.desc(0)
	if err != nil {
		return 0, err
	}
	if d.kind != FDInotify {
		return 0, errno.EINVAL
	}
	node, err := c.existing(-1, 1, mask&inDontFollow == 0)
	if err != nil {
		return 0, err
	}
	if mask&inOnlydir != 0 && !c.isDir(node) {
		return 0, errno.ENOTDIR
	}
	m := mark{desc: d.id, node: node, events: mask & (inAllEvents | inOneshot | inExclUnlink)}
	for i := range c.files.marks {
		old := &c.files.marks[i]
		if old.desc != d.id || old.node != node {
			continue
		}
		if mask&inMaskCreate != 0 {
			return 0, errno.EEXIST
		}
		if mask&inMaskAdd != 0 {
			m.events |= old.events
		}
		old.events = m.events
		c.touch(old.key())
		return uint64(old.wd), nil
	}
	if len(c.files.marks) >= maxMarks {
		return 0, errno.ENOSPC
	}
	d.off++
	c.touchDesc(d.id)
	m.wd = int32(d.off)
	i, _ := c.files.mark(m.desc, m.wd)
	c.files.marks = slices.Insert(c.files.marks, i, m)
	c.touch(m.key())
	return uint64(m.wd), nil
}

func (k *Kernel) isDir(id vfs.NodeID) bool {
	st, err := k.FS.Stat(id)
	return err == nil && st.Dir()
}

func sysInotifyRmWatch(c *call) (uint64, error) {
	d, err := c.instance()
	if err != nil {
		return 0, err
	}
	i, ok := c.files.mark(d.id, int32(c.a[1]))
	if !ok {
		return 0, errno.EINVAL
	}
	c.unmark(c.files.marks[i])
	return 0, nil
}

// unmark removes a watch, which the program is told of.
func (k *Kernel) unmark(m mark) {
	if i, ok := k.files.mark(m.desc, m.wd); ok {
		k.files.marks = slices.Delete(k.files.marks, i, i+1)
		k.touch(m.key())
		k.queueEvent(m, inIgnored, 0, "")
	}
}

// closeInotify forgets an instance that is closed.
func (k *Kernel) closeInotify(d *desc) {
	k.files.marks = slices.DeleteFunc(k.files.marks, func(m mark) bool {
		if m.desc == d.id {
			k.touch(m.key())
		}
		return m.desc == d.id
	})
	k.leavePipe(d.pipe, FDPipeRead)
}

// queueEvent appends an event, unless it is the same as the last one. Where there is no
// room, one event says so.
func (k *Kernel) queueEvent(m mark, mask, cookie uint32, name string) {
	p := k.files.pipe(k.files.desc(m.desc).pipe)
	e := encodeEvent(m.wd, mask, cookie, name)
	last := lastEvent(p.data)
	if last != nil && mask&inIgnored == 0 && sameEvent(last, e) {
		return
	}
	if len(p.data)+len(e)+inotifyEvent > PipeCapacity {
		if e = encodeEvent(-1, inOverflow, 0, ""); bytes.Equal(last, e) {
			return
		}
	}
	p.data = append(p.data[:len(p.data):len(p.data)], e...)
	p.news.in++
	k.touchPipe(p.id)
}

func encodeEvent(wd int32, mask, cookie uint32, name string) []byte {
	padded := 0
	if name != "" {
		padded = (len(name)/inotifyEvent + 1) * inotifyEvent
	}
	b := le.AppendUint32(nil, uint32(wd))
	b = le.AppendUint32(b, mask)
	b = le.AppendUint32(b, cookie)
	b = le.AppendUint32(b, uint32(padded))
	b = append(b, name...)
	return append(b, make([]byte, inotifyEvent+padded-len(b))...)
}

// eventSize returns the size of the first of some events.
func eventSize(b []byte) int { return inotifyEvent + int(le.Uint32(b[12:])) }

// sameEvent compares two events but for their cookies.
func sameEvent(a, b []byte) bool {
	return bytes.Equal(a[:8], b[:8]) && bytes.Equal(a[12:], b[12:])
}

// lastEvent returns the last of some events, nil for none.
func lastEvent(b []byte) (last []byte) {
	for len(b) >= inotifyEvent && eventSize(b) <= len(b) {
		last, b = b[:eventSize(b)], b[eventSize(b):]
	}
	return last
}

// peekEvents returns the events that a read of n bytes gives: whole ones.
func (c *call) peekEvents(d *desc, n int) ([]byte, error) {
	data := c.files.pipe(d.pipe).data
	if len(data) == 0 {
		if d.flags&oNonblock != 0 {
			return nil, errno.EAGAIN
		}
		return nil, c.waitReady(d, pollIn)
	}
	size := 0
	for size < len(data) && size+eventSize(data[size:]) <= n {
		size += eventSize(data[size:])
	}
	if size == 0 {
		return nil, errno.EINVAL
	}
	return data[:size], nil
}

// takeEvents makes n peeked bytes of events read.
func (c *call) takeEvents(d *desc, n int) {
	p := c.files.pipe(d.pipe)
	p.data, p.taken = p.data[n:], p.taken+uint64(n)
	c.touchPipe(p.id)
}

// notify tells of what happened to a node who watches its directory and who watches it.
func (k *Kernel) notify(event uint32, id vfs.NodeID) {
	if len(k.files.marks) == 0 {
		return
	}
	if k.isDir(id) {
		event |= inIsdir
	}
	dir, name, named := k.FS.Known(id)
	k.tellMarks(event, dir, name, 0, func(m mark) bool { return named || m.events&inExclUnlink == 0 })
	k.notifySelf(event, id)
}

// notifySelf tells only who watches the node.
func (k *Kernel) notifySelf(event uint32, id vfs.NodeID) {
	k.tellMarks(event, id, "", 0, func(mark) bool { return true })
}

// notifyName tells who watches a directory of what happened to a name in it, which
// leads or led to the node id.
func (k *Kernel) notifyName(event uint32, dir vfs.NodeID, name string, id vfs.NodeID, cookie uint32) {
	if len(k.files.marks) == 0 {
		return
	}
	if k.isDir(id) {
		event |= inIsdir
	}
	k.tellMarks(event, dir, name, cookie, func(mark) bool { return true })
}

// tellMarks queues an event for the watches of a node that ask for it and are wanted.
func (k *Kernel) tellMarks(event uint32, node vfs.NodeID, name string, cookie uint32, wanted func(mark) bool) {
	var once []mark
	for _, m := range k.files.marks {
		if m.node != node || m.events&event&inAllEvents == 0 || !wanted(m) {
			continue
		}
		k.queueEvent(m, event, cookie, name)
		if m.events&inOneshot != 0 {
			once = append(once, m)
		}
	}
	for _, m := range once {
		k.unmark(m)
	}
}

// vanished ends the watches of a node that has neither a name nor anybody who has it open
// any more; ids that are to be let go of at the end of the call are open no more.
func (k *Kernel) vanished(id vfs.NodeID) {
	var about []mark
	for _, m := range k.files.marks {
		if m.node == id {
			about = append(about, m)
		}
	}
	if len(about) == 0 {
		return
	}
	open := k.FS.Refs(id)
	for _, pending := range k.unref {
		if pending == id {
			open--
		}
	}
	if _, _, named := k.FS.Known(id); named || open > 0 {
		return
	}
	k.notifySelf(inDeleteSelf, id)
	for _, m := range about {
		k.unmark(m)
	}
}

// notifyMove tells of a name that became another one.
func (k *Kernel) notifyMove(from, to vfs.Place, id vfs.NodeID) {
	if len(k.files.marks) == 0 {
		return
	}
	cookie := uint32(k.newID())
	k.notifyName(inMovedFrom, from.Dir, from.Name, id, cookie)
	k.notifyName(inMovedTo, to.Dir, to.Name, id, cookie)
}
