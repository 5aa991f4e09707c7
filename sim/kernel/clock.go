package kernel

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

// Clocks as clock_gettime(2) numbers them. Negative numbers are those of the processor time
// of a process or a thread: its number complemented and shifted, and the kind below.
// Source: kernel/time/posix-timers.c and posix-cpu-timers.c of Linux 6.18.

const (
	clockRealtime       = 0
	clockMonotonic      = 1
	clockProcess        = 2
	clockThread         = 3
	clockMonotonicRaw   = 4
	clockRealtimeCoarse = 5
	clockMonoCoarse     = 6
	clockBoottime       = 7
	clockRealtimeAlarm  = 8
	clockBoottimeAlarm  = 9
	clockTAI            = 11

	cpuClockKind   = 3 // mask of the kind of a negative number; 3 is none
	cpuClockSched  = 2 // the kind that counts exactly
	cpuClockThread = 4
	descClock      = 3 // of the three bits: the clock of a device that is open

	coarse = second / 250 // resolution of the clocks that tick
)

// cpuClock returns whose processor time a negative clock number means; 0 is the caller's.
func cpuClock(id int32) (owner int32, thread bool) { return ^(id >> 3), id&cpuClockThread != 0 }

// clock says why the caller cannot ask a clock for the time.
func (c *call) clock(id int32) error {
	switch {
	case id >= 0 && (id == clockRealtimeAlarm || id == clockBoottimeAlarm): // they need a real-time clock's device
		return errno.EINVAL
	case id >= 0:
		if _, ok := c.clockNow(uint64(id)); !ok {
			return errno.EINVAL
		}
		return nil
	case id&7 == descClock, id&cpuClockKind == cpuClockKind:
		return errno.EINVAL
	}
	owner, thread := cpuClock(id)
	switch {
	case owner == 0:
		return nil
	case thread && c.threadOf(c.proc.pid, owner) == nil:
		return errno.EINVAL
	case !thread && owner != c.thread.tid && c.findProcess(owner) == nil:
		return errno.EINVAL
	}
	return nil
}

// resolution returns the resolution of a clock that there is.
func resolution(id int32) phys.Nanos {
	switch {
	case id == clockRealtimeCoarse, id == clockMonoCoarse, id < 0 && id&cpuClockKind != cpuClockSched:
		return coarse
	}
	return nanosPerInstruction
}

// alarms reports whether a clock also wakes a machine that is asleep, which this one never is.
func alarms(id int32) bool { return id == clockRealtimeAlarm || id == clockBoottimeAlarm }

// timed says why a clock cannot have timers.
func (c *call) timed(id int32) error {
	switch {
	case id >= clockMonotonicRaw && id <= clockMonoCoarse, alarms(id), id < 0 && id&7 == descClock:
		return errno.EOPNOTSUPP
	}
	return c.clock(id)
}

// sleeps says why nobody can sleep by a clock.
func (c *call) sleeps(id int32) error {
	if id == clockThread {
		return errno.EOPNOTSUPP
	}
	if err := c.timed(id); err != nil || id >= 0 {
		return err
	}
	if owner, thread := cpuClock(id); thread && (owner == 0 || owner == c.thread.tid) {
		return errno.EINVAL // it would never wake
	}
	return nil
}
