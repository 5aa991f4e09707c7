package kernel

import (
	"cmp"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
)

// A pseudoterminal is a terminal whose other end a program holds: the master, opened at
// /dev/ptmx, which types and sees; what runs in the terminal has /dev/pts/N. Between them
// stand two pipes and the line discipline of ldisc.go. Descriptions of both ends keep the
// identity of the terminal where others have their offset.
// Sources: pty(7), tty_ioctl(4), drivers/tty/pty.c, tty_io.c and tty_jobctrl.c.

// terminal is a pseudoterminal. Its lists are never changed in place: forks share them.
type terminal struct {
	id, number int
	in, out    int // the pipes of what the terminal's programs read, and the master
	set        termios
	size       winsize
	session    int32 // whose controlling terminal it is, 0 for nobody's
	group      int32 // in the foreground
	locked     bool
	opened     bool // programs have had it open
	stopped    bool // output waits for START
	literal    bool // the next character means itself
	line       string
	lines      []int // lengths of the lines that wait to be read, of the canonical mode
	column     int   // of the cursor
	begin      int   // the column in which the line begins

	masters, slaves int // descriptions
}

// winsize is a struct winsize: rows, columns and what nobody uses.
type winsize [4]uint16

const (
	maxTerminals = vfs.Terminals
	maxLine      = 4095 // N_TTY_BUF_SIZE with room for the end of the line
	maxLines     = 4096
)

func (t *terminal) code(c *codec) {
	code(c, &t.number)
	code(c, &t.in)
	code(c, &t.out)
	t.set.code(c)
	for i := range t.size {
		code(c, &t.size[i])
	}
	code(c, &t.session)
	code(c, &t.group)
	for _, p := range []*bool{&t.locked, &t.opened, &t.stopped, &t.literal} {
		c.flag(p)
	}
	code(c, &t.column)
	code(c, &t.begin)
	c.text(&t.line, maxLine)
	codeList(c, &t.lines, maxLines, func(n *int) { code(c, n) })
}

func termKey(id int) Key { return Key{Kind: KindTerminal, A: uint64(id)} }

func (k *Kernel) touchTerm(t *terminal) { k.touch(termKey(t.id)) }

// isTerm reports whether a description is an end of a pseudoterminal.
func (d *desc) isTerm() bool { return d.kind == FDMaster || d.kind == FDTerminal }

// term returns a terminal, nil when there is none with that identity.
func (f *files) term(id int) *terminal {
	i, ok := slices.BinarySearchFunc(f.terms, id, func(t terminal, id int) int { return cmp.Compare(t.id, id) })
	if !ok {
		return nil
	}
	return &f.terms[i]
}

// termOf returns the terminal of a description that is an end of one.
func (k *Kernel) termOf(d *desc) *terminal { return k.files.term(int(d.off)) }

// numbered returns the terminal at /dev/pts/n, nil when there is none.
func (f *files) numbered(n int) *terminal {
	for i := range f.terms {
		if f.terms[i].number == n && f.terms[i].masters > 0 {
			return &f.terms[i]
		}
	}
	return nil
}

// controlling returns the terminal that controls a process's session, nil for none.
func (k *Kernel) controlling(p *Process) *terminal {
	for i := range k.files.terms {
		if t := &k.files.terms[i]; t.session == p.sid {
			return t
		}
	}
	return nil
}

// openTerminal opens a node that is a terminal's end; ok is false for any other node,
// and for /dev/tty where the console is a terminal. The caller holds a reference.
func (c *call) openTerminal(id vfs.NodeID, flags uint32) (num uint64, ok bool, err error) {
	var t *terminal
	switch dev, n := c.FS.Terminal(id); dev {
	case vfs.DevPTMX:
		if t = c.newTerminal(); t == nil {
			err = errno.ENOSPC
			break
		}
		end := vfs.TerminalNode(t.number)
		if st, e := c.FS.Stat(end); e == nil && st.UID != c.actor().user.file {
			_ = c.FS.Chown(end, c.actor().user.file, st.GID) // devpts gives it to who asked
		}
		num, err = c.installTerm(t, FDMaster, id, flags)
		return num, true, err
	case vfs.DevPTS:
		if t = c.files.numbered(n); t == nil || t.locked {
			err = errno.EIO
		}
	case vfs.DevTTY:
		if t = c.controlling(c.proc); t == nil && c.console.isTerminal(FDStdin) {
			return 0, false, nil
		}
		if t == nil {
			err = errno.ENXIO
		}
		flags |= oNoctty
	default:
		return 0, false, nil
	}
	if err == nil {
		num, err = c.openSlave(t, id, flags)
	} else {
		c.unref = append(c.unref, id)
	}
	return num, true, err
}

