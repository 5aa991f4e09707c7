package kernel

import (
	"cmp"
	"fmt"
	"slices"

	"zhuque/sim/x86"
)

// maxThreads bounds the threads of a machine: RLIMIT_NPROC.
const maxThreads = 4096

// Thread is one thread.
type Thread struct {
	// Regs is the thread's register state while no core holds it.
	Regs x86.State

	tid      int32
	proc     *Process
	mask     uint64   // blocked signals: bit n-1 is signal n
	queue    []Queued // signals for this thread alone, in order of sending
	alt      AltStack
	clearTID uint64
	robust   [2]uint64 // head, length
	comm     [16]byte
	sched    scheduling
	cred     *cred  // nil for root; never changed in place
	persona  uint32 // personality(2)
	slack    uint64 // PR_SET_TIMERSLACK in nanoseconds less the usual 50,000

	deathSignal int32 // PR_SET_PDEATHSIG, 0 for none

	affinity uint64 // cores that it may run on, bit by bit; 0 for all
	handling uint64 // the frame of the handler of a power failure that it is in, 0 for none
	wait     *wait  // nil unless it waits; never changed in place: forks share it
	quiet    quiet
}

// threadRecord is the part of a Thread that its record holds; its registers are
// the runtime's matter.
type threadRecord struct {
	*Thread
	pid int32 // of its process
}

func (t *threadRecord) code(c *codec) {
	if t.Thread == nil {
		t.Thread = &Thread{}
	}
	code(c, &t.pid)
	code(c, &t.mask)
	code(c, &t.alt.SP)
	code(c, &t.alt.Size)
	code(c, &t.alt.Flags)
	code(c, &t.clearTID)
	code(c, &t.robust[0])
	code(c, &t.robust[1])
	t.sched.code(c)
	code(c, &t.affinity)
	code(c, &t.handling)
	for i := 0; i < len(t.comm); i += 8 {
		w := le.Uint64(t.comm[i:])
		code(c, &w)
		le.PutUint64(t.comm[i:], w)
	}
	codeCred(c, &t.cred)
	code(c, &t.persona)
	code(c, &t.slack)
	code(c, &t.deathSignal)
	c.queued(&t.queue)
	waits := t.wait != nil
	c.flag(&waits)
	if !waits {
		return
	}
	w := wait{}
	if t.wait != nil {
		w = *t.wait
	}
	w.code(c)
	t.wait = &w
}

// String shows a thread's record.
func (t *threadRecord) String() string {
	text := fmt.Sprintf("{process %d mask %#x alternate stack %+v clear %#x robust %#x scheduling %+v cores %#x handles a failure at %#x name %q identity %v personality %#x slack %d at the end of the parent %d pending %v",
		t.pid, t.mask, t.alt, t.clearTID, t.robust, t.sched, t.affinity, t.handling, cString(t.comm[:]), t.who(), t.persona, t.slack, t.deathSignal, t.queue)
	if t.wait != nil {
		text += " " + t.wait.String()
	}
	return text + "}"
}

func (t *Thread) fork(p *Process) *Thread {
	c := *t
	c.proc = p
	c.queue = slices.Clone(t.queue)
	return &c
}

// TID returns the thread's number.
func (t *Thread) TID() int32 { return t.tid }

// Process returns the process that the thread belongs to.
func (t *Thread) Process() *Process { return t.proc }

// Waits reports whether the thread waits in a system call, and how many messages the
// call has done before that, and bytes of one.
func (t *Thread) Waits() (messages, bytes uint64, waits bool) {
	if t.wait == nil {
		return 0, 0, false
	}
	return t.wait.messages, t.wait.moved, true
}

// Threads returns all threads, ascending by number.
func (k *Kernel) Threads() []*Thread { return k.threads }

// Thread returns the thread with a number, nil when there is none.
func (k *Kernel) Thread(tid int32) *Thread { return k.findThread(tid) }

func (k *Kernel) findThread(tid int32) *Thread {
	i, ok := slices.BinarySearchFunc(k.threads, tid, func(t *Thread, tid int32) int { return cmp.Compare(t.tid, tid) })
	if !ok {
		return nil
	}
	return k.threads[i]
}

// members returns a process's threads, ascending by number.
func (k *Kernel) members(p *Process) []*Thread {
	var out []*Thread
	for _, t := range k.threads {
		if t.proc == p {
			out = append(out, t)
		}
	}
	return out
}

// addThread enters a new thread, whose number is the highest so far.
func (k *Kernel) addThread(t *Thread) {
	k.threads = append(k.threads, t)
	k.touchThread(t)
}

// removeThread forgets a thread that ended.
func (k *Kernel) removeThread(t *Thread) {
	if w := t.wait; w != nil && w.fifo.pipe != 0 {
		k.leavePipe(w.fifo.pipe, w.fifo.kind)
	}
	i := slices.Index(k.threads, t)
	k.threads = slices.Delete(k.threads, i, i+1)
	k.touchThread(t)
}

// newTID hands out a number for a process or a thread.
func (k *Kernel) newTID() int32 {
	k.sys.nextTID++
	k.touchSystem()
	return k.sys.nextTID
}
