package kernel

import (
	"fmt"
	"strings"
	"zhuque/sim/kernel/errno"

	"zhuque/sim/kernel/vfs"
)

// view is the process, and the thread of it, that a file below /proc/PID shows; the
// thread is nil when the process has ended.
type view struct {
	*Kernel
	p     *Process
	t     *Thread
	whole bool // of the process, not of the thread alone
}

// view finds whom a directory in /proc is about.
func (k *Kernel) view(task vfs.Task) (view, bool) {
	t := k.findThread(task.ID)
	if p := k.findProcess(task.ID); p != nil && !task.Thread {
		if t == nil && !p.dead {
			t = k.members(p)[0] // its first thread has ended
		}
		return view{k, p, t, true}, true
	}
	if t == nil {
		return view{}, false
	}
	return view{k, t.proc, t, !task.Thread}, true
}

// id returns the number that the view's directory has.
func (v view) id() int32 {
	if v.whole || v.t == nil {
		return v.p.pid
	}
	return v.t.tid
}

// of makes a file's content from whom it is about.
func (k *Kernel) of(content func(view) []byte) func(vfs.Task) []byte {
	return func(task vfs.Task) []byte {
		if v, ok := k.view(task); ok {
			return content(v)
		}
		return nil
	}
}

// always makes a file that is about nobody.
func always(content func() []byte) func(vfs.Task) []byte {
	return func(vfs.Task) []byte { return content() }
}

// processOf returns the process of the process or thread with a number.
func (k *Kernel) processOf(id int32) (pid int32, ok bool) {
	if k.findProcess(id) != nil {
		return id, true
	}
	if t := k.findThread(id); t != nil {
		return t.proc.pid, true
	}
	return 0, false
}

func (k *Kernel) listProcesses() (pids []int32) {
	for _, p := range k.procs {
		pids = append(pids, p.pid)
	}
	return pids
}

func (k *Kernel) listThreads(pid int32) (tids []int32) {
	for _, t := range k.threads {
		if t.proc.pid == pid {
			tids = append(tids, t.tid)
		}
	}
	return tids
}

// state is how a process or a thread is, as /proc tells it: a letter and a word.
func (v view) state() (letter, word string) {
	switch {
	case v.p.dead:
		return "Z", "zombie"
	case v.p.stopped != 0:
		return "T", "stopped"
	case v.t != v.thread && !v.runnable(v.t), v.sys.current == 0:
		return "S", "sleeping"
	}
	return "R", "running"
}

func (v view) comm() string {
	if v.t == nil {
		return ""
	}
	return cString(v.t.comm[:])
}

// rename names a thread; only those of its process may.
func (k *Kernel) rename(task vfs.Task, name []byte) error {
	v, ok := k.view(task)
	switch {
	case !ok || v.t == nil:
		return errno.ESRCH
	case v.p != k.proc:
		return errno.EINVAL
	}
	v.t.setName(name)
	k.touchThread(v.t)
	return nil
}

// setName names a thread as far as there is room and up to a NUL.
func (t *Thread) setName(name []byte) {
	t.comm = [16]byte{}
	copy(t.comm[:15], cString(name[:min(len(name), 15)]))
}

func (v view) procComm() []byte { return append([]byte(v.comm()), '\n') }

// sets returns the signals that a process ignores and those that it handles.
func (p *Process) sets() (ignored, caught uint64) {
	for sig := 1; sig < NSIG; sig++ {
		switch h := p.actions[sig].Handler; {
		case h == sigIgn:
			ignored |= bit(sig)
		case h > sigIgn:
			caught |= bit(sig)
		}
	}
	return ignored, caught
}

