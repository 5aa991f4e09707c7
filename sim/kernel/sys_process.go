package kernel

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/loader"
	"zhuque/sim/x86"
)

// Options of wait4(2) and waitid(2), and values of si_code for SIGCHLD.
const (
	waitNohang    = 1
	waitUntraced  = 2
	waitExited    = 4
	waitContinued = 8
	waitNowait    = 0x1000000
	waitNothread  = 0x20000000
	waitAll       = 0x40000000
	waitClone     = 0x80000000

	cldExited = 1
	cldKilled = 2
	cldDumped = 3

	saNocldwait = 2
)

// anyChild is what a wait for any child waits for.
const anyChild = -1

func sysFork(c *call) (uint64, error) { return c.clone(cloneArgs{signal: SIGCHLD}) }

func sysVfork(c *call) (uint64, error) {
	return c.clone(cloneArgs{flags: cloneVM | cloneVfork, signal: SIGCHLD})
}

// forkProcess makes a process that is a copy of the caller's, or with CLONE_VM and
// CLONE_VFORK one that lives in the caller's memory until it runs another program or
// ends; the caller waits for that.
func (c *call) forkProcess(a cloneArgs) (uint64, error) {
	f := a.flags
	if w := c.thread.wait; w != nil && w.vfork != 0 {
		return c.vforked(w.vfork) // issued again
	}
	const fs, newNS, sighand, newUser, newPID = 0x200, 0x20000, 0x800, 0x10000000, 0x20000000 // of clone(2)
	switch {
	case f&sighand != 0 && f&cloneVM == 0, f&fs != 0 && f&(newNS|newUser) != 0,
		f&(newUser|newPID) != 0 && f&cloneThread != 0:
		return 0, errno.EINVAL
	}
	const known = cloneVM | cloneVfork | cloneSettls | cloneParentSettid | cloneChildCleartid | cloneChildSettid | cloneDetached | cloneUntraced | cloneIO
	shares := f&cloneVM != 0
	switch {
	case f&^known != 0, shares && f&cloneVfork == 0:
		return 0, c.lacks("a process with flags %#x", f)
	case a.signal != 0 && a.signal >= NSIG:
		return 0, errno.EINVAL
	case len(c.threads) >= maxThreads, c.thread.sched.undivided():
		return 0, errno.EAGAIN
	case f&cloneSettls != 0 && a.tls >= 1<<47:
		return 0, errno.EPERM
	}
	old := c.proc
	p := old.fork(old.MM)
	p.timers, p.change, p.adopted, p.subreaper = nil, 0, false, false
	p.pid, p.ppid, p.queue, p.exitSignal, p.vfork = c.newTID(), old.pid, nil, int32(a.signal), f&cloneVfork != 0
	if !shares {
		p.space = c.newID()
		p.MM = c.newSpace()
		if err := old.MM.CloneTo(p.MM); err != nil {
			return 0, err
		}
	}
	for s := range p.slots.all() {
		c.files.desc(s.desc).refs++
		c.touch(p.fdKey(s.num))
	}
	for sig := range p.actions {
		if p.actions[sig] != (Action{}) {
			c.touch(Key{KindAction, uint64(p.pid), uint64(sig)})
		}
	}
	c.FS.Ref(p.cwd)
	if p.exe != 0 {
		c.FS.Ref(p.exe)
	}
	c.procs = append(c.procs, p)
	c.touchProcess(p)

	t := c.newThread(a, p, p.pid)
	if !shares {
		t.alt = c.thread.alt
	}
	if f&cloneChildSettid != 0 {
		if shares {
			_ = c.put32(a.childTID, uint32(p.pid))
		} else {
			p.MM.Poke(a.childTID, le.AppendUint32(nil, uint32(p.pid)))
		}
	}
	if f&cloneParentSettid != 0 {
		_ = c.put32(a.parentTID, uint32(p.pid))
	}
	if f&cloneVfork != 0 {
		return c.vforked(p.pid)
	}
	return uint64(p.pid), nil
}

// vforked waits until a child has memory of its own, or is gone.
func (c *call) vforked(child int32) (uint64, error) {
	if c.ownMemory(child) {
		return uint64(child), nil
	}
	return 0, c.waitFor(wait{vfork: child, deadline: forever})
}

