package kernel

import "slices"

// A power failure that a process survived is told to it as SIGPWR, when everything is
// restored and before any of its threads goes on. The signal goes to the first of the
// process's threads that does not block it, which is its main thread if that does not: a
// program chooses the thread by its signal masks, as for any signal to a process. Until the
// handler has returned the other threads of the process stand where they were
// interrupted. With Config.SIGPWRPerThread each thread that does not block the signal
// gets one, and no thread goes on before all handlers have returned.
//
// A handler that waits in a system call, or leaves by longjmp, which unblocks the signal,
// lets the others go on as one that returns does: they may be what it waits for.
//
// A process whose disposition is the default or to ignore is not told.

// PowerFailed tells the processes of a power failure; failures is how many there have been,
// and becomes si_code. It is a call of its own: what it changes is committed.
func (k *Kernel) PowerFailed(now, failures uint64) Outcome {
	k.clock = now
	q := Queued{Signal: SIGPWR, Code: int32(min(failures, 1<<30))}
	for _, p := range k.procs {
		if !p.dead && p.actions[SIGPWR].Handler > sigIgn {
			k.tell(p, q)
		}
	}
	if t := k.findThread(k.sys.current); t == nil || !k.runnable(t) {
		k.reschedule()
	}
	return Outcome{}
}

// ToldOfPowerFailures reports whether any process handles SIGPWR.
func (k *Kernel) ToldOfPowerFailures() bool {
	return slices.ContainsFunc(k.procs, func(p *Process) bool { return !p.dead && p.actions[SIGPWR].Handler > sigIgn })
}

// tell makes SIGPWR pending for the threads of a process that are to be told.
func (k *Kernel) tell(p *Process, q Queued) {
	told := false
	for _, t := range k.members(p) {
		if t.mask&bit(SIGPWR) != 0 && t.handling == 0 {
			continue
		}
		replace(&t.queue, q)
		k.touchThread(t)
		if told = true; !k.cfg.SIGPWRPerThread {
			break
		}
	}
	if !told { // whoever unblocks it gets it
		replace(&p.queue, q)
		k.touchProcess(p)
	}
	p.held = true
}

// replace makes a signal pending in the place of an older one of its number.
func replace(queue *[]Queued, q Queued) {
	*queue = append(slices.DeleteFunc(slices.Clone(*queue), func(o Queued) bool { return o.Signal == q.Signal }), q)
}

// toldOf reports whether a thread is to enter the handler of a power failure or is in it.
func (t *Thread) toldOf() bool {
	return t.handling != 0 || t.mask&bit(SIGPWR) == 0 &&
		slices.ContainsFunc(t.queue, func(q Queued) bool { return q.Signal == SIGPWR && q.Code > 0 })
}

// held reports whether a thread must not go on before others have handled a power failure.
func (k *Kernel) held(t *Thread) bool {
	if !t.proc.held || k.noBarrier || t.toldOf() {
		return false
	}
	t.proc.held = slices.ContainsFunc(k.threads, func(u *Thread) bool { return u.proc == t.proc && u.toldOf() })
	return t.proc.held
}

// entered notes that the current thread enters a handler, whose frame is at an address.
func (c *call) entered(q Queued, frame uint64) {
	if q.Signal == SIGPWR && q.Code > 0 && c.thread.handling == 0 {
		c.thread.handling = frame
	}
}

// handled notes that the current thread has returned from the handler whose frame is at
// an address, or with 0, that it does not count as being in one any more.
func (c *call) handled(frame uint64) {
	if c.thread.handling != 0 && (frame == 0 || frame == c.thread.handling) {
		c.thread.handling = 0
		c.touchThread(c.thread)
	}
}

// unborn reports whether a thread is not there yet for others, which happens with
// Loss.Barrier alone.
func (k *Kernel) unborn(t *Thread) bool {
	return k.noBarrier && t != k.thread && t.handling == 0 && t.toldOf()
}
