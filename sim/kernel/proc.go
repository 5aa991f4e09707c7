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
	return s
}

func (k *Kernel) fdState(sl slot) FD {
	d := k.files.desc(sl.desc)
	fd := FD{Num: sl.num, Desc: d.id, Kind: d.kind, Node: d.node, Offset: d.off, OpenFlags: d.flags, CloExec: sl.cloexec, Pipe: d.pipe}
	if d.kind == FDPipeRead {
		fd.Content = k.files.pipe(d.pipe).data
	}
	return fd
}

// FD returns the state of one descriptor; ok is false when it is not open.
func (k *Kernel) FD(num int) (fd FD, ok bool) {
	sl := k.files.slot(num)
	if sl == nil {
		return FD{}, false
	}
	return k.fdState(*sl), true
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
	for _, fd := range s.FDs {
		k.restoreFD(fd)
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
		d := desc{id: fd.Desc, kind: fd.Kind, node: fd.Node, off: fd.Offset, flags: fd.OpenFlags, pipe: fd.Pipe}
		switch fd.Kind {
		case FDNode:
			k.FS.Ref(fd.Node)
		case FDPipeRead, FDPipeWrite:
			k.restorePipe(fd)
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

func (k *Kernel) restorePipe(fd FD) {
	f := &k.files
	i := slices.IndexFunc(f.pipes, func(p pipe) bool { return p.id >= fd.Pipe })
	if i < 0 {
		i = len(f.pipes)
	}
	if i == len(f.pipes) || f.pipes[i].id != fd.Pipe {
		f.pipes = slices.Insert(f.pipes, i, pipe{id: fd.Pipe})
	}
	p := &f.pipes[i]
	if fd.Kind == FDPipeWrite {
		p.writers++
		return
	}
	p.readers++
	p.data = slices.Clone(fd.Content)
}

// checkState looks for what no process can have.
func checkState(s *ProcState) error {
	last := -1
	for _, fd := range s.FDs {
		switch {
		case fd.Num <= last || fd.Num > 1<<20:
			return &BadState{fmt.Sprintf("descriptor %d is out of order", fd.Num)}
		case fd.Kind < FDStdin || fd.Kind > FDPipeWrite:
			return &BadState{fmt.Sprintf("descriptor %d has the unknown kind %d", fd.Num, fd.Kind)}
		case fd.Desc < 1 || fd.Desc > s.NextID || fd.Pipe < 0 || fd.Pipe > s.NextID:
			return &BadState{fmt.Sprintf("descriptor %d belongs to description %d of %d", fd.Num, fd.Desc, s.NextID)}
		case fd.Offset < 0 || len(fd.Content) > pipeCapacity:
			return &BadState{fmt.Sprintf("descriptor %d is at offset %d with %d bytes in its pipe", fd.Num, fd.Offset, len(fd.Content))}
		}
		last = fd.Num
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

// BadState says that a saved ProcState is damaged.
type BadState struct{ Why string }

func (e *BadState) Error() string { return "saved process state: " + e.Why }
