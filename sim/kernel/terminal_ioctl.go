package kernel

import (
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
)

// Requests of ioctl about terminals. Source: tty_ioctl(4).
const (
	tcGets     = 0x5401
	tcSets     = 0x5402
	tcSetsw    = 0x5403
	tcSetsf    = 0x5404
	tcSbrk     = 0x5409
	tcXonc     = 0x540a
	tcFlsh     = 0x540b
	tiocExcl   = 0x540c
	tiocNxcl   = 0x540d
	tiocSctty  = 0x540e
	tiocGpgrp  = 0x540f
	tiocSpgrp  = 0x5410
	tiocOutq   = 0x5411
	tiocSti    = 0x5412
	tiocGwinsz = 0x5413
	tiocSwinsz = 0x5414
	tiocInq    = 0x541b
	tiocPkt    = 0x5420
	tiocNotty  = 0x5422
	tiocSetd   = 0x5423
	tiocGetd   = 0x5424
	tcSbrkp    = 0x5425
	tiocGsid   = 0x5429
	tiocGptn   = 0x80045430
	tiocSptlck = 0x40045431
	tiocGpkt   = 0x80045438
	tiocGptlck = 0x80045439
	tiocGptpr  = 0x5441
	tcGets2    = 0x802c542a
	tcSets2    = 0x402c542b
	tcSetsf2   = 0x402c542d
)

const termiosSize = 36 // of a struct termios of the kernel

// standard is a new terminal's settings (tty_std_termios).
func standard() termios {
	return termios{iflag: iIcrnl | iIxon, oflag: oOpost | oOnlcr, cflag: 0xbf, lflag: 0x8a3b,
		cc: [controls]uint8{3, 0x1c, 0x7f, 0x15, 4, 0, 1, 0, 0x11, 0x13, 0x1a, 0, 0x12, 0xf, 0x17, 0x16}}
}

func (s *termios) encode() []byte {
	var b []byte
	for _, w := range []uint32{s.iflag, s.oflag, s.cflag, s.lflag} {
		b = le.AppendUint32(b, w)
	}
	return append(append(b, s.line), s.cc[:]...)
}

func (s *termios) decode(b []byte) {
	for i, p := range []*uint32{&s.iflag, &s.oflag, &s.cflag, &s.lflag} {
		*p = le.Uint32(b[4*i:])
	}
	s.line = b[16]
	copy(s.cc[:], b[17:])
}

// termIoctl is ioctl on an end of a terminal; ok is false for what is no request of one.
func (c *call) termIoctl(d *desc) (r uint64, ok bool, err error) {
	t, master := c.termOf(d), d.kind == FDMaster
	switch req, arg := uint32(c.a[1]), c.a[2]; req {
	case tcGets:
		err = c.store(arg, t.set.encode())
	case tcSets, tcSetsw, tcSetsf:
		err = c.setTermios(t, master, req == tcSetsf)
	case tcSbrk, tcSbrkp: // what was written is with the master at once
		err = c.change(t, master)
	case tcXonc:
		err = c.flow(t, int(int32(arg)))
	case tcFlsh:
		err = c.flushTerm(t, master, int32(arg))
	case tiocInq:
		err = c.put32(arg, uint32(c.waiting32(t, master)))
	case tiocOutq, tiocGetd, tiocGpkt:
		err = c.put32(arg, 0)
	case tiocGwinsz:
		var b []byte
		for _, v := range t.size {
			b = le.AppendUint16(b, v)
		}
		err = c.store(arg, b)
	case tiocSwinsz:
		err = c.resize(t)
	case tiocSctty, tiocNotty, tiocGpgrp, tiocSpgrp, tiocGsid:
		err = c.sessionIoctl(t, master)
	case tiocGptn, tiocSptlck, tiocGptlck, tiocGptpr:
		if !master {
			return 0, true, errno.ENOTTY
		}
		r, err = c.masterIoctl(t)
	case tiocExcl, tiocNxcl, tiocSti, tiocPkt, tiocSetd, tcGets2, tcSets2, tcSets2 + 1, tcSetsf2:
		err = c.lacks("request %#x of terminals", req)
	default:
		return 0, false, nil
	}
	return r, true, err
}

// change keeps the background from changing the terminal.
func (c *call) change(t *terminal, master bool) error {
	if master {
		return nil
	}
	if t.masters == 0 {
		return errno.EIO
	}
	return c.foreground(t, SIGTTOU)
}

// setTermios changes the settings. What was typed stays: it becomes one line, or no line.
func (c *call) setTermios(t *terminal, master, flush bool) error {
	if err := c.change(t, master); err != nil {
		return err
	}
	b := make([]byte, termiosSize)
	if err := c.load(c.a[2], b); err != nil {
		return err
	}
	next := t.set
	next.decode(b)
	if next.iflag&(iParmrk|iIuclc) != 0 || next.oflag&oOlcuc != 0 || next.lflag&(lXcase|lEchoprt|lExtproc) != 0 {
		return c.lacks("flags %#x, %#x, %#x of a terminal", next.iflag, next.oflag, next.lflag)
	}
	const csize, cs8, cread, parenb = 0o60, 0o60, 0o200, 0o400
	next.cflag = next.cflag&^(csize|parenb) | cs8 | cread
	if flush {
		c.flush(t, t.in)
	}
	was := t.canonical()
	t.set = next
	switch now := t.canonical(); {
	case was && !now:
		c.push(t.in, []byte(t.line))
		t.line, t.lines = "", nil
	case !was && now:
		if n := len(c.files.pipe(t.in).data); n > 0 {
			t.lines = []int{n}
		}
	}
	c.touchTerm(t)
	return nil
}

