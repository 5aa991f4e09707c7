// Package sim is the machine: a volatile half (cores, caches, DRAM, kernel) and a
// durable half (PMEM, persistent files, wall clock, dirty-shutdown count).
//
// There is one order of instructions. With several cores each thread has a core of its
// own choice of the kernel, and its turn is that core's; the others keep registers,
// store buffers, write-combining buffers and private caches as they are until their
// turn comes or the power fails, which interrupts all of them.
//
// PowerCut turns a Machine into a Durable; Boot sees nothing but a Durable and
// the configuration. Nothing here knows that campaigns exist; what runs between
// program and kernel is a Runtime, implemented by runtime/wpp.
package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"zhuque/cachemodel"
	"zhuque/eadr"
	"zhuque/sim/kernel"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// Memory says where a process's memory lies and whether it survives.
type Memory string

const (
	Zhuque Memory = "zhuque" // in PMEM, under the Zhuque runtime
	Native Memory = "native" // in DRAM
	PMEM   Memory = "pmem"   // in PMEM as under Zhuque, without a runtime
)

// Config describes a machine and the program on it. It is what survives a power
// failure besides the Durable: hardware and its settings.
type Config struct {
	Program string
	Args    []string // including argv[0]
	Env     []string
	Dir     string // initial working directory, "" for /
	Memory  Memory
	Level   x86.Level
	Model   bool // with the cache model
	// ModelClock lets the core whose own time is least go next, and guests read that
	// time from the time-stamp counter; else both follow retired instructions.
	ModelClock bool
	// OnMark, when set, is called at every zhuque_mark of the guest.
	OnMark func(m *Machine, n uint64)
	Cache  cachemodel.Config
	// Kernel is what the kernel's work takes, where the model is timed.
	Kernel kernel.CostNanos
	Power  eadr.Config
	Seed   uint64
	// WallBase is the wall-clock time of the start since the Unix epoch; each
	// power failure adds Outage to the clock.
	WallBase, Outage phys.Nanos
	Files            vfs.Options
	// PageCache makes what is not synchronized get lost at a power cut, where no
	// runtime makes the effects of each call durable (see vfs.FS.CacheWrites).
	PageCache bool
	Console   *kernel.Console   // standard streams; forks and booted machines capture instead
	Preload   map[string][]byte // executables placed in the file tree before the start, by absolute path
	// SIGPWRPerThread tells every thread of a power failure, not one of each process.
	SIGPWRPerThread bool
	// Strace is told of every system call with the thread that made it; may be nil.
	Strace func(tid int32, nr uint64, args [6]uint64, result uint64)
	// Cores is how many cores the machine has, and the program sees; 0 for one.
	Cores int
	// Quantum is the mean number of instructions between two turns of threads; 0 for
	// kernel.DefaultQuantum of the number of cores.
	Quantum uint64
	// MaxInstructions stops a run that does not end, 0 for no limit.
	MaxInstructions uint64
	// MaxEvents stops a run in which so many events came that are no instruction: waits that
	// begin or go on, time that passes while all wait, timers that expire, signals. 0 for no limit.
	MaxEvents uint64
	// PMEMSize is the size of the persistent memory; 0 for 4 GiB. File pages that
	// mappings share lie in it beside that.
	PMEMSize phys.Bytes
}

// clockTurn is the mean number of instructions of a turn where the cores' own times decide
// whose turn is next: how far one core may run ahead of another.
const clockTurn = 60

func (c *Config) quantum() uint64 {
	if c.ModelClock {
		return clockTurn
	}
	return c.Quantum
}

func (c *Config) pmemSize() phys.Bytes { return cmp.Or(c.PMEMSize, memorySize) }

// volatile is lost at a power failure.
type volatile struct {
	*core          // the one that executes
	cores   []core // all of them
	hier    *cachemodel.Hierarchy
	extents *mm.Extents
	dram    *mem.Store
	kernel  *kernel.Kernel
	call    *Call   // the call in flight, nil in user mode
	spare   *Call   // what the next call is told in, nil at first
	calls   uint64  // calls and turns taken so far
	able    []int32 // with Config.ModelClock: the threads that could run at the last choice
	steps   uint64  // runtime stores since the counter was last set
	events  uint64  // those in which no instruction took effect, since the start or the last restart
	idle    idle
	spent   [kernel.Costs]phys.Cycles // of all cores for the kernel's work, where the model is timed
	stepAt  uint64                    // lose power before this runtime store (1-based), 0 for never
	stepOf  uint64                    // instructions retired when the counter was set

	earlier phys.Nanos // with Config.ModelClock: the time with power before this start

	committed uint64 // behind which step the last call took effect
}