// openSlave opens a terminal, which becomes the session's where its leader asks for it.
func (c *call) openSlave(t *terminal, id vfs.NodeID, flags uint32) (uint64, error) {
	p := c.proc
	num, err := c.installTerm(t, FDTerminal, id, flags)
	if err == nil && flags&oNoctty == 0 && flags&oAccmode != oWronly &&
		p.pid == p.sid && t.session == 0 && c.controlling(p) == nil {
		t.session, t.group = p.sid, p.pgid
	}
	return num, err
}

// installTerm installs a description of a terminal's end.
func (c *call) installTerm(t *terminal, kind FDKind, id vfs.NodeID, flags uint32) (uint64, error) {
	keep := flags&^(oCreat|oExcl|oNoctty|oTrunc|oCloexec) | oLargefile
	num, err := c.install(desc{kind: kind, node: id, off: int64(t.id), flags: keep}, flags&oCloexec != 0)
	if err != nil {
		c.unref = append(c.unref, id)
		return 0, err
	}
	if kind == FDMaster {
		t.masters++
	} else {
		t.slaves++
		t.opened = true
	}
	c.touchTerm(t)
	return uint64(num), nil
}

// newTerminal makes a terminal with the lowest free number, nil when there are too many.
func (c *call) newTerminal() *terminal {
	n := 0
	for slices.ContainsFunc(c.files.terms, func(t terminal) bool { return t.number == n }) {
		n++ // it is taken until both ends are closed
	}
	if n >= maxTerminals {
		return nil
	}
	t := terminal{number: n, locked: true, set: standard()}
	for _, p := range []*int{&t.in, &t.out} {
		*p = c.newID()
		c.files.pipes = append(c.files.pipes, pipe{id: *p, readers: 1})
		c.touchPipe(*p)
	}
	t.id = c.newID()
	c.files.terms = append(c.files.terms, t)
	return &c.files.terms[len(c.files.terms)-1]
}

// closeTerm closes one end. Without its master a terminal is hung up, and its leader told.
func (k *Kernel) closeTerm(d *desc) {
	k.unref = append(k.unref, d.node)
	t := k.termOf(d)
	k.touchTerm(t)
	if d.kind == FDTerminal {
		t.slaves--
	} else if t.masters--; t.masters == 0 {
		k.hangUpTerm(t)
	}
	for _, id := range []int{t.in, t.out} {
		k.files.pipe(id).news.both()
		k.touchPipe(id)
	}
	if t.masters+t.slaves > 0 {
		return
	}
	in, out := t.in, t.out
	k.files.terms = slices.DeleteFunc(k.files.terms, func(o terminal) bool { return o.id == t.id })
	k.leavePipe(in, FDPipeRead)
	k.leavePipe(out, FDPipeRead)
}

// hangUpTerm is the end of a terminal's session there.
func (k *Kernel) hangUpTerm(t *terminal) {
	if leader := k.findProcess(t.session); leader != nil && !leader.dead && t.session != 0 {
		for _, sig := range []int{SIGHUP, SIGCONT} {
			_ = k.Send(leader, Queued{Signal: sig, Code: siKernel}) // a full queue loses it, as in Linux
		}
	}
	k.flush(t, t.in)
	t.session, t.group, t.line, t.lines = 0, 0, "", nil
}

// leaveTerminal takes the terminal from the session whose leader ends.
func (k *Kernel) leaveTerminal(p *Process) {
	if p.pid != p.sid {
		return
	}
	if t := k.controlling(p); t != nil {
		k.signalGroup(t.group, SIGHUP)
		t.session, t.group = 0, 0
		k.touchTerm(t)
	}
}