// ownMemory reports whether a child of vfork has left its parent's memory.
func (k *Kernel) ownMemory(child int32) bool {
	p := k.findProcess(child)
	return p == nil || !p.vfork
}

// endProcess ends the current process. The first process takes the machine with it.
func (c *call) endProcess(status, sig int) {
	p := c.proc
	if p == c.procs[0] {
		c.out.Exited, c.out.Status, c.out.Signal, c.out.CoreDump = true, status, sig, dumpsCore(sig)
		return
	}
	p.last = c.thread.cred
	for _, t := range c.members(p) {
		c.leaveRobust(t, true)
	}
	if p.vfork {
		if t := c.thread; t.clearTID != 0 && c.put32(t.clearTID, 0) == nil {
			c.futexWake(t.clearTID, 1, futexAllBits, true)
		}
	}
	for _, t := range c.members(p) {
		c.removeThread(t)
	}
	c.undoSems(p)
	c.dropTimers(p, func(*timer) bool { return true })
	open := p.slots.fork() // closing changes the list
	for s := range open.all() {
		_ = c.closeFD(s.num) // it is open
	}
	c.leaveTerminal(p)
	c.leaveSpace(p)
	p.MM, p.space = c.newSpace(), 0
	c.letGo(p)
	var orphans []*Process
	for _, q := range c.procs {
		if q.ppid == p.pid {
			c.bereave(q)
			q.ppid, q.adopted = c.reaper(p).pid, true
			orphans = append(orphans, q)
			c.touchProcess(q)
		}
	}
	c.leaveJobs(p, orphans)
	p.vfork, p.dead, p.status = false, true, int32(status<<8)
	info := Queued{Signal: int(p.exitSignal), Code: cldExited,
		PID: p.pid, UID: c.thread.who().user.real, Value: uint64(status)}
	if sig != 0 {
		p.status, info.Code, info.Value = int32(sig), cldKilled, uint64(sig)
		if dumpsCore(sig) {
			p.status |= 0x80
			info.Code = cldDumped
		}
	}
	for sig := range p.actions {
		if p.actions[sig] != (Action{}) {
			c.touch(Key{KindAction, uint64(p.pid), uint64(sig)})
		}
	}
	p.actions = [NSIG]Action{}
	c.touchProcess(p)
	c.gone = true
	parent := c.findProcess(p.ppid)
	act := parent.actions[SIGCHLD]
	if p.exitSignal == SIGCHLD && (act.Handler == sigIgn || act.Flags&saNocldwait != 0) {
		c.removeProcess(p)
	}
	if p.exitSignal != 0 {
		_ = c.Send(parent, info) // a full queue loses it, as in Linux
	}
}

// reaper returns who becomes the parent of p's children: the nearest ancestor that wants
// to be (PR_SET_CHILD_SUBREAPER), or the first process.
func (k *Kernel) reaper(p *Process) *Process {
	for q := k.findProcess(p.ppid); q != nil && q != k.procs[0]; q = k.findProcess(q.ppid) {
		if q.subreaper && !q.dead {
			return q
		}
	}
	return k.procs[0]
}

// bereave sends the threads of a process the signals that they want when their parent ends.
func (c *call) bereave(p *Process) {
	for _, t := range c.members(p) {
		if t.deathSignal != 0 {
			_ = c.Send(p, Queued{Signal: int(t.deathSignal), Code: siUser, PID: c.proc.pid, UID: c.thread.who().user.real})
		}
	}
}

// letGo gives up a process's directory and program.
func (k *Kernel) letGo(p *Process) {
	k.unref = append(k.unref, p.cwd)
	if p.exe != 0 {
		k.unref = append(k.unref, p.exe)
	}
}

// removeProcess forgets a process that ended and was waited for.
func (k *Kernel) removeProcess(p *Process) {
	i := slices.Index(k.procs, p)
	k.procs = slices.Delete(k.procs, i, i+1)
	k.touchProcess(p)
}

// leaveSpace gives up a process's memory, unless another one lives in it.
func (k *Kernel) leaveSpace(p *Process) {
	if slices.ContainsFunc(k.procs, func(q *Process) bool { return q != p && q.space == p.space }) {
		return
	}
	for _, v := range p.MM.VMAs() {
		k.touch(p.mapKey(v.Start))
	}
	_ = p.MM.Unmap(0, mm.TaskSize) // every range can be unmapped
	k.old = append(k.old, p.MM)
}

