package kernel

import (
	"fmt"
	"math/bits"
	"strings"

	"zhuque/sim/phys"
)

// Threads take turns on the machine's one line of instructions, each on its own core. A turn ends at a
// boundary, at a wait, or when the thread gives way. Who is next follows from the
// seed, the number of instructions retired and the state of the threads alone, so
// that a restarted machine chooses as the one that never failed does.
//
// A boundary is no call: on a machine with a core for each thread nothing happens there.
// What it changes is the Schedule, which the power-fail handler saves as it does the
// registers; calls that change it also put it into the system's record.

// Schedule is which thread runs, and since when.
type Schedule struct {
	Current int32  // the thread that runs, 0 while all wait
	Slice   uint64 // retired instructions at the last boundary that was decided on
	Turns   uint64 // changes so far: which of two Schedules is the later
}

// Schedule returns the present one.
func (k *Kernel) Schedule() Schedule { return Schedule{k.sys.current, k.sys.slice, k.sys.turns} }

// resume takes over a Schedule that is later than the records'.
func (k *Kernel) resume(s Schedule) {
	if s.Turns > k.sys.turns {
		k.sys.current, k.sys.slice, k.sys.turns = s.Current, s.Slice, s.Turns
	}
}

// DefaultQuantum returns the mean number of instructions between two boundaries where
// none is configured. One core changes threads as seldom as a real one does; between
// several cores a turn stands for what really is simultaneous, and is short.
func DefaultQuantum(cores int) uint64 {
	if cores > 1 {
		return 200
	}
	return 5000
}

// CoreOf returns the core on which a thread runs: one of those that its affinity
// allows, by its number, so that a restarted machine agrees.
func (k *Kernel) CoreOf(t *Thread) int {
	allowed := k.allowed(t)
	for n := int(t.tid-initialPID) % bits.OnesCount64(allowed); n > 0; n-- {
		allowed &= allowed - 1
	}
	return bits.TrailingZeros64(allowed)
}

// allowed returns the set of cores that a thread may run on.
func (k *Kernel) allowed(t *Thread) uint64 {
	if a := t.affinity & k.coreMask(); a != 0 {
		return a
	}
	return k.coreMask()
}

// boundary returns the last boundary at or below n retired instructions and the
// first one above. There is one in every quantum, at a place that the seed draws.
func (k *Kernel) boundary(n uint64) (last, next uint64) {
	q := k.cfg.Quantum
	at := func(i uint64) uint64 { return i*q + mix(k.cfg.Seed, i)%q }
	i := n / q
	if at(i) > n {
		if i == 0 {
			return 0, at(0)
		}
		return at(i - 1), at(i)
	}
	return at(i), at(i + 1)
}

// mix draws a number from a seed and a position.
func mix(seed, i uint64) uint64 {
	x := seed*0x9e3779b97f4a7c15 + i*0xbf58476d1ce4e5b9 + 0x94d049bb133111eb
	for range 2 {
		x ^= x >> 31
		x *= 0xd6e8feb86659fd93
	}
	return x ^ x>>32
}

// Current returns the number of the thread that runs, 0 while all wait.
func (k *Kernel) Current() int32 { return k.sys.current }

// several reports whether there is anybody to take turns with.
func (k *Kernel) several() bool { return len(k.threads) > 1 }

// NextTurn returns the number of retired instructions at which Preempt, or Turn while
// all threads wait, must be called next, given the number now; ^0 for never.
func (k *Kernel) NextTurn(now uint64) uint64 {
	if k.sys.current == 0 {
		return now
	}
	next := ^uint64(0)
	if k.several() {
		last, following := k.boundary(now)
		if last > k.sys.slice {
			return now
		}
		next = following
	}
	if due := k.nextExpiry(); due != forever && k.keeper != nil {
		// Where time is not instructions it is looked at after each so many of them,
		// wherever the machine is stopped in between.
		if now%lookEvery == 0 && due <= k.mono() {
			return now
		}
		next = min(next, now-now%lookEvery+lookEvery)
	} else if due != forever {
		k.clock = now
		if due <= k.mono() {
			return now
		}
		next = min(next, now+uint64(due-k.mono())/nanosPerInstruction)
	}
	return next
}

