package kernel

import (
	"cmp"
	"fmt"
	"slices"

	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// Resource numbers of setrlimit(2).
const (
	rlimitFsize    = 1
	rlimitData     = 2
	rlimitStack    = 3
	rlimitCore     = 4
	rlimitNproc    = 6
	rlimitNofile   = 7
	rlimitMemlock  = 8
	rlimitAS       = 9
	rlimitMsgqueue = 12
	rlimitNice     = 13
	rlimitRtprio   = 14
	rlimitCount    = 16

	rlimInfinity = ^uint64(0)
)

// usualMemlock is the limit in bytes of locked memory at the start, MLOCK_LIMIT of Linux.
const usualMemlock = 8 << 20

// Identity of the first process.
const initialPID, initialPPID = 1000, 999

// system is what belongs to no process.
type system struct {
	nextID  int        // identities of descriptions and pipes handed out
	nextTID int32      // next process or thread number
	randPos uint64     // bytes drawn from the random stream
	slept   phys.Nanos // virtual time that passed without instructions
	current int32      // the thread that runs, 0 while all wait
	slice   uint64     // retired instructions at the last preemption that was decided on
	turns   uint64     // changes of current and slice so far
	waits   uint64     // waits begun: their order
	ports   uint32     // port numbers handed out
	names   uint32     // names of UNIX sockets handed out
}

func (s *system) code(c *codec) {
	code(c, &s.nextID)
	code(c, &s.nextTID)
	code(c, &s.randPos)
	code(c, &s.slept)
	code(c, &s.current)
	code(c, &s.slice)
	code(c, &s.turns)
	code(c, &s.waits)
	code(c, &s.ports)
	code(c, &s.names)
}

// Process is one process: what its threads share.
type Process struct {
	MM *mm.Space

	pid, ppid        int32
	pgid, sid        int32
	argStart, argEnd uint64 // the argument strings, for /proc/self/cmdline
	cwd, exe         vfs.NodeID
	umask            uint32
	private          bool                   // PR_SET_DUMPABLE is 0
	subreaper        bool                   // PR_SET_CHILD_SUBREAPER, kept only
	rlimits          [rlimitCount][2]uint64 // soft, hard
	queue            []Queued               // signals for any of its threads, in order of sending
	actions          [NSIG]Action           // indexed by signal number

	space      int   // identity of MM: a child of vfork lives in its parent's
	exitSignal int32 // sent to the parent at the end
	vfork      bool  // the parent waits until it leaves the parent's memory
	stopped    int32 // by this signal, 0 while it runs
	change     int32 // the last stop, or goesOn, that no wait has told of
	adopted    bool  // its parent has ended, and the first process is the parent now
	dead       bool  // it has ended and waits to be waited for
	last       *cred // then: who it was, nil for root
	status     int32 // then: as wait4(2) tells it

	timers []timer // ascending by identity

	held bool // some threads may have to wait for others to handle a power failure; see Kernel.held

	slots ordered[slot] // descriptors, by number
}

// processRecord is the part of a Process that its record holds.
type processRecord struct{ *Process }

func (p *processRecord) code(c *codec) {
	if p.Process == nil {
		p.Process = &Process{}
	}
	var heap [2]uint64
	var lock mm.Attr
	if p.MM != nil {
		heap[0], heap[1] = p.MM.BrkRange()
		lock = p.MM.LockNext()
	}
	code(c, &p.ppid)
	code(c, &p.pgid)
	code(c, &p.sid)
	code(c, &p.space)
	code(c, &p.exitSignal)
	c.flag(&p.vfork)
	code(c, &p.stopped)
	code(c, &p.change)
	c.flag(&p.adopted)
	c.flag(&p.dead)
	codeCred(c, &p.last)
	code(c, &p.status)
	code(c, &p.argStart)
	code(c, &p.argEnd)
	code(c, &p.cwd)
	code(c, &p.exe)
	code(c, &p.umask)
	code(c, &heap[0])
	code(c, &heap[1])
	code(c, &lock)
	for i := range p.rlimits {
		code(c, &p.rlimits[i][0])
		code(c, &p.rlimits[i][1])
	}
	c.flag(&p.private)
	c.flag(&p.subreaper)
	c.queued(&p.queue)
	if heap[1] < heap[0] {
		c.fail("the heap ends before it starts")
	} else if c.decoding && p.MM != nil {
		p.MM.SetBrk(heap[0], heap[1])
		p.MM.SetLockNext(lock & (mm.Locked | mm.OnFault))
	}
}

// String shows a process's record.
func (p *processRecord) String() string {
	return fmt.Sprintf("{parent %d group %d session %d memory %d vfork %v stopped %d untold %d dead %v status %#x arguments %#x-%#x directory %d program %d umask %#o private %v subreaper %v limits %v pending %v}",
		p.ppid, p.pgid, p.sid, p.space, p.vfork, p.stopped, p.change, p.dead, p.status, p.argStart, p.argEnd, p.cwd, p.exe, p.umask, p.private, p.subreaper, p.rlimits, p.queue)
}

// mapping is a mapping of a process, as its record holds it.
type mapping struct{ mm.VMA }

// Bits of a mapping's word of flags; the protection stands in bits 0 to 2, the
// kind in bits 8 to 15.
const (
	mappingShared = 1 << 16
	mappingGrows  = 1 << 17
	mappingAttrs  = 18 // first bit of the attributes
)

func (m *mapping) code(c *codec) {
	flags := uint64(m.Prot) | uint64(m.Kind)<<8 | uint64(m.Attr)<<mappingAttrs
	if m.Shared {
		flags |= mappingShared
	}
	if m.Grows {
		flags |= mappingGrows
	}
	code(c, &m.End)
	code(c, &m.Phys)
	code(c, &flags)
	code(c, &m.Node)
	code(c, &m.Off)
	code(c, &m.Seen)
	if c.decoding {
		m.Prot, m.Kind = mm.Prot(flags&7), mm.Kind(flags>>8)
		if m.Attr = mm.Attr(flags >> mappingAttrs); flags>>mappingAttrs&^uint64(mm.Attrs) != 0 {
			c.fail("a mapping with the attributes %#x", flags>>mappingAttrs)
		}
		m.Shared, m.Grows = flags&mappingShared != 0, flags&mappingGrows != 0
	}
}

func newProcess(cfg Config) *Process {
	p := &Process{MM: cfg.MM, cwd: vfs.Root, umask: 0o022, pid: initialPID,
		ppid: initialPPID, pgid: initialPID, sid: initialPID, exitSignal: SIGCHLD}
	for i := range p.rlimits {
		p.rlimits[i] = [2]uint64{rlimInfinity, rlimInfinity}
	}
	p.rlimits[rlimitStack] = [2]uint64{stackSize, rlimInfinity}
	p.rlimits[rlimitNice] = [2]uint64{0, 0}
	p.rlimits[rlimitRtprio] = [2]uint64{0, 0}
	p.rlimits[rlimitMemlock] = [2]uint64{usualMemlock, usualMemlock}
	p.rlimits[rlimitMsgqueue] = [2]uint64{mqUsualLimit, mqUsualLimit}
	p.rlimits[rlimitCore] = [2]uint64{0, rlimInfinity}
	p.rlimits[rlimitNproc] = [2]uint64{maxThreads, maxThreads}
	p.rlimits[rlimitNofile] = [2]uint64{cfg.OpenFiles, max(cfg.OpenFiles, 4096)}
	return p
}

// fork returns a copy for a fork of the machine.
func (p *Process) fork(space *mm.Space) *Process {
	c := *p
	c.MM = space
	c.queue = slices.Clone(p.queue)
	c.slots, c.timers = p.slots.fork(), slices.Clone(p.timers)
	return &c
}

// PID returns the process's number.
func (p *Process) PID() int32 { return p.pid }

// Processes returns the live processes, ascending by number.
func (k *Kernel) Processes() []*Process { return k.procs }

func (k *Kernel) findProcess(pid int32) *Process {
	i, ok := slices.BinarySearchFunc(k.procs, pid, func(p *Process, pid int32) int { return cmp.Compare(p.pid, pid) })
	if !ok {
		return nil
	}
	return k.procs[i]
}

// Action returns the first process's disposition of a signal, 1 to NSIG-1.
func (k *Kernel) Action(sig int) Action { return k.procs[0].actions[sig] }

// fileChanged tells every address space that the content of a file changed.
func (k *Kernel) fileChanged(id vfs.NodeID) {
	for _, p := range k.procs {
		p.MM.FileChanged(id)
	}
}

// fileCut tells every address space that a file got shorter.
func (k *Kernel) fileCut(id vfs.NodeID) {
	for _, p := range k.procs {
		p.MM.FileCut(id)
	}
}
