package sim

import (
	"fmt"

	"zhuque/sim/kernel"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// Reason says why a machine stopped.
type Reason uint8

const (
	Reached     Reason = iota // the instruction asked for
	Exited                    // the program ended by itself
	Killed                    // a signal ended the program
	Stuck                     // unsupported, or the host failed: see Stop.Err
	PowerLost                 // the armed runtime store was reached
	OutOfBudget               // Config.MaxInstructions
	OutOfEvents               // Config.MaxEvents
	Undecided                 // an explored machine has loaded what is not decided: see Split
)

// Stop says where and why a machine stopped.
type Stop struct {
	Reason Reason
	Status int   // Exited: exit status; Killed: signal number
	Err    error // Stuck: *x86.Unsupported, or an error of the host
}

// ExitCode is the status a shell would show for an ended program.
func (s Stop) ExitCode() int {
	if s.Reason == Killed {
		return 128 + s.Status
	}
	return s.Status
}

// Limited reports whether a limit of the configuration was reached, so that the program
// is not over but would run on.
func (s Stop) Limited() bool { return s.Reason == OutOfBudget || s.Reason == OutOfEvents }

// Ended reports whether the program is over.
func (s Stop) Ended() bool { return s.Reason == Exited || s.Reason == Killed }

func (s Stop) String() string {
	switch s.Reason {
	case Reached:
		return "running"
	case Exited:
		return fmt.Sprintf("exited with status %d", s.Status)
	case Killed:
		return fmt.Sprintf("killed by signal %d", s.Status)
	case Stuck:
		return s.Err.Error()
	case PowerLost:
		return "lost power inside a call"
	case Undecided:
		return "at a load that is not decided"
	case OutOfBudget:
		return "still running when the instruction limit was reached"
	case OutOfEvents:
		return "still running when the limit of events (waits, timers and signals in which no instruction runs) was reached"
	}
	return "BUG: unknown stop"
}

// powerLost unwinds the Go stack of a call that loses power.
type powerLost struct{}

// RunUntil runs until n instructions have retired since the program's first, or
// the program ends or gets stuck. A system call belongs to its SYSCALL instruction, and a turn
// of threads to the instruction before it.
func (m *Machine) RunUntil(n uint64) Stop {
	if m.ended != nil {
		return *m.ended
	}
	if m.durable.PMEM.Pinned() {
		panic("BUG: a machine runs while a crash check of it is alive")
	}
	limit := n
	if max := m.cfg.MaxInstructions; max != 0 && limit > max {
		limit = max
	}
	if stop := m.settle(); stop.Reason != Reached {
		return stop
	}
	for m.cpu.Retired < limit {
		turn := m.kernel.NextTurn(m.cpu.Retired)
		st := m.cpu.Run(min(limit, turn))
		before := m.cpu.Retired
		var c *Call
		stop := Stop{Reason: Reached}
		switch st.Reason {
		case x86.StopCount:
			if m.cpu.Retired < turn {
				continue
			}
			before--
		case x86.StopUndecided:
			return m.rec.stop(st.Undecided)
		case x86.StopUnsupported:
			return m.end(Stop{Reason: Stuck, Err: st.Unsup})
		case x86.StopSyscall, x86.StopInterrupt:
			before--
			c = m.begin(Syscall, m.cpu.RIP-2, before)
			c.I386, c.Counted = st.Reason == x86.StopInterrupt, true
		default:
			if st.Exc.IsTrap() {
				before--
			}
			c = m.begin(Exception, st.Exc.RIP, before)
			c.Exc, c.Counted = st.Exc, st.Exc.IsTrap()
		}
		if before != m.stepOf {
			m.steps, m.stepOf = 0, before
		}
		if c != nil {
			stop = m.enter(c)
			if m.cfg.ModelClock && stop.Reason == Reached {
				m.kernel.Rechoose(m.cpu.Retired) // the call has taken its time
				m.chargeWork(m.id)
			}
		}
		if stop.Reason == Reached {
			stop = m.settle()
		}
		if m.onCall != nil && (c != nil || m.steps != 0) {
			m.onCall(before, m.steps)
		}
		if stop.Reason != Reached {
			return stop
		}
	}
	if limit < n {
		return Stop{Reason: OutOfBudget}
	}
	return Stop{Reason: Reached}
}

// settle does what comes between two instructions: turns that are due, the change
// to the thread that runs next, and the delivery of its signals. Each signal, and
// time that passes because all threads wait, is a call of its own.
func (m *Machine) settle() Stop {
	for {
		if max := m.cfg.MaxEvents; max != 0 && m.events >= max {
			return Stop{Reason: OutOfEvents}
		}
		kind := Turn
		switch now := m.cpu.Retired; {
		case m.kernel.NextTurn(now) == now:
			if m.kernel.Preempt(now) {
				m.chargeWork(m.id)
				m.calls++
				continue
			}
		case m.misplaced():
			if stop := m.guard(m.switchThread); stop.Reason != Reached {
				return stop
			}
			continue
		case m.kernel.Deliverable() && !m.cpu.Trapping():
			kind = Signal
		default:
			return Stop{Reason: Reached}
		}
		if stop := m.enter(m.begin(kind, m.cpu.RIP, m.cpu.Retired)); stop.Reason != Reached {
			return stop
		}
	}
}

// Run runs the program to its end.
func (m *Machine) Run() Stop { return m.RunUntil(^uint64(0)) }

// Step executes one instruction.
func (m *Machine) Step() Stop { return m.RunUntil(m.cpu.Retired + 1) }

// StepRep executes at most n iterations of the string instruction at RIP and
// reports whether it is complete; anything else at RIP is left alone.
func (m *Machine) StepRep(n uint64) (done bool) { return m.cpu.RunRep(n) }

func (m *Machine) end(s Stop) Stop {
	m.ended = &s
	return s
}

func stopOf(out kernel.Outcome) Stop {
	switch {
	case out.Err != nil:
		return Stop{Reason: Stuck, Err: out.Err}
	case out.Unsupported != nil:
		return Stop{Reason: Stuck, Err: out.Unsupported}
	case out.Exited && out.Signal != 0:
		return Stop{Reason: Killed, Status: out.Signal}
	case out.Exited:
		return Stop{Reason: Exited, Status: out.Status}
	}
	return Stop{Reason: Reached}
}

// guard runs f, which may lose power at one of the runtime's stores.
func (m *Machine) guard(f func()) (stop Stop) {
	if m.stepAt != 0 {
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(powerLost); !ok {
					panic(r)
				}
				stop = Stop{Reason: PowerLost}
			}
		}()
	}
	f()
	return Stop{Reason: Reached}
}