// signalGroup sends a signal of the kernel to all of a process group.
func (k *Kernel) signalGroup(pgid int32, sig int) {
	if pgid == 0 {
		return
	}
	for _, p := range k.procs {
		if p.pgid == pgid && !p.dead {
			_ = k.Send(p, Queued{Signal: sig, Code: siKernel}) // a full queue loses it, as in Linux
		}
	}
}

// foreground keeps a background process of the terminal's session from what only the
// foreground may do: its group gets the signal, and the call is made again when it goes on.
func (c *call) foreground(t *terminal, sig int) error {
	p := c.proc
	if w := c.thread.wait; w != nil && w.woken && c.deliverable(c.thread) {
		return c.waitFor(wait{woken: true, deadline: forever}) // what came meanwhile interrupts the call
	}
	if t.session == 0 || t.session != p.sid || t.group == 0 || t.group == p.pgid {
		return nil
	}
	switch quiet := c.thread.mask&bit(sig) != 0 || c.ignored(sig); {
	case quiet && sig == SIGTTIN:
		return errno.EIO
	case quiet:
		return nil
	case c.orphaned(p.pgid, nil):
		return errno.EIO
	}
	for _, q := range c.procs {
		if q.pgid == p.pgid && !q.dead {
			_ = c.Send(q, Queued{Signal: sig, Code: siKernel}) // a full queue loses it, as in Linux
		}
	}
	return c.waitFor(wait{woken: true, deadline: forever})
}

// termReady is ready for terminals.
func (k *Kernel) termReady(d *desc) (ev uint16) {
	t := k.termOf(d)
	if d.kind == FDMaster {
		if len(k.files.pipe(t.out).data) > 0 {
			ev |= pollIn | pollRdnorm
		}
		if t.opened && t.slaves == 0 {
			ev |= pollHup
		}
		if k.keyRoom(t) > 0 {
			ev |= pollOut | pollWrnorm
		}
		return ev
	}
	if t.masters == 0 {
		return pollIn | pollRdnorm | pollOut | pollWrnorm | pollErr | pollHup
	}
	if k.readable(t) {
		ev |= pollIn | pollRdnorm
	}
	if k.printable(t) {
		ev |= pollOut | pollWrnorm
	}
	return ev
}

// termNews is newsOf for terminals.
func (k *Kernel) termNews(d *desc) news {
	t := k.termOf(d)
	in, out := k.files.pipe(t.in).news, k.files.pipe(t.out).news
	if d.kind == FDMaster {
		return news{in: out.in, out: in.out}
	}
	return news{in: in.in, out: out.out}
}

// checkTerms looks for what cannot be about terminals, and counts their ends.
func (k *Kernel) checkTerms() error {
	for d := range k.files.descs.all() {
		if !d.isTerm() {
			continue
		}
		t := k.termOf(d)
		switch {
		case t == nil:
			return bad("description %d leads to terminal %d, which is not there", d.id, d.off)
		case d.kind == FDMaster:
			t.masters++
		default:
			t.slaves++
		}
	}
	for i := range k.files.terms {
		t := &k.files.terms[i]
		if t.masters+t.slaves == 0 || t.number < 0 || t.number >= maxTerminals ||
			t.id > k.sys.nextID || t.column < 0 || t.begin < 0 {
			return bad("terminal %d: %+v", t.id, *t)
		}
		waiting := 0
		for _, n := range t.lines {
			if n < 0 {
				return bad("terminal %d has a line of %d bytes", t.id, n)
			}
			waiting += n
		}
		for _, id := range []int{t.in, t.out} {
			at, ok := k.files.pipeIndex(id)
			if !ok {
				return bad("terminal %d has no pipe %d", t.id, id)
			}
			k.files.pipes[at].readers++
			if id == t.in && waiting > len(k.files.pipes[at].data) {
				return bad("terminal %d has lines of %d bytes in %d", t.id, waiting, len(k.files.pipes[at].data))
			}
		}
	}
	return nil
}
