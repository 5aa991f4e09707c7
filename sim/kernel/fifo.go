package kernel

import (
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
)

// A FIFO is a name for a pipe, which is there while somebody has it open or waits for
// the other end in open(2): who waits there counts as a reader or a writer already.
// Source: fifo(7), fifo_open in fs/pipe.c.

// fifoWait is the open of a FIFO that waits for the other end.
type fifoWait struct {
	pipe int // 0 for none
	kind FDKind
	seen uint64 // how often the other end had been opened when the wait began
}

func (w *fifoWait) code(c *codec) {
	code(c, &w.pipe)
	if w.pipe != 0 {
		code(c, &w.kind)
		code(c, &w.seen)
	}
}

func (d *desc) isPipe() bool     { return d.pipeReader() || d.pipeWriter() }
func (d *desc) pipeReader() bool { return d.kind.reads() }
func (d *desc) pipeWriter() bool { return d.kind.writes() }

func (k FDKind) reads() bool  { return k == FDPipeRead || k == FDPipeBoth }
func (k FDKind) writes() bool { return k == FDPipeWrite || k == FDPipeBoth }

// pipeKind returns what open(2) with flags makes of a pipe.
func pipeKind(flags uint32) FDKind {
	return [...]FDKind{0: FDPipeRead, oWronly: FDPipeWrite, oRdwr: FDPipeBoth, oAccmode: 0}[flags&oAccmode]
}

// enterPipe adds an end to a pipe.
func (k *Kernel) enterPipe(p *pipe, kind FDKind) {
	p.count(kind, 1)
	if kind.reads() {
		p.opened[0]++
	}
	if kind.writes() {
		p.opened[1]++
	}
	k.touchPipe(p.id)
}

// count adds to the readers and writers.
func (p *pipe) count(kind FDKind, n int) {
	if kind.reads() {
		p.readers += n
	}
	if kind.writes() {
		p.writers += n
	}
}

// others returns how many are at the other end of a pipe than one of a kind, and how
// often that end was opened.
func (p *pipe) others(kind FDKind) (now int, ever uint64) {
	if kind == FDPipeWrite {
		return p.readers, p.opened[0]
	}
	return p.writers, p.opened[1]
}

// leavePipe takes an end from a pipe, and the pipe away with the last one.
func (k *Kernel) leavePipe(id int, kind FDKind) {
	i, _ := k.files.pipeIndex(id)
	p := &k.files.pipes[i]
	p.count(kind, -1)
	p.news.both()
	if p.readers+p.writers == 0 {
		if p.node != 0 {
			k.unref = append(k.unref, p.node)
		}
		k.files.pipes = slices.Delete(k.files.pipes, i, i+1)
	}
	k.touchPipe(id)
}

// fifo returns the pipe of a FIFO, nil when nobody has it open.
func (f *files) fifo(id vfs.NodeID) *pipe {
	for i := range f.pipes {
		if f.pipes[i].node == id {
			return &f.pipes[i]
		}
	}
	return nil
}

// openFIFO opens the FIFO id, which the caller holds a reference of.
func (c *call) openFIFO(id vfs.NodeID, flags uint32) (uint64, error) {
	kind, nonblock := pipeKind(flags), flags&oNonblock != 0
	p := c.files.fifo(id)
	if kind == FDPipeWrite && nonblock && (p == nil || p.readers == 0) {
		return 0, errno.ENXIO
	}
	if kind == 0 {
		return 0, errno.EINVAL
	}
	if p == nil {
		c.FS.Ref(id)
		c.files.pipes = append(c.files.pipes, pipe{id: c.newID(), node: id})
		p = &c.files.pipes[len(c.files.pipes)-1]
	}
	c.enterPipe(p, kind)
	now, ever := p.others(kind)
	if now > 0 || nonblock {
		return c.openedFIFO(p, kind, flags, now == 0)
	}
	return 0, c.awaitEnd(fifoWait{p.id, kind, ever})
}

// awaitEnd waits for the other end; unless it does, the pipe loses the end that the
// thread stands for.
func (c *call) awaitEnd(w fifoWait) error {
	err := c.waitFor(wait{fifo: w, deadline: forever})
	if err != errBlocked {
		c.leavePipe(w.pipe, w.kind)
	}
	return err
}

// reopenFIFO goes on with an open that waits for the other end.
func (c *call) reopenFIFO(w fifoWait, flags uint32) (uint64, error) {
	if !c.fifoOpen(w) {
		return 0, c.awaitEnd(w)
	}
	return c.openedFIFO(c.files.pipe(w.pipe), w.kind, flags, false)
}

// fifoOpen reports whether the other end was opened since a wait began, though it may
// be closed again.
func (k *Kernel) fifoOpen(w fifoWait) bool {
	_, ever := k.files.pipe(w.pipe).others(w.kind)
	return ever != w.seen
}

// openedFIFO installs a description of a pipe that is counted there already. One that
// no writer has been at yet does not poll as hung up: its offset tells how many had
// opened the pipe before.
func (c *call) openedFIFO(p *pipe, kind FDKind, flags uint32, alone bool) (uint64, error) {
	d := desc{kind: kind, node: p.node, pipe: p.id, flags: flags&^(oCreat|oExcl|oNoctty|oTrunc|oCloexec) | oLargefile}
	if alone {
		d.off = int64(p.opened[1])
	}
	num, err := c.install(d, flags&oCloexec != 0)
	if err != nil {
		c.leavePipe(p.id, kind)
		return 0, err
	}
	c.FS.Ref(d.node)
	return uint64(num), nil
}
