package kernel

import (
	"fmt"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

// A set of semaphores takes the operations of one semop(2) together or not at all. Whoever
// changes a set does what is possible then for those who wait: first for who waits for
// zero, then for the others in their order, from the beginning again after each.
// Sources: semget(2), semop(2), semctl(2), ipc/sem.c.

// Limits, commands and flags of semaphores.
const (
	semPlace = 32000 // SEMMNI
	semMost  = 32000 // SEMMSL
	semAll   = 1024000000
	semOps   = 500 // SEMOPM
	semMax   = 32767
	semUndo  = 0o10000

	semGetPID  = 11
	semGetVal  = 12
	semGetAll  = 13
	semGetN    = 14
	semGetZ    = 15
	semSetVal  = 16
	semSetAll  = 17
	semStat    = 18
	semInfo    = 19
	semStatAny = 20
)

// semaphore is one of a set: its value and the process that changed it last.
type semaphore struct {
	value int16
	pid   int32
}

// semOp is one operation of semop(2).
type semOp struct {
	num   uint16
	op    int16
	flags uint16
}

func (o *semOp) code(c *codec) {
	code(c, &o.num)
	n := uint16(o.op)
	code(c, &n)
	code(c, &o.flags)
	o.op = int16(n)
}

// semUndone is what is added to a semaphore when a process ends.
type semUndone struct {
	pid int32
	num uint16
	by  int16
}

// semSet is a set of semaphores.
type semSet struct {
	id      int
	ipcPerm ipcPerm
	otime   phys.Nanos
	sems    []semaphore
	undo    []semUndone // in the order in which it came up
}

func (s *semSet) ident() int     { return s.id }
func (s *semSet) perm() *ipcPerm { return &s.ipcPerm }

func (s *semSet) code(c *codec) {
	s.ipcPerm.code(c)
	code(c, &s.otime)
	codeList(c, &s.sems, semMost, func(m *semaphore) {
		w := uint64(uint16(m.value)) | uint64(uint32(m.pid))<<16
		if code(c, &w); c.decoding && w>>48 != 0 {
			c.fail("a semaphore %#x", w)
		}
		m.value, m.pid = int16(w), int32(w>>16)
	})
	codeList(c, &s.undo, semMost, func(u *semUndone) {
		w := uint64(u.num) | uint64(uint16(u.by))<<16 | uint64(uint32(u.pid))<<32
		code(c, &w)
		u.num, u.by, u.pid = uint16(w), int16(w>>16), int32(w>>32)
	})
}

// setKind is the row of sets of semaphores among the kinds of objects.
var setKind = kindOf{name: "semaphores", make: func() object { return &semSet{} },
	find: func(k *Kernel, key Key) object { return found(ipcFind(k.files.ipc.sets, int(key.A))) },
	keys: func(k *Kernel, add func(Key)) { ipcKeys(k.files.ipc.sets, KindSemaphores, add) },
	restore: func(k *restorer, r *Record) error {
		return k.read(r, appended(&k.files.ipc.sets, semSet{id: int(r.Key.A)}, k.alike))
	},
	check: func(k *Kernel) error {
		for i := range k.files.ipc.sets {
			s := &k.files.ipc.sets[i]
			for _, m := range s.sems {
				if m.value < 0 {
					return bad("a semaphore of set %d has the value %d", s.id, m.value)
				}
			}
			for _, u := range s.undo {
				if int(u.num) >= len(s.sems) {
					return bad("set %d has no semaphore %d, which process %d will change", s.id, u.num, u.pid)
				}
			}
		}
		return nil
	},
}

func semCalls() []Call {
	return []Call{
		works(64, "semget", "num,num,flags", sysSemget),
		works(65, "semop", "num,ptr,num", sysSemop).class(Wait),
		works(66, "semctl", "num,num,num,ptr", sysSemctl),
		works(220, "semtimedop", "num,ptr,num,ptr", sysSemtimedop).class(Wait),
	}
}

func sysSemget(c *call) (uint64, error) {
	n := int(int32(c.a[1]))
	if n < 0 || n > semMost {
		return 0, errno.EINVAL
	}
	fits := func(s *semSet) bool { return n <= len(s.sems) }
	return ipcGet(c, c.files.ipc.sets, c.a[2], fits, func(p ipcPerm) (uint64, error) {
		switch {
		case n == 0:
			return 0, errno.EINVAL
		case len(c.files.ipc.sets) >= semPlace:
			return 0, errno.ENOSPC
		}
		return uint64(ipcEnter(c, &c.files.ipc.sets, KindSemaphores, func(id int) semSet {
			return semSet{id: id, ipcPerm: p, sems: make([]semaphore, n)}
		})), nil
	})
}

func sysSemop(c *call) (uint64, error) { return c.semop(0) }

func sysSemtimedop(c *call) (uint64, error) { return c.semop(c.a[3]) }

// semop does the operations of arguments 1 and 2; timeout is where a struct timespec says
// for how long they may wait, 0 for ever.
func (c *call) semop(timeout uint64) (uint64, error) {
	if w, over := c.ipcWaiting(); over {
		return 0, w.result()
	} else if w != nil {
		return 0, semTimeout(c.waitFor(*c.thread.wait))
	}
	n := uint32(c.a[2])
	switch {
	case n > semOps:
		return 0, errno.E2BIG
	case n < 1:
		return 0, errno.EINVAL
	}
	ops, err := c.semOps(int(n))
	if err != nil {
		return 0, err
	}
	deadline := forever
	if timeout != 0 {
		t, err := c.timespecAt(timeout)
		if err != nil {
			return 0, err
		}
		deadline = c.after(t)
	}
	s, err := c.semFor(ops)
	if err != nil {
		return 0, err
	}
	done, blocked, err := s.try(ops, c.proc)
	switch {
	case err != nil:
		return 0, err
	case done:
		c.semChanged(s, ops)
		return 0, nil
	case ops[blocked].flags&ipcNowait != 0:
		return 0, errno.EAGAIN
	}
	w := wait{ipc: &ipcWait{kind: KindSemaphores, id: s.id, ops: ops}, deadline: deadline}
	return 0, semTimeout(c.waitFor(w))
}

// semTimeout is the error of a wait that semop tells.
func semTimeout(err error) error {
	if err == errTimeout {
		return errno.EAGAIN
	}
	return err
}

// result is what a call returns whose wait is over.
func (w *ipcWait) result() error {
	if w.fails != 0 {
		return w.fails
	}
	return nil
}

// semOps reads n operations.
func (c *call) semOps(n int) ([]semOp, error) {
	const size = 6
	b := make([]byte, n*size)
	if err := c.load(c.a[1], b); err != nil {
		return nil, err
	}
	ops := make([]semOp, n)
	for i := range ops {
		at := b[i*size:]
		ops[i] = semOp{le.Uint16(at), int16(le.Uint16(at[2:])), le.Uint16(at[4:])}
	}
	return ops, nil
}

// semFor returns the set in argument 0 if the caller may do operations on it.
func (c *call) semFor(ops []semOp) (*semSet, error) {
	want := uint32(ipcRead)
	for _, o := range ops {
		if o.op != 0 {
			want = ipcWrite
		}
	}
	s := ipcFind(c.files.ipc.sets, c.fd(0))
	if s == nil {
		return nil, errno.EINVAL
	}
	for _, o := range ops {
		if int(o.num) >= len(s.sems) {
			return nil, errno.EFBIG
		}
	}
	return s, c.ipcPermit(&s.ipcPerm, want)
}

// try does operations for a process, all or none. Where they cannot be done now, blocked is
// the first that is in the way. The error is ERANGE for a value that cannot be.
func (s *semSet) try(ops []semOp, p *Process) (done bool, blocked int, err error) {
	sems, undo := slices.Clone(s.sems), slices.Clone(s.undo)
	for i, o := range ops {
		m := &sems[o.num]
		now := int(m.value) + int(o.op)
		switch {
		case o.op == 0 && m.value != 0, now < 0:
			return false, i, nil
		case now > semMax:
			return false, i, errno.ERANGE
		}
		if o.flags&semUndo != 0 && o.op != 0 {
			var fits bool
			if undo, fits = undoing(undo, p.pid, o); !fits {
				return false, i, errno.ERANGE
			}
		}
		m.value, m.pid = int16(now), p.pid
	}
	s.sems, s.undo = sems, undo
	return true, 0, nil
}

// undoing adds the opposite of an operation to what is to be undone for a process.
func undoing(list []semUndone, pid int32, o semOp) (_ []semUndone, fits bool) {
	i := slices.IndexFunc(list, func(u semUndone) bool { return u.pid == pid && u.num == o.num })
	if i < 0 {
		list, i = append(list, semUndone{pid: pid, num: o.num}), len(list)
	}
	by := int(list[i].by) - int(o.op)
	if by < -semMax-1 || by > semMax {
		return list, false
	}
	if list[i].by = int16(by); by == 0 {
		list = slices.Delete(list, i, i+1)
	}
	return list, true
}

// semChanged follows operations that were done on a set: others may get on.
func (k *Kernel) semChanged(s *semSet, ops []semOp) {
	s.otime = k.Now()
	k.touch(ipcKey(KindSemaphores, s.id))
	if slices.ContainsFunc(ops, func(o semOp) bool { return o.op != 0 }) {
		k.semServe(s)
	}
}

// semServe does for those who wait what can be done now. The set is marked as changed.
func (k *Kernel) semServe(s *semSet) {
	for k.semServeOne(s, false) || k.semServeOne(s, true) {
	}
}

// semServeOne serves the first thread that can be, of those that change the set or of those
// that wait for zeros alone.
func (k *Kernel) semServeOne(s *semSet, alters bool) bool {
	for _, t := range k.ipcWaits(KindSemaphores, s.id) {
		w := *t.wait.ipc
		if alters != slices.ContainsFunc(w.ops, func(o semOp) bool { return o.op != 0 }) {
			continue
		}
		done, _, err := s.try(w.ops, t.proc)
		if !done && err == nil {
			continue
		}
		if e, ok := err.(errno.Errno); ok {
			w.fails = e
		} else {
			s.otime = k.Now()
		}
		k.ipcServe(t, w)
		return true
	}
	return false
}

// undoSems does at the end of a process what it has left to be undone. A value that would
// be out of range becomes the nearest that is not.
func (k *Kernel) undoSems(p *Process) {
	for i := range k.files.ipc.sets {
		s := &k.files.ipc.sets[i]
		rest := slices.DeleteFunc(slices.Clone(s.undo), func(u semUndone) bool { return u.pid == p.pid })
		if len(rest) == len(s.undo) {
			continue
		}
		for _, u := range s.undo {
			if u.pid == p.pid {
				m := &s.sems[u.num]
				m.value, m.pid = int16(min(max(int(m.value)+int(u.by), 0), semMax)), p.pid
			}
		}
		s.undo = rest
		k.semChanged(s, []semOp{{op: 1}})
	}
}

func sysSemctl(c *call) (uint64, error) {
	list := c.files.ipc.sets
	if c.fd(0) < 0 {
		return 0, errno.EINVAL
	}
	switch cmd := uint32(c.a[2]); cmd {
	case ipcInfo, semInfo:
		used, all := 20, semMax
		if cmd == semInfo {
			used, all = len(list), 0
			for i := range list {
				all += len(list[i].sems)
			}
		}
		return uint64(ipcLast(list)),
			c.store(c.a[3], halves(nil, semAll, semPlace, semAll, semAll, semMost, semOps, semOps, used, semMax, all))
	case semStat, semStatAny:
		s := ipcAt(list, c.fd(0))
		if s == nil {
			return 0, errno.EINVAL
		}
		if err := c.ipcPermit(&s.ipcPerm, ipcRead); err != nil && cmd == semStat {
			return 0, err
		}
		return uint64(s.id), c.store(c.a[3], s.stat())
	case ipcStat:
		s, err := ipcOf(c, list, ipcRead)
		if err != nil {
			return 0, err
		}
		return 0, c.store(c.a[3], s.stat())
	case ipcSet, ipcRmid:
		return 0, c.changeSet(cmd)
	case semGetAll, semSetAll, semSetVal:
		return 0, c.semValues(cmd)
	case semGetVal, semGetPID, semGetN, semGetZ:
		return c.semAsk(cmd)
	}
	return 0, errno.EINVAL
}

// stat is a struct semid64_ds.
func (s *semSet) stat() []byte {
	return words(s.ipcPerm.append(nil, s.id), seconds(s.otime), 0, seconds(s.ipcPerm.ctime), 0, uint64(len(s.sems)), 0, 0)
}

func (c *call) changeSet(cmd uint32) error {
	var b [ipcPermSize]byte
	if cmd == ipcSet {
		if err := c.load(c.a[3], b[:]); err != nil {
			return err
		}
	}
	s := ipcFind(c.files.ipc.sets, c.fd(0))
	switch {
	case s == nil:
		return errno.EINVAL
	case !s.ipcPerm.owns(c.thread.who()):
		return errno.EPERM
	case cmd == ipcSet:
		s.ipcPerm.set(c, b[:])
		c.touch(ipcKey(KindSemaphores, s.id))
		return nil
	}
	c.ipcFail(KindSemaphores, s.id)
	ipcRemove(c.Kernel, &c.files.ipc.sets, KindSemaphores, s.id)
	return nil
}

// semAsk answers what is asked of the semaphore in argument 1.
func (c *call) semAsk(cmd uint32) (uint64, error) {
	s, err := ipcOf(c, c.files.ipc.sets, ipcRead)
	if err != nil {
		return 0, err
	}
	num := c.fd(1)
	if num < 0 || num >= len(s.sems) {
		return 0, errno.EINVAL
	}
	switch cmd {
	case semGetVal:
		return uint64(s.sems[num].value), nil
	case semGetPID:
		return uint64(s.sems[num].pid), nil
	}
	n := uint64(0)
	for _, t := range c.ipcWaits(KindSemaphores, s.id) {
		o := s.blocking(t.wait.ipc.ops)
		if int(o.num) == num && (o.op == 0) == (cmd == semGetZ) {
			n++
		}
	}
	return n, nil
}

// blocking returns the operation at which others stop.
func (s *semSet) blocking(ops []semOp) semOp {
	t := semSet{sems: s.sems, undo: s.undo}
	_, i, _ := t.try(ops, &Process{})
	return ops[i]
}

// semValues reads or sets all values, or sets one.
func (c *call) semValues(cmd uint32) error {
	want := uint32(ipcWrite)
	if cmd == semGetAll {
		want = ipcRead
	}
	value := int32(c.a[3])
	if cmd == semSetVal && (value < 0 || value > semMax) {
		return errno.ERANGE
	}
	s := ipcFind(c.files.ipc.sets, c.fd(0))
	if s == nil {
		return errno.EINVAL
	}
	num := c.fd(1)
	if cmd == semSetVal && (num < 0 || num >= len(s.sems)) {
		return errno.EINVAL
	}
	if err := c.ipcPermit(&s.ipcPerm, want); err != nil {
		return err
	}
	from, to := 0, len(s.sems)
	b := make([]byte, 2*to)
	switch cmd {
	case semGetAll:
		for i, m := range s.sems {
			le.PutUint16(b[2*i:], uint16(m.value))
		}
		return c.store(c.a[3], b)
	case semSetVal:
		from, to = num, num+1
		le.PutUint16(b[2*num:], uint16(value))
	default:
		if err := c.load(c.a[3], b); err != nil {
			return err
		}
	}
	for i := from; i < to; i++ {
		if le.Uint16(b[2*i:]) > semMax {
			return errno.ERANGE
		}
	}
	for i := from; i < to; i++ {
		s.sems[i] = semaphore{int16(le.Uint16(b[2*i:])), c.proc.pid}
	}
	s.undo = slices.DeleteFunc(s.undo, func(u semUndone) bool { return int(u.num) >= from && int(u.num) < to })
	s.ipcPerm.ctime = c.Now()
	c.touch(ipcKey(KindSemaphores, s.id))
	c.semServe(s)
	return nil
}

// procSets is /proc/sysvipc/sem.
func (k *Kernel) procSets() []byte {
	b := []byte("       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n")
	for i := range k.files.ipc.sets {
		s := &k.files.ipc.sets[i]
		p := &s.ipcPerm
		b = fmt.Appendf(b, "%10d %10d  %4o %10d %5d %5d %5d %5d %10d %10d\n", p.key, s.id,
			p.mode, len(s.sems), p.uid, p.gid, p.cuid, p.cgid, seconds(s.otime), seconds(p.ctime))
	}
	return b
}
