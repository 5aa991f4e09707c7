package kernel

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/x86"
)

// Attach gives the kernel a way to make the empty address space of a new process, and
// what is to be called when mappings, or memory behind the processors' back, change in
// any address space.
func (k *Kernel) Attach(space func() *mm.Space, changed func()) {
	k.makes, k.changed = space, changed
	for _, p := range k.procs {
		p.MM.OnChange(changed)
	}
}

// newSpace returns an empty address space.
func (k *Kernel) newSpace() *mm.Space {
	s := k.makes()
	s.OnChange(k.changed)
	return s
}

// Deliverable reports whether the current thread has a signal to be delivered
// before it goes on. A thread in a wait finds that out by issuing its call again.
func (k *Kernel) Deliverable() bool {
	return k.sys.current != 0 && k.thread.wait == nil && k.deliverable(k.thread)
}

// DeliverOne delivers one pending signal before c goes on.
func (k *Kernel) DeliverOne(c *x86.CPU) Outcome {
	cl := k.enter(c)
	if q, ok := k.next(k.thread.mask); ok {
		cl.handle(q, trap{})
	}
	return cl.end()
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
func (c *Console) DropPending() {
	c.ahead, c.pend = 0, nil
	if c.Outside != nil {
		c.Outside.Reset()
	}
}