// Durable is what a power failure leaves.
type Durable struct {
	PMEM           *mem.Store
	Files          *vfs.FS
	Retired        uint64     // the clock: instructions retired since the first process was started
	Outages        phys.Nanos // wall-clock time spent without power
	DirtyShutdowns uint64     // counted by the DIMMs
	PowerCycles    uint64

	Started uint64     // power cycle in which the first process was started, 0 without a Restart
	Earlier phys.Nanos // time with power before that start
	Uptime  phys.Nanos // time with power since then, at the last cut

	world *kernel.Console // what is outside the machine: it saw the failure, it did not fail

	// Lost is what of the files was not synchronized, one sentence each.
	Lost []string

	from *mem.Store // the dead machine's PMEM, frozen until Release
}

// Release ends the use of a Durable whose machine is to run on. A crash check
// calls it; after a real cut nobody does.
func (d *Durable) Release() {
	if d.from != nil {
		d.from.Return()
		d.from = nil
	}
}

// Call is a system call, an exception or a signal on its way through runtime and kernel.
type Call struct {
	Entry   x86.State // at kernel entry: what pt_regs holds
	Kind    CallKind
	I386    bool           // Kind Syscall: with INT 0x80
	Exc     *x86.Exception // Kind Exception
	Reissue uint64         // RIP that starts it again
	Retired uint64         // instructions retired before it
	Counted bool           // it belongs to an instruction that is retired once it took effect
	Before  kernel.Schedule

	Failures uint64 // Kind Failed: how many there have been
}

// CallKind says what brought the core into the kernel.
type CallKind uint8

const (
	Syscall CallKind = iota
	Exception
	Signal // the delivery of one pending signal
	Turn   // time that passes while all threads wait
	Failed // the processes are told of a power failure that they survived
)

// Runtime stands between the program and the kernel.
type Runtime interface {
	// Start makes a freshly loaded process persistent.
	Start(m *Machine) error
	// Call takes a system call or an exception through the kernel.
	Call(m *Machine, c *Call) kernel.Outcome
	// SwitchOut stores the registers of a thread that no core holds from now on.
	SwitchOut(m *Machine, tid int32, regs *x86.State)
	// PowerFail stores what the power-fail handler saves. pm is the dying
	// machine's PMEM; m must not be changed.
	PowerFail(m *Machine, pm *mem.Store)
	// SaveLines is the number of cache lines that PowerFail writes.
	SaveLines(m *Machine) int
	// Complete writes the complete mark, the last step of the power-fail sequence.
	Complete(pm *mem.Store)
	// Recover rebuilds the process on a booted machine or refuses with *Detected.
	Recover(m *Machine) error
	// Committed returns the number of the last call that took effect, as an image says:
	// what vfs.FS.Resolve needs where no process of the image goes on.
	Committed(pmem *mem.Store) uint64
	// Owned returns the PMEM frames [lo, hi) that hold the runtime's own state.
	Owned() (lo, hi phys.Frame)
	// Fork returns the runtime for a forked machine.
	Fork() Runtime
}

// Detected is a restart's refusal of an image, with the reason.
type Detected struct{ Reason string }

func (d *Detected) Error() string { return "image refused: " + d.Reason }

// Machine is a running machine.
type Machine struct {
	cfg *Config
	volatile
	durable Durable
	rt      Runtime
	ended   *Stop
	onCall  func(at, steps uint64)
	booting bool
	rec     *record // nil: what power cuts may leave is not explored
}

// New starts a program on a fresh machine. rt is nil without a runtime. Errors:
// *loader.NotExecutable, errors of the file system, configuration errors.
func New(cfg *Config, rt Runtime) (*Machine, error) {
	opt := cfg.Files
	opt.Hooks = kernel.Hooks()
	opt.Domain = cfg.Power.Domain.Detected()
	fs, err := vfs.New(opt)
	if err != nil {
		return nil, err
	}
	if err := preload(fs, cfg.Preload); err != nil {
		return nil, err
	}
	world := cfg.Console
	if world == nil {
		world = kernel.NewConsole(nil, nil, nil)
	}
	m, err := assemble(cfg, Durable{PMEM: mem.NewStore(), Files: fs, world: world}, rt, false, nil)
	if err != nil {
		return nil, err
	}
	if cfg.PageCache && rt == nil {
		fs.CacheWrites()
	}
	if err := m.launch(); err != nil {
		return nil, err
	}
	return m, nil
}