// begin returns the call that comes next. It takes the memory of the one before.
func (m *Machine) begin(kind CallKind, reissue, retired uint64) *Call {
	if m.spare == nil {
		m.spare = &Call{}
	}
	c := m.spare
	c.Kind, c.I386, c.Exc, c.Reissue, c.Retired, c.Counted = kind, false, nil, reissue, retired, false
	return c
}

// enter takes one call through runtime and kernel.
func (m *Machine) enter(c *Call) (stop Stop) {
	if m.rec != nil {
		m.rec.enter(c)
	}
	m.cpu.SaveState(&c.Entry)
	c.Before = m.kernel.Schedule()
	m.call = c
	m.calls++
	if m.rec != nil {
		if undecided := m.rec.inCall(func() { stop = m.take(c) }); undecided.Reason != Reached {
			return undecided
		}
		m.rec.leave()
		return stop
	}
	lost := m.guard(func() { stop = m.take(c) })
	if lost.Reason != Reached {
		return lost
	}
	if m.idle.stands(c.Retired, m.kernel.Time()) && stop.Reason == Reached {
		return m.end(Stop{Reason: Stuck, Err: m.kernel.Standstill(maxIdle)})
	}
	return stop
}

// idle counts entries into the kernel in which nothing moves: a machine that only turns
// in itself would do so for ever, as no limit of instructions ends it.
type idle struct {
	retired uint64
	time    phys.Nanos
	entries uint64
}

