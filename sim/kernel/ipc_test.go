package kernel

import (
	"strings"
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

// ops is an array of struct sembuf: number, operation and flags of each.
func ops(list ...int) (b []byte) {
	for _, n := range list {
		b = le.AppendUint16(b, uint16(n))
	}
	return b
}

// letter is a struct msgbuf.
func letter(kind int64, text string) []byte {
	return append(le.AppendUint64(nil, uint64(kind)), text...)
}

// ipcZoo makes an object of IPC of each kind and returns the set of semaphores, of which
// something is to be undone, and the queue of messages, in which there is one.
func (r *rig) ipcZoo() (set, messages int) {
	segment := int(r.sys("shmget", 5, 3*phys.PageSize, ipcCreat|0o600))
	r.sys("shmat", segment, 0, 0)
	set = int(r.sys("semget", 6, 2, ipcCreat|0o640))
	r.want(0, "semop", set, ops(0, 1, semUndo, 1, 2, 0), 2)
	messages = int(r.sys("msgget", 7, ipcCreat|0o600))
	r.want(0, "msgsnd", messages, letter(3, "hello"), 5, 0)
	q := r.sys("mq_open", "zoo", oCreat|oRdwr, 0o600, iov(0, 4, 16, 0, 0, 0, 0, 0))
	r.want(0, "mq_timedsend", int(q), "first", 5, 1, 0)
	r.want(0, "mq_notify", int(q), append(iov(77, 10), make([]byte, 48)...))
	return set, messages
}

// Operations are done for those who wait in the order of Linux: first those that wait for
// zeros, then the others in their order as far as they can be; undone ones count.
func TestSemaphoresServe(t *testing.T) {
	r := newRig(t, nil)
	r.always = true
	set := int(r.sys("semget", ipcPrivate, 2, 0o600))
	wait := func(list ...int) int32 {
		pid := r.forked()
		r.blocks(pid, "semop", set, ops(list...), len(list)/3)
		r.as(initialPID)
		return pid
	}
	two, one := wait(0, -2, 0), wait(0, -1, semUndo)
	r.want(2, "semctl", set, 0, semGetN, 0)
	r.want(0, "semop", set, ops(0, 1, 0), 1) // too little for the first: the second gets it
	if r.canRun(two) || !r.canRun(one) {
		t.Fatalf("the one that can be served was not")
	}
	r.want(0, "semctl", set, 0, semGetVal, 0)
	r.want(int(one), "semctl", set, 0, semGetPID, 0)
	r.goesOn(one, 0, "semop", set, ops(0, -1, semUndo), 1)
	r.raw("exit", 0) // what it took comes back
	r.as(initialPID)
	r.want(1, "semctl", set, 0, semGetVal, 0)
	r.want(0, "semop", set, ops(1, 1, 0), 1)
	zero := wait(1, 0, 0, 0, -1, 0)
	r.want(1, "semctl", set, 1, semGetZ, 0)
	r.want(0, "semctl", set, 1, semSetVal, 0)
	r.goesOn(zero, 0, "semop", set, ops(1, 0, 0, 0, -1, 0), 2)
	r.as(initialPID)
	r.want(0, "semctl", set, 0, ipcRmid, 0)
	r.goesOn(two, errno.EIDRM, "semop", set, ops(0, -2, 0), 1)
	r.as(initialPID)
	r.want(errno.EINVAL, "semop", set, ops(0, 1, 0), 1)
}

// A wait for semaphores lasts as long as it says, and nobody else's change ends it.
func TestSemaphoresTimeOut(t *testing.T) {
	r := newRig(t, nil)
	set := int(r.sys("semget", ipcPrivate, 1, 0o600))
	before := r.k.mono()
	r.want(errno.EAGAIN, "semtimedop", set, ops(0, -1, 0), 1, iov(0, 5000))
	if d := r.k.mono() - before; d < 5000 {
		t.Errorf("it lasted %d ns", d)
	}
	r.want(errno.EAGAIN, "semop", set, ops(0, -1, ipcNowait), 1)
	r.waits("semop", set, ops(0, -1, 0), 1)
}

// A message goes to who waits for its type; who waits for room has its turn when there is.
func TestMessagesServe(t *testing.T) {
	r := newRig(t, nil)
	r.always = true
	q := int(r.sys("msgget", ipcPrivate, 0o600))
	buf := r.next
	r.next += 256
	receive := func(kind, size, how int) int32 {
		pid := r.forked()
		r.blocks(pid, "msgrcv", q, buf, size, kind, how)
		r.as(initialPID)
		return pid
	}
	seven, small, low := receive(7, 100, 0), receive(0, 2, 0), receive(-5, 100, 0)
	r.want(0, "msgsnd", q, letter(9, "nine"), 4, 0) // too long for who takes any
	r.goesOn(small, errno.E2BIG, "msgrcv", q, buf, 2, 0, 0)
	r.as(initialPID)
	r.want(0, "msgsnd", q, letter(7, "seven"), 5, 0)
	r.goesOn(seven, 5, "msgrcv", q, buf, 100, 7, 0)
	if got := string(r.get(buf, 13)); got != string(letter(7, "seven")) {
		t.Fatalf("got %q", got)
	}
	r.as(initialPID)
	r.want(0, "msgsnd", q, letter(5, "five"), 4, 0)
	r.goesOn(low, 4, "msgrcv", q, buf, 100, -5, 0)
	r.as(initialPID)
	for range 2 {
		r.want(0, "msgsnd", q, letter(1, strings.Repeat("x", 8000)), 8000, 0)
	}
	sender := r.forked()
	r.blocks(sender, "msgsnd", q, letter(2, strings.Repeat("y", 500)), 500, 0)
	r.as(initialPID)
	r.want(4, "msgrcv", q, buf, 4, 9, msgNoError)
	if r.canRun(sender) {
		t.Fatal("there is no room yet")
	}
	r.want(100, "msgrcv", q, buf, 100, 1, msgNoError)
	r.goesOn(sender, 0, "msgsnd", q, letter(2, ""), 0, 0)
	r.as(initialPID)
	waiting := receive(99, 10, 0)
	r.want(0, "msgctl", q, ipcRmid, 0)
	r.goesOn(waiting, errno.EIDRM, "msgrcv", q, buf, 10, 99, 0)
}

// A POSIX queue gives the highest priority first, tells once of a message in an empty
// queue, and serves who waits.
func TestMessageQueues(t *testing.T) {
	r := newRig(t, nil)
	r.always = true
	r.want(0, "rt_sigaction", 10, iov(handlerAt, saRestorer|4, restorerAt, 0), 0, 8)
	r.want(0, "rt_sigprocmask", 0, iov(bit(10)), 0, 8)
	attr := iov(0, 2, 16, 0, 0, 0, 0, 0)
	q := int(r.sys("mq_open", "q", oCreat|oRdwr, 0o600, attr))
	r.want(errno.EEXIST, "mq_open", "q", oCreat|oExcl|oRdwr, 0o600, attr)
	r.want(0, "mq_notify", q, append(iov(5, 10), make([]byte, 48)...))
	r.want(errno.EBUSY, "mq_notify", q, append(iov(5, 10), make([]byte, 48)...))
	r.want(0, "mq_timedsend", q, "low", 3, 1, 0)
	r.want(0, "mq_timedsend", q, "high", 4, 9, 0)
	info := r.next
	r.next += 128
	r.want(10, "rt_sigtimedwait", iov(bit(10)), info, iov(0, 0), 8)
	if code := int32(le.Uint32(r.get(info+8, 4))); code != siMesgq {
		t.Errorf("the signal has code %d", code)
	}
	sender := r.forked()
	r.blocks(sender, "mq_timedsend", q, "third", 5, 5, 0)
	r.as(initialPID)
	for _, want := range []string{"high", "third", "low"} {
		r.want(len(want), "mq_timedreceive", q, info, 16, 0, 0)
		if got := string(r.get(info, len(want))); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if want == "high" {
			r.goesOn(sender, 0, "mq_timedsend", q, "third", 5, 5, 0)
			r.as(initialPID)
		}
	}
	r.want(errno.EMSGSIZE, "mq_timedreceive", q, info, 15, 0, 0)
	receiver := r.forked()
	r.blocks(receiver, "mq_timedreceive", q, info, 16, 0, 0)
	r.as(initialPID)
	r.want(0, "mq_unlink", "q")
	r.want(errno.ENOENT, "mq_open", "q", oRdwr, 0, 0)
	r.want(0, "mq_timedsend", q, "last", 4, 0, 0)
	r.goesOn(receiver, 4, "mq_timedreceive", q, info, 16, 0, 0)
	r.want(0, "close", q)
	r.as(initialPID)
	r.want(0, "poll", iov(uint64(q)|1<<32), 1, 0)
	r.want(0, "close", q)
	if n := len(r.k.files.ipc.mqueues); n != 1 { // the sender has it open still
		t.Errorf("%d queues", n)
	}
}

// Attachments are counted whatever makes and ends them, and a segment that was removed goes
// with the last.
func TestSegmentsGoWithTheLast(t *testing.T) {
	r := newRig(t, nil)
	r.always = true
	id := int(r.sys("shmget", 9, 5000, ipcCreat|0o600))
	at := uint64(r.sys("shmat", id, 0, 0))
	other := uint64(r.sys("shmat", id, 0, shmRdonly))
	r.ok(r.c.Port.WriteBytes(at+4999, []byte{42}))
	if got := r.get(other+4999, 1)[0]; got != 42 {
		t.Fatalf("the other mapping shows %d", got)
	}
	r.want(errno.EACCES, "mprotect", other, phys.PageSize, 3)
	child := r.forked()
	attached := func(want int) {
		t.Helper()
		if s := ipcFind(r.k.files.ipc.segments, id); s == nil && want != 0 || s != nil && s.attached != want {
			t.Fatalf("the segment is %+v, expected %d attachments", s, want)
		}
	}
	attached(4)
	r.want(0, "shmctl", id, ipcRmid, 0)
	r.want(errno.ENOENT, "shmget", 9, 1, 0)
	r.want(0, "munmap", at, phys.PageSize)
	attached(4) // a half of it is there still
	r.want(0, "shmdt", at)
	r.want(errno.EINVAL, "shmdt", at)
	attached(3)
	r.want(0, "shmdt", other)
	r.as(child)
	r.want(0, "shmdt", at)
	attached(1)
	r.raw("exit", 0)
	attached(0)
	r.as(initialPID)
	r.want(errno.EINVAL, "shmat", id, 0, 0)
	r.ok(r.k.Release())
	if n := r.k.FS.Framed(); n != 0 {
		t.Errorf("%d pages are left", n)
	}
}
