package kernel

import (
	"cmp"
	"fmt"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

// Objects of System V IPC have a key and an identity, an owner and permissions, and stay until
// somebody removes them. Their kinds have a file each: shm.go, sem.go, msg.go; POSIX message
// queues, in mqueue.go, wait in the same way. Whoever changes an object does for those who
// wait for it what they wait for, in the order in which Linux does: who was served is woken,
// has the result in its wait, and nobody can come between.
// Sources: sysvipc(7), svipc(7), ipc/util.c, proc(5).

// Commands and flags of the three kinds.
const (
	ipcPrivate = 0
	ipcCreat   = 0o1000
	ipcExcl    = 0o2000
	ipcNowait  = 0o4000

	ipcRmid = 0
	ipcSet  = 1
	ipcStat = 2
	ipcInfo = 3

	ipcRead  = 0o444
	ipcWrite = 0o222
	ipcExec  = 0o111

	ipcPlaces   = 32768 // an identity is a place below this one and, times it, a number that tells its owners apart
	ipcPermSize = 48    // of a struct ipc64_perm
)

// ipcObjects are all objects of IPC, each list ascending by identity.
type ipcObjects struct {
	segments []segment
	sets     []semSet
	queues   []msgQueue
	mqueues  []mqueue
}

func (o *ipcObjects) fork() ipcObjects {
	c := ipcObjects{slices.Clone(o.segments), slices.Clone(o.sets), slices.Clone(o.queues), slices.Clone(o.mqueues)}
	for i := range c.sets {
		c.sets[i].sems, c.sets[i].undo = slices.Clone(c.sets[i].sems), slices.Clone(c.sets[i].undo)
	}
	return c
}

// ipcPerm is what an object of System V IPC has beside its content.
type ipcPerm struct {
	key                  int32
	uid, gid, cuid, cgid uint32
	mode                 uint32 // with the bits of its kind above the permissions
	ctime                phys.Nanos
}

func (p *ipcPerm) code(c *codec) {
	code(c, &p.key)
	for _, id := range []*uint32{&p.uid, &p.gid, &p.cuid, &p.cgid, &p.mode} {
		code(c, id)
	}
	code(c, &p.ctime)
}

// ipcObject is a pointer to an object of System V IPC.
type ipcObject[T any] interface {
	*T
	object
	ident() int
	perm() *ipcPerm
}

// ipcFind returns the object with an identity, nil when there is none.
func ipcFind[T any, P ipcObject[T]](list []T, id int) P {
	i, ok := slices.BinarySearchFunc(list, id, func(o T, id int) int { return cmp.Compare(P(&o).ident(), id) })
	if !ok {
		return nil
	}
	return P(&list[i])
}

// ipcNamed returns the object with a key, nil when there is none.
func ipcNamed[T any, P ipcObject[T]](list []T, key int32) P {
	for i := range list {
		if o := P(&list[i]); key != ipcPrivate && o.perm().key == key {
			return o
		}
	}
	return nil
}

// ipcAt returns the object at a place, nil when there is none.
func ipcAt[T any, P ipcObject[T]](list []T, place int) P {
	for i := range list {
		if o := P(&list[i]); o.ident()%ipcPlaces == place {
			return o
		}
	}
	return nil
}

// ipcLast returns the highest place that is taken, 0 when none is.
func ipcLast[T any, P ipcObject[T]](list []T) (last int) {
	for i := range list {
		last = max(last, P(&list[i]).ident()%ipcPlaces)
	}
	return last
}

// ipcEnter enters a new object, which make fills in, under a fresh identity.
func ipcEnter[T any, P ipcObject[T]](c *call, list *[]T, kind RecordKind, make func(id int) T) int {
	place := 0
	for ipcAt[T, P](*list, place) != nil {
		place++
	}
	const numbers = 1 << 16
	id := c.newID()%numbers*ipcPlaces + place
	i, _ := slices.BinarySearchFunc(*list, id, func(o T, id int) int { return cmp.Compare(P(&o).ident(), id) })
	*list = slices.Insert(*list, i, make(id))
	c.touch(ipcKey(kind, id))
	return id
}

// ipcRemove removes an object.
func ipcRemove[T any, P ipcObject[T]](k *Kernel, list *[]T, kind RecordKind, id int) {
	*list = slices.DeleteFunc(*list, func(o T) bool { return P(&o).ident() == id })
	k.touch(ipcKey(kind, id))
}

func ipcKey(kind RecordKind, id int) Key { return Key{Kind: kind, A: uint64(id)} }

// ipcKeys gives the keys of all objects of a list.
func ipcKeys[T any, P ipcObject[T]](list []T, kind RecordKind, add func(Key)) {
	for i := range list {
		add(ipcKey(kind, P(&list[i]).ident()))
	}
}

// ipcGet is what shmget, semget and msgget have in common: the object of the key in argument
// 0 if it fits, or a new one.
func ipcGet[T any, P ipcObject[T]](c *call, list []T, flags uint64,
	fits func(P) bool, make func(ipcPerm) (uint64, error)) (uint64, error) {
	key := int32(c.a[0])
	if o := ipcNamed[T, P](list, key); o != nil {
		switch {
		case flags&(ipcCreat|ipcExcl) == ipcCreat|ipcExcl:
			return 0, errno.EEXIST
		case !fits(o):
			return 0, errno.EINVAL
		}
		return uint64(o.ident()), c.ipcPermit(o.perm(), uint32(flags))
	}
	if key != ipcPrivate && flags&ipcCreat == 0 {
		return 0, errno.ENOENT
	}
	u := c.thread.who()
	return make(ipcPerm{key: key, uid: u.user.effective, gid: u.group.effective,
		cuid: u.user.effective, cgid: u.group.effective,
		mode: uint32(flags & 0o777), ctime: c.Now()})
}

// ipcOf returns the object with the identity in argument 0, if the caller may do with it
// what the bits of want in all three places say.
func ipcOf[T any, P ipcObject[T]](c *call, list []T, want uint32) (P, error) {
	o := ipcFind[T, P](list, c.fd(0))
	if o == nil {
		return nil, errno.EINVAL
	}
	return o, c.ipcPermit(o.perm(), want)
}

// ipcPermit says EACCES when the caller may not do what the bits of want say.
func (c *call) ipcPermit(p *ipcPerm, want uint32) error {
	u := c.thread.who()
	want, granted := want>>6|want>>3|want, p.mode
	switch {
	case u.user.effective == p.uid, u.user.effective == p.cuid:
		granted >>= 6
	case u.in(p.gid), u.in(p.cgid):
		granted >>= 3
	}
	if want&^granted&7 != 0 && !u.can(capIpcOwner) {
		return errno.EACCES
	}
	return nil
}

// owns reports whether the caller may remove an object and change whose it is.
func (p *ipcPerm) owns(u *cred) bool {
	return u.user.effective == p.uid || u.user.effective == p.cuid || u.can(capSysAdmin)
}

// set changes owner and permissions to those of the struct ipc64_perm at va.
func (p *ipcPerm) set(c *call, b []byte) {
	p.uid, p.gid, p.mode, p.ctime = le.Uint32(b[4:]), le.Uint32(b[8:]), p.mode&^0o777|le.Uint32(b[20:])&0o777, c.Now()
}

// append appends a struct ipc64_perm.
func (p *ipcPerm) append(b []byte, id int) []byte {
	for _, w := range []uint32{uint32(p.key), p.uid, p.gid, p.cuid, p.cgid, p.mode, uint32(id / ipcPlaces), 0} {
		b = le.AppendUint32(b, w)
	}
	return append(b, make([]byte, 16)...)
}

// words appends numbers.
func words(b []byte, list ...uint64) []byte {
	for _, w := range list {
		b = le.AppendUint64(b, w)
	}
	return b
}

// halves appends numbers of 32 bits.
func halves(b []byte, list ...int) []byte {
	for _, w := range list {
		b = le.AppendUint32(b, uint32(w))
	}
	return b
}

// seconds is a time as IPC tells it.
func seconds(t phys.Nanos) uint64 { return uint64(t / second) }

// ipcPage rounds a size up to pages.
func ipcPage(size uint64) uint64 { return (size + phys.PageMask) &^ phys.PageMask }

// ipcWait is what a thread waits for that an object of IPC is to give: the operations on a
// set of semaphores, a message, or room for one. It is never changed in place.
type ipcWait struct {
	kind RecordKind // of the object
	id   int
	send bool // waits for room for the message that follows

	ops  []semOp
	want int64  // type of the message that is wanted or sent, or its priority
	size uint64 // of the longest message that is taken
	how  uint64 // flags of the call

	text  string      // of the message that is sent, or was received
	fails errno.Errno // the call's result once it is woken
}

func (w *ipcWait) code(c *codec) {
	code(c, &w.kind)
	code(c, &w.id)
	c.flag(&w.send)
	codeList(c, &w.ops, semOps, func(o *semOp) { o.code(c) })
	code(c, &w.want)
	code(c, &w.size)
	code(c, &w.how)
	c.text(&w.text, maxMessage)
	code(c, &w.fails)
	if c.decoding && (w.kind < KindSemaphores || w.kind > KindMQueue) {
		c.fail("a wait for an object of kind %v", w.kind)
	}
}

func (w *ipcWait) String() string {
	switch {
	case w.kind == KindSemaphores:
		return fmt.Sprintf("%d operations on semaphores %d", len(w.ops), w.id)
	case w.send:
		return fmt.Sprintf("room for a message of %d bytes in %v %d", len(w.text), w.kind, w.id)
	}
	return fmt.Sprintf("a message of type %d in %v %d", w.want, w.kind, w.id)
}

// ipcWaiting is what the current thread waits for in this call, nil when the call has just
// been made. over reports that it was served, or that there is nothing more to wait for.
func (c *call) ipcWaiting() (w *ipcWait, over bool) {
	if t := c.thread.wait; t != nil && t.ipc != nil {
		return t.ipc, t.woken
	}
	return nil, false
}

// ipcWaits returns the threads that wait for an object and were not served yet, in the order
// in which they began.
func (k *Kernel) ipcWaits(kind RecordKind, id int) (list []*Thread) {
	for _, t := range k.threads {
		if w := t.wait; w != nil && w.ipc != nil && !w.woken && w.ipc.kind == kind && w.ipc.id == id {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b *Thread) int { return cmp.Compare(a.wait.order, b.wait.order) })
	return list
}

// ipcServe wakes a thread, whose wait has become w.
func (k *Kernel) ipcServe(t *Thread, w ipcWait) {
	now := *t.wait
	now.ipc = &w
	t.wait = &now
	k.wakeOne(t)
}

// ipcFail wakes all who wait for an object that is removed.
func (k *Kernel) ipcFail(kind RecordKind, id int) {
	for _, t := range k.ipcWaits(kind, id) {
		w := *t.wait.ipc
		w.fails = errno.EIDRM
		k.ipcServe(t, w)
	}
}