// maxIdle is more than how often a machine enters its kernel without any progress: once for
// each thread that finds what it waits for taken by another, and once for each signal
// that is pending for the one that runs next.
const maxIdle = 1 << 16

// stands counts an entry after so many instructions, at a virtual time, and reports
// whether there were maxIdle without either having moved.
func (i *idle) stands(retired uint64, time phys.Nanos) bool {
	if i.retired != retired || i.time != time {
		*i = idle{retired: retired, time: time}
	}
	i.entries++
	return i.entries >= maxIdle
}

// take is enter without the chance to lose power.
func (m *Machine) take(c *Call) (stop Stop) {
	var out kernel.Outcome
	core := m.id
	defer m.chargeWork(core)
	if m.rt != nil {
		out = m.rt.Call(m, c)
	} else {
		out = m.Dispatch(c)
		for _, p := range m.kernel.Processes() {
			p.MM.TakeChanges() // nobody makes them persistent
		}
		if err := m.kernel.Release(); err != nil && out.Err == nil {
			out.Err = err
		}
	}
	m.call = nil
	if out.Again || c.Kind == Turn || c.Kind == Signal {
		m.events++
	}
	if stop = stopOf(out); stop.Reason != Reached {
		m.end(stop)
	}
	return stop
}

// Dispatch gives a call to the kernel. The runtime calls it.
func (m *Machine) Dispatch(c *Call) kernel.Outcome {
	switch c.Kind {
	case Exception:
		return m.kernel.Exception(m.cpu, c.Exc)
	case Signal:
		return m.kernel.DeliverOne(m.cpu)
	case Failed:
		return m.kernel.PowerFailed(m.cpu.Retired, c.Failures)
	case Turn:
		return m.kernel.Turn(m.cpu.Retired)
	}
	if c.I386 {
		return m.kernel.SyscallI386(m.cpu)
	}
	return m.kernel.Syscall(m.cpu)
}

// ArmStep makes the machine lose power before the n-th (from 1) store that the
// runtime makes inside a call or a recovery, or behind a call's last; 0 disarms. RunUntil then stops with PowerLost.
func (m *Machine) ArmStep(n uint64) {
	m.stepAt, m.steps, m.stepOf = n, 0, m.cpu.Retired
	m.countSteps()
}

// LostIn returns how many instructions were retired before the one in whose call an armed
// step was reached last.
func (m *Machine) LostIn() uint64 { return m.stepOf }

// countSteps has all cores tell of the runtime's stores.
func (m *Machine) countSteps() {
	for i := range m.cores {
		m.cores[i].port.Step = m.runtimeStep
	}
}

func (m *Machine) runtimeStep() {
	m.steps++
	if m.steps == m.stepAt {
		panic(powerLost{})
	}
}

// BeforeReturn is the last place at which a call can lose power: everything is stored, and
// the program has not gone on. It counts as a step, behind those of the stores. The runtime
// calls it.
func (m *Machine) BeforeReturn() {
	if step := m.port.Step; step != nil {
		step()
	}
}

// Committed notes that the call in flight has taken effect. The runtime calls it.
func (m *Machine) Committed() { m.committed = m.steps }

// CommittedAt returns behind which of its steps the last call took effect.
func (m *Machine) CommittedAt() uint64 { return m.committed }

// CallSteps returns how many stores the runtime made in the last recovery or, once
// ArmStep or OnCall was used, in the last call.
func (m *Machine) CallSteps() uint64 { return m.steps }

// Cycles returns the core clock cycles spent so far by all cores together: one an
// instruction, plus what the hierarchy stalled, 0 without a cache model.
func (m *Machine) Cycles() phys.Cycles {
	if m.hier == nil {
		return 0
	}
	sum := phys.Cycles(m.cpu.Retired)
	for i := range m.cores {
		sum += m.hier.Core(i).Stall
	}
	return sum
}
