// Package kernel is the volatile Linux of the machine: system calls, descriptors,
// signals, clocks and the start of programs, for one process with one thread.
//
// Nothing in it survives a power cut. What the process saw of it is given to the
// Zhuque runtime as a ProcState and rebuilt from one after a restart. Effects on
// the world outside (console output, consumed input) and the loss of old state
// (freed memory, deleted files) wait for Release, so that a call that was cut
// before it was committed can be issued again.
//
// Left out: several threads and processes, sockets that find a peer, timers that interrupt,
// permissions (the guest is root), terminals beyond isatty. Table lists every
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
	MM      *mm.Space
	FS      *vfs.FS // made with Hooks in its Options
	Console *Console
	Seed    uint64 // of AT_RANDOM and getrandom

	// WallBase is the wall-clock time, since the Unix epoch, at which the
	// program's first instruction ran.
	WallBase phys.Nanos
	// MemTotal is the memory that /proc/meminfo and sysinfo show; zero: 4 GiB.
	MemTotal phys.Bytes
	// OpenFiles is the initial RLIMIT_NOFILE; zero: 1024.
	OpenFiles uint64
	// DeferSignals leaves signals that a call makes deliverable to DeliverOne, so
	// that each delivery can be committed by itself: a delivery may overwrite what
	// the call before it has read, and must not make that call unrepeatable.
	DeferSignals bool
	// Strace, when set, is called after every system call with its number, its
	// arguments and its result.
	Strace func(nr uint64, args [6]uint64, result uint64)
}

// Kernel is the kernel of one process.
type Kernel struct {
	MM *mm.Space
	FS *vfs.FS

	cfg     Config
	console *Console
	clock   uint64 // instructions retired at the last entry

	proc    proc
	files   files
	signals signals

	unref []vfs.NodeID // nodes to let go of at Release
	dirty Dirty

	hooked bool // FS has this kernel's hooks
	spare  call // of the last call, for its memory

	deferring bool
	inOut     []InOut
}

// Outcome is how a system call or an exception ended for the machine.
type Outcome struct {
	Exited      bool
	Status      int              // exit status, when Exited and Signal is zero
	Signal      int              // the signal that killed the process
	CoreDump    bool             // the signal's default action is to dump core
	Unsupported *x86.Unsupported // the run stops: the kernel lacks what the guest needs
	Err         error            // the run stops: the host failed to deliver a file
}

// Stops reports whether the process cannot go on.
func (o Outcome) Stops() bool { return o.Exited || o.Unsupported != nil || o.Err != nil }

// New returns the kernel of a process that has no program yet: see Exec and
// Restore. Descriptors 0, 1 and 2 are the console.
func New(cfg Config) *Kernel {
	if cfg.MemTotal == 0 {
		cfg.MemTotal = 4 << 30
	}
	if cfg.OpenFiles == 0 {
		cfg.OpenFiles = 1024
	}
	k := &Kernel{MM: cfg.MM, FS: cfg.FS, cfg: cfg, console: cfg.Console}
	k.proc = newProc(cfg)
	k.signals.alt.Flags = ssDisable
	k.files.openConsole()
	return k
}

// Fork returns an independent copy on a fork of the machine. It may be taken in
// the middle of a call; the copy is then good for State and a power cut only.
func (k *Kernel) Fork(space *mm.Space, fs *vfs.FS, console *Console) *Kernel {
	c := *k
	c.MM, c.FS, c.console = space, fs, console
	c.cfg.MM, c.cfg.FS, c.cfg.Console = space, fs, console
	c.files = k.files.fork()
	c.signals.queue = append([]Queued(nil), k.signals.queue...)
	c.unref = append([]vfs.NodeID(nil), k.unref...)
	c.dirty = k.dirty.clone()
	c.inOut = append([]InOut(nil), k.inOut...)
	c.hooked, c.spare = false, call{}
	return &c
}

// enter starts a call or an exception of the processor c. A fork that never runs
// need not have hooks, which cost more than all the rest of it.
func (k *Kernel) enter(c *x86.CPU) *call {
	k.clock = c.Retired
	if !k.hooked && k.FS != nil {
		k.Own()
	}
	k.spare = call{Kernel: k, cpu: c, port: c.Port, read: k.spare.read[:0]}
	return &k.spare
}

// SetStrace replaces the tracer of system calls; nil for none.
func (k *Kernel) SetStrace(f func(nr uint64, args [6]uint64, result uint64)) { k.cfg.Strace = f }

// Release lets the effects of committed calls out: console output, consumed
// input, memory and files that were given up.
func (k *Kernel) Release() error {
	k.MM.ReleaseFreed()
	for _, id := range k.unref {
		k.FS.Unref(id)
	}
	k.unref = k.unref[:0]
	k.FS.ReleaseFrames()
	return k.console.release()
}

var _ mm.Files = (*vfs.FS)(nil)
var _ mem.AddressSpace = (*mm.Space)(nil)
