package kernel

import (
	"fmt"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

// A message goes to the first who waits for one of its kind and only else into the queue;
// who waits for room has his message queued as soon as there is some.
// Sources: msgget(2), msgop(2), msgctl(2), ipc/msg.c.

// Limits, commands and flags of message queues.
const (
	msgPlace     = 32000 // MSGMNI
	msgMax       = 8192
	msgQueueSize = 16384 // MSGMNB

	msgNoError = 0o10000
	msgExcept  = 0o20000
	msgCopy    = 0o40000

	msgStat    = 11
	msgInfo    = 12
	msgStatAny = 13

	maxMessage = 256 << 10 // bytes of one that a record holds
)

// ipcMessage is a message in a queue. It is never changed.
type ipcMessage struct {
	serial uint64 // messages of a queue are numbered as they come
	want   int64  // its type, or its priority
	text   string
}

func (m *ipcMessage) code(c *codec) {
	code(c, &m.want)
	c.text(&m.text, maxMessage)
}

// mailbox is the messages of a queue. Its list is never changed in place: forks share it.
type mailbox struct {
	last     uint64 // serial of the last message that came
	messages []ipcMessage
}

// put appends a message, before those of a lower priority if ranked.
func (b *mailbox) put(k *Kernel, kind RecordKind, id int, want int64, text string, ranked bool) {
	b.last++
	i := len(b.messages)
	for ranked && i > 0 && b.messages[i-1].want < want {
		i--
	}
	b.messages = slices.Insert(slices.Clone(b.messages), i, ipcMessage{b.last, want, text})
	k.touch(messageKey(kind, id, b.last))
}

// take removes a message.
func (b *mailbox) take(k *Kernel, kind RecordKind, id, i int) ipcMessage {
	m := b.messages[i]
	b.messages = slices.Delete(slices.Clone(b.messages), i, i+1)
	k.touch(messageKey(kind, id, m.serial))
	return m
}

func (b *mailbox) bytes() (n uint64) {
	for _, m := range b.messages {
		n += uint64(len(m.text))
	}
	return n
}

// messageKey is the key of a message of the queue of a kind with an identity.
func messageKey(kind RecordKind, id int, serial uint64) Key {
	return Key{KindMessage, uint64(kind)<<32 | uint64(id), serial}
}

// mailbox returns the messages of the queue that a key of a message names.
func (o *ipcObjects) mailbox(key Key) *mailbox {
	id := int(uint32(key.A))
	switch RecordKind(key.A >> 32) {
	case KindMessages:
		if q := ipcFind(o.queues, id); q != nil {
			return &q.mail
		}
	case KindMQueue:
		if q := o.mqueue(id); q != nil {
			return &q.mail
		}
	}
	return nil
}

// messageKind is the row of messages among the kinds of objects.
var messageKind = kindOf{name: "message", make: func() object { return &ipcMessage{} },
	find: func(k *Kernel, key Key) object {
		if b := k.files.ipc.mailbox(key); b != nil {
			for i := range b.messages {
				if m := &b.messages[i]; m.serial == key.B {
					return m
				}
			}
		}
		return nil
	},
	keys: func(k *Kernel, add func(Key)) {
		each := func(kind RecordKind, id int, b *mailbox) {
			for _, m := range b.messages {
				add(messageKey(kind, id, m.serial))
			}
		}
		for i := range k.files.ipc.queues {
			each(KindMessages, k.files.ipc.queues[i].id, &k.files.ipc.queues[i].mail)
		}
		for i := range k.files.ipc.mqueues {
			each(KindMQueue, k.files.ipc.mqueues[i].id, &k.files.ipc.mqueues[i].mail)
		}
	},
	restore: func(k *restorer, r *Record) error {
		b := k.files.ipc.mailbox(r.Key)
		if b == nil {
			return bad("%v: there is no such queue", r.Key)
		}
		if r.Key.B > b.last {
			return bad("%v: the queue has had %d", r.Key, b.last)
		}
		m := ipcMessage{serial: r.Key.B}
		err := k.read(r, &m)
		i := len(b.messages)
		for RecordKind(r.Key.A>>32) == KindMQueue && i > 0 && b.messages[i-1].want < m.want {
			i--
		}
		b.messages = slices.Insert(b.messages, i, m)
		return err
	},
}

// msgQueue is a queue of messages.
type msgQueue struct {
	id           int
	ipcPerm      ipcPerm
	most         uint64 // bytes in it
	stime, rtime phys.Nanos
	spid, rpid   int32
	mail         mailbox
}

func (q *msgQueue) ident() int     { return q.id }
func (q *msgQueue) perm() *ipcPerm { return &q.ipcPerm }

func (q *msgQueue) code(c *codec) {
	q.ipcPerm.code(c)
	code(c, &q.most)
	code(c, &q.stime)
	code(c, &q.rtime)
	code(c, &q.spid)
	code(c, &q.rpid)
	code(c, &q.mail.last)
}

// queueKind is the row of queues of messages among the kinds of objects.
var queueKind = kindOf{name: "messages", make: func() object { return &msgQueue{} },
	find: func(k *Kernel, key Key) object { return found(ipcFind(k.files.ipc.queues, int(key.A))) },
	keys: func(k *Kernel, add func(Key)) { ipcKeys(k.files.ipc.queues, KindMessages, add) },
	restore: func(k *restorer, r *Record) error {
		return k.read(r, appended(&k.files.ipc.queues, msgQueue{id: int(r.Key.A)}, k.alike))
	},
}

func msgCalls() []Call {
	return []Call{
		works(68, "msgget", "num,flags", sysMsgget),
		works(69, "msgsnd", "num,ptr,size,flags", sysMsgsnd).class(Wait),
		works(70, "msgrcv", "num,ptr,size,num,flags", sysMsgrcv).class(Wait),
		works(71, "msgctl", "num,num,ptr", sysMsgctl),
	}
}

func sysMsgget(c *call) (uint64, error) {
	return ipcGet(c, c.files.ipc.queues, c.a[1], func(*msgQueue) bool { return true }, func(p ipcPerm) (uint64, error) {
		if len(c.files.ipc.queues) >= msgPlace {
			return 0, errno.ENOSPC
		}
		return uint64(ipcEnter(c, &c.files.ipc.queues, KindMessages, func(id int) msgQueue {
			return msgQueue{id: id, ipcPerm: p, most: msgQueueSize}
		})), nil
	})
}

func sysMsgsnd(c *call) (uint64, error) {
	if w, over := c.ipcWaiting(); over {
		return 0, w.result()
	} else if w != nil {
		return 0, c.waitFor(*c.thread.wait)
	}
	kind, err := c.u64(c.a[1])
	switch {
	case err != nil:
		return 0, err
	case c.a[2] > msgMax, c.fd(0) < 0, int64(kind) < 1:
		return 0, errno.EINVAL
	}
	text := make([]byte, c.a[2])
	if err := c.load(c.a[1]+8, text); err != nil {
		return 0, err
	}
	q, err := ipcOf(c, c.files.ipc.queues, ipcWrite)
	if err != nil {
		return 0, err
	}
	w := ipcWait{kind: KindMessages, id: q.id, send: true, want: int64(kind), text: string(text)}
	switch {
	case q.fits(&w):
		c.msgSend(q, w, c.proc.pid)
		return 0, nil
	case c.a[3]&ipcNowait != 0:
		return 0, errno.EAGAIN
	}
	return 0, c.waitFor(wait{ipc: &w, deadline: forever})
}

// fits reports whether there is room for a message.
func (q *msgQueue) fits(w *ipcWait) bool {
	return uint64(len(w.text))+q.mail.bytes() <= q.most && uint64(1+len(q.mail.messages)) <= q.most
}

// msgSend gives a message to the first who waits for it, or queues it. Who waits for one
// and has too little room for this is told so, and it goes to the next.
func (k *Kernel) msgSend(q *msgQueue, w ipcWait, pid int32) {
	k.touch(ipcKey(KindMessages, q.id))
	q.spid, q.stime = pid, k.Now()
	for _, t := range k.ipcWaits(KindMessages, q.id) {
		r := *t.wait.ipc
		if r.send || msgChoose([]ipcMessage{{want: w.want}}, r.want, r.how) < 0 {
			continue
		}
		if uint64(len(w.text)) > r.size && r.how&msgNoError == 0 {
			r.fails = errno.E2BIG
			k.ipcServe(t, r)
			continue
		}
		q.rpid, q.rtime = t.proc.pid, k.Now()
		r.text, r.want = w.text, w.want
		k.ipcServe(t, r)
		return
	}
	q.mail.put(k, KindMessages, q.id, w.want, w.text, false)
}

// msgServe queues for those who wait for room what has room now, in their order.
func (k *Kernel) msgServe(q *msgQueue) {
	for _, t := range k.ipcWaits(KindMessages, q.id) {
		if w := *t.wait.ipc; w.send && q.fits(&w) {
			k.ipcServe(t, w)
			k.msgSend(q, w, t.proc.pid)
		}
	}
}

// msgChoose returns which message a wanted type means, -1 for none.
func msgChoose(list []ipcMessage, want int64, how uint64) int {
	best := -1
	for i, m := range list {
		switch {
		case want == 0, want > 0 && (m.want == want) == (how&msgExcept == 0):
			return i
		case want < 0 && m.want <= msgLowest(want) && (best < 0 || m.want < list[best].want):
			best = i
		}
	}
	return best
}

// msgLowest is up to which type a negative one asks for.
func msgLowest(want int64) int64 { return max(-want, -(want + 1)) }

func sysMsgrcv(c *call) (uint64, error) {
	if w, over := c.ipcWaiting(); over {
		if w.fails != 0 {
			return 0, w.fails
		}
		return c.msgDeliver(w.want, w.text)
	} else if w != nil {
		return 0, c.waitFor(*c.thread.wait)
	}
	size, want, how := c.a[2], int64(c.a[3]), c.a[4]
	switch {
	case c.fd(0) < 0, int64(size) < 0:
		return 0, errno.EINVAL
	case how&msgCopy != 0 && (how&msgExcept != 0 || how&ipcNowait == 0):
		return 0, errno.EINVAL
	}
	q, err := ipcOf(c, c.files.ipc.queues, ipcRead)
	if err != nil {
		return 0, err
	}
	i := msgChoose(q.mail.messages, want, how)
	if how&msgCopy != 0 { // the type is a place in the queue
		if i = int(want); want < 0 || want >= int64(len(q.mail.messages)) {
			i = -1
		}
	}
	switch {
	case i < 0 && how&ipcNowait != 0:
		return 0, errno.ENOMSG
	case i < 0:
		return 0,
			c.waitFor(wait{ipc: &ipcWait{kind: KindMessages, id: q.id, want: want, size: size, how: how}, deadline: forever})
	case uint64(len(q.mail.messages[i].text)) > size && how&msgNoError == 0:
		return 0, errno.E2BIG
	case how&msgCopy != 0:
		m := q.mail.messages[i]
		if uint64(len(m.text)) > size {
			return 0, errno.EINVAL
		}
		return c.msgDeliver(m.want, m.text)
	}
	m := q.mail.take(c.Kernel, KindMessages, q.id, i)
	q.rpid, q.rtime = c.proc.pid, c.Now()
	c.touch(ipcKey(KindMessages, q.id))
	c.msgServe(q)
	return c.msgDeliver(m.want, m.text)
}

// msgDeliver stores a message that is in no queue any more; where that fails it is lost,
// as in Linux.
func (c *call) msgDeliver(kind int64, text string) (uint64, error) {
	text = text[:min(uint64(len(text)), c.a[2])]
	if err := c.put64(c.a[1], uint64(kind)); err != nil {
		return 0, err
	}
	return uint64(len(text)), c.store(c.a[1]+8, []byte(text))
}

func sysMsgctl(c *call) (uint64, error) {
	list := c.files.ipc.queues
	if c.fd(0) < 0 || int32(c.a[1]) < 0 {
		return 0, errno.EINVAL
	}
	switch cmd := uint32(c.a[1]); cmd {
	case ipcInfo, msgInfo:
		const pool, segment, segments = msgPlace * msgQueueSize / 1024, 16, 0xffff
		b := halves(nil, pool, msgQueueSize, msgMax, msgQueueSize, msgPlace, segment, msgQueueSize, segments)
		if cmd == msgInfo {
			count, bytes := 0, 0
			for i := range list {
				count += len(list[i].mail.messages)
				bytes += int(list[i].mail.bytes())
			}
			b = halves(nil, len(list), count, msgMax, msgQueueSize, msgPlace, segment, bytes, segments)
		}
		return uint64(ipcLast(list)), c.store(c.a[2], b)
	case msgStat, msgStatAny:
		q := ipcAt(list, c.fd(0))
		if q == nil {
			return 0, errno.EINVAL
		}
		if err := c.ipcPermit(&q.ipcPerm, ipcRead); err != nil && cmd == msgStat {
			return 0, err
		}
		return uint64(q.id), c.store(c.a[2], q.stat())
	case ipcStat:
		q, err := ipcOf(c, list, ipcRead)
		if err != nil {
			return 0, err
		}
		return 0, c.store(c.a[2], q.stat())
	case ipcSet, ipcRmid:
		return 0, c.changeQueue(cmd)
	}
	return 0, errno.EINVAL
}

// stat is a struct msqid64_ds.
func (q *msgQueue) stat() []byte {
	b := words(q.ipcPerm.append(nil, q.id), seconds(q.stime), seconds(q.rtime),
		seconds(q.ipcPerm.ctime), q.mail.bytes(), uint64(len(q.mail.messages)), q.most)
	return words(halves(b, int(q.spid), int(q.rpid)), 0, 0)
}

func (c *call) changeQueue(cmd uint32) error {
	const mostAt, size = 88, 120
	var b [size]byte
	if cmd == ipcSet {
		if err := c.load(c.a[2], b[:]); err != nil {
			return err
		}
	}
	q := ipcFind(c.files.ipc.queues, c.fd(0))
	u := c.thread.who()
	switch most := le.Uint64(b[mostAt:]); {
	case q == nil:
		return errno.EINVAL
	case !q.ipcPerm.owns(u), most > msgQueueSize && !u.can(capSysResource):
		return errno.EPERM
	case cmd == ipcSet:
		q.most = most
		q.ipcPerm.set(c, b[:])
		c.touch(ipcKey(KindMessages, q.id))
		c.msgServe(q)
		return nil
	}
	c.ipcFail(KindMessages, q.id)
	for len(q.mail.messages) > 0 {
		q.mail.take(c.Kernel, KindMessages, q.id, 0)
	}
	ipcRemove(c.Kernel, &c.files.ipc.queues, KindMessages, q.id)
	return nil
}

// procQueues is /proc/sysvipc/msg.
func (k *Kernel) procQueues() []byte {
	b := []byte("       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n")
	for i := range k.files.ipc.queues {
		q := &k.files.ipc.queues[i]
		p := &q.ipcPerm
		b = fmt.Appendf(b, "%10d %10d  %4o  %10d %10d %5d %5d %5d %5d %5d %5d %10d %10d %10d\n",
			p.key, q.id, p.mode, q.mail.bytes(), len(q.mail.messages), q.spid, q.rpid,
			p.uid, p.gid, p.cuid, p.cgid, seconds(q.stime), seconds(q.rtime), seconds(p.ctime))
	}
	return b
}