// ended reports whether a process is over and only its status is left.
func (p *Process) ended() bool { return p.dead }

// isChild reports whether p is a child of parent that a wait for which is for.
func (p *Process) isChild(parent *Process, which int32, options uint64) bool {
	switch {
	case p.ppid != parent.pid || p == parent:
		return false
	case options&waitAll == 0 && (p.exitSignal != SIGCHLD) != (options&waitClone != 0):
		return false
	case which == anyChild:
		return true
	case which > 0:
		return p.pid == which
	case which == 0:
		return p.pgid == parent.pgid
	}
	return p.pgid == -which
}

// childChanged reports whether something has happened to a child that is waited for.
func (k *Kernel) childChanged(parent *Process, which int32, options uint64) bool {
	return slices.ContainsFunc(k.procs, func(p *Process) bool {
		_, ok := p.changed(options)
		return ok && p.isChild(parent, which, options)
	})
}

// hasChild reports whether a process has a child that it may wait for and that lives: one
// that ends unseen, because its parent ignores SIGCHLD, leaves none.
func (k *Kernel) hasChild(parent *Process, which int32, options uint64) bool {
	return slices.ContainsFunc(k.procs, func(p *Process) bool { return !p.dead && p.isChild(parent, which, options) })
}

// await returns a child to which something has happened; nil with WNOHANG while
// nothing has. Who has ended is no child for a wait that does not ask for that.
func (c *call) await(which int32, options uint64) (*Process, error) {
	for _, p := range c.procs {
		if _, ok := p.changed(options); ok && p.isChild(c.proc, which, options) {
			return p, nil
		}
	}
	switch {
	case !c.hasChild(c.proc, which, options):
		return nil, errno.ECHILD
	case options&waitNohang != 0:
		return nil, nil
	}
	return nil, c.waitFor(wait{child: true, which: which, options: options, deadline: forever})
}

func sysWait4(c *call) (uint64, error) {
	options := c.a[2] & 0xffff_ffff
	if options&^(waitNohang|waitUntraced|waitContinued|waitNothread|waitAll|waitClone) != 0 {
		return 0, errno.EINVAL
	}
	if int32(c.a[0]) == math.MinInt32 {
		return 0, errno.ESRCH // there is no such group
	}
	p, err := c.await(int32(c.a[0]), options|waitExited)
	if err != nil || p == nil {
		return 0, err
	}
	status := p.waitStatus()
	c.toldOf(p) // whether the answer can be written or not
	if c.a[1] != 0 {
		if err := c.put32(c.a[1], status); err != nil {
			return 0, err
		}
	}
	if c.a[3] != 0 {
		if err := c.store(c.a[3], make([]byte, sizeofRusage)); err != nil {
			return 0, err
		}
	}
	return uint64(p.pid), nil
}

// sysWaitid clears what it is to tell of, where there is nothing to tell or it fails.
func sysWaitid(c *call) (uint64, error) {
	n, err := c.waitid()
	if err == nil || err == errBlocked || err == errInterrupted || c.a[2] == 0 {
		return n, err
	}
	return 0, errnoFirst(c.storeInfo(make([]byte, 28)), err)
}

// storeInfo writes the fields of a siginfo that wait fills.
func (c *call) storeInfo(info []byte) error {
	if err := c.store(c.a[2], info[:12]); err != nil { // si_signo, si_errno, si_code
		return err
	}
	return c.store(c.a[2]+16, info[16:28]) // si_pid, si_uid, si_status
}