// launch starts the program of a machine that has a process without one.
func (m *Machine) launch() error {
	cfg := m.cfg
	if cfg.Dir != "" {
		if err := m.kernel.Chdir(cfg.Dir); err != nil {
			return fmt.Errorf("working directory %s: %w", cfg.Dir, err)
		}
	}
	if err := m.kernel.Exec(m.cpu, cfg.Program, cfg.Args, cfg.Env); err != nil {
		return err
	}
	m.loaded = m.kernel.Current()
	if err := m.kernel.Release(); err != nil {
		return err
	}
	if m.rt != nil {
		return m.rt.Start(m)
	}
	return nil
}

// assemble builds a machine with cold volatile parts around a durable half; one that
// is to boot has no process.
func assemble(cfg *Config, d Durable, rt Runtime, boot bool, blocks *Machine) (*Machine, error) {
	m := &Machine{cfg: cfg, durable: d, rt: rt}
	m.earlier = d.Uptime
	m.dram = mem.NewStore()
	m.extents = mm.NewExtents(0, dataBase(rt))
	d.Files.SetMemory(d.PMEM)
	var space *mm.Space
	if !boot {
		space = m.Space()
	}
	if err := m.build(cfg.Cores, space, blocks); err != nil {
		return nil, err
	}
	m.cpu.Retired, m.cpu.Elsewhere = d.Retired, d.Retired // time begins anew
	m.kernel = kernel.New(kernel.Config{MM: space, FS: d.Files, Console: d.world, Seed: d.seed(cfg), WallBase: cfg.WallBase + d.Outages + d.Earlier, Strace: cfg.Strace, DeferSignals: true, Quantum: cfg.quantum(), Cores: len(m.cores), MemTotal: memTotal(cfg), SIGPWRPerThread: cfg.SIGPWRPerThread})
	m.kernel.DeferInOut(rt != nil)
	m.giveCaches()
	if rt == nil {
		d.Files.WriteInPlace()
	}
	m.followClocks()
	if !boot {
		m.Attach()
	}
	return m, nil
}

// giveCaches tells the file tree of the machine's caches.
func (m *Machine) giveCaches() {
	m.durable.Files.SetCaches(nil)
	if m.hier != nil {
		m.durable.Files.SetCaches(m.hier)
	}
}

// Attach connects the kernel's address spaces to the cores. The runtime calls it when
// it has restored them.
func (m *Machine) Attach() {
	cores := m.cores
	m.kernel.Attach(m.Space, func() {
		cores[0].port.FlushTLB() // all of them
		for i := range cores {
			cores[i].cpu.InvalidateBlocks()
		}
	})
}

// Space returns an empty address space, for a process that is restored.
func (m *Machine) Space() *mm.Space {
	return mm.New(mm.Config{Placement: placement(m.cfg.Memory), DRAM: m.dram, PMEM: m.durable.PMEM,
		Files: m.durable.Files, Extents: m.extents, PMEMBase: dataBase(m.rt),
		DRAMSize: memorySize, PMEMSize: m.cfg.pmemSize()})
}

// memorySize is how much of each kind of memory there is when nobody says otherwise.
// /proc/meminfo tells of that which holds the process.
// A guest that touches more gets SIGBUS, and ENOMEM when it maps more at once.
const memorySize = phys.Bytes(4) << 30

// memTotal is the size of the memory that holds the process.
func memTotal(cfg *Config) phys.Bytes {
	if cfg.Memory == Native {
		return memorySize
	}
	return cfg.pmemSize()
}

