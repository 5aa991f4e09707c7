package kernel

import (
	"encoding/binary"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

var le = binary.LittleEndian

const (
	second phys.Nanos = 1e9

	// nanosPerInstruction makes virtual time out of retired instructions, so that
	// it does not depend on the cache model.
	nanosPerInstruction = 1

	maxSleep = 1 << 33 // seconds: longer wishes are cut, so that time cannot overflow
)

// Timekeeper is the machine's own time, where it has one: of the core that executes.
type Timekeeper interface {
	Now() phys.Nanos   // since the machine's start
	Busy() phys.Nanos  // that its cores were not idle
	Pass(t phys.Nanos) // nothing happens for so long
}

// KeepTime makes the kernel's clocks follow a machine's; nil: retired instructions.
func (k *Kernel) KeepTime(t Timekeeper) { k.keeper = t }

// mono returns the virtual time since the program's first instruction.
func (k *Kernel) mono() phys.Nanos {
	if k.keeper != nil {
		return k.keeper.Now() + k.sys.slept
	}
	return k.Uptime(k.clock)
}

// Uptime is the virtual time since the program's first instruction when so many have retired.
func (k *Kernel) Uptime(retired uint64) phys.Nanos {
	return phys.Nanos(retired*nanosPerInstruction) + k.sys.slept
}

// Time returns the virtual time at the last entry into the kernel.
func (k *Kernel) Time() phys.Nanos { return k.mono() }

// Now returns the wall-clock time as the process sees it at its last entry into
// the kernel.
func (k *Kernel) Now() phys.Nanos { return k.cfg.WallBase + k.mono() }

func timespec(t phys.Nanos) []byte {
	b := le.AppendUint64(nil, uint64(t/second))
	return le.AppendUint64(b, uint64(t%second))
}

func timeval(t phys.Nanos) []byte {
	b := le.AppendUint64(nil, uint64(t/second))
	return le.AppendUint64(b, uint64(t%second/1000))
}

// clockNow returns the reading of a clock of clock_gettime(2).
func (k *Kernel) clockNow(id uint64) (phys.Nanos, bool) {
	switch int32(id) {
	case clockRealtime, clockRealtimeCoarse, clockRealtimeAlarm, clockTAI:
		return k.Now(), true
	case clockMonotonic, clockMonotonicRaw, clockMonoCoarse, clockBoottime, clockBoottimeAlarm:
		return k.mono(), true
	case clockProcess, clockThread:
		return k.cpuTime(), true
	}
	return k.cpuTime(), int32(id) < 0
}

// cpuTime returns the processor time used.
func (k *Kernel) cpuTime() phys.Nanos {
	if k.keeper != nil {
		return k.keeper.Busy()
	}
	return phys.Nanos(k.clock * nanosPerInstruction)
}

func sysClockGettime(c *call) (uint64, error) {
	if err := c.clock(int32(c.a[0])); err != nil {
		return 0, err
	}
	t, _ := c.clockNow(c.a[0])
	return 0, c.store(c.a[1], timespec(t))
}

func sysClockGetres(c *call) (uint64, error) {
	if err := c.clock(int32(c.a[0])); err != nil || c.a[1] == 0 {
		return 0, err
	}
	return 0, c.store(c.a[1], timespec(resolution(int32(c.a[0]))))
}

func sysGettimeofday(c *call) (uint64, error) {
	if c.a[0] != 0 {
		if err := c.store(c.a[0], timeval(c.Now())); err != nil {
			return 0, err
		}
	}
	if c.a[1] != 0 {
		return 0, c.store(c.a[1], make([]byte, 8)) // UTC
	}
	return 0, nil
}

func sysTime(c *call) (uint64, error) {
	t := uint64(c.Now() / second)
	if c.a[0] == 0 {
		return t, nil
	}
	return t, c.put64(c.a[0], t)
}

// timespecAt reads a struct timespec.
func (c *call) timespecAt(va uint64) (phys.Nanos, error) {
	sec, err := c.u64(va)
	if err != nil {
		return 0, err
	}
	ns, err := c.u64(va + 8)
	if err != nil {
		return 0, err
	}
	if int64(sec) < 0 || ns >= uint64(second) {
		return 0, errno.EINVAL
	}
	return phys.Nanos(min(sec, maxSleep))*second + phys.Nanos(ns), nil
}

// sleep lets virtual time pass.
func (k *Kernel) sleep(t phys.Nanos) {
	if k.keeper != nil {
		k.keeper.Pass(t)
		return
	}
	k.sys.slept += t
	k.touchSystem()
}

func sysNanosleep(c *call) (uint64, error) {
	t, err := c.timespecAt(c.a[0])
	if err != nil {
		return 0, err
	}
	return c.nap(c.after(t), c.a[1])
}

func sysClockNanosleep(c *call) (uint64, error) {
	const timerAbstime = 1
	why := c.sleeps(int32(c.a[0]))
	if id := int32(c.a[0]); why != nil &&
		(id == clockThread || id >= 0 && why == errno.EINVAL || c.timed(id) == errno.EOPNOTSUPP && !alarms(id)) {
		return 0, why // nobody sleeps by such a clock, whatever the time
	}
	t, err := c.timespecAt(c.a[2])
	if err = errnoFirst(err, why); err != nil {
		return 0, err
	}
	now, _ := c.clockNow(c.a[0])
	if c.a[1]&timerAbstime != 0 {
		return c.nap(c.after(t-min(t, now)), 0)
	}
	return c.nap(c.after(t), c.a[3])
}

// nap sleeps until a deadline. When a signal ends the sleep the rest of it goes to
// rest, a pointer that may be NULL.
func (c *call) nap(deadline phys.Nanos, rest uint64) (uint64, error) {
	if w := c.thread.wait; w != nil {
		deadline = w.deadline
	}
	err := c.sleepUntil(deadline)
	if err == errInterrupted && rest != 0 {
		if err := c.store(rest, timespec(max(deadline, c.mono())-c.mono())); err != nil {
			return 0, err
		}
	}
	return 0, err
}

func sysTimes(c *call) (uint64, error) {
	const ticks = second / 100
	if c.a[0] != 0 {
		b := le.AppendUint64(nil, uint64(c.cpuTime()/ticks))
		if err := c.store(c.a[0], append(b, make([]byte, 24)...)); err != nil {
			return 0, err
		}
	}
	return uint64(c.mono() / ticks), nil
}

// sizeofRusage is the size of struct rusage.
const sizeofRusage = 144

func sysGetrusage(c *call) (uint64, error) {
	switch int32(c.a[0]) {
	case 0, 1: // RUSAGE_SELF, RUSAGE_THREAD
		b := append(timeval(c.cpuTime()), make([]byte, 128)...)
		le.PutUint64(b[32:], c.MM.Mapped()>>10) // ru_maxrss
		return 0, c.store(c.a[1], b)
	case -1: // RUSAGE_CHILDREN
		return 0, c.store(c.a[1], make([]byte, sizeofRusage))
	}
	return 0, errno.EINVAL
}
