package kernel

import (
	"bytes"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/x86"
)

// Attach connects the address space to the core that runs the process.
func (k *Kernel) Attach(c *x86.CPU) {
	k.MM.OnChange(func() {
		c.Port.FlushTLB()
		c.InvalidateBlocks()
	})
}

// Deliverable reports whether a signal is pending that is not blocked.
func (k *Kernel) Deliverable() bool {
	return len(k.signals.queue) > 0 && k.pending()&^k.signals.mask != 0
}

// DeliverOne delivers one pending signal before c goes on.
func (k *Kernel) DeliverOne(c *x86.CPU) Outcome {
	cl := k.enter(c)
	if q, ok := k.next(); ok {
		cl.handle(q, trap{})
	}
	return cl.out
}

// SendPowerFailure makes SIGPWR pending for a process that handles it; its
// si_code is the number of failures survived. A process with the default
// disposition is not told. It reports whether the signal was sent.
func (k *Kernel) SendPowerFailure(failures uint64) bool {
	if k.signals.actions[SIGPWR].Handler <= sigIgn {
		return false
	}
	return k.Send(Queued{Signal: SIGPWR, Code: int32(min(failures, 1<<30))}) == nil
}

// Own connects the file tree of a forked kernel with it at once, so that nothing
// leads to the kernel that it was forked from any more. Otherwise the fork's first
// call does that.
func (k *Kernel) Own() {
	k.FS.SetHooks(k.hooks())
	k.hooked = true
}

// Chdir sets the working directory that the program starts in.
func (k *Kernel) Chdir(path string) error {
	id, err := k.FS.Walk(vfs.Root, path, true)
	if err != nil {
		return err
	}
	st, err := k.FS.Stat(id)
	if err != nil {
		return err
	}
	if !st.Dir() {
		return errno.ENOTDIR
	}
	k.proc.cwd = id
	return nil
}

// Skip consumes n bytes of input for good: what an earlier life of the process
// had read.
func (c *Console) Skip(n int) { c.pos += n }

// DropPending forgets what calls had queued and not released: a power cut takes
// it back.
func (c *Console) DropPending() { c.ahead, c.pend = 0, nil }

// Equal reports whether the process sees the same in both.
func (s *ProcState) Equal(o *ProcState) bool {
	samePipe := func(a, b Pipe) bool {
		return a.ID == b.ID && a.Taken == b.Taken && bytes.Equal(a.Content, b.Content)
	}
	sameEpoll := func(a, b Epoll) bool { return a.Desc == b.Desc && slices.Equal(a.Watches, b.Watches) }
	a, b := s, o
	if !slices.EqualFunc(a.Epolls, b.Epolls, sameEpoll) || !slices.Equal(a.FDs, b.FDs) || !slices.EqualFunc(a.Pipes, b.Pipes, samePipe) || !slices.Equal(a.Pending, b.Pending) {
		return false
	}
	return a.Sig == b.Sig && a.Rlimits == b.Rlimits && a.NextID == b.NextID && a.SigMask == b.SigMask && a.AltStack == b.AltStack &&
		a.BrkStart == b.BrkStart && a.BrkEnd == b.BrkEnd && a.ArgStart == b.ArgStart && a.ArgEnd == b.ArgEnd &&
		a.Cwd == b.Cwd && a.Exe == b.Exe && a.Umask == b.Umask && a.PID == b.PID && a.PPID == b.PPID && a.TID == b.TID &&
		a.ClearTID == b.ClearTID && a.RobustHead == b.RobustHead && a.RobustLen == b.RobustLen && a.Comm == b.Comm &&
		a.RandPos == b.RandPos && a.Slept == b.Slept
}
