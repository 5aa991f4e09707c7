// Package kernel is the volatile Linux of the machine: system calls, processes and
// threads, descriptors, signals, clocks and the start of programs.
//
// Nothing in it survives a power cut. What the processes saw of it is given to the
// Zhuque runtime as Records and rebuilt from them after a restart. Effects on
// the world outside (console output, consumed input) and the loss of old state
// (freed memory, deleted files) wait for Release, so that a call that was cut
// before it was committed can be issued again.
//
// Left out: namespaces, security modules, capabilities of files. Table lists every
// call with its state. Guest memory is reached through mem.Port only.
//
// It must not import the Zhuque runtime, the cache model's internals or anything
// of a campaign. Sources: Linux man pages section 2, the System V ABI for x86-64.
package kernel

import (
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// Config is what a Kernel is built from.
type Config struct {
	MM      *mm.Space // of the first process
	FS      *vfs.FS   // made with Hooks in its Options
	Console *Console
	Seed    uint64 // of AT_RANDOM and getrandom

	// WallBase is the wall-clock time, since the Unix epoch, at which the
	// program's first instruction ran.
	WallBase phys.Nanos
	// MemTotal is the memory that /proc/meminfo and sysinfo show; zero: 4 GiB.
	MemTotal phys.Bytes
	// OpenFiles is the initial RLIMIT_NOFILE; zero: 1024.
	OpenFiles uint64
	// Quantum is the mean number of instructions after which another thread may get
	// its turn; zero: DefaultQuantum.
	Quantum uint64
	// Cores is how many processor cores the processes see and run on, at most 64; zero: 1.
	Cores int
	// DeferSignals leaves signals that a call makes deliverable to DeliverOne, so
	// that each delivery can be committed by itself: a delivery may overwrite what
	// the call before it has read, and must not make that call unrepeatable.
	DeferSignals bool
	// SIGPWRPerThread tells every thread of a power failure, not one of each process.
	SIGPWRPerThread bool
	// Strace, when set, is called after every system call with the thread, the
	// call's number, its arguments and its result.
	Strace func(tid int32, nr uint64, args [6]uint64, result uint64)
}

// Kernel is the kernel of a machine.
type Kernel struct {
	MM *mm.Space // of the current process
	FS *vfs.FS

	cfg     Config
	console *Console
	outside Outside
	clock   uint64 // instructions retired at the last entry
	pick    func(able []int32, leaves int32) int32
	leaves  int32      // inside a call: the thread that gives way to others
	keeper  Timekeeper // nil: time is what has retired and what was slept
	work    Work       // done since TakeWork

	sys     system
	procs   []*Process // ascending by number; the first is the program that was started
	threads []*Thread  // ascending by number
	files   files
	proc    *Process // the current thread's
	thread  *Thread  // the current one, or the last that was
	acting  *cred    // whose rights count during a part of a call, nil for the current thread's
	viewer  *Thread  // whose view of a descriptor is asked for, nil for the current thread's

	unref []vfs.NodeID // nodes to let go of at Release
	dirty []Key        // records that changed, ascending

	changed func()           // see Attach
	makes   func() *mm.Space // see Attach
	old     []*mm.Space      // address spaces whose memory is freed at Release

	hooked bool // FS has this kernel's hooks
	spare  call // of the last call, for its memory

	deferring bool
	noBarrier bool // see Loss.Barrier
	inOut     []InOut
	born      []int32 // threads made by the last call
}

// Outcome is how a system call or an exception ended for the machine. Kernel.Current
// tells which thread goes on.
type Outcome struct {
	Again       bool // the thread stands at its SYSCALL again, which does not count as retired
	Exited      bool
	Status      int              // exit status, when Exited and Signal is zero
	Signal      int              // the signal that killed the process
	CoreDump    bool             // the signal's default action is to dump core
	Unsupported *x86.Unsupported // the run stops: the kernel lacks what the guest needs
	Err         error            // the run stops: the host failed to deliver a file
}

// Stops reports whether the process cannot go on.
func (o Outcome) Stops() bool { return o.Exited || o.Unsupported != nil || o.Err != nil }

// New returns a kernel with one process that has no program yet, see Exec; its
// descriptors 0, 1 and 2 are the console. Without an address space there is no
// process: see Restore.
func New(cfg Config) *Kernel {
	if cfg.MemTotal == 0 {
		cfg.MemTotal = 4 << 30
	}
	if cfg.OpenFiles == 0 {
		cfg.OpenFiles = 1024
	}
	if cfg.Cores == 0 {
		cfg.Cores = 1
	}
	if cfg.Quantum == 0 {
		cfg.Quantum = DefaultQuantum(cfg.Cores)
	}
	k := &Kernel{MM: cfg.MM, FS: cfg.FS, cfg: cfg, console: cfg.Console, outside: nowhere{}}
	if k.console != nil && k.console.Outside != nil {
		k.outside = k.console.Outside
	}
	if cfg.FS != nil {
		k.Own()
	}
	if cfg.MM == nil {
		return k
	}
	k.proc = newProcess(cfg)
	k.thread = &Thread{tid: initialPID, proc: k.proc, alt: AltStack{Flags: ssDisable}}
	k.procs, k.threads = []*Process{k.proc}, []*Thread{k.thread}
	k.sys.nextTID, k.sys.current = initialPID, initialPID
	k.openConsole()
	return k
}

// Fork returns an independent copy on a fork of the machine; space gives the copy
// of each address space. It may be taken in the middle of a call; the copy is then
// good for Records and a power cut only.
func (k *Kernel) Fork(space func(*mm.Space) *mm.Space, fs *vfs.FS, console *Console) *Kernel {
	c := *k
	c.FS, c.console = fs, console
	c.cfg.MM, c.cfg.FS, c.cfg.Console = nil, fs, console
	c.files = k.files.fork()
	c.procs, c.threads = make([]*Process, len(k.procs)), make([]*Thread, len(k.threads))
	spaces := map[*mm.Space]*mm.Space{} // only looked up
	for i, p := range k.procs {
		if spaces[p.MM] == nil {
			spaces[p.MM] = space(p.MM)
		}
		c.procs[i] = p.fork(spaces[p.MM])
	}
	for i, t := range k.threads {
		c.threads[i] = t.fork(c.findProcess(t.proc.pid))
	}
	c.proc, c.thread = c.procs[0], c.threads[0]
	c.MM = c.proc.MM
	c.setCurrent()
	c.unref = append([]vfs.NodeID(nil), k.unref...)
	c.dirty = append([]Key(nil), k.dirty...)
	c.inOut = append([]InOut(nil), k.inOut...)
	c.hooked, c.changed, c.makes, c.old, c.spare, c.outside = false, nil, nil, nil, call{}, nowhere{}
	return &c
}

// enter starts a call or an exception of the processor c. A fork that never runs
// need not have hooks, which cost more than all the rest of it.
func (k *Kernel) enter(c *x86.CPU) *call {
	k.clock = c.Retired
	if !k.hooked && k.FS != nil {
		k.Own()
	}
	k.fromOutside()
	k.spare = call{Kernel: k, cpu: c, port: c.Port, read: k.spare.read[:0]}
	return &k.spare
}

// SetStrace replaces the tracer of system calls; nil for none.
func (k *Kernel) SetStrace(f func(tid int32, nr uint64, args [6]uint64, result uint64)) {
	k.cfg.Strace = f
}

// Release lets the effects of committed calls out: console output, consumed
// input, memory and files that were given up.
func (k *Kernel) Release() error {
	for _, p := range k.procs {
		p.MM.ReleaseFreed()
	}
	for _, s := range k.old {
		s.ReleaseFreed()
	}
	k.old = k.old[:0]
	for _, id := range k.unref {
		k.FS.Unref(id)
	}
	k.unref = k.unref[:0]
	k.FS.ReleaseFrames()
	k.outside.Release()
	return k.console.release()
}

var _ mm.Files = (*vfs.FS)(nil)
var _ mem.AddressSpace = (*mm.Space)(nil)
