package kernel

import (
	"fmt"
	"slices"

	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// Resource numbers of setrlimit(2).
const (
	rlimitData   = 2
	rlimitStack  = 3
	rlimitCore   = 4
	rlimitNproc  = 6
	rlimitNofile = 7
	rlimitAS     = 9
	rlimitCount  = 16

	rlimInfinity = ^uint64(0)
)

// Identity of the one process.
const initialPID, initialPPID = 1000, 999

// proc is the part of ProcState that is neither descriptors nor signals.
type proc struct {
	argStart, argEnd uint64
	cwd, exe         vfs.NodeID
	umask            uint32
	pid, ppid, tid   int32
	clearTID         uint64
	robust           [2]uint64 // head, length
	comm             [16]byte
	rlimits          [rlimitCount][2]uint64
	randPos          uint64
	slept            phys.Nanos
}

func newProc(cfg Config) proc {
	p := proc{cwd: vfs.Root, umask: 0o022, pid: initialPID, ppid: initialPPID, tid: initialPID}
	for i := range p.rlimits {
		p.rlimits[i] = [2]uint64{rlimInfinity, rlimInfinity}
	}
	p.rlimits[rlimitStack] = [2]uint64{stackSize, rlimInfinity}
	p.rlimits[rlimitCore] = [2]uint64{0, rlimInfinity}
	p.rlimits[rlimitNproc] = [2]uint64{1, 1}
	p.rlimits[rlimitNofile] = [2]uint64{cfg.OpenFiles, max(cfg.OpenFiles, 4096)}
	return p
}

// State returns the process's kernel-resident state.
func (k *Kernel) State() *ProcState {
	p := &k.proc
	s := &ProcState{
		NextID: k.files.nextID, Sig: k.signals.actions, SigMask: k.signals.mask,
		Pending: append([]Queued(nil), k.signals.queue...), AltStack: k.signals.alt,
		ArgStart: p.argStart, ArgEnd: p.argEnd, Cwd: p.cwd, Exe: p.exe, Umask: p.umask,
		PID: p.pid, PPID: p.ppid, TID: p.tid, ClearTID: p.clearTID,
		RobustHead: p.robust[0], RobustLen: p.robust[1], Comm: p.comm,
		Rlimits: p.rlimits, RandPos: p.randPos, Slept: p.slept,
	}
	if k.MM != nil {
		s.BrkStart, s.BrkEnd = k.MM.BrkRange()
	}
	for _, sl := range k.files.slots {
		s.FDs = append(s.FDs, k.fdState(sl))
	}
	for i := range k.files.pipes {
		s.Pipes = append(s.Pipes, k.files.pipes[i].state())
	}
	for _, d := range k.files.descs {
		if len(d.watches) > 0 {
			s.Epolls = append(s.Epolls, Epoll{Desc: d.id, Watches: d.watches})
		}
	}
	return s
}

func (k *Kernel) fdState(sl slot) FD {
	d := k.files.desc(sl.desc)
	return FD{Num: sl.num, Desc: d.id, Kind: d.kind, Node: d.node, Offset: d.off, OpenFlags: d.flags, CloExec: sl.cloexec, Pipe: d.pipe, Socket: d.socket}
}

// FD returns the state of one descriptor; ok is false when it is not open.
func (k *Kernel) FD(num int) (fd FD, ok bool) {
	sl := k.files.slot(num)
	if sl == nil {
		return FD{}, false
	}
	return k.fdState(*sl), true
}

// Pipe returns the state of a pipe; ok is false when there is none with that identity.
func (k *Kernel) Pipe(id int) (p Pipe, ok bool) {
	i := slices.IndexFunc(k.files.pipes, func(q pipe) bool { return q.id == id })
	if i < 0 {
		return Pipe{}, false
	}
	return k.files.pipes[i].state(), true
}

// Epoll returns what an epoll instance, given by its description, waits for.
func (k *Kernel) Epoll(id int) []Watch {
	i := slices.IndexFunc(k.files.descs, func(d desc) bool { return d.id == id })
	if i < 0 {
		return nil
	}
	return k.files.descs[i].watches
}

// Action returns the disposition of a signal, 1 to NSIG-1.
func (k *Kernel) Action(sig int) Action { return k.signals.actions[sig] }

// Restore rebuilds a process from its state after a restart. The mappings are
// installed in MM separately, and the file tree has forgotten all references
// (vfs.FS.ForgetRefs). Nothing is dirty afterwards. An error tells which
// part of the state cannot be: the image is damaged.
func (k *Kernel) Restore(s *ProcState) error {
	if err := checkState(s); err != nil {
		return err
	}
	k.proc = proc{
		argStart: s.ArgStart, argEnd: s.ArgEnd, cwd: s.Cwd, exe: s.Exe, umask: s.Umask,
		pid: s.PID, ppid: s.PPID, tid: s.TID, clearTID: s.ClearTID,
		robust: [2]uint64{s.RobustHead, s.RobustLen}, comm: s.Comm,
		rlimits: s.Rlimits, randPos: s.RandPos, slept: s.Slept,
	}
	k.signals = signals{actions: s.Sig, mask: s.SigMask, queue: slices.Clone(s.Pending), alt: s.AltStack}
	k.MM.SetBrk(s.BrkStart, s.BrkEnd)
	k.MM.SetAddressLimit(finite(s.Rlimits[rlimitAS][0]))
	k.files = files{nextID: s.NextID}
	for _, p := range s.Pipes {
		k.files.pipes = append(k.files.pipes, pipe{id: p.ID, taken: p.Taken, data: slices.Clone(p.Content)})
	}
	for _, fd := range s.FDs {
		k.restoreFD(fd)
	}
	for _, e := range s.Epolls {
		k.files.desc(e.Desc).watches = slices.Clone(e.Watches)
	}
	k.FS.Ref(s.Cwd)
	if s.Exe != 0 {
		k.FS.Ref(s.Exe)
	}
	k.unref, k.dirty = nil, Dirty{}
	return nil
}

// restoreFD adds a descriptor; the first of a description brings it along.
func (k *Kernel) restoreFD(fd FD) {
	f := &k.files
	i := slices.IndexFunc(f.descs, func(d desc) bool { return d.id == fd.Desc })
	if i < 0 {
		d := desc{id: fd.Desc, kind: fd.Kind, node: fd.Node, off: fd.Offset, flags: fd.OpenFlags, pipe: fd.Pipe, socket: fd.Socket}
		switch fd.Kind {
		case FDNode:
			k.FS.Ref(fd.Node)
		case FDPipeRead:
			f.pipe(fd.Pipe).readers++
		case FDPipeWrite:
			f.pipe(fd.Pipe).writers++
		}
		i = slices.IndexFunc(f.descs, func(d desc) bool { return d.id > fd.Desc })
		if i < 0 {
			i = len(f.descs)
		}
		f.descs = slices.Insert(f.descs, i, d)
	}
	f.descs[i].refs++
	f.slots = append(f.slots, slot{fd.Num, fd.Desc, fd.CloExec})
}

// checkState looks for what no process can have.
func checkState(s *ProcState) error {
	last := -1
	for _, fd := range s.FDs {
		switch {
		case fd.Num <= last || fd.Num > 1<<20:
			return &BadState{fmt.Sprintf("descriptor %d is out of order", fd.Num)}
		case fd.Kind < FDStdin || fd.Kind > FDEpoll:
			return &BadState{fmt.Sprintf("descriptor %d has the unknown kind %d", fd.Num, fd.Kind)}
		case fd.Desc < 1 || fd.Desc > s.NextID:
			return &BadState{fmt.Sprintf("descriptor %d belongs to description %d of %d", fd.Num, fd.Desc, s.NextID)}
		case fd.Offset < 0 && fd.Kind != FDEvent && fd.Kind != FDSemaphore:
			return &BadState{fmt.Sprintf("descriptor %d is at offset %d", fd.Num, fd.Offset)}
		case fd.Kind == FDSocket && !unixType(fd.Socket):
			return &BadState{fmt.Sprintf("descriptor %d is a socket of type %d", fd.Num, fd.Socket)}
		}
		last = fd.Num
	}
	if err := checkPipes(s); err != nil {
		return err
	}
	if err := checkEpolls(s); err != nil {
		return err
	}
	for _, q := range s.Pending {
		if q.Signal < 1 || q.Signal >= NSIG {
			return &BadState{fmt.Sprintf("signal %d is pending", q.Signal)}
		}
	}
	if s.BrkEnd < s.BrkStart {
		return &BadState{"the heap ends before it starts"}
	}
	return nil
}

// checkPipes looks for pipes without ends and ends without pipes.
func checkPipes(s *ProcState) error {
	ends := map[int]bool{}
	for _, fd := range s.FDs {
		if fd.Kind == FDPipeRead || fd.Kind == FDPipeWrite {
			ends[fd.Pipe] = true
		}
	}
	last := 0
	for _, p := range s.Pipes {
		switch {
		case p.ID <= last || p.ID > s.NextID:
			return &BadState{fmt.Sprintf("pipe %d is out of order", p.ID)}
		case len(p.Content) > PipeCapacity:
			return &BadState{fmt.Sprintf("pipe %d holds %d bytes", p.ID, len(p.Content))}
		case !ends[p.ID]:
			return &BadState{fmt.Sprintf("pipe %d has no descriptor", p.ID)}
		}
		last = p.ID
	}
	if len(ends) != len(s.Pipes) {
		return &BadState{fmt.Sprintf("%d pipes for the ends of %d", len(s.Pipes), len(ends))}
	}
	return nil
}

// checkEpolls looks for watches of nobody and of nothing.
func checkEpolls(s *ProcState) error {
	kinds := map[int]FDKind{}
	for _, fd := range s.FDs {
		kinds[fd.Desc] = fd.Kind
	}
	last := 0
	for _, e := range s.Epolls {
		if e.Desc <= last || kinds[e.Desc] != FDEpoll || !slices.IsSortedFunc(e.Watches, Watch.Compare) {
			return &BadState{fmt.Sprintf("description %d is no epoll instance or out of order", e.Desc)}
		}
		for _, w := range e.Watches {
			if k := kinds[w.Desc]; k == 0 || k == FDEpoll {
				return &BadState{fmt.Sprintf("epoll instance %d watches description %d", e.Desc, w.Desc)}
			}
		}
		last = e.Desc
	}
	return nil
}

// BadState says that a saved ProcState is damaged.
type BadState struct{ Why string }

func (e *BadState) Error() string { return "saved process state: " + e.Why }