// nextEvent returns the earliest virtual time at which something happens by itself while
// nobody runs, forever for none: that what has come by now has had its effect, whoever
// it is for. No processor time is spent meanwhile.
func (k *Kernel) nextEvent() phys.Nanos {
	now, at := k.mono(), forever
	for _, p := range k.procs {
		for i := range p.timers {
			if t := &p.timers[i]; t.restless() && !t.onCPU() {
				at = min(at, t.next)
			}
		}
	}
	for _, id := range k.files.timers {
		if next := k.files.desc(id).timer.next; next > now {
			at = min(at, next)
		}
	}
	for _, t := range k.threads {
		if w := t.wait; w != nil && w.deadline > now && t.proc.stopped == 0 {
			at = min(at, w.deadline)
		}
	}
	return at
}

// lookEvery is how many instructions pass between two looks at a machine's own time.
const lookEvery = 256

// Preempt is a boundary: the thread that runs next is chosen. It reports false, and does
// nothing, where a call must be made of it: a timer has expired, or all threads wait.
func (k *Kernel) Preempt(now uint64) bool {
	k.clock = now
	if k.sys.current == 0 || k.nextExpiry() <= k.mono() && (k.keeper == nil || now%lookEvery == 0) {
		return false
	}
	k.pass(now)
	k.choose()
	return true
}

// Rechoose chooses the thread that runs next where no boundary is: the one that ran has
// come further in time than its turn is long.
func (k *Kernel) Rechoose(now uint64) {
	if k.sys.current != 0 && k.several() {
		k.clock = now
		k.choose()
	}
}

// pass notes that boundaries have passed.
func (k *Kernel) pass(now uint64) {
	if last, _ := k.boundary(now); last > k.sys.slice {
		k.sys.slice = last
		k.sys.turns++
	}
}

// Turn ends a time in which every thread waited: it passes, and the thread that runs
// next is chosen. It is a call of its own.
func (k *Kernel) Turn(now uint64) Outcome {
	k.clock = now
	k.fromOutside()
	if k.sys.current == 0 && !k.anyRunnable() {
		left := forever
		if at := k.nextEvent(); at != forever {
			left = max(at-k.mono(), 0)
		}
		switch {
		case k.reachable():
			k.awaitHost(left)
		case left == forever:
			return Outcome{Err: k.deadlock()}
		default:
			k.sleep(left)
		}
	}
	k.fire()
	before := k.sys.turns
	k.pass(now)
	k.choose()
	k.touchTurns(before)
	return Outcome{}
}

func (k *Kernel) anyRunnable() bool {
	for _, t := range k.threads {
		if k.runnable(t) {
			return true
		}
	}
	return false
}

// reschedule is choose inside a call.
func (k *Kernel) reschedule() {
	before := k.sys.turns
	k.choose()
	k.touchTurns(before)
}

// giveWay is reschedule where the current thread lets others of its core go first.
func (k *Kernel) giveWay() {
	k.leaves = k.sys.current
	k.reschedule()
	k.leaves = 0
}

// touchTurns notes that a call has changed the Schedule, if it has.
func (k *Kernel) touchTurns(before uint64) {
	if k.sys.turns != before {
		k.touchSystem()
	}
}

// choose makes another thread the current one: mostly the next in order, sometimes
// any that can run.
func (k *Kernel) choose() {
	var few [16]int32
	able := few[:0]
	for _, t := range k.threads {
		if k.runnable(t) {
			able = append(able, t.tid)
		}
	}
	next := int32(0)
	if n := uint64(len(able)); k.pick != nil {
		next = k.pick(able, k.leaves)
	} else if n > 0 {
		next = able[0]
		for _, tid := range able {
			if tid > k.sys.current {
				next = tid
				break
			}
		}
		if draw := mix(k.cfg.Seed^0x5ced, k.clock); draw%4 == 0 {
			next = able[draw>>8%n]
		}
	}
	another := next != k.sys.current
	if another {
		k.sys.current = next
		k.sys.turns++
	}
	k.setCurrent()
	if another && next != 0 && k.thread.wait != nil {
		k.work[CostWake]++
	}
}

