package crashinject

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// World says how one load of a recovery comes out that what a power cut left does not
// decide: Way counts, from 0, the contents of the line that tell it apart, 0 being the one
// with all of its stores. Its text is FILE+0xOFFSET=WAY, by the line's place in its file.
type World struct {
	Line string // FILE+0xOFFSET
	Way  uint64
}

func (w World) String() string { return fmt.Sprintf("%s=%d", escaped(w.Line), w.Way) }

// parseWorld reads what String prints.
func parseWorld(arg string) (w World, err error) {
	bad := fmt.Errorf("\"world\" %q: expected FILE+OFFSET=N, a line of a file and the way "+
		"in which its load comes out, from 0", arg)
	line, way, ok := cutLast(arg, "=")
	file, off, ok2 := cutLast(line, "+")
	if !ok || !ok2 || file == "" {
		return w, bad
	}
	if w.Way, err = strconv.ParseUint(way, 10, 64); err != nil {
		return w, bad
	}
	at, err := strconv.ParseUint(off, 0, 64)
	if err != nil || at%64 != 0 {
		return w, fmt.Errorf("%w; OFFSET is that of a line of 64 bytes", bad)
	}
	name, err := unescaped(file)
	if err != nil {
		return w, bad
	}
	w.Line = fmt.Sprintf("%s+%#x", name, at)
	return w, nil
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// escaped writes what would end a word of a plan, or a control character, as %XX.
func escaped(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c <= ' ' || c == '%' || c == ';' || c == '(' || c == ')' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

func unescaped(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		if i+2 >= len(text) {
			return "", errors.New("% without two digits")
		}
		n, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
		if err != nil {
			return "", err
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), nil
}

// Explored is what a case of zhuque explore has beside its recovery, which is the case's
// Restart. Its zero value is the usual judgement.
type Explored struct {
	Check  *Restart // run after a recovery that ended well; nil for none
	Status int      // exit status of a recovery that is right
	Output *string  // what it must write to standard output; nil: not looked at
	Pipe   bool     // standard output is a pipe, not a terminal
	Input  *string  // standard input of the program, where it is not a file of the setup
}

// OfWorlds reports whether the plan's cuts lead to a world of zhuque explore.
func (p Plan) OfWorlds() bool {
	for _, c := range p.Cuts {
		if c.Look != 0 || len(c.Worlds) > 0 {
			return true
		}
	}
	return false
}

// WorldFits reports what of a case says nothing of a world, or is missing. It is the
// counterpart, for zhuque explore, of what Judge asks of other cases.
func (c *Case) WorldFits() error {
	switch {
	case c.Tail:
		return errors.New("tail: a world's recovery always runs to its end")
	case c.Restart != nil && c.Restart.Status != 0:
		return errors.New("restart-status: the exit status of a world's recovery is expect-status")
	}
	return c.Plan.worldsFit()
}

func (p Plan) worldsFit() error {
	for i := range p.Cuts {
		c := &p.Cuts[i]
		rest := *c
		rest.After, rest.Look, rest.Worlds = 0, 0, nil
		switch {
		case i == 0 && c.Look == 0:
			return errors.New("cut 1: a world begins with \"look N\", " +
				"the crash point of the program as zhuque explore counts them")
		case i > 0 && c.Look != 0:
			return fmt.Errorf("cut %d: look counts crash points of the program: "+
				"expected \"after N\" for one of the recovery", i+1)
		case rest.String() != (Cut{}).String():
			return fmt.Errorf("cut %d: a world takes the words look, after and world alone", i+1)
		}
	}
	return nil
}

// ErrOfWorlds is the answer of what runs no worlds to a plan that leads to one.
var ErrOfWorlds = errors.New("look and world lead to a memory of zhuque explore: " +
	"expected a case file for zhuque replay")

// fits refuses what only a world has where the plan leads to none.
func (e *Explored) fits(p Plan) error {
	if *e == (Explored{}) || p.OfWorlds() {
		return nil
	}
	return errors.New("check, expect-status, expect-output, stdin and stdout belong to a world of " +
		"zhuque explore: expected a cut like look 2 world /mnt/pmem/f+0x40=1")
}

// exploredLine reads a line of a case that only explored ones have.
func (e *Explored) exploredLine(key, value string) (err error) {
	switch key {
	case "check", "check-arg":
		err = addCommand(&e.Check, key, "check", value)
	case "expect-status":
		var n uint64
		if n, err = strconv.ParseUint(value, 10, 8); err != nil {
			err = fmt.Errorf("expect-status %q: expected a whole number from 0 to 255", value)
		}
		e.Status = int(n)
	case "expect-output":
		e.Output = &value
	case "stdin":
		e.Input = &value
	case "stdout":
		if value != "pipe" {
			err = fmt.Errorf("stdout %q: expected pipe", value)
		}
		e.Pipe = true
	}
	return err
}

// addCommand reads the line that names a command, or one of its arguments.
func addCommand(to **Restart, key, first, value string) error {
	switch {
	case key == first && *to != nil:
		return fmt.Errorf("duplicate %s", first)
	case key == first && value == "":
		return fmt.Errorf("%s \"\": expected a program", first)
	case key == first:
		*to = &Restart{Program: value}
	case *to == nil:
		return fmt.Errorf("%s before %s: expected the program first", key, first)
	default:
		(*to).Args = append((*to).Args, value)
	}
	return nil
}

// write renders the lines that exploredLine reads.
func (e *Explored) write(b *strings.Builder) {
	if e.Check != nil {
		fmt.Fprintf(b, "check %q\n", e.Check.Program)
		for _, a := range e.Check.Args {
			fmt.Fprintf(b, "check-arg %q\n", a)
		}
	}
	if e.Status != 0 {
		fmt.Fprintf(b, "expect-status %q\n", strconv.Itoa(e.Status))
	}
	if e.Output != nil {
		fmt.Fprintf(b, "expect-output %q\n", *e.Output)
	}
	if e.Input != nil {
		fmt.Fprintf(b, "stdin %q\n", *e.Input)
	}
	if e.Pipe {
		b.WriteString("stdout \"pipe\"\n")
	}
}
