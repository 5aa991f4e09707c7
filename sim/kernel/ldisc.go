package kernel

import (
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

// The line discipline of terminals: what typed characters do, and what is printed for
// those that are written. Sources: termios(3), drivers/tty/n_tty.c.

// Flags of termios: input, output and local ones.
const (
	iParmrk = 0o10
	iIstrip = 0o40
	iInlcr  = 0o100
	iIgncr  = 0o200
	iIcrnl  = 0o400
	iIuclc  = 0o1000
	iIxon   = 0o2000
	iIxany  = 0o4000
	iIutf8  = 0o40000

	oOpost  = 0o1
	oOlcuc  = 0o2
	oOnlcr  = 0o4
	oOcrnl  = 0o10
	oOnocr  = 0o20
	oOnlret = 0o40
	oXtabs  = 0o14000

	lIsig    = 0o1
	lIcanon  = 0o2
	lXcase   = 0o4
	lEcho    = 0o10
	lEchoe   = 0o20
	lEchok   = 0o40
	lEchonl  = 0o100
	lNoflsh  = 0o200
	lTostop  = 0o400
	lEchoctl = 0o1000
	lEchoprt = 0o2000
	lEchoke  = 0o4000
	lIexten  = 0o100000
	lExtproc = 0o200000
)

// Places among the control characters.
const (
	vIntr = iota
	vQuit
	vErase
	vKill
	vEOF
	vTime
	vMin
	_
	vStart
	vStop
	vSusp
	vEOL
	vReprint
	_
	vWerase
	vLnext
	vEOL2
	controls = 19
)

// termios is a terminal's settings, a struct termios of the kernel.
type termios struct {
	iflag, oflag, cflag, lflag uint32
	line                       uint8
	cc                         [controls]uint8
}

func (s *termios) code(c *codec) {
	for _, p := range []*uint32{&s.iflag, &s.oflag, &s.cflag, &s.lflag} {
		code(c, p)
	}
	code(c, &s.line)
	for i := range s.cc {
		code(c, &s.cc[i])
	}
}

// is reports whether a character is one of the control characters at some places.
func (s *termios) is(ch byte, places ...int) bool {
	return ch != 0 && slices.ContainsFunc(places, func(i int) bool { return s.cc[i] == ch })
}

func isControl(ch byte) bool { return ch < ' ' || ch == 0x7f }

// follows reports whether a byte goes on with a character of UTF-8.
func (t *terminal) follows(ch byte) bool { return t.set.iflag&iIutf8 != 0 && ch&0xc0 == 0x80 }

func (t *terminal) canonical() bool { return t.set.lflag&lIcanon != 0 }

// keyboard is a terminal at which characters are typed.
type keyboard struct {
	*Kernel
	*terminal
	in, out []byte // what is appended to the pipes
}

// typed is what the master's write does.
func (c *call) typed(d *desc, data []byte) (int, error) {
	t := c.termOf(d)
	n := 0
	kb := keyboard{Kernel: c.Kernel, terminal: t}
	for n < len(data) && c.keyRoom(t) > len(kb.in) {
		kb.key(data[n])
		n++
	}
	if n > 0 {
		kb.settle()
		c.touchTerm(t)
		return n, nil
	}
	if d.flags&oNonblock != 0 {
		return 0, errno.EAGAIN
	}
	return 0, c.waitReady(d, pollOut)
}

// keyRoom returns for how many more characters there is room, at least.
func (k *Kernel) keyRoom(t *terminal) int {
	if len(t.lines) >= maxLines {
		return 0
	}
	return PipeCapacity - 1 - len(k.files.pipe(t.in).data) - len(t.line)
}

// settle moves what the characters made into the pipes.
func (kb *keyboard) settle() {
	kb.push(kb.terminal.in, kb.in)
	out := kb.files.pipe(kb.terminal.out)
	if len(out.data)+len(kb.out) <= PipeCapacity { // echoes get lost, as in Linux
		kb.push(kb.terminal.out, kb.out)
	}
}

// push appends to a pipe of a terminal.
func (k *Kernel) push(id int, data []byte) {
	if len(data) > 0 {
		p := k.files.pipe(id)
		p.data = append(p.data[:len(p.data):len(p.data)], data...)
		p.news.in++
		k.touchPipe(id)
	}
}

// flush throws away what is in a pipe of a terminal.
func (k *Kernel) flush(t *terminal, id int) {
	p := k.files.pipe(id)
	p.taken, p.data = p.taken+uint64(len(p.data)), nil
	p.news.out++
	k.touchPipe(id)
	if id == t.in {
		t.line, t.lines = "", nil
	}
	k.touchTerm(t)
}

// key is one typed character.
func (kb *keyboard) key(ch byte) {
	s := &kb.set
	if s.iflag&iIstrip != 0 {
		ch &= 0x7f
	}
	if kb.literal {
		kb.literal = false
		kb.plain(ch)
		return
	}
	if s.iflag&iIxon != 0 && s.is(ch, vStart, vStop) {
		kb.halt(s.is(ch, vStop))
		return
	}
	if s.iflag&iIxany != 0 {
		kb.halt(false)
	}
	if s.lflag&lIsig != 0 {
		for _, key := range [...]struct{ place, sig int }{{vIntr, SIGINT}, {vQuit, SIGQUIT}, {vSusp, SIGTSTP}} {
			if s.is(ch, key.place) {
				kb.signal(ch, key.sig)
				return
			}
		}
	}
	switch {
	case ch == '\r' && s.iflag&iIgncr != 0:
		return
	case ch == '\r' && s.iflag&iIcrnl != 0:
		ch = '\n'
	case ch == '\n' && s.iflag&iInlcr != 0:
		ch = '\r'
	}
	if !kb.canonical() || !kb.edits(ch) {
		kb.plain(ch)
	}
}

// halt stops the output, or lets it go on.
func (kb *keyboard) halt(stop bool) {
	if kb.stopped && !stop {
		p := kb.files.pipe(kb.terminal.out)
		p.news.out++
		kb.touchPipe(p.id)
	}
	kb.stopped = stop
}

// signal is a character that sends a signal to the foreground.
func (kb *keyboard) signal(ch byte, sig int) {
	if kb.set.lflag&lNoflsh == 0 {
		kb.flush(kb.terminal, kb.terminal.in) // what was printed is with the master already
		kb.in, kb.out = nil, nil
	}
	kb.signalGroup(kb.group, sig)
	if kb.set.iflag&iIxon != 0 {
		kb.halt(false)
	}
	if kb.set.lflag&lEcho != 0 {
		kb.echo(ch)
	}
}

// edits does what a character means in the canonical mode; it reports false for one that
// means itself.
func (kb *keyboard) edits(ch byte) bool {
	s := &kb.set
	extended := s.lflag&lIexten != 0
	switch {
	case s.is(ch, vErase), s.is(ch, vKill), extended && s.is(ch, vWerase):
		kb.erase(ch)
	case extended && s.is(ch, vLnext):
		kb.literal = true
		if s.lflag&lEcho != 0 && s.lflag&lEchoctl != 0 {
			kb.out = append(kb.out, '^', '\b')
		}
	case extended && s.is(ch, vReprint) && s.lflag&lEcho != 0:
		kb.echo(ch)
		kb.print('\n')
		for i := range len(kb.line) {
			kb.echo(kb.line[i])
		}
	case ch == '\n':
		if s.lflag&(lEcho|lEchonl) != 0 {
			kb.print('\n')
		}
		kb.enter("\n")
	case s.is(ch, vEOF):
		kb.enter("")
	case s.is(ch, vEOL), extended && s.is(ch, vEOL2):
		if s.lflag&lEcho != 0 {
			kb.echo(ch)
		}
		kb.enter(string(ch))
	default:
		return false
	}
	return true
}

// enter completes the line.
func (kb *keyboard) enter(end string) {
	text := kb.line + end
	kb.in = append(kb.in, text...)
	kb.line = ""
	kb.lines = append(slices.Clip(kb.lines), len(text))
	if text == "" { // the end of the file: nothing comes, and yet something has happened
		kb.files.pipe(kb.terminal.in).news.in++
		kb.touchPipe(kb.terminal.in)
	}
}

// plain is a character that means itself.
func (kb *keyboard) plain(ch byte) {
	if kb.canonical() && len(kb.line) >= maxLine {
		return
	}
	if kb.set.lflag&lEcho != 0 {
		if kb.line == "" {
			kb.begin = kb.column
		}
		kb.echo(ch)
	}
	if kb.canonical() {
		kb.line += string([]byte{ch})
	} else {
		kb.in = append(kb.in, ch)
	}
}

// echo shows a character, control characters as ^X.
func (kb *keyboard) echo(ch byte) {
	if kb.set.lflag&lEchoctl != 0 && isControl(ch) && ch != '\t' {
		kb.out = append(kb.out, '^', ch^0o100)
		kb.column += 2
		return
	}
	kb.print(ch)
}

func (kb *keyboard) print(ch byte) { kb.out = append(kb.out, kb.output(ch)...) }

// erase is a character that takes others back: one, a word or the line.
func (kb *keyboard) erase(ch byte) {
	s := &kb.set
	echo := s.lflag&lEcho != 0
	if kb.line == "" {
		return
	}
	if s.is(ch, vKill) {
		if !echo {
			kb.line = ""
			return
		}
		if s.lflag&lEchok == 0 || s.lflag&lEchoke == 0 || s.lflag&lEchoe == 0 {
			kb.line = ""
			kb.echo(s.cc[vKill])
			if s.lflag&lEchok != 0 {
				kb.print('\n')
			}
			return
		}
	}
	for seen := false; kb.line != ""; {
		n := len(kb.line) - 1
		for n > 0 && kb.follows(kb.line[n]) {
			n--
		}
		last := kb.line[n]
		if s.is(ch, vWerase) {
			if word := isWord(last); word {
				seen = true
			} else if seen {
				return
			}
		}
		kb.line = kb.line[:n]
		if echo {
			kb.rub(last, s.is(ch, vErase))
		}
		if s.is(ch, vErase) {
			return
		}
	}
}

func isWord(ch byte) bool {
	return ch == '_' || ch >= '0' && ch <= '9' || ch|0x20 >= 'a' && ch|0x20 <= 'z'
}

// rub takes the character behind the line away from the screen.
func (kb *keyboard) rub(ch byte, single bool) {
	const rubout = "\b \b"
	switch ctl := kb.set.lflag&lEchoctl != 0; {
	case single && kb.set.lflag&lEchoe == 0:
		kb.echo(kb.set.cc[vErase])
	case ch == '\t':
		width, tab := 0, false
		for i := len(kb.line) - 1; i >= 0 && !tab; i-- {
			switch c := kb.line[i]; {
			case c == '\t':
				tab = true
			case isControl(c):
				if ctl {
					width += 2
				}
			case !kb.follows(c):
				width++
			}
		}
		if !tab {
			width += kb.begin
		}
		for range 8 - width%8 {
			kb.out = append(kb.out, '\b')
			kb.column = max(0, kb.column-1)
		}
	case isControl(ch) && !ctl:
	case isControl(ch):
		kb.out = append(kb.out, rubout+rubout...)
		kb.column = max(0, kb.column-2)
	default:
		kb.out = append(kb.out, rubout...)
		kb.column = max(0, kb.column-1)
	}
}

// output returns what a written character prints, and moves the cursor.
func (t *terminal) output(ch byte) []byte {
	s := &t.set
	if s.oflag&oOpost == 0 {
		return []byte{ch}
	}
	switch ch {
	case '\n':
		if s.oflag&oOnlret != 0 {
			t.column = 0
		}
		if s.oflag&oOnlcr != 0 {
			t.column, t.begin = 0, 0
			return []byte("\r\n")
		}
	case '\r':
		if s.oflag&oOnocr != 0 && t.column == 0 {
			return nil
		}
		if s.oflag&oOcrnl != 0 {
			if s.oflag&oOnlret != 0 {
				t.column = 0
			}
			return []byte{'\n'}
		}
		t.column, t.begin = 0, 0
	case '\t':
		spaces := 8 - t.column&7
		t.column += spaces
		if s.oflag&oXtabs == oXtabs {
			return []byte("        ")[:spaces]
		}
	case '\b':
		t.column = max(0, t.column-1)
	default:
		if !isControl(ch) && !t.follows(ch) {
			t.column++
		}
	}
	return []byte{ch}
}

// widest is the most that one character prints.
const widest = 8

// printable reports whether there is room for what one more character prints.
func (k *Kernel) printable(t *terminal) bool {
	return !t.stopped && PipeCapacity-len(k.files.pipe(t.out).data) >= widest
}

// printed is what a program's write to its terminal does.
func (c *call) printed(d *desc, data []byte) (int, error) {
	t := c.termOf(d)
	if t.masters == 0 {
		return 0, errno.EIO
	}
	if t.set.lflag&lTostop != 0 {
		if err := c.foreground(t, SIGTTOU); err != nil {
			return 0, err
		}
	}
	if !c.printable(t) {
		if d.flags&oNonblock != 0 {
			return 0, errno.EAGAIN
		}
		return 0, c.waitReady(d, pollOut)
	}
	n, room := 0, PipeCapacity-len(c.files.pipe(t.out).data)
	var out []byte
	for n < len(data) && len(out)+widest <= room {
		out = append(out, t.output(data[n])...)
		n++
	}
	c.push(t.out, out)
	c.touchTerm(t)
	return n, nil
}

// readable reports whether a read of the terminal has something to give, or need not wait.
func (k *Kernel) readable(t *terminal) bool {
	if t.canonical() {
		return len(t.lines) > 0
	}
	least := 1
	if t.set.cc[vTime] == 0 {
		least = max(1, int(t.set.cc[vMin]))
	}
	return len(k.files.pipe(t.in).data) >= least
}

// peekTerm returns what a read of an end of a terminal gives.
func (c *call) peekTerm(d *desc, n int) ([]byte, error) {
	t := c.termOf(d)
	if d.kind == FDMaster {
		switch data := c.files.pipe(t.out).data; {
		case len(data) > 0:
			return data[:min(n, len(data))], nil
		case t.opened && t.slaves == 0:
			return nil, errno.EIO
		case d.flags&oNonblock != 0:
			return nil, errno.EAGAIN
		}
		return nil, c.waitReady(d, pollIn|pollHup)
	}
	if t.masters == 0 {
		return nil, nil
	}
	if err := c.foreground(t, SIGTTIN); err != nil {
		return nil, err
	}
	if t.canonical() {
		if len(t.lines) > 0 {
			return c.files.pipe(t.in).data[:min(n, t.lines[0])], nil
		}
		if d.flags&oNonblock != 0 {
			return nil, errno.EAGAIN
		}
		return nil, c.waitReady(d, pollIn|pollHup)
	}
	return c.peekRaw(d, t, n)
}

// peekRaw is peekTerm where characters come as they are typed, as VMIN and VTIME say.
func (c *call) peekRaw(d *desc, t *terminal, n int) ([]byte, error) {
	data := c.files.pipe(t.in).data
	least, tenths := int(t.set.cc[vMin]), phys.Nanos(t.set.cc[vTime])
	switch {
	case least > 1 && (tenths > 0 || n < least):
		return nil, c.lacks("a terminal with VMIN %d and VTIME %d, and a read of %d bytes", least, tenths, n)
	case len(data) > 0 && len(data) >= least, least+int(tenths) == 0:
		return data[:min(n, len(data))], nil
	case d.flags&oNonblock != 0:
		if len(data) > 0 {
			return data[:min(n, len(data))], nil
		}
		return nil, errno.EAGAIN
	case least > 0:
		return nil, c.waitReady(d, pollIn|pollHup)
	}
	err := c.waitFor(wait{on: []interest{{d.id, pollIn | pollHup, 0}}, deadline: c.after(tenths * second / 10)})
	if err == errTimeout {
		err = nil
	}
	return nil, err
}

// takeTerm makes n peeked bytes of a terminal read.
func (c *call) takeTerm(d *desc, n int) {
	t := c.termOf(d)
	id := t.in
	if d.kind == FDMaster {
		id = t.out
	}
	p := c.files.pipe(id)
	full := PipeCapacity-len(p.data) < pipeBuf
	p.data, p.taken = p.data[n:], p.taken+uint64(n)
	if full && PipeCapacity-len(p.data) >= pipeBuf {
		p.news.out++
	}
	c.touchPipe(id)
	if d.kind == FDMaster || t.masters == 0 || !t.canonical() || len(t.lines) == 0 {
		return
	}
	t.lines = slices.Clone(t.lines)
	if t.lines[0] -= n; t.lines[0] == 0 {
		t.lines = t.lines[1:]
	}
	c.touchTerm(t)
}