// PickBy lets somebody else choose which of the threads that can run is next, of which one
// may give way to others of its core (0 for none); it returns 0 where there are none. nil: the kernel, by the seed.
func (k *Kernel) PickBy(pick func(able []int32, leaves int32) int32) { k.pick = pick }

// setCurrent makes the current thread and its process those that calls act on.
func (k *Kernel) setCurrent() {
	if t := k.findThread(k.sys.current); t != nil {
		k.thread, k.proc, k.MM = t, t.proc, t.proc.MM
	}
}

// Deadlock says that every thread waits for something that cannot come: who waits for
// what, one sentence for each thread.
type Deadlock struct {
	Waits []string

	// Entries, when not zero, tells of a standstill: something seems to have come each time,
	// but no thread could go on and the virtual time stays where it is.
	Entries uint64
	Time    phys.Nanos
}

func (d *Deadlock) Error() string {
	waits := strings.Join(d.Waits, "; ")
	if d.Entries != 0 {
		return fmt.Sprintf("standstill: in %d entries into the kernel no instruction ran, and the virtual time stays at %d ns: %s", d.Entries, d.Time, waits)
	}
	return "deadlock: " + waits
}

// Standstill is the Deadlock of a machine that entered the kernel so often without progress.
func (k *Kernel) Standstill(entries uint64) *Deadlock {
	d := k.deadlock()
	d.Entries, d.Time = entries, k.mono()
	return d
}

func (k *Kernel) deadlock() *Deadlock {
	d := &Deadlock{}
	for _, t := range k.threads {
		how := "waits for " + k.awaited(t)
		if t.proc.stopped != 0 {
			how = fmt.Sprintf("is stopped by signal %d", t.proc.stopped)
		}
		d.Waits = append(d.Waits, fmt.Sprintf("thread %d of process %d %s", t.tid, t.proc.pid, how))
	}
	return d
}

// awaited says what a thread waits for, in words.
func (k *Kernel) awaited(t *Thread) string {
	w := t.wait
	switch {
	case w == nil && !k.held(t):
		return "its turn"
	case w == nil:
		return "others to handle a power failure"
	case w.pi == piLock:
		return fmt.Sprintf("the lock at %#x", w.futex)
	case w.futex != 0:
		return fmt.Sprintf("a wake-up of the futex at %#x", w.futex)
	case len(w.on) > 0:
		var list []string
		for _, i := range w.on {
			list = append(list, k.awaitedEvents(t, i))
		}
		return strings.Join(list, " or ")
	case w.child && w.which > 0:
		return fmt.Sprintf("the end of process %d", w.which)
	case w.child:
		return "the end of a child"
	case w.vfork != 0:
		return fmt.Sprintf("process %d to leave its memory", w.vfork)
	case w.lock != nil:
		return w.lock.String()
	case w.fifo.pipe != 0:
		return fmt.Sprintf("the other end of pipe %d, a FIFO", w.fifo.pipe)
	case w.signals != 0:
		return fmt.Sprintf("one of the signals %#x", w.signals)
	}
	return "a signal"
}

// awaitedEvents says what a thread waits for at a description, which it may know by
// several descriptors.
func (k *Kernel) awaitedEvents(t *Thread, i interest) string {
	what := "something"
	if d := k.files.find(i.desc); d != nil {
		what = [...]string{FDNode: "a file", FDPipeRead: "a pipe", FDPipeWrite: "a pipe",
			FDPipeBoth: "a pipe", FDSocket: "a socket", FDEvent: "an eventfd",
			FDSemaphore: "an eventfd", FDEpoll: "an epoll instance",
			FDTimer: "a timer", FDSignal: "a signalfd", fdKinds: ""}[d.kind]
		if what == "" {
			what = "the console"
		}
	}
	for s := range t.proc.slots.all() {
		if s.desc == i.desc {
			what += fmt.Sprintf(" (descriptor %d)", s.num)
			break
		}
	}
	switch {
	case i.need == needBacklog:
		return what + " to accept a connection"
	case i.need > 0, i.events&(pollIn|pollOut) == pollOut:
		return what + " to have room"
	}
	return what + " to have something to read"
}
