package kernel

import (
	"math"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

// Scheduling policies and priorities are kept for each thread and told as Linux does;
// the turns of threads do not heed them, so that what runs next follows from the seed
// alone. Source: sched(7), kernel/sched/syscalls.c of Linux 6.18.

const (
	schedOther    = 0
	schedFIFO     = 1
	schedRR       = 2
	schedBatch    = 3
	schedIdle     = 5
	schedDeadline = 6
	schedExt      = 7

	schedReset = 1 << 30 // SCHED_RESET_ON_FORK beside a policy
	maxRTPrio  = 99

	schedFlagReset      = 1 // of struct sched_attr
	schedFlagDL         = 2 | 4
	schedFlagKeepPolicy = 8
	schedFlagKeepParams = 16
	schedFlagClamp      = 32 | 64

	oldestAttr = 48 // sizes of struct sched_attr
	newestAttr = 56

	roundRobin = 100 * second / 1000 // sched_rr_timeslice
	jiffy      = second / 250

	usualSlice, minSlice, maxSlice = 1400_000, 100_000, 100_000_000 // of SCHED_OTHER, in nanoseconds
	lowestNice, highestNice        = -20, 19
)

// scheduling is the policy of a thread; its zero value is what threads begin with.
type scheduling struct {
	policy int32
	rtPrio int32
	nice   int32
	reset  bool          // its children begin with what threads begin with
	slice  uint64        // asked for, of SCHED_OTHER, 0 for the usual one
	dl     [3]phys.Nanos // runtime, deadline, period of SCHED_DEADLINE
	flags  uint64        // likewise
}

func (s *scheduling) code(c *codec) {
	code(c, &s.policy)
	code(c, &s.rtPrio)
	code(c, &s.nice)
	c.flag(&s.reset)
	code(c, &s.slice)
	for i := range s.dl {
		code(c, &s.dl[i])
	}
	code(c, &s.flags)
}

func isRealTime(policy int32) bool { return policy == schedFIFO || policy == schedRR }

// isFair tells the policies that have nice values.
func isFair(policy int32) bool {
	return policy == schedOther || policy == schedBatch || policy == schedExt
}

// priority is the thread's priority as /proc shows it.
func (s *scheduling) priority() int32 {
	switch {
	case isRealTime(s.policy):
		return -1 - s.rtPrio
	case s.policy == schedDeadline:
		return -101
	}
	return 20 + s.nice
}

// undivided reports whether a thread can have no children, as its time cannot be shared.
func (s *scheduling) undivided() bool { return s.policy == schedDeadline && !s.reset }

// inherited is the scheduling of a child.
func (s *scheduling) inherited() scheduling {
	c := *s
	if !s.reset {
		return c
	}
	if c.reset = false; isRealTime(c.policy) || c.policy == schedDeadline {
		c = scheduling{}
	}
	c.nice = max(c.nice, 0)
	return c
}

// schedTask returns the thread that a call names with its first argument.
func (c *call) schedTask() (*Thread, error) {
	if t := c.task(int32(c.a[0])); t != nil {
		return t, nil
	}
	return nil, errno.ESRCH
}

// change is what a call asks for: struct sched_attr. Its policy is keepPolicy for the
// present one.
type change struct {
	policy  int32
	flags   uint64
	nice    int32
	rtPrio  uint32
	runtime uint64
	dl      [3]phys.Nanos
}

const keepPolicy = -1

// apply checks a change and makes it.
func (c *call) apply(t *Thread, to change) error {
	s, reset := t.sched, to.flags&schedFlagReset != 0
	if to.policy == keepPolicy {
		to.policy, reset = s.policy, s.reset
	}
	switch to.policy {
	case schedOther, schedFIFO, schedRR, schedBatch, schedIdle, schedDeadline, schedExt:
	default:
		return errno.EINVAL
	}
	switch {
	case to.flags&^(schedFlagReset|schedFlagDL|schedFlagKeepPolicy|schedFlagKeepParams|schedFlagClamp) != 0,
		to.rtPrio > maxRTPrio, isRealTime(to.policy) != (to.rtPrio != 0),
		to.policy == schedDeadline && !to.deadlines():
		return errno.EINVAL
	case to.flags&schedFlagClamp != 0:
		return errno.EOPNOTSUPP
	case !c.mayApply(t, &to, reset):
		return errno.EPERM
	case to.policy == schedDeadline && c.allowed(t) != c.coreMask():
		return errno.EPERM
	}
	s.policy, s.reset, s.rtPrio, s.dl, s.flags = to.policy, reset, int32(to.rtPrio), [3]phys.Nanos{}, 0
	switch {
	case to.policy == schedDeadline:
		if s.dl, s.flags = to.dl, to.flags&schedFlagDL; s.dl[2] == 0 {
			s.dl[2] = s.dl[1]
		}
	case isFair(to.policy):
		s.nice, s.slice = to.nice, to.runtime
		if s.slice != 0 {
			s.slice = max(minSlice, min(maxSlice, s.slice))
		}
	}
	t.sched = s
	c.touchThread(t)
	return nil
}

// mayApply reports whether the caller may make a change, as sched(7) has it: without
// CAP_SYS_NICE only to threads of its own user, and no further up than the limits go.
func (c *call) mayApply(t *Thread, to *change, reset bool) bool {
	limit := func(l int) uint64 { return t.proc.rlimits[l][0] }
	rt := limit(rlimitRtprio)
	switch u, o := c.thread.who(), t.who(); {
	case u.can(capSysNice):
		return true
	case u.user.effective != o.user.real && u.user.effective != o.user.effective,
		to.policy == schedDeadline, t.sched.reset && !reset,
		isFair(to.policy) && to.nice < t.sched.nice && uint64(20-to.nice) > limit(rlimitNice),
		t.sched.policy == schedIdle && to.policy != schedIdle && uint64(20-t.sched.nice) > limit(rlimitNice),
		isRealTime(to.policy) &&
			(to.policy != t.sched.policy && rt == 0 || int32(to.rtPrio) > t.sched.rtPrio && uint64(to.rtPrio) > rt):
		return false
	}
	return true
}

// deadlines reports whether the parameters of SCHED_DEADLINE fit together.
func (to *change) deadlines() bool {
	const least, shortest, longest = 1 << 10, 100_000, 1 << 22 * 1000
	runtime, deadline, period := to.dl[0], to.dl[1], to.dl[2]
	if period == 0 {
		period = deadline
	}
	return deadline > 0 && runtime >= least && runtime <= deadline &&
		deadline <= period && period >= shortest && period <= longest
}

// sysSchedSetscheduler is also sched_setparam, which keeps the policy.
func sysSchedSetscheduler(c *call) (uint64, error) {
	policy, param := int32(c.a[1]), c.a[2]
	if c.row.Name == "sched_setparam" {
		policy, param = keepPolicy, c.a[1]
	} else if policy < 0 {
		return 0, errno.EINVAL
	}
	if param == 0 || int32(c.a[0]) < 0 {
		return 0, errno.EINVAL
	}
	prio, err := c.word(param)
	if err != nil {
		return 0, err
	}
	t, err := c.schedTask()
	if err != nil {
		return 0, err
	}
	to := change{policy: policy, rtPrio: prio, nice: t.sched.nice, runtime: t.sched.slice}
	if policy != keepPolicy && policy&schedReset != 0 {
		to.policy, to.flags = policy&^schedReset, schedFlagReset
	}
	return 0, c.apply(t, to)
}

func sysSchedGetparam(c *call) (uint64, error) {
	if c.a[1] == 0 || int32(c.a[0]) < 0 {
		return 0, errno.EINVAL
	}
	t, err := c.schedTask()
	if err != nil {
		return 0, err
	}
	return 0, c.put32(c.a[1], uint32(t.sched.rtPrio))
}

func sysSchedGetscheduler(c *call) (uint64, error) {
	if int32(c.a[0]) < 0 {
		return 0, errno.EINVAL
	}
	t, err := c.schedTask()
	if err != nil {
		return 0, err
	}
	policy := uint64(t.sched.policy)
	if t.sched.reset {
		policy |= schedReset
	}
	return policy, nil
}

// attrAt reads a struct sched_attr, whose size it says itself.
func (c *call) attrAt(va uint64) ([]byte, error) {
	size, err := c.word(va)
	if err != nil {
		return nil, err
	}
	if size == 0 {
		size = oldestAttr
	}
	tooBig := func() ([]byte, error) { return nil, errnoFirst(c.put32(va, newestAttr), errno.E2BIG) }
	if size < oldestAttr || size > phys.PageSize {
		return tooBig()
	}
	b := make([]byte, max(size, newestAttr))
	if err := c.load(va, b[:size]); err != nil {
		return nil, err
	}
	for _, more := range b[newestAttr:] {
		if more != 0 {
			return tooBig()
		}
	}
	if size < newestAttr && le.Uint64(b[8:])&schedFlagClamp != 0 {
		return nil, errno.EINVAL
	}
	return b, nil
}

func sysSchedSetattr(c *call) (uint64, error) {
	if c.a[1] == 0 || int32(c.a[0]) < 0 || uint32(c.a[2]) != 0 {
		return 0, errno.EINVAL
	}
	b, err := c.attrAt(c.a[1])
	if err != nil {
		return 0, err
	}
	to := change{policy: int32(le.Uint32(b[4:])), flags: le.Uint64(b[8:]), nice: max(lowestNice, min(highestNice, int32(le.Uint32(b[16:])))),
		rtPrio: le.Uint32(b[20:]), runtime: le.Uint64(b[24:])}
	for i := range to.dl {
		to.dl[i] = phys.Nanos(le.Uint64(b[24+8*i:]))
	}
	if to.policy < 0 {
		return 0, errno.EINVAL
	}
	t, err := c.schedTask()
	if err != nil {
		return 0, err
	}
	if to.flags&schedFlagKeepPolicy != 0 {
		to.policy = keepPolicy
	}
	if s := &t.sched; to.flags&schedFlagKeepParams != 0 {
		switch {
		case s.policy == schedDeadline:
			to.dl, to.flags = s.dl, to.flags|s.flags
		case isRealTime(s.policy):
			to.rtPrio = uint32(s.rtPrio)
		default:
			to.nice, to.runtime = s.nice, s.slice
		}
	}
	return 0, c.apply(t, to)
}

func sysSchedGetattr(c *call) (uint64, error) {
	size := uint32(c.a[2])
	if c.a[1] == 0 || int32(c.a[0]) < 0 || size < oldestAttr || size > phys.PageSize || uint32(c.a[3]) != 0 {
		return 0, errno.EINVAL
	}
	t, err := c.schedTask()
	if err != nil {
		return 0, err
	}
	b, s := make([]byte, max(size, newestAttr)), &t.sched
	le.PutUint32(b, min(size, newestAttr))
	le.PutUint32(b[4:], uint32(s.policy))
	flags := s.flags
	if s.reset {
		flags |= schedFlagReset
	}
	le.PutUint64(b[8:], flags)
	switch {
	case s.policy == schedDeadline:
		for i, v := range s.dl {
			le.PutUint64(b[24+8*i:], uint64(v))
		}
	case isRealTime(s.policy):
		le.PutUint32(b[20:], uint32(s.rtPrio))
	default:
		le.PutUint32(b[16:], uint32(s.nice))
		le.PutUint64(b[24:], s.timeslice())
	}
	return 0, c.store(c.a[1], b[:size])
}

// timeslice is the slice of a thread of SCHED_OTHER in nanoseconds.
func (s *scheduling) timeslice() uint64 {
	if s.slice != 0 {
		return s.slice
	}
	return usualSlice
}

func sysSchedRRGetInterval(c *call) (uint64, error) {
	if int32(c.a[0]) < 0 {
		return 0, errno.EINVAL
	}
	t, err := c.schedTask()
	if err != nil {
		return 0, err
	}
	slice := phys.Nanos(0)
	switch {
	case t.sched.policy == schedRR:
		slice = roundRobin
	case isFair(t.sched.policy), t.sched.policy == schedIdle:
		slice = phys.Nanos(t.sched.timeslice()) / jiffy * jiffy
	}
	return 0, c.store(c.a[1], timespec(slice))
}

// sysSchedPriority answers the bounds of SCHED_FIFO and SCHED_RR, or of the rest.
func sysSchedPriority(c *call) (uint64, error) {
	switch int32(c.a[0]) {
	case schedFIFO, schedRR:
		if c.row.Name == "sched_get_priority_max" {
			return maxRTPrio, nil
		}
		return 1, nil
	case schedOther, schedBatch, schedIdle, schedDeadline, schedExt:
		return 0, nil
	}
	return 0, errno.EINVAL
}

// sysGetpriority answers 20 less the lowest nice value, as the raw call says it.
func sysGetpriority(c *call) (uint64, error) {
	found, err := c.prioritized()
	best := int32(math.MaxInt32)
	for _, t := range found {
		best = min(best, t.sched.nice)
	}
	return uint64(20 - int64(best)), err
}

func sysSetpriority(c *call) (uint64, error) {
	found, err := c.prioritized()
	nice := max(lowestNice, min(highestNice, int32(c.a[2])))
	for _, t := range found {
		if e := c.mayNice(t, nice); e != nil {
			err = e
			continue
		}
		t.sched.nice = nice
		c.touchThread(t)
	}
	return 0, err
}

// mayNice checks that the caller may give a thread a nice value: of its own user alone, and
// a lower one only down to RLIMIT_NICE.
func (c *call) mayNice(t *Thread, nice int32) error {
	u, o := c.thread.who(), t.who()
	id := u.user.effective
	switch {
	case u.can(capSysNice):
		return nil
	case id != o.user.real && id != o.user.effective:
		return errno.EPERM
	case nice < t.sched.nice && uint64(20-nice) > t.proc.rlimits[rlimitNice][0]:
		return errno.EACCES
	}
	return nil
}

// prioritized returns the threads that the two arguments of the priority calls name: a
// thread, those of a process group or of a user, with 0 for the caller's.
func (c *call) prioritized() (found []*Thread, err error) {
	const ofThread, ofGroup, ofUser = 0, 1, 2
	which, who := int32(c.a[0]), int32(c.a[1])
	if which < ofThread || which > ofUser {
		return nil, errno.EINVAL
	}
	user := uint32(who)
	if who == 0 {
		user = c.thread.who().user.real
	}
	for _, t := range c.threads {
		if which == ofThread && (t.tid == who || who == 0 && t == c.thread) ||
			which == ofGroup && (t.proc.pgid == who || who == 0 && t.proc.pgid == c.proc.pgid) ||
			which == ofUser && t.who().user.real == user {
			found = append(found, t)
		}
	}
	if found == nil {
		err = errno.ESRCH
	}
	return found, err
}
