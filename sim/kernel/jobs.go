package kernel

// Job control: a signal stops a whole process, SIGCONT lets it go on, and its parent
// is told of both. Sources: signal(7), wait(2), kernel/signal.c and kernel/exit.c.

const (
	cldStopped   = 5
	cldContinued = 6

	saNocldstop = 1

	// goesOn stands for SIGCONT where a process's untold change is kept.
	goesOn = 0xffff
)

// stopSignals are those whose default action is to stop the process.
const stopSignals = 1<<(SIGSTOP-1) | 1<<(SIGTSTP-1) | 1<<(SIGTTIN-1) | 1<<(SIGTTOU-1)

// prepare does what the sending of a signal does at once, even of one that is blocked
// or ignored: SIGCONT and the signals that stop cancel each other.
func (k *Kernel) prepare(p *Process, sig int) {
	switch {
	case p.dead:
	case stopSignals&bit(sig) != 0:
		k.discard(p, bit(SIGCONT))
	case sig == SIGCONT:
		k.discard(p, stopSignals)
		if p.stopped != 0 {
			p.stopped, p.change = 0, goesOn
			k.touchProcess(p)
			k.tellParent(p, cldContinued, SIGCONT)
		}
	case sig == SIGKILL && p.stopped != 0:
		p.stopped, p.change = 0, 0
		k.touchProcess(p)
	}
}

// stop stops the current process, unless nobody is there who could let it go on.
func (k *Kernel) stop(sig int) {
	p := k.proc
	if sig != SIGSTOP && k.orphaned(p.pgid, nil) {
		return
	}
	p.stopped, p.change = int32(sig), int32(sig)
	k.touchProcess(p)
	k.tellParent(p, cldStopped, sig)
}

// tellParent sends SIGCHLD for a process that was stopped or goes on.
func (k *Kernel) tellParent(p *Process, code int32, status int) {
	parent := k.findProcess(p.ppid)
	if parent == nil || parent.dead {
		return
	}
	if act := parent.actions[SIGCHLD]; act.Handler != sigIgn && act.Flags&saNocldstop == 0 {
		_ = k.Send(parent, Queued{Signal: SIGCHLD, Code: code, PID: p.pid, Value: uint64(status)}) // no queue is full for it
	}
}

// stopsHere stops the current process, in the middle of a wait, when the signal that
// is to be delivered next does that. It reports whether it did: the wait then goes on
// with the process, which is not so for the calls that always end with EINTR.
func (c *call) stopsHere() bool {
	switch c.row.Nr {
	case 128, 232, 281, 441: // rt_sigtimedwait, epoll_wait, epoll_pwait, epoll_pwait2
		return false
	}
	if c.pause == nil || c.pause.fifo.pipe != 0 { // which has left the FIFO and opens it anew
		return false
	}
	own, shared := c.thread.queue, c.proc.queue
	q, ok := take(&own, c.thread.mask)
	if !ok {
		q, ok = take(&shared, c.thread.mask)
	}
	if !ok || !stopsByDefault(q.Signal) || c.proc.actions[q.Signal].Handler != sigDfl {
		return false
	}
	c.Kernel.next(c.thread.mask)
	c.stop(q.Signal)
	return true
}

// orphaned reports whether nobody outside a process group, but in its session, could
// control its jobs; without is left out of account.
func (k *Kernel) orphaned(pgid int32, without *Process) bool {
	for _, p := range k.procs {
		if p.pgid != pgid || p == without || p.dead || p.adopted {
			continue
		}
		if parent := k.findProcess(p.ppid); parent != nil && parent.pgid != pgid && parent.sid == p.sid {
			return false
		}
	}
	return true
}

// leaveJobs tells the stopped jobs that a process's end makes orphans: its own group,
// and those of its children, who have another parent by now.
func (k *Kernel) leaveJobs(p *Process, children []*Process) {
	if parent := k.findProcess(p.ppid); parent != nil && parent.pgid != p.pgid && parent.sid == p.sid {
		k.abandon(p.pgid, p)
	}
	for _, q := range children {
		if q.pgid != p.pgid && q.sid == p.sid {
			k.abandon(q.pgid, p)
		}
	}
}

// abandon sends SIGHUP and SIGCONT to a group that is orphaned now, if one of it is stopped.
func (k *Kernel) abandon(pgid int32, without *Process) {
	var group []*Process
	stopped := false
	for _, p := range k.procs {
		if p.pgid == pgid && p != without && !p.dead {
			group = append(group, p)
			stopped = stopped || p.stopped != 0
		}
	}
	if !stopped || !k.orphaned(pgid, without) {
		return
	}
	for _, sig := range []int{SIGHUP, SIGCONT} {
		for _, p := range group {
			_ = k.Send(p, Queued{Signal: sig, Code: siKernel}) // no queue is full for it
		}
	}
}

// changed returns the signal that tells of what has happened to a child and was not told
// yet, as far as the options of a wait ask for it; ok is false for nothing.
func (p *Process) changed(options uint64) (q Queued, ok bool) {
	switch {
	case p.dead:
		return p.obituary(), options&waitExited != 0
	case p.change == goesOn:
		return Queued{Signal: SIGCHLD, Code: cldContinued, PID: p.pid, Value: SIGCONT}, options&waitContinued != 0
	case p.change != 0:
		return Queued{Signal: SIGCHLD, Code: cldStopped, PID: p.pid, Value: uint64(p.change)}, options&waitUntraced != 0
	}
	return q, false
}

// waitStatus is a change as wait4(2) tells it.
func (p *Process) waitStatus() uint32 {
	switch {
	case p.dead:
		return uint32(p.status)
	case p.change == goesOn:
		return goesOn
	}
	return uint32(p.change)<<8 | 0x7f
}

// toldOf notes that a wait has told of a change: of a child that has ended nothing is left.
func (k *Kernel) toldOf(p *Process) {
	if p.dead {
		k.removeProcess(p)
		return
	}
	p.change = 0
	k.touchProcess(p)
}