func (v view) procStatus() []byte {
	letter, word := v.state()
	u := v.whoIs(v.p)
	if v.t != nil {
		u = v.t.who()
	}
	b := fmt.Appendf(nil, "Name:\t%s\nUmask:\t%04o\nState:\t%s (%s)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\nUid:\t%s\nGid:\t%s\nFDSize:\t%d\nGroups:\t%s \n",
		v.comm(), v.p.umask, letter, word, v.p.pid, v.id(), v.p.ppid, u.user.tabbed(), u.group.tabbed(), v.p.tableSize(), strings.Trim(fmt.Sprint(u.groups), "[]"))
	if !v.p.dead {
		kb := v.p.MM.Mapped() >> 10
		b = fmt.Appendf(b, "VmPeak:\t%8d kB\nVmSize:\t%8d kB\nVmLck:\t%8d kB\nVmPin:\t%8d kB\nVmHWM:\t%8d kB\nVmRSS:\t%8d kB\n", kb, kb, v.p.MM.Locked()>>10, 0, kb, kb)
	}
	own, mask := uint64(0), uint64(0)
	if v.t != nil {
		own, mask = set(v.t.queue), v.t.mask
	}
	ignored, caught := v.p.sets()
	cores := v.coreMask()
	if v.t != nil {
		cores = v.allowed(v.t)
	}
	return fmt.Appendf(b, "Threads:\t%d\nSigQ:\t%d/%d\nSigPnd:\t%016x\nShdPnd:\t%016x\nSigBlk:\t%016x\nSigIgn:\t%016x\nSigCgt:\t%016x\nCapInh:\t%016x\nCapPrm:\t%016x\nCapEff:\t%016x\nCapBnd:\t%016x\nCapAmb:\t%016x\nNoNewPrivs:\t%d\nSeccomp:\t0\nCpus_allowed:\t%x\nCpus_allowed_list:\t%s\nvoluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n",
		v.threadCount(), len(v.p.queue), maxQueued, own, set(v.p.queue), mask, ignored, caught, u.inheritable, u.permitted, u.effective, u.bounding, u.ambient, flagWord(u.noNewPrivs), cores, coreRanges(cores))
}

// tableSize is how many descriptors the process's table has room for, as Linux grows it: for
// those that are open now, as Linux's never shrinks. Of what is beyond it select(2) is blind.
func (p *Process) tableSize() int {
	size := 64
	for s := p.slots.last(); s != nil && s.num >= size; {
		size *= 2
	}
	return size
}

func (v view) threadCount() int {
	if v.p.dead {
		return 1
	}
	return len(v.members(v.p))
}

// coreRanges shows a set of cores as a list of ranges.
func coreRanges(cores uint64) (text string) {
	for i := 0; i < 64; i++ {
		if cores>>i&1 == 0 {
			continue
		}
		last := i
		for last < 63 && cores>>(last+1)&1 != 0 {
			last++
		}
		if text != "" {
			text += ","
		}
		if text += fmt.Sprint(i); last > i {
			text += fmt.Sprintf("-%d", last)
		}
		i = last
	}
	return text
}

// procStat is /proc/PID/stat; what is not known is zero. There is one account of
// processor time, which every process shows.
func (v view) procStat() []byte {
	letter, _ := v.state()
	ticks := uint64(v.cpuTime() / (second / 100))
	heap, size, core := uint64(0), uint64(0), 0
	pending, mask := set(v.p.queue), uint64(0)
	if !v.p.dead {
		heap, _ = v.p.MM.BrkRange()
		size = v.p.MM.Mapped()
	}
	sched := scheduling{}
	if v.t != nil {
		sched = v.t.sched
		core, pending, mask = v.CoreOf(v.t), v.t.pending(), v.t.mask
	}
	const low = 1<<31 - 1 // of the signals only the first 31 are shown
	ignored, caught := v.p.sets()
	wchan := 0
	if letter == "S" {
		wchan = 1
	}
	tty, foreground := 0, int32(-1)
	if t := v.controlling(v.p); t != nil {
		tty, foreground = vfs.TerminalMajor<<8|t.number, t.group
	}
	b := fmt.Appendf(nil, "%d (%s) %s %d %d %d %d %d 4194304 0 0 0 0 %d 0 0 0 %d %d %d 0 0 %d %d 18446744073709551615 0 0 0 0 0 %d %d %d %d %d 0 0 %d %d %d %d 0 0 0 0 0 %d",
		v.id(), v.comm(), letter, v.p.ppid, v.p.pgid, v.p.sid, tty, foreground,
		ticks, sched.priority(), sched.nice, v.threadCount(), size, size/blockSize,
		pending&low, mask&low, ignored&low, caught&low, wchan, v.p.exitSignal, core, sched.rtPrio, sched.policy, heap)
	env, exit := uint64(0), int32(0)
	if v.p.argEnd != 0 {
		env = stackEnd
	}
	if v.p.dead {
		exit = v.p.status
	}
	return fmt.Appendf(b, " %d %d %d %d %d\n", v.p.argStart, v.p.argEnd, v.p.argEnd, env, exit)
}

