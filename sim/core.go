package sim

import (
	"fmt"

	"zhuque/cachemodel"
	"zhuque/sim/det"
	"zhuque/sim/kernel"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// core is a modelled processor core: registers, TLB, caches and buffers of its own.
// There is one order of instructions over all cores, in which one of them executes
// at a time; what the others hold in their buffers meanwhile stays there.
type core struct {
	id     int
	cpu    *x86.CPU // its Retired is the machine's clock while the core executes
	port   *mem.Port
	loaded int32       // the thread whose registers it holds, 0 for none
	since  phys.Cycles // with Config.ModelClock: when, in its own time, it began to hold it
}

// MaxCores is the largest number of cores of a machine.
const MaxCores = cachemodel.MaxCores

// build makes the cores, cold and without threads. blocks is a machine with as many
// cores that shares its decoded blocks, nil for none.
func (m *Machine) build(n int, space mem.AddressSpace, blocks *Machine) error {
	if n < 0 || n > MaxCores {
		return fmt.Errorf("%d cores: expected 1 to %d", n, MaxCores)
	}
	m.cores = make([]core, max(n, 1))
	if m.cfg.Model {
		cache := m.cfg.Cache
		cache.Cores = len(m.cores)
		h, err := cachemodel.New(cache, lines{m.dram, m.durable.PMEM})
		if err != nil {
			return err
		}
		m.hier = h
	}
	for i := range m.cores {
		port := m.newPort(i, space)
		if blocks != nil {
			m.cores[i].cpu = x86.NewSharing(port, blocks.cores[i].cpu)
		} else {
			m.cores[i].cpu = x86.New(port)
		}
		m.keepTime(&m.cores[i])
		m.cores[i].cpu.SetLevel(m.cfg.Level)
		m.cores[i].cpu.TSCAux = uint32(i)
		// One stream for all cores: a draw depends on it and on the instruction's place
		// in the one order of all of them.
		m.cores[i].cpu.Entropy = det.Stream(m.durable.seed(m.cfg), "RDRAND").Uint64()
	}
	m.core = &m.cores[0]
	return nil
}

// newPort gives core i its way to memory.
func (m *Machine) newPort(i int, space mem.AddressSpace) *mem.Port {
	var cache *cachemodel.Core
	if m.hier != nil {
		cache = m.hier.Core(i)
	}
	p := mem.NewPort(space, cache, m.dram, m.durable.PMEM)
	if i > 0 {
		p.Join(m.cores[0].port)
	}
	m.cores[i].id, m.cores[i].port = i, p
	return p
}

// keepTime lets the cache model's core follow the instructions of this one.
func (m *Machine) keepTime(c *core) {
	if cache := c.port.Core(); cache != nil {
		cache.Clock = c.cpu
		c.cpu.ModelTSC = m.cfg.ModelClock
	}
	if m.timed() {
		c.port.Faulted = func() { m.charge(c.id, kernel.CostFault, 1) }
	}
	if m.cfg.OnMark != nil {
		c.cpu.Mark = func(n uint64) { m.cfg.OnMark(m, n) }
	}
}

// forkCores gives a fork, whose memory and kernel exist, the cores of its origin.
func (m *Machine) forkCores(from *Machine) {
	m.cores = make([]core, len(from.cores))
	for i := range from.cores {
		o, space := &from.cores[i], m.kernel.MM
		if t := m.kernel.Thread(o.loaded); t != nil {
			space = t.Process().MM
		}
		port := m.newPort(i, space)
		m.cores[i].cpu, m.cores[i].loaded, m.cores[i].since = o.cpu.Clone(port), o.loaded, o.since
		m.keepTime(&m.cores[i])
	}
	m.core = &m.cores[from.id]
}

// home returns the core on which a thread runs.
func (m *Machine) home(t *kernel.Thread) *core {
	if len(m.cores) == 1 {
		return m.core
	}
	return &m.cores[m.kernel.CoreOf(t)]
}

// holder returns the core that holds a thread's registers, nil for none.
func (m *Machine) holder(tid int32) *core {
	for i := range m.cores {
		if m.cores[i].loaded == tid {
			return &m.cores[i]
		}
	}
	return nil
}

// execute makes a core the one that executes; the clock goes with it.
func (m *Machine) execute(c *core) {
	c.cpu.Elsewhere += m.cpu.Retired - c.cpu.Retired
	c.cpu.Retired = m.cpu.Retired
	m.core = c
}

// misplaced reports whether the core that executes is not the current thread's or
// holds another one.
func (m *Machine) misplaced() bool {
	tid := m.kernel.Current()
	return m.loaded != tid || len(m.cores) > 1 && m.home(m.kernel.Thread(tid)) != m.core
}

// switchThread lets the current thread's core go on with it. A core that only pauses
// for another one's turn keeps thread and buffers as they are; where a thread leaves
// its core, that is an interrupt there, which drains them.
func (m *Machine) switchThread() {
	t := m.kernel.Thread(m.kernel.Current())
	home := m.home(t)
	if c := m.holder(t.TID()); c != nil && c != home {
		m.execute(c) // its affinity has changed
		m.vacate()
	}
	m.execute(home)
	if m.loaded != t.TID() {
		m.vacate()
	}
	m.enterThread(t)
}

// vacate takes the thread off the core that executes. Its registers go to its save
// area first: a power failure in between finds them in the core.
func (m *Machine) vacate() {
	if m.loaded == 0 {
		return
	}
	m.port.Fence(cachemodel.Interrupt)
	m.charge(m.id, kernel.CostSwitch, 1)
	if t := m.kernel.Thread(m.loaded); t != nil {
		regs := m.cpu.State()
		if m.rt != nil {
			m.rt.SwitchOut(m, t.TID(), &regs)
		}
		t.Regs = regs
	}
	m.loaded = 0
}

// enterThread lets the core that executes go on with a thread, which it may hold already.
func (m *Machine) enterThread(t *kernel.Thread) {
	if m.port.SetSpace(t.Process().MM) {
		m.cpu.InvalidateBlocks()
	}
	if m.loaded != t.TID() {
		m.loaded = t.TID()
		if c := m.port.Core(); c != nil {
			m.core.since, _ = c.Time()
		}
		m.cpu.SetState(&t.Regs)
	}
}

// Load gives the cores of a restarted machine the threads that they held, by core. The
// runtime calls it when it has restored all threads. Where another thread is to go on, the
// one that was there leaves the core as always, by SwitchOut: its registers may stand
// nowhere else, and must outlast the next failure.
func (m *Machine) Load(held []int32) {
	for i, tid := range held {
		if t := m.kernel.Thread(tid); t != nil {
			m.execute(&m.cores[i])
			m.enterThread(t)
		}
	}
	m.execute(&m.cores[0])
	if t := m.kernel.Thread(m.kernel.Current()); t != nil {
		m.execute(m.home(t))
		if m.loaded == 0 && m.holder(t.TID()) == nil {
			m.enterThread(t)
		}
	}
}

// Registers returns a thread's register state, wherever it is.
func (m *Machine) Registers(t *kernel.Thread) x86.State {
	if c := m.holder(t.TID()); c != nil {
		return c.cpu.State()
	}
	return t.Regs
}

// Cores returns the number of cores.
func (m *Machine) Cores() int { return len(m.cores) }

// Executing returns the core that executes, whose CPU and Port return its parts.
func (m *Machine) Executing() int { return m.id }

// Held returns the thread whose registers a core holds, 0 for none, and what the
// core's registers are.
func (m *Machine) Held(core int) (tid int32, regs x86.State) {
	c := &m.cores[core]
	return c.loaded, c.cpu.State()
}

// Buffered returns how many stores of a core are retired and not yet visible: those that a
// cut may keep or lose. Without a cache model every store is visible at once.
func (m *Machine) Buffered(core int) int {
	if m.hier == nil || core >= len(m.cores) {
		return 0
	}
	return m.hier.Core(core).BufferedStores()
}

// Skew lets a core that does not execute run on for up to n instructions of the thread
// that it holds: what it does between a power failure and the instruction boundary at
// which it accepts the interrupt. It stops before a system call or an exception, which
// the interrupt forestalls. ran is how many there were. The same call on two machines in
// the same state leaves them in the same state; the thread that runs next does not change.
func (m *Machine) Skew(core int, n uint64) (ran uint64) {
	if m.ended != nil || core >= len(m.cores) || core == m.id || m.kernel.Thread(m.cores[core].loaded) == nil {
		return 0
	}
	here := m.core
	m.execute(&m.cores[core])
	defer func() { m.execute(here) }()
	for ; ran < n; ran++ {
		before, clock := m.cpu.State(), m.cpu.Retired
		if st := m.cpu.Run(clock + 1); st.Reason != x86.StopCount {
			m.cpu.SetState(&before)
			m.cpu.Retired = clock
			return ran
		}
	}
	return ran
}