// flow is tcflow.
func (c *call) flow(t *terminal, action int) error {
	const off, on = 0, 1
	switch action {
	case off, on:
		kb := keyboard{Kernel: c.Kernel, terminal: t}
		kb.halt(action == off)
		c.touchTerm(t)
		return nil
	case 2, 3:
		return c.lacks("sending START or STOP")
	}
	return errno.EINVAL
}

// flushTerm is tcflush: each end throws away what it would read. What it wrote is with the
// other end already.
func (c *call) flushTerm(t *terminal, master bool, which int32) error {
	const input, output, both = 0, 1, 2
	if err := c.change(t, master); err != nil {
		return err
	}
	if which < input || which > both {
		return errno.EINVAL
	}
	switch {
	case which == output:
	case master:
		c.flush(t, t.out)
	default:
		c.flush(t, t.in)
	}
	return nil
}

// waiting32 is how many bytes can be read.
func (c *call) waiting32(t *terminal, master bool) int {
	switch {
	case master:
		return len(c.files.pipe(t.out).data)
	case t.canonical():
		n := 0
		for _, l := range t.lines {
			n += l
		}
		return n
	}
	return len(c.files.pipe(t.in).data)
}

// resize sets the size of the window, of which the foreground is told.
func (c *call) resize(t *terminal) error {
	b := make([]byte, 8)
	if err := c.load(c.a[2], b); err != nil {
		return err
	}
	var next winsize
	for i := range next {
		next[i] = le.Uint16(b[2*i:])
	}
	if next != t.size {
		t.size = next
		c.signalGroup(t.group, SIGWINC)
		c.touchTerm(t)
	}
	return nil
}

// sessionIoctl is about whose terminal it is.
func (c *call) sessionIoctl(t *terminal, master bool) error {
	p := c.proc
	own := t.session != 0 && t.session == p.sid
	switch uint32(c.a[1]) {
	case tiocSctty:
		if own && p.pid == p.sid {
			return nil
		}
		if p.pid != p.sid || t.session != 0 || c.controlling(p) != nil {
			return errno.EPERM
		}
		t.session, t.group = p.sid, p.pgid
	case tiocNotty:
		if !own {
			return errno.ENOTTY
		}
		if p.pid != p.sid {
			return c.lacks("leaving the terminal of others")
		}
		c.signalGroup(t.group, SIGHUP)
		c.signalGroup(t.group, SIGCONT)
		t.session, t.group = 0, 0
	case tiocGpgrp:
		if !own && !master {
			return errno.ENOTTY
		}
		return c.put32(c.a[2], uint32(t.group))
	case tiocGsid:
		if !own && !master || t.session == 0 {
			return errno.ENOTTY
		}
		return c.put32(c.a[2], uint32(t.session))
	default:
		return c.setForeground(t, master, own)
	}
	c.touchTerm(t)
	return nil
}

// setForeground is tcsetpgrp.
func (c *call) setForeground(t *terminal, master, own bool) error {
	if err := c.change(t, master); err != nil {
		return err
	}
	if !own {
		return errno.ENOTTY
	}
	var b [4]byte
	if err := c.load(c.a[2], b[:]); err != nil {
		return err
	}
	pgid := int32(le.Uint32(b[:]))
	i := slices.IndexFunc(c.procs, func(p *Process) bool { return p.pgid == pgid })
	switch {
	case pgid < 0:
		return errno.EINVAL
	case i < 0:
		return errno.ESRCH
	case c.procs[i].sid != c.proc.sid:
		return errno.EPERM
	}
	t.group = pgid
	c.touchTerm(t)
	return nil
}

// masterIoctl is what only the master is asked.
func (c *call) masterIoctl(t *terminal) (uint64, error) {
	arg := c.a[2]
	switch uint32(c.a[1]) {
	case tiocGptn:
		return 0, c.put32(arg, uint32(t.number))
	case tiocGptlck:
		locked := uint32(0)
		if t.locked {
			locked = 1
		}
		return 0, c.put32(arg, locked)
	case tiocSptlck:
		var b [4]byte
		if err := c.load(arg, b[:]); err != nil {
			return 0, err
		}
		t.locked = le.Uint32(b[:]) != 0
		c.touchTerm(t)
		return 0, nil
	}
	id := vfs.TerminalNode(t.number)
	if err := c.FS.Open(id, false); err != nil {
		return 0, err
	}
	return c.openSlave(t, id, uint32(arg))
}
