package kernel

import (
	"cmp"
	"fmt"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// A POSIX message queue has a name among its like, and descriptors. It is there while either
// is. Descriptions keep the identity of the queue where others have that of their socket.
// Sources: mq_overview(7), mq_open(3), mq_notify(3), mq_getsetattr(2), ipc/mqueue.c.

// Limits of message queues: those of who has no CAP_SYS_RESOURCE, and of everybody.
const (
	mqPlace      = 256
	mqUsual      = 10
	mqUsualSize  = 8192
	mqHardMost   = 65536
	mqHardSize   = 16 << 20
	mqPriorities = 32768
	mqNodeSize   = 80 // of what read(2) tells
	mqUsualLimit = 819200
	mqTreeSize   = 128 // bytes that RLIMIT_MSGQUEUE counts beside each message
	siMesgq      = -3
	sigeventSize = 64
	mqDev        = 0x14
	mqAttrSize   = 64
)

// mqueue is a POSIX message queue.
type mqueue struct {
	id      int
	name    string // "" when it was removed
	attrs   attrs
	creator uint32 // whose limit it counts against
	most    int64  // messages
	size    int64  // bytes of one
	news    news
	notify  mqNotify
	mail    mailbox
	refs    int // descriptions
}

// mqNotify is who is told of a message in an empty queue.
type mqNotify struct {
	pid    int32 // 0 for nobody
	how    int32
	signal int32
	value  uint64
}

func (q *mqueue) code(c *codec) {
	c.text(&q.name, vfs.MaxName)
	q.attrs.code(c)
	code(c, &q.creator)
	code(c, &q.most)
	code(c, &q.size)
	q.news.code(c)
	code(c, &q.notify.pid)
	code(c, &q.notify.how)
	code(c, &q.notify.signal)
	code(c, &q.notify.value)
	code(c, &q.mail.last)
}

func mqKey(id int) Key { return Key{Kind: KindMQueue, A: uint64(id)} }

// mqueue returns a POSIX message queue, nil when there is none with that identity.
func (o *ipcObjects) mqueue(id int) *mqueue {
	i, ok := slices.BinarySearchFunc(o.mqueues, id, func(q mqueue, id int) int { return cmp.Compare(q.id, id) })
	if !ok {
		return nil
	}
	return &o.mqueues[i]
}

// mqNamed returns the queue with a name, nil when there is none.
func (o *ipcObjects) mqNamed(name string) *mqueue {
	for i := range o.mqueues {
		if o.mqueues[i].name == name {
			return &o.mqueues[i]
		}
	}
	return nil
}

// mqueueKind is the row of POSIX message queues among the kinds of objects.
var mqueueKind = kindOf{name: "queue", make: func() object { return &mqueue{} },
	find: func(k *Kernel, key Key) object { return found(k.files.ipc.mqueue(int(key.A))) },
	keys: func(k *Kernel, add func(Key)) {
		for i := range k.files.ipc.mqueues {
			add(mqKey(k.files.ipc.mqueues[i].id))
		}
	},
	restore: func(k *restorer, r *Record) error {
		return k.read(r, appended(&k.files.ipc.mqueues, mqueue{id: int(r.Key.A)}, k.alike))
	},
	check: func(k *Kernel) error {
		for d := range k.files.descs.all() {
			if d.kind == FDQueue {
				q := k.files.ipc.mqueue(d.socket)
				if q == nil {
					return bad("description %d leads to queue %d, which is not there", d.id, d.socket)
				}
				q.refs++
			}
		}
		for _, q := range k.files.ipc.mqueues {
			switch {
			case q.refs == 0 && q.name == "":
				return bad("queue %d has neither a name nor a descriptor", q.id)
			case q.most < 1 || q.size < 1 || int64(len(q.mail.messages)) > q.most:
				return bad("queue %d has %d messages of at most %d, %d bytes each", q.id, len(q.mail.messages), q.most, q.size)
			}
		}
		return nil
	},
}

func mqueueCalls() []Call {
	return []Call{
		partly(240, "mq_open", "ptr,flags,mode,ptr", "messages of at most 256 KiB; /dev/mqueue is not mounted", sysMqOpen),
		works(241, "mq_unlink", "ptr", sysMqUnlink),
		works(242, "mq_timedsend", "fd,ptr,size,num,ptr", sysMqTimedsend).class(Wait).restarts(),
		works(243, "mq_timedreceive", "fd,ptr,size,ptr,ptr", sysMqTimedreceive).class(Wait).restarts(),
		works(244, "mq_notify", "fd,ptr", sysMqNotify),
		works(245, "mq_getsetattr", "fd,ptr,ptr", sysMqGetsetattr),
	}
}

// mqName reads the name of a queue, which the C library gives without its first slash.
func (c *call) mqName() (string, error) {
	name, err := c.path(c.a[0])
	switch {
	case err != nil:
		return "", err
	case name == "":
		return "", errno.ENOENT
	case len(name) > vfs.MaxName:
		return "", errno.ENAMETOOLONG
	}
	if name == "." || name == ".." {
		return "", errno.EACCES
	}
	for _, b := range []byte(name) {
		if b == '/' {
			return "", errno.EACCES
		}
	}
	return name, nil
}

func sysMqOpen(c *call) (uint64, error) {
	flags := uint32(c.a[1])
	most, size := int64(mqUsual), int64(mqUsualSize)
	if c.a[3] != 0 {
		var b [mqAttrSize]byte
		if err := c.load(c.a[3], b[:]); err != nil {
			return 0, err
		}
		most, size = int64(le.Uint64(b[8:])), int64(le.Uint64(b[16:]))
	}
	name, err := c.mqName()
	if err != nil {
		return 0, err
	}
	if c.proc.free(0) >= c.fdLimit() {
		return 0, errno.EMFILE
	}
	q := c.files.ipc.mqNamed(name)
	switch {
	case q == nil && flags&oCreat == 0:
		return 0, errno.ENOENT
	case q == nil:
		if q, err = c.newMqueue(name, most, size); err != nil {
			return 0, err
		}
	case flags&(oCreat|oExcl) == oCreat|oExcl:
		return 0, errno.EEXIST
	case flags&oAccmode == oAccmode:
		return 0, errno.EINVAL
	default:
		want := [...]uint32{0: vfs.MayRead, oWronly: vfs.MayWrite, oRdwr: vfs.MayRead | vfs.MayWrite}[flags&oAccmode]
		if !c.actor().may(vfs.ModeFile|q.attrs.mode, q.attrs.uid, q.attrs.gid, want) {
			return 0, errno.EACCES
		}
	}
	q.refs++
	num, err := c.install(desc{kind: FDQueue, socket: q.id, flags: flags & (oAccmode | oNonblock)}, true)
	return uint64(num), err
}

// newMqueue makes a queue of a name that is free.
func (c *call) newMqueue(name string, most, size int64) (*mqueue, error) {
	u := c.thread.who()
	maxMost, maxSize := int64(mqUsual), int64(mqUsualSize)
	if u.can(capSysResource) {
		maxMost, maxSize = mqHardMost, mqHardSize
	}
	switch {
	case most <= 0, size <= 0, most > maxMost, size > maxSize:
		return nil, errno.EINVAL
	case len(c.files.ipc.mqueues) >= mqPlace && !u.can(capSysResource):
		return nil, errno.ENOSPC
	case size > maxMessage:
		return nil, c.lacks("messages of %d bytes, at most %d are possible", size, maxMessage)
	}
	total := uint64(most) * uint64(size+mqTreeSize)
	for i := range c.files.ipc.mqueues {
		if q := &c.files.ipc.mqueues[i]; q.creator == u.user.real {
			total += uint64(q.most) * uint64(q.size+mqTreeSize)
		}
	}
	if total > c.proc.rlimits[rlimitMsgqueue][0] {
		return nil, errno.EMFILE
	}
	q := mqueue{id: c.newID(), name: name, most: most, size: size, creator: u.user.real,
		attrs: c.newAttrs(uint32(c.a[2]) & 0o777 &^ c.proc.umask)}
	c.files.ipc.mqueues = append(c.files.ipc.mqueues, q)
	c.touch(mqKey(q.id))
	return c.files.ipc.mqueue(q.id), nil
}

func sysMqUnlink(c *call) (uint64, error) {
	name, err := c.mqName()
	if err != nil {
		return 0, err
	}
	q := c.files.ipc.mqNamed(name)
	switch {
	case q == nil:
		return 0, errno.ENOENT
	case !c.actor().owns(q.attrs.uid) && c.actor().user.file != 0: // the directory is the superuser's, and sticky
		return 0, errno.EPERM
	}
	q.name = ""
	c.touch(mqKey(q.id))
	c.mqGone(q)
	return 0, nil
}

// mqGone removes a queue that nobody can reach any more.
func (k *Kernel) mqGone(q *mqueue) {
	if q.name != "" || q.refs > 0 {
		return
	}
	for len(q.mail.messages) > 0 {
		q.mail.take(k, KindMQueue, q.id, 0)
	}
	id := q.id
	k.files.ipc.mqueues = slices.DeleteFunc(k.files.ipc.mqueues, func(o mqueue) bool { return o.id == id })
	k.touch(mqKey(id))
}

// closeMqueue lets go of the queue of a description.
func (k *Kernel) closeMqueue(d *desc) {
	q := k.files.ipc.mqueue(d.socket)
	q.refs--
	k.mqGone(q)
}

// mqForget ends what a process wants to be told when it closes a descriptor of a queue.
func (k *Kernel) mqForget(d *desc) {
	if d.kind != FDQueue {
		return
	}
	if q := k.files.ipc.mqueue(d.socket); q.notify.pid == k.proc.pid {
		q.notify = mqNotify{}
		k.touch(mqKey(q.id))
	}
}

// mqOf returns the queue of the descriptor in argument 0.
func (c *call) mqOf() (*mqueue, *desc, error) {
	d, err := c.desc(0)
	if err == nil && d.kind != FDQueue {
		err = errno.EBADF
	}
	if err != nil {
		return nil, nil, err
	}
	return c.files.ipc.mqueue(d.socket), d, nil
}

// mqDeadline returns when a wait is over that lasts until a time of the wall clock, 0 for
// none.
func (c *call) mqDeadline(va uint64) (phys.Nanos, error) {
	if va == 0 {
		return forever, nil
	}
	t, err := c.timespecAt(va)
	if err != nil {
		return 0, err
	}
	return c.after(t - min(t, c.Now())), nil
}

func sysMqTimedsend(c *call) (uint64, error) {
	if w, over := c.ipcWaiting(); over {
		return 0, w.result()
	} else if w != nil {
		return 0, c.waitFor(*c.thread.wait)
	}
	deadline, err := c.mqDeadline(c.a[4])
	switch {
	case err != nil:
		return 0, err
	case uint32(c.a[3]) >= mqPriorities:
		return 0, errno.EINVAL
	}
	q, d, err := c.mqOf()
	switch {
	case err != nil:
		return 0, err
	case !d.writable():
		return 0, errno.EBADF
	case c.a[2] > uint64(q.size):
		return 0, errno.EMSGSIZE
	}
	text := make([]byte, c.a[2])
	if err := c.load(c.a[1], text); err != nil {
		return 0, err
	}
	w := ipcWait{kind: KindMQueue, id: q.id, send: true, want: int64(uint32(c.a[3])), text: string(text)}
	switch {
	case int64(len(q.mail.messages)) < q.most:
		c.mqSend(q, w)
		q.attrs.mtime, q.attrs.ctime, q.attrs.atime = c.Now(), c.Now(), c.Now()
		return 0, nil
	case d.flags&oNonblock != 0:
		return 0, errno.EAGAIN
	}
	return 0, c.waitFor(wait{ipc: &w, deadline: deadline})
}

// mqSend gives a message to the first who waits for one, or queues it and tells who wants
// to know.
func (k *Kernel) mqSend(q *mqueue, w ipcWait) {
	k.touch(mqKey(q.id))
	for _, t := range k.ipcWaits(KindMQueue, q.id) {
		if r := *t.wait.ipc; !r.send {
			r.text, r.want = w.text, w.want
			k.ipcServe(t, r)
			return
		}
	}
	q.news.in++
	q.mail.put(k, KindMQueue, q.id, w.want, w.text, true)
	if n := q.notify; n.pid != 0 && len(q.mail.messages) == 1 {
		q.notify = mqNotify{}
		if p := k.findProcess(n.pid); n.how == sigevSignal && p != nil && !p.dead && n.signal != 0 {
			_ = k.Send(p, Queued{Signal: int(n.signal), Code: siMesgq, Value: n.value, PID: k.proc.pid, UID: k.thread.who().user.real}) // a full queue loses it
		}
	}
}

func sysMqTimedreceive(c *call) (uint64, error) {
	if w, over := c.ipcWaiting(); over {
		return c.mqDeliver(w.want, w.text)
	} else if w != nil {
		return 0, c.waitFor(*c.thread.wait)
	}
	deadline, err := c.mqDeadline(c.a[4])
	if err != nil {
		return 0, err
	}
	q, d, err := c.mqOf()
	switch {
	case err != nil:
		return 0, err
	case !d.readable():
		return 0, errno.EBADF
	case c.a[2] < uint64(q.size):
		return 0, errno.EMSGSIZE
	}
	switch {
	case len(q.mail.messages) > 0:
	case d.flags&oNonblock != 0:
		return 0, errno.EAGAIN
	default:
		return 0, c.waitFor(wait{ipc: &ipcWait{kind: KindMQueue, id: q.id}, deadline: deadline})
	}
	m := q.mail.take(c.Kernel, KindMQueue, q.id, 0)
	q.attrs.mtime, q.attrs.ctime, q.attrs.atime = c.Now(), c.Now(), c.Now()
	q.news.out++
	c.touch(mqKey(q.id))
	for _, t := range c.ipcWaits(KindMQueue, q.id) {
		if w := *t.wait.ipc; w.send {
			c.ipcServe(t, w)
			c.mqSend(q, w)
			break
		}
	}
	return c.mqDeliver(m.want, m.text)
}

// mqDeliver stores a message that is in no queue any more, and its priority.
func (c *call) mqDeliver(priority int64, text string) (uint64, error) {
	if c.a[3] != 0 {
		if err := c.put32(c.a[3], uint32(priority)); err != nil {
			return 0, err
		}
	}
	return uint64(len(text)), c.store(c.a[1], []byte(text))
}

func sysMqNotify(c *call) (uint64, error) {
	n := mqNotify{pid: c.proc.pid}
	if c.a[1] != 0 {
		var b [sigeventSize]byte
		if err := c.load(c.a[1], b[:]); err != nil {
			return 0, err
		}
		n.value, n.signal, n.how = le.Uint64(b[:]), int32(le.Uint32(b[8:])), int32(le.Uint32(b[12:]))
		switch {
		case n.how != sigevSignal && n.how != sigevNone && n.how != sigevThread,
			n.how == sigevSignal && uint32(n.signal) >= NSIG:
			return 0, errno.EINVAL
		case n.how == sigevThread:
			return 0, c.mqThread(n.value, int(n.signal))
		}
		if n.how == sigevNone {
			n.value, n.signal = 0, 0
		}
	}
	q, _, err := c.mqOf()
	switch {
	case err != nil:
		return 0, err
	case c.a[1] == 0 && q.notify.pid == n.pid:
		q.notify = mqNotify{}
	case c.a[1] == 0:
		return 0, nil
	case q.notify.pid != 0:
		return 0, errno.EBUSY
	default:
		q.notify = n
	}
	q.attrs.atime, q.attrs.ctime = c.Now(), c.Now()
	c.touch(mqKey(q.id))
	return 0, nil
}

// mqThread is the answer to SIGEV_THREAD, which needs a netlink socket to tell a thread of
// the C library: there is none here, so that num cannot be one.
func (c *call) mqThread(cookie uint64, num int) error {
	var b [32]byte // NOTIFY_COOKIE_LEN
	if err := c.load(cookie, b[:]); err != nil {
		return err
	}
	d := c.get(num)
	switch {
	case d == nil:
		return errno.EBADF
	case d.kind != FDSocket:
		return errno.ENOTSOCK
	}
	return errno.EINVAL
}

func sysMqGetsetattr(c *call) (uint64, error) {
	var b [mqAttrSize]byte
	if c.a[1] != 0 {
		if err := c.load(c.a[1], b[:]); err != nil {
			return 0, err
		}
		if le.Uint64(b[:])&^oNonblock != 0 {
			return 0, errno.EINVAL
		}
	}
	q, d, err := c.mqOf()
	if err != nil {
		return 0, err
	}
	old := words(nil, uint64(d.flags&oNonblock), uint64(q.most), uint64(q.size), uint64(len(q.mail.messages)), 0, 0, 0, 0)
	if c.a[1] != 0 {
		d.flags = d.flags&^oNonblock | uint32(le.Uint64(b[:]))
		c.touchDesc(d.id)
		q.attrs.atime, q.attrs.ctime = c.Now(), c.Now()
		c.touch(mqKey(q.id))
	}
	if c.a[2] == 0 {
		return 0, nil
	}
	return 0, c.store(c.a[2], old)
}

// mqReady is ready for queues.
func (k *Kernel) mqReady(d *desc) (ev uint16) {
	q := k.files.ipc.mqueue(d.socket)
	if len(q.mail.messages) > 0 {
		ev = pollIn | pollRdnorm
	}
	if int64(len(q.mail.messages)) < q.most {
		ev |= pollOut | pollWrnorm
	}
	return ev
}

// peekMqueue is what read(2) tells of a queue.
func (k *Kernel) peekMqueue(d *desc, n int) []byte {
	q := k.files.ipc.mqueue(d.socket)
	signal := int32(0)
	if q.notify.pid != 0 && q.notify.how == sigevSignal {
		signal = q.notify.signal
	}
	b := fmt.Appendf(nil, "QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
		q.mail.bytes(), q.notify.how, signal, q.notify.pid)
	b = b[min(d.off, int64(len(b))):]
	return b[:min(n, len(b))]
}