func (c *call) waitid() (uint64, error) {
	const all, one, group, descriptor = 0, 1, 2, 3
	which, options := int32(anyChild), c.a[3]&0xffff_ffff
	if options&^(waitNohang|waitUntraced|waitExited|waitContinued|waitNowait|waitNothread|waitAll|waitClone) != 0 ||
		options&(waitExited|waitUntraced|waitContinued) == 0 {
		return 0, errno.EINVAL
	}
	switch c.a[0] {
	case all:
	case one:
		if which = int32(c.a[1]); which <= 0 {
			return 0, errno.EINVAL
		}
	case group:
		if which = -int32(c.a[1]); which > 0 {
			return 0, errno.EINVAL
		}
	case descriptor:
		if int32(c.a[1]) < 0 {
			return 0, errno.EINVAL
		}
		return 0, errno.EBADF // nothing makes descriptors of processes
	default:
		return 0, errno.EINVAL
	}
	p, err := c.await(which, options)
	if err != nil {
		return 0, err
	}
	info := make([]byte, 28)
	if p != nil {
		q, _ := p.changed(options)
		info = siginfo(q)
		if options&waitNowait == 0 {
			c.toldOf(p)
		}
	}
	if p != nil && c.a[4] != 0 {
		if err := c.store(c.a[4], make([]byte, sizeofRusage)); err != nil {
			return 0, err
		}
	}
	if c.a[2] == 0 {
		return 0, nil
	}
	return 0, c.storeInfo(info)
}

// obituary is the signal that tells of a process's end.
func (p *Process) obituary() Queued {
	q := Queued{Signal: SIGCHLD, Code: cldExited, PID: p.pid, Value: uint64(p.status >> 8)}
	if sig := p.status & 0x7f; sig != 0 {
		q.Code, q.Value = cldKilled, uint64(sig)
		if p.status&0x80 != 0 {
			q.Code = cldDumped
		}
	}
	return q
}

// maxExecArgs bounds the arguments and the environment of one program, each.
const maxExecArgs = 1 << 16

// strings reads an array of pointers to strings that ends with NULL.
func (c *call) strings(va uint64) ([]string, error) {
	var out []string
	for total := 0; va != 0; va += 8 {
		at, err := c.u64(va)
		if err != nil {
			return nil, err
		}
		if at == 0 {
			break
		}
		s, ok, err := c.str(at, maxArg)
		if err != nil {
			return nil, err
		}
		if total += len(s) + 9; !ok || total > maxArgs || len(out) == maxExecArgs {
			return nil, errno.E2BIG
		}
		out = append(out, s)
	}
	return out, nil
}

func sysExecve(c *call) (uint64, error) {
	path, err := c.path(c.a[0])
	if err != nil {
		return 0, err
	}
	args, err := c.strings(c.a[1])
	if err != nil {
		return 0, err
	}
	env, err := c.strings(c.a[2])
	if err != nil {
		return 0, err
	}
	return c.exec(path, args, env)
}

// sysExecveat runs what a descriptor, or a path that begins there, names. The program knows
// itself as /dev/fd/N, as in Linux.
func sysExecveat(c *call) (uint64, error) {
	flags := c.a[4]
	path, err := c.path(c.a[1])
	switch {
	case err != nil:
		return 0, err
	case flags&^(atEmptyPath|atSymlinkNofollow) != 0:
		return 0, errno.EINVAL
	case path == "" && flags&atEmptyPath == 0:
		return 0, errno.ENOENT
	case path == "" || path[0] != '/' && c.fd(0) != atFdcwd:
		if _, err := c.place(0); err != nil {
			return 0, err
		}
		path = strings.TrimSuffix("/dev/fd/"+strconv.Itoa(c.fd(0))+"/"+path, "/")
	}
	if flags&atSymlinkNofollow != 0 {
		if id, err := c.FS.Walk(c.proc.cwd, path, false); err == nil && c.isLink(id) && path != "" && c.a[1] != 0 {
			if _, _, own := c.FS.FDLink(id); !own {
				return 0, errno.ELOOP
			}
		}
	}
	args, err := c.strings(c.a[2])
	if err != nil {
		return 0, err
	}
	env, err := c.strings(c.a[3])
	if err != nil {
		return 0, err
	}
	return c.exec(path, args, env)
}

