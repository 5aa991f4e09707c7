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
	case OutOfBudget:
		return "still running when the instruction limit was reached"
	}
	return "BUG: unknown stop"
}

// powerLost unwinds the Go stack of a call that loses power.
type powerLost struct{}

// RunUntil runs until n instructions have retired since the program's first, or
// the program ends or gets stuck. A system call belongs to its SYSCALL instruction.
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
	if stop := m.signals(); stop.Reason != Reached {
		return stop
	}
	for m.cpu.Retired < limit {
		st := m.cpu.Run(limit)
		before := m.cpu.Retired
		c := &Call{Kind: Exception, Reissue: m.cpu.RIP, Exc: st.Exc}
		switch st.Reason {
		case x86.StopCount:
			continue
		case x86.StopUnsupported:
			return m.end(Stop{Reason: Stuck, Err: st.Unsup})
		case x86.StopSyscall:
			c = &Call{Kind: Syscall, Reissue: m.cpu.RIP - 2}
			before--
		}
		m.steps = 0
		stop := m.enter(c)
		if stop.Reason == Reached {
			stop = m.signals()
		}
		if m.onCall != nil {
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

// signals delivers what is pending, each signal as a call of its own.
func (m *Machine) signals() Stop {
	for m.kernel.Deliverable() {
		if stop := m.enter(&Call{Kind: Signal, Reissue: m.cpu.RIP}); stop.Reason != Reached {
			return stop
		}
	}
	return Stop{Reason: Reached}
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

// enter takes one call through runtime and kernel.
func (m *Machine) enter(c *Call) (stop Stop) {
	c.Entry = m.cpu.State()
	m.call = c
	m.calls++
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
	var out kernel.Outcome
	if m.rt != nil {
		out = m.rt.Call(m, c)
	} else {
		out = m.Dispatch(c)
		m.kernel.MM.TakeChanges() // nobody makes them persistent
		if err := m.kernel.Release(); err != nil && out.Err == nil {
			out.Err = err
		}
	}
	m.call = nil
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
	}
	return m.kernel.Syscall(m.cpu)
}

// ArmStep makes the machine lose power before the n-th (from 1) store that the
// runtime makes inside a call or a recovery; 0 disarms. RunUntil then stops with PowerLost.
func (m *Machine) ArmStep(n uint64) {
	m.stepAt, m.steps = n, 0
	m.port.Step = m.runtimeStep
}

func (m *Machine) runtimeStep() {
	m.steps++
	if m.steps == m.stepAt {
		panic(powerLost{})
	}
}

// CallSteps returns how many stores the runtime made in the last recovery or, once
// ArmStep or OnCall was used, in the last call.
func (m *Machine) CallSteps() uint64 { return m.steps }

// Cycles returns the core clock cycles spent so far: one an instruction, plus
// what the hierarchy stalled, 0 without a cache model.
func (m *Machine) Cycles() phys.Cycles {
	if m.hier == nil {
		return 0
	}
	return phys.Cycles(m.cpu.Retired) + m.hier.Core(0).Stall
}