// preload puts executables into the file tree.
func preload(fs *vfs.FS, files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := place(fs, name, files[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// place creates one executable and the directories above it.
func place(fs *vfs.FS, name string, data []byte) error {
	dir := vfs.Root
	for {
		first, rest, more := strings.Cut(strings.TrimPrefix(name, "/"), "/")
		if !more {
			id, err := fs.Create(dir, first, 0o755)
			if err == nil {
				_, err = fs.WriteAt(id, data, 0)
			}
			return err
		}
		at, err := fs.Locate(dir, first, true)
		if err != nil {
			return err
		}
		if at.Node == 0 {
			if at.Node, err = fs.Mkdir(dir, first, 0o755); err != nil {
				return err
			}
		}
		dir, name = at.Node, rest
	}
}

func dataBase(rt Runtime) phys.Addr {
	if rt == nil {
		return phys.PMEMBase
	}
	_, hi := rt.Owned()
	return hi.Addr()
}

func placement(memory Memory) mm.Placement {
	switch memory {
	case Zhuque, PMEM: // alike, so that what the two differ by is the runtime
		return mm.Placement{Anon: mm.PMEM, PrivateWritable: mm.PMEM, ReadOnlyFile: mm.DRAM}
	case Native:
		return mm.Placement{Anon: mm.DRAM, PrivateWritable: mm.DRAM, ReadOnlyFile: mm.DRAM}
	}
	panic(fmt.Sprintf("BUG: memory mode %q", memory))
}

// lines gives the cache model the current bytes of a line.
type lines struct{ dram, pmem *mem.Store }

func (s lines) ReadLine(l phys.LineAddr, dst *[phys.LineSize]byte) {
	st := s.dram
	if l.IsPMEM() {
		st = s.pmem
	}
	a := l.Addr()
	copy(dst[:], st.Raw(a.Frame())[a&phys.PageMask:])
}

// CPU returns the processor that executes now, which holds the registers of the thread that runs.
func (m *Machine) CPU() *x86.CPU { return m.cpu }

// Kernel returns the volatile Linux.
func (m *Machine) Kernel() *kernel.Kernel { return m.kernel }

// Port returns the way to memory of the core that executes now.
func (m *Machine) Port() *mem.Port { return m.port }

// Store returns the memory that holds a physical address.
func (m *Machine) Store(a phys.Addr) *mem.Store {
	if a.IsPMEM() {
		return m.durable.PMEM
	}
	return m.dram
}

// OnCall sets a function that is told of every completed call: the instructions
// retired before it began, and how many stores the runtime has made since then. Calls
// that do not count as an instruction come with the number of the one that follows.
func (m *Machine) OnCall(f func(at, steps uint64)) {
	m.onCall = f
	m.countSteps()
}

// Output returns what the program wrote to standard output and standard error
// so far, where the console captures (see kernel.Console).
func (m *Machine) Output() (stdout, stderr []byte) { return m.durable.world.Output() }

// Consumed returns how many bytes of standard input the program has read.
func (m *Machine) Consumed() int { return m.durable.world.Consumed() }

// Ended returns how the machine came to its end, Reached when it has not.
func (m *Machine) Ended() Stop {
	if m.ended == nil {
		return Stop{Reason: Reached}
	}
	return *m.ended
}

// Config returns the configuration.
func (m *Machine) Config() *Config { return m.cfg }

// Hierarchy returns the cache model, nil without one.
func (m *Machine) Hierarchy() *cachemodel.Hierarchy { return m.hier }

// Calls returns how many calls and turns the machine has taken: kernel-resident state
// changes in these only.
func (m *Machine) Calls() uint64 { return m.calls }

// InCall returns the call in flight, nil in user mode.
func (m *Machine) InCall() *Call { return m.call }

// Durable gives the runtime the durable half of a booting machine.
func (m *Machine) Durable() *Durable { return &m.durable }

// Retired returns the number of instructions completed since the program's first.
func (m *Machine) Retired() uint64 { return m.cpu.Retired }

// Fork returns an independent machine in the same state. Cost is constant in
// the size of memory.
func (m *Machine) Fork() *Machine {
	c := &Machine{cfg: m.cfg, ended: m.ended, durable: m.durable}
	c.events, c.idle = m.events, m.idle
	c.durable.from = nil
	c.durable.PMEM = m.durable.PMEM.Fork()
	c.durable.Files = m.durable.Files.Fork()
	c.durable.Files.SetMemory(c.durable.PMEM)
	c.dram = m.dram.Fork()
	if m.hier != nil {
		c.hier = m.hier.Fork(lines{c.dram, c.durable.PMEM})
	}
	c.giveCaches()
	c.durable.world = m.durable.world.Fork(false)
	c.extents = m.extents.Fork()
	space := func(s *mm.Space) *mm.Space { return s.Fork(c.dram, c.durable.PMEM, c.durable.Files, c.extents) }
	c.kernel = m.kernel.Fork(space, c.durable.Files, c.durable.world)
	c.forkCores(m)
	c.able, c.spent, c.earlier = slices.Clone(m.able), m.spent, m.earlier
	c.followClocks()
	c.Attach()
	if m.rt != nil {
		c.rt = m.rt.Fork()
	}
	if m.rec != nil {
		m.rec.fork(c)
	}
	m.port.FlushTLB()
	return c
}