// exec replaces the current process's program. Nothing of the process changes when
// the program cannot be found or is none.
func (c *call) exec(path string, args, env []string) (uint64, error) {
	if err := c.executable(path); err != nil {
		return 0, err
	}
	if len(args) == 0 {
		args = []string{""} // programs take it for granted that there is one
	}
	p, t := c.proc, c.thread
	for _, other := range c.members(p) {
		c.leaveRobust(other, true)
		if other != t {
			c.removeThread(other)
		}
	}
	if t.tid != p.pid { // it becomes the process's first thread
		c.removeThread(t)
		t.tid = p.pid
		i, _ := slices.BinarySearchFunc(c.threads, t.tid, func(t *Thread, tid int32) int { return int(t.tid - tid) })
		c.threads = slices.Insert(c.threads, i, t)
		c.sys.current = t.tid
		c.touchSystem()
		c.born = append(c.born, t.tid)
	}
	c.dropTimers(p, func(t *timer) bool { return t.id < itimerBase })
	c.leaveSpace(p)
	p.MM, p.space, p.vfork = c.newSpace(), c.newID(), false
	c.MM = p.MM
	c.port.SetSpace(p.MM)
	c.cpu.InvalidateBlocks()
	for sig := range p.actions {
		if p.actions[sig].Handler > sigIgn || p.actions[sig].Flags != 0 {
			p.actions[sig] = Action{Handler: p.actions[sig].Handler & sigIgn}
			if p.actions[sig].Handler != sigIgn {
				p.actions[sig] = Action{}
			}
			c.touchAction(sig)
		}
	}
	open := p.slots.fork() // closing changes the list
	for s := range open.all() {
		if s.cloexec {
			_ = c.closeFD(s.num)
		}
	}
	t.alt, t.clearTID, t.robust, t.handling = AltStack{Flags: ssDisable}, 0, [2]uint64{}, 0
	c.letGo(p)
	if err := c.start(c.cpu, path, args, env); err != nil {
		if c.fatal(err) && !isGuestsProgram(err) {
			return 0, err
		}
		c.kill(SIGKILL) // too late to go back, as in Linux
		return 0, nil
	}
	t.Regs = c.cpu.State()
	c.touchThread(t)
	c.touchProcess(p)
	c.noResult = true
	return 0, nil
}

// isGuestsProgram reports whether an error is about the program to be started.
func isGuestsProgram(err error) bool {
	var ne *loader.NotExecutable
	var nf *NotFound
	return errors.As(err, &ne) || errors.As(err, &nf)
}

// executable returns what execve answers for a file that cannot be executed.
func (c *call) executable(path string) error {
	name := path
	for range maxScripts + 1 {
		p, err := c.find(name)
		var ne *loader.NotExecutable
		var nf *NotFound
		switch {
		case errors.As(err, &nf):
			return nf.Err
		case errors.As(err, &ne):
			return c.notExecutable(name)
		case err != nil:
			return err
		case c.written(p.node):
			return errno.ETXTBSY
		case p.img.Script == nil:
			if p.img.Interp != "" {
				if _, err := c.find(p.img.Interp); err != nil {
					return errno.ENOENT
				}
			}
			return nil
		}
		name = p.img.Script.Interp
	}
	return errno.ELOOP
}

// notExecutable tells a file that may not be executed from one that is no program.
func (c *call) notExecutable(path string) error {
	id, err := c.FS.Walk(c.proc.cwd, path, true)
	if err != nil {
		return err
	}
	st, err := c.FS.Stat(id)
	if err != nil {
		return err
	}
	if !st.Regular() || st.Mode&0o111 == 0 || c.FS.Permit(id, vfs.MayExec) != nil {
		return errno.EACCES
	}
	if c.written(id) {
		return errno.ETXTBSY
	}
	return errno.ENOEXEC
}

// newThread makes a thread of process p that starts as a copy of the caller.
func (c *call) newThread(a cloneArgs, p *Process, tid int32) *Thread {
	t := &Thread{Regs: c.cpu.State(), tid: tid, proc: p, mask: c.thread.mask, alt: AltStack{Flags: ssDisable}, comm: c.thread.comm, sched: c.thread.sched.inherited(), affinity: c.thread.affinity, cred: c.thread.cred, persona: c.thread.persona, slack: c.thread.slack}
	t.Regs.R[x86.RAX] = 0
	if a.stack != 0 {
		t.Regs.R[x86.RSP] = a.stack
	}
	if a.flags&cloneSettls != 0 {
		t.Regs.FSBase, t.Regs.Sel[x86.SelFS] = a.tls, 0
	}
	if a.flags&cloneChildCleartid != 0 {
		t.clearTID = a.childTID
	}
	c.addThread(t)
	c.born = append(c.born, t.tid)
	return t
}
