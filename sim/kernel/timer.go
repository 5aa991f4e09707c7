package kernel

import (
	"cmp"
	"math"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

// A timer is due when the clock it runs by has come to its next expiry. Turn fires
// the timers of processes; one in a descriptor only tells, when asked, how often it
// has expired.
//
// As in Linux a timer whose signal is pending rests: it runs on, and counts what it has
// missed, when the signal is taken. So no interval is too short: each expiry that does
// something is followed by the program's taking its signal. Source: kernel/time of Linux 6.18.

const (
	itimerReal    = 0
	itimerVirtual = 1
	itimerProf    = 2
	itimerBase    = 1 << 20 // identities of itimers begin here, those of POSIX timers at 0

	sigevSignal   = 0
	sigevNone     = 1
	sigevThread   = 2
	sigevThreadID = 4

	siTimer = -2

	timerAbstime = 1
	maxTimers    = 4096 // of a process
)

// Signals of the three itimers.
var itimerSignals = [3]int{14, 26, 27} // SIGALRM, SIGVTALRM, SIGPROF

// schedule is when something expires.
type schedule struct {
	clock    int32      // as clock_gettime(2) numbers it
	next     phys.Nanos // reading of monotonic or processor time, 0 while disarmed
	interval phys.Nanos // 0: once
}

func (s *schedule) code(c *codec) {
	code(c, &s.clock)
	code(c, &s.next)
	code(c, &s.interval)
}

// onCPU reports whether the clock counts processor time.
func (s *schedule) onCPU() bool {
	return s.clock == clockProcess || s.clock == clockThread || s.clock < 0
}

// reading returns the time that a schedule is compared with.
func (k *Kernel) reading(s *schedule) phys.Nanos {
	if s.onCPU() {
		return k.cpuTime()
	}
	return k.mono()
}

// left returns how long it is until the next expiry, 0 while disarmed.
func (k *Kernel) left(s *schedule) phys.Nanos {
	if s.next == 0 {
		return 0
	}
	return max(s.next, k.reading(s)+1) - k.reading(s)
}

// expired returns how often a schedule has expired by now.
func (k *Kernel) expired(s *schedule) uint64 {
	now := k.reading(s)
	switch {
	case s.next == 0 || now < s.next:
		return 0
	case s.interval == 0:
		return 1
	}
	return uint64((now-s.next)/s.interval) + 1
}

// pass moves a schedule behind expiries that were told of.
func (s *schedule) pass(n uint64) {
	if s.interval == 0 {
		s.next = 0
		return
	}
	s.next += phys.Nanos(n) * s.interval
}

// arm sets a schedule from a first expiry, relative or as the clock's reading, 0 to
// disarm, and an interval.
func (k *Kernel) arm(s *schedule, first, interval phys.Nanos, absolute bool) {
	s.interval = interval
	switch {
	case first == 0:
		s.next = 0
	case !absolute:
		s.next = k.reading(s) + first
	case s.onCPU():
		s.next = first
	default:
		now, _ := k.clockNow(uint64(uint32(s.clock)))
		s.next = max(1, k.mono()+first-min(first, now))
		if first < now {
			s.next = max(1, k.mono()-min(k.mono(), now-first))
		}
	}
}

// timer is a timer of a process.
type timer struct {
	id int
	schedule
	notify  int32
	signal  int32
	tid     int32
	value   uint64
	overrun int32 // as the signal that was taken last told it

	rests bool // it has expired, and runs on when its signal is taken
}

func (t *timer) code(c *codec) {
	t.schedule.code(c)
	code(c, &t.notify)
	code(c, &t.signal)
	code(c, &t.tid)
	code(c, &t.value)
	code(c, &t.overrun)
	c.flag(&t.rests)
}

// posix tells a timer of timer_create(2) from one of setitimer(2).
func (t *timer) posix() bool { return t.id < itimerBase }

// restless reports whether the timer's expiries do something by themselves.
func (t *timer) restless() bool { return t.next != 0 && !t.rests && t.notify != sigevNone }

// remaining returns how long it is until a timer expires next, 0 for never: what
// timer_gettime(2) and getitimer(2) tell.
func (k *Kernel) remaining(t *timer) phys.Nanos {
	s := t.schedule
	switch {
	case !t.posix() && t.rests:
		return 0
	case t.rests, t.notify == sigevNone:
		if n := k.expired(&s); n > 0 {
			s.pass(n)
		}
	}
	return k.left(&s)
}

func (p *Process) timerKey(id int) Key { return Key{KindTimer, uint64(p.pid), uint64(id)} }

func (p *Process) timer(id int) *timer {
	i, ok := slices.BinarySearchFunc(p.timers, id, func(t timer, id int) int { return cmp.Compare(t.id, id) })
	if !ok {
		return nil
	}
	return &p.timers[i]
}

// addTimer enters a timer.
func (c *call) addTimer(t timer) *timer {
	p := c.proc
	i, _ := slices.BinarySearchFunc(p.timers, t.id, func(t timer, id int) int { return cmp.Compare(t.id, id) })
	p.timers = slices.Insert(p.timers, i, t)
	c.touch(p.timerKey(t.id))
	return &p.timers[i]
}

// dropTimers forgets those timers of a process that which chooses.
func (k *Kernel) dropTimers(p *Process, which func(*timer) bool) {
	keep := p.timers[:0:0]
	for i := range p.timers {
		if t := &p.timers[i]; which(t) {
			k.touch(p.timerKey(t.id))
		} else {
			keep = append(keep, *t)
		}
	}
	p.timers = keep
}

// nextExpiry returns the virtual time at which the first timer of a process is due,
// forever for none.
func (k *Kernel) nextExpiry() phys.Nanos {
	at := forever
	for _, p := range k.procs {
		for i := range p.timers {
			if t := &p.timers[i]; t.restless() {
				due := t.next
				if t.onCPU() {
					due += k.mono() - k.cpuTime()
				}
				at = min(at, due)
			}
		}
	}
	return at
}

// fire sends the signals of the timers that are due.
func (k *Kernel) fire() {
	for _, p := range k.procs {
		for i := range p.timers {
			if t := &p.timers[i]; t.restless() && k.expired(&t.schedule) > 0 {
				k.expire(p, t)
			}
		}
	}
}

// expire is the expiry of a timer. One that counts processor time for setitimer(2) runs on
// at once; others rest, even if the signal is ignored or finds nobody.
func (k *Kernel) expire(p *Process, t *timer) {
	switch {
	case t.interval == 0:
		t.next = 0
	case !t.posix() && t.onCPU():
		t.pass(k.expired(&t.schedule))
	default:
		t.rests = true
	}
	k.touch(p.timerKey(t.id))
	k.notifyTimer(p, t)
}

func (k *Kernel) notifyTimer(p *Process, t *timer) {
	q := Queued{Signal: int(t.signal), Code: siKernel}
	if t.posix() {
		q = Queued{Signal: int(t.signal), Code: siTimer, PID: int32(t.id), Value: t.value}
	}
	if t.notify == sigevThreadID {
		if th := k.threadOf(p.pid, t.tid); th != nil {
			_ = k.sendThread(th, q) // a full queue loses it, as in Linux
		}
		return
	}
	_ = k.Send(p, q)
}

// runOn lets a timer of the current process whose signal is taken run on, and returns the
// signal with the overruns.
func (k *Kernel) runOn(q Queued) Queued {
	t := k.timerOf(q)
	if t == nil {
		return q
	}
	n := uint64(1)
	if t.rests {
		n = max(1, k.expired(&t.schedule))
		t.pass(n)
		t.rests = false
	}
	if t.posix() {
		t.overrun = overruns(n - 1)
		q.UID = uint32(t.overrun)
	}
	k.touch(k.proc.timerKey(t.id))
	return q
}

// timerOf returns the timer of the current process that runs on when a signal is taken,
// nil for none: the real itimer does with every SIGALRM.
func (k *Kernel) timerOf(q Queued) *timer {
	if q.Code == siTimer {
		return k.proc.timer(int(q.PID))
	}
	if q.Signal != itimerSignals[itimerReal] {
		return nil
	}
	if t := k.proc.timer(itimerBase + itimerReal); t != nil && t.rests {
		return t
	}
	return nil
}

// recall takes back the signals of a POSIX timer that is set anew or deleted.
func (k *Kernel) recall(p *Process, t *timer) {
	its := func(q Queued) bool { return q.Code == siTimer && int(q.PID) == t.id }
	if slices.ContainsFunc(p.queue, its) {
		p.queue = slices.DeleteFunc(slices.Clone(p.queue), its)
		k.touchProcess(p)
	}
	for _, th := range k.members(p) {
		if slices.ContainsFunc(th.queue, its) {
			th.queue = slices.DeleteFunc(slices.Clone(th.queue), its)
			k.touchThread(th)
		}
	}
}

// heed sends the signals that POSIX timers sent while a process ignored them; it does not
// any more.
func (k *Kernel) heed(p *Process, sig int) {
	for i := range p.timers {
		if t := &p.timers[i]; t.posix() && t.rests && int(t.signal) == sig {
			k.recall(p, t)
			k.notifyTimer(p, t)
		}
	}
}

// overruns is a count of overruns as it can be told.
func overruns(n uint64) int32 { return int32(min(n, math.MaxInt32)) }

// itimerspec reads an interval and a first expiry.
func (c *call) itimerspec(va uint64) (first, interval phys.Nanos, err error) {
	if interval, err = c.timespecAt(va); err == nil {
		first, err = c.timespecAt(va + 16)
	}
	return first, interval, err
}

// putSchedule writes an interval and what is left of a schedule.
func (c *call) putSchedule(va uint64, s *schedule, encode func(phys.Nanos) []byte) error {
	if va == 0 {
		return nil
	}
	return c.store(va, append(encode(s.interval), encode(c.left(s))...))
}

// putTimer is putSchedule for a timer of a process.
func (c *call) putTimer(va uint64, t *timer, encode func(phys.Nanos) []byte) error {
	left := c.remaining(t)
	if !t.posix() && left > 0 {
		left = max(left, 1000) // armed is never told as zero
	}
	return c.store(va, append(encode(t.interval), encode(left)...))
}

// set arms a timer anew.
func (c *call) set(t *timer, first, interval phys.Nanos, absolute bool) {
	if t.posix() {
		c.recall(c.proc, t)
	}
	c.arm(&t.schedule, first, interval, absolute)
	t.rests, t.overrun = false, 0
	c.touch(c.proc.timerKey(t.id))
}

// itimer returns one of the three itimers, disarmed where it was never set.
func (c *call) itimer(which uint64) *timer {
	if t := c.proc.timer(itimerBase + int(which)); t != nil {
		return t
	}
	clock := int32(1)
	if which != itimerReal {
		clock = 2
	}
	return c.addTimer(timer{id: itimerBase + int(which),
		schedule: schedule{clock: clock}, signal: int32(itimerSignals[which])})
}

func sysGetitimer(c *call) (uint64, error) {
	if c.a[0] > itimerProf {
		return 0, errno.EINVAL
	}
	t := timer{id: itimerBase}
	if set := c.proc.timer(itimerBase + int(c.a[0])); set != nil {
		t = *set
	}
	return 0, c.putTimer(c.a[1], &t, timeval)
}

// timevalAt reads a struct timeval.
func (c *call) timevalAt(va uint64) (phys.Nanos, error) {
	sec, err := c.u64(va)
	if err != nil {
		return 0, err
	}
	us, err := c.u64(va + 8)
	if err == nil && (int64(sec) < 0 || us >= 1e6) {
		err = errno.EINVAL
	}
	return phys.Nanos(min(sec, maxSleep))*second + phys.Nanos(us)*1000, err
}

func sysSetitimer(c *call) (uint64, error) {
	var first, interval phys.Nanos
	if c.a[1] != 0 {
		var err error
		if interval, err = c.timevalAt(c.a[1]); err != nil {
			return 0, err
		}
		if first, err = c.timevalAt(c.a[1] + 16); err != nil {
			return 0, err
		}
	}
	if c.a[0] > itimerProf {
		return 0, errno.EINVAL
	}
	t := c.itimer(c.a[0])
	old := *t
	c.set(t, first, interval, false)
	if c.a[2] == 0 {
		return 0, nil
	}
	return 0, c.putTimer(c.a[2], &old, timeval)
}

func sysAlarm(c *call) (uint64, error) {
	t := c.itimer(itimerReal)
	left := c.remaining(t)
	c.set(t, phys.Nanos(uint32(c.a[0]))*second, 0, false)
	if left > 0 {
		left = max(second, left+second/2) // rounded, and never to zero
	}
	return uint64(left / second), nil
}

func sysTimerCreate(c *call) (uint64, error) {
	event := make([]byte, 64)
	if c.a[1] != 0 {
		if err := c.load(c.a[1], event); err != nil {
			return 0, err
		}
	}
	if err := c.timed(int32(c.a[0])); err != nil {
		return 0, err
	}
	t := timer{schedule: schedule{clock: int32(c.a[0])}, notify: sigevSignal, signal: int32(itimerSignals[0])}
	for t.id < maxTimers && c.proc.timer(t.id) != nil {
		t.id++
	}
	if t.id == maxTimers {
		return 0, errno.EAGAIN
	}
	t.value = uint64(t.id)
	if c.a[1] != 0 {
		t.value, t.signal, t.notify, t.tid = le.Uint64(event), int32(le.Uint32(event[8:])),
			int32(le.Uint32(event[12:])), int32(le.Uint32(event[16:]))
		switch {
		case !isNotify(t.notify), t.notify != sigevNone && (t.signal < 1 || t.signal >= NSIG):
			return 0, errno.EINVAL
		case t.notify == sigevThreadID && c.threadOf(c.proc.pid, t.tid) == nil:
			return 0, errno.EINVAL
		}
	}
	if err := c.put32(c.a[2], uint32(t.id)); err != nil {
		return 0, err
	}
	c.addTimer(t)
	return 0, nil
}

// isNotify reports whether struct sigevent may ask for a kind of notification.
func isNotify(n int32) bool {
	return n == sigevSignal || n == sigevNone || n == sigevThread || n == sigevThreadID
}

// posixTimer returns the timer in argument 0.
func (c *call) posixTimer() (*timer, error) {
	if id := int(int32(c.a[0])); id >= 0 && id < maxTimers {
		if t := c.proc.timer(id); t != nil {
			return t, nil
		}
	}
	return nil, errno.EINVAL
}

func sysTimerSettime(c *call) (uint64, error) {
	if c.a[2] == 0 {
		return 0, errno.EINVAL
	}
	first, interval, err := c.itimerspec(c.a[2])
	if err != nil {
		return 0, err
	}
	t, err := c.posixTimer()
	if err != nil {
		return 0, err
	}
	old := *t
	c.set(t, first, interval, c.a[1]&timerAbstime != 0)
	if c.a[3] == 0 {
		return 0, nil
	}
	return 0, c.putTimer(c.a[3], &old, timespec)
}

func sysTimerGettime(c *call) (uint64, error) {
	t, err := c.posixTimer()
	if err != nil {
		return 0, err
	}
	return 0, c.store(c.a[1], append(timespec(t.interval), timespec(c.remaining(t))...))
}

func sysTimerGetoverrun(c *call) (uint64, error) {
	t, err := c.posixTimer()
	if err != nil {
		return 0, err
	}
	return uint64(t.overrun), nil
}

func sysTimerDelete(c *call) (uint64, error) {
	t, err := c.posixTimer()
	if err != nil {
		return 0, err
	}
	id := t.id
	c.recall(c.proc, t)
	c.dropTimers(c.proc, func(t *timer) bool { return t.id == id })
	return 0, nil
}

func sysTimerfdCreate(c *call) (uint64, error) {
	switch int32(c.a[0]) {
	case 0, 1, 7, 8, 9:
	default:
		return 0, errno.EINVAL
	}
	if c.a[1]&^(oCloexec|oNonblock) != 0 {
		return 0, errno.EINVAL
	}
	num, err := c.install(desc{kind: FDTimer, flags: oRdwr | uint32(c.a[1])&oNonblock,
		timer: schedule{clock: int32(c.a[0])}}, c.a[1]&oCloexec != 0)
	return uint64(num), err
}

// timerfd returns the timer descriptor in argument 0.
func (c *call) timerfd() (*desc, error) {
	d, err := c.desc(0)
	if err == nil && d.kind != FDTimer {
		err = errno.EINVAL
	}
	return d, err
}

func sysTimerfdSettime(c *call) (uint64, error) {
	const cancelOnSet = 2
	first, interval, err := c.itimerspec(c.a[2])
	if err == nil && c.a[1]&^(timerAbstime|cancelOnSet) != 0 {
		err = errno.EINVAL
	}
	if err != nil {
		return 0, err
	}
	d, err := c.timerfd()
	if err != nil {
		return 0, err
	}
	old := d.timer
	c.arm(&d.timer, first, interval, c.a[1]&timerAbstime != 0)
	d.off = 0
	c.touchDesc(d.id)
	return 0, c.putSchedule(c.a[3], &old, timespec)
}

func sysTimerfdGettime(c *call) (uint64, error) {
	d, err := c.timerfd()
	if err != nil {
		return 0, err
	}
	s := d.timer
	if n := c.expired(&s); n > 0 && s.interval > 0 {
		s.pass(n)
	} else if n > 0 {
		s.next = 0
	}
	return 0, c.store(c.a[1], append(timespec(s.interval), timespec(c.left(&s))...)) // nowhere is EFAULT here
}

// peekTimer returns what a read of a timer descriptor gives.
func (c *call) peekTimer(d *desc, n int) ([]byte, error) {
	count := c.expired(&d.timer)
	switch {
	case n < 8:
		return nil, errno.EINVAL
	case count == 0 && d.flags&oNonblock != 0:
		return nil, errno.EAGAIN
	case count == 0:
		deadline := forever
		if d.timer.next != 0 {
			deadline = d.timer.next
		}
		err := c.waitFor(wait{on: []interest{{d.id, pollIn, 0}}, deadline: deadline})
		if err != errTimeout {
			return nil, err
		}
		count = c.expired(&d.timer)
	}
	return le.AppendUint64(nil, count), nil
}

// takeTimer makes the expiries that were peeked at read.
func (c *call) takeTimer(d *desc) {
	d.timer.pass(c.expired(&d.timer))
	c.touchDesc(d.id)
}