func (v view) procStatm() []byte {
	pages := uint64(0)
	if !v.p.dead {
		pages = v.p.MM.Mapped() / blockSize
	}
	return fmt.Appendf(nil, "%d %d 0 0 0 %d 0\n", pages, pages, pages)
}

// link is the text of a link to a node that a process holds, nothing when it has ended.
func (k *Kernel) link(node func(*Process) vfs.NodeID) func(vfs.Task) []byte {
	return k.of(func(v view) []byte {
		if v.p.dead || node(v.p) == 0 {
			return nil
		}
		path, ok := v.FS.Path(node(v.p))
		if !ok {
			return []byte("(deleted)")
		}
		return []byte(path)
	})
}

// listFDs is /proc/PID/fd.
func (k *Kernel) listFDs(task vfs.Task) []vfs.FD {
	v, ok := k.view(task)
	if !ok {
		return nil
	}
	out := make([]vfs.FD, 0, v.p.slots.n)
	for s := range v.p.slots.all() {
		d := k.files.desc(s.desc)
		if d.node != 0 {
			out = append(out, vfs.FD{Num: s.num, Node: d.node})
			continue
		}
		out = append(out, vfs.FD{Num: s.num, Target: k.targetOf(d)})
	}
	return out
}

// targetOf is the text of the link to a description that is no node.
func (k *Kernel) targetOf(d *desc) string {
	switch d.kind {
	case FDPipeRead, FDPipeWrite, FDPipeBoth:
		return fmt.Sprintf("pipe:[%d]", d.pipe)
	case FDEvent, FDSemaphore:
		return "anon_inode:[eventfd]"
	case FDEpoll:
		return "anon_inode:[eventpoll]"
	case FDTimer:
		return "anon_inode:[timerfd]"
	case FDSignal:
		return "anon_inode:[signalfd]"
	case FDInotify:
		return "anon_inode:inotify"
	case FDQueue:
		if name := k.files.ipc.mqueue(d.socket).name; name != "" {
			return "/" + name
		}
		return "/ (deleted)"
	case FDSocket:
		return fmt.Sprintf("socket:[%d]", d.socket)
	}
	if k.console.isTerminal(d.kind) {
		return "/dev/tty"
	}
	return fmt.Sprintf("pipe:[console%d]", d.kind-FDStdin)
}

// fdInfo is /proc/PID/fdinfo/num. Source: proc(5).
func (k *Kernel) fdInfo(task vfs.Task, num int) []byte {
	v, ok := k.view(task)
	if !ok {
		return nil
	}
	s := v.p.slot(num)
	if s == nil {
		return nil
	}
	d := k.files.desc(s.desc)
	pos, flags := d.off, d.flags
	if d.kind != FDNode {
		pos = 0
	}
	if s.cloexec {
		flags |= oCloexec
	}
	ino := uint64(d.node)
	if ino == 0 {
		ino = uint64(d.pipe)
	}
	b := fmt.Appendf(nil, "pos:\t%d\nflags:\t0%o\nmnt_id:\t%d\nino:\t%d\n", pos, flags, 15, ino)
	switch d.kind {
	case FDEvent, FDSemaphore:
		b = fmt.Appendf(b, "eventfd-count: %16x\n", uint64(d.off))
	case FDSignal:
		b = fmt.Appendf(b, "sigmask:\t%016x\n", uint64(d.off))
	case FDInotify:
		for _, m := range v.files.marks {
			if m.desc == d.id {
				b = fmt.Appendf(b, "inotify wd:%x ino:%x sdev:%x mask:%x ignored_mask:0 \n",
					m.wd, uint64(m.node), mountFacts[v.FS.Mount(m.node)].dev, m.events)
			}
		}
	case FDEpoll:
		for w := range d.watches.all {
			b = fmt.Appendf(b, "tfd: %8d events: %8x data: %16x  pos:0 ino:0 sdev:0\n", w.FD, w.Events, w.Data)
		}
	}
	return b
}
