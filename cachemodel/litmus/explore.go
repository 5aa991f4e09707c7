package litmus

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"zhuque/cachemodel/worlds"
	"zhuque/sim/phys"
)

// MaxStates bounds the states of one test in one domain.
const MaxStates = 100_000

// state is a test at one moment: a machine that runs, or one that a cut has just
// restarted.
type state struct {
	mem     *worlds.Memory
	section int
	pc      []int // of the section's threads
	regs    []uint64
	prints  []uint64 // of the section's threads
	ended   []uint64 // done and prints of the threads of the sections before

	from *state
	by   string // what led here from there
}

// Outcome is what one way of running a test leaves: the values that the conditions
// speak of, and one shortest way there.
type Outcome struct {
	Values  []uint64
	Witness []string
}

// Result is all that a test can leave in one domain.
type Result struct {
	Test     *Test
	Domain   worlds.Domain
	Outcomes []Outcome // by values, in ascending order
	States   int
}

// explorer visits every state of a test, shortest ways first.
type explorer struct {
	t       *Test
	domain  worlds.Domain
	seen    map[string]bool
	queue   []*state
	found   map[string]*Outcome
	initial initial
}

// initial is persistent memory before the test.
type initial map[phys.LineAddr]*[phys.LineSize]byte

func (m initial) ReadLine(l phys.LineAddr, dst *[phys.LineSize]byte) {
	if b := m[l]; b != nil {
		*dst = *b
	} else {
		*dst = [phys.LineSize]byte{}
	}
}

// Explore runs the test in all ways. The error says that there are too many.
func (t *Test) Explore(domain worlds.Domain) (*Result, error) {
	x := &explorer{t: t, domain: domain, seen: map[string]bool{}, found: map[string]*Outcome{}, initial: initial{}}
	for i := range t.Locations {
		l := &t.Locations[i]
		for k := range l.Size * l.Count {
			a := place(l.Addr + k)
			if x.initial[a.Line()] == nil {
				x.initial[a.Line()] = &[phys.LineSize]byte{}
			}
			x.initial[a.Line()][a%phys.LineSize] = byte(l.Initial >> (8 * (k % l.Size)))
		}
	}
	cores := 0
	for _, s := range t.Sections {
		cores = max(cores, len(s))
	}
	mem := worlds.New(worlds.Config{Domain: domain, Cores: cores, StoreBuffer: 4 * MaxInstructions, Keep: true}, x.initial)
	first := &state{mem: mem, regs: make([]uint64, len(t.regs))}
	first.enter(t, 0)
	x.add(first)
	for len(x.queue) > 0 {
		s := x.queue[0]
		x.queue[0] = nil
		x.queue = x.queue[1:]
		x.expand(s)
		if len(x.seen) > MaxStates {
			return nil, &Error{t.File, 1,
				fmt.Sprintf("litmus %s has more than %d states under %v: make it smaller", t.Name, MaxStates, domain)}
		}
	}
	r := &Result{Test: t, Domain: domain, States: len(x.seen)}
	for _, o := range x.found {
		r.Outcomes = append(r.Outcomes, *o)
	}
	slices.SortFunc(r.Outcomes, func(a, b Outcome) int { return slices.Compare(a.Values, b.Values) })
	return r, nil
}

// place returns the address of a byte of the test's memory.
func place(a int) phys.Addr { return phys.PMEMBase + phys.Addr(a) }

// enter begins a section.
func (s *state) enter(t *Test, section int) {
	s.section = section
	s.pc = make([]int, len(t.Sections[section]))
	s.prints = make([]uint64, len(t.Sections[section]))
}

// fork returns a state after s that does what by says.
func (s *state) fork(src worlds.Source, by string) *state {
	f := &state{section: s.section, pc: slices.Clone(s.pc), regs: slices.Clone(s.regs), prints: slices.Clone(s.prints),
		ended: s.ended, from: s, by: by}
	f.mem = s.mem.Fork(src)
	return f
}

// add puts a state into the queue if it is new.
func (x *explorer) add(s *state) {
	d := s.mem.StateDigest()
	k := binary.LittleEndian.AppendUint64(nil, d[0])
	k = binary.LittleEndian.AppendUint64(k, d[1])
	k = append(k, byte(s.section))
	for _, pc := range s.pc {
		k = append(k, byte(pc))
	}
	for _, list := range [][]uint64{s.regs, s.prints, s.ended} {
		for _, v := range list {
			k = binary.LittleEndian.AppendUint64(k, v)
		}
	}
	if !x.seen[string(k)] {
		x.seen[string(k)] = true
		x.queue = append(x.queue, s)
	}
}

// expand tries everything that may happen next: an instruction of a thread, a
// store buffer's oldest entry, a piece of a write-combining buffer, the cut.
func (x *explorer) expand(s *state) {
	threads := x.t.Sections[s.section]
	for i := range threads {
		x.execute(s, i)
		if site, ok := s.mem.Oldest(i); ok {
			f := s.fork(x.initial, x.t.instrs[site-1]+": "+leaves)
			f.mem.Commit(i)
			x.add(f)
		}
		for _, l := range s.mem.Combining(i) {
			for piece := range 8 {
				if s.mem.Pieces(i, l)>>piece&1 != 0 {
					f := s.fork(x.initial, fmt.Sprintf("%s: its write-combining buffer of %s leaves", threads[i].Name, x.at(l, piece)))
					f.mem.LeavePiece(i, l, piece)
					x.add(f)
				}
			}
		}
	}
	x.cut(s)
	s.mem = nil // what comes after needs to know only how it was reached
}

const leaves = "leaves the store buffer"

// at names the location in 8 bytes of a line.
func (x *explorer) at(l phys.LineAddr, piece int) string {
	a := int(l.Addr()-phys.PMEMBase) + 8*piece
	for i := range x.t.Locations {
		if o := &x.t.Locations[i]; o.Addr < a+8 && a < o.Addr+o.Size*o.Count {
			return o.Name
		}
	}
	return fmt.Sprintf("line %d", a/lineSize)
}

// cut ends the state by a power cut. In the last section the memory that it leaves
// is an outcome; before that it is where the next begins.
func (x *explorer) cut(s *state) {
	threads := x.t.Sections[s.section]
	c := &state{mem: s.mem.Cut(x.initial, worlds.Lost), regs: s.regs,
		from: s, by: "power cut", ended: slices.Clone(s.ended)}
	for i := range threads {
		done := uint64(0)
		if _, fences := s.mem.Buffered(i); fences == 0 && s.pc[i] == len(threads[i].Instrs) {
			done = 1
		}
		c.ended = append(c.ended, done, s.prints[i])
	}
	if s.section+1 < len(x.t.Sections) {
		c.enter(x.t, s.section+1)
		x.add(c)
		return
	}
	x.observe(c, 0, nil)
}

// observe reads the terms from the n-th on, with a fork for each way in which a
// read may come out.
func (x *explorer) observe(s *state, n int, values []uint64) {
	for ; n < len(x.t.observed); n++ {
		o := &x.t.observed[n]
		if o.thread >= 0 {
			values = append(values, x.t.ofThread(o, s))
			continue
		}
		x.read(s, 0, o.addr, o.size, func(f *state, v uint64) {
			x.observe(f, n+1, append(slices.Clone(values), v))
		})
		return
	}
	k := fmt.Sprint(values)
	if x.found[k] == nil {
		x.found[k] = &Outcome{Values: slices.Clone(values), Witness: x.witness(s)}
	}
}

// ofThread returns a term of a thread.
func (t *Test) ofThread(o *term, s *state) uint64 {
	switch o.register {
	case "done":
		return s.ended[2*o.thread]
	case "prints":
		return s.ended[2*o.thread+1]
	}
	return s.regs[o.index]
}

// read calls next with each value that a load of the core may give, and the state
// in which it does.
func (x *explorer) read(s *state, core, addr, size int, next func(*state, uint64)) {
	var value uint64
	for i := 0; i < size; {
		a := place(addr + i)
		n := min(size-i, int(phys.LineSize-a%phys.LineSize))
		var b [8]byte
		choices := s.mem.Read(core, a, b[:n])
		if choices == nil {
			value |= binary.LittleEndian.Uint64(b[:]) << (8 * i)
			i += n
			continue
		}
		for _, c := range choices {
			f := s.fork(x.initial, s.by)
			f.from = s.from
			f.mem.Narrow(c, 0)
			x.read(f, core, addr, size, next)
		}
		return
	}
	next(s, value)
}

// witness tells how a state was reached.
func (x *explorer) witness(s *state) (list []string) {
	for p := s; p != nil && p.from != nil; p = p.from {
		list = append(list, p.by)
	}
	slices.Reverse(list)
	var lost []string
	for _, d := range s.mem.Decisions() {
		switch c := s.mem.Cause(d); {
		case c.Lost.At != 0:
			lost = append(lost, x.t.instrs[c.Lost.Site-1]+": lost, "+c.Why.String())
		case c.Kept.At != 0:
			lost = append(lost, x.t.instrs[c.Kept.Site-1]+": written back")
		}
	}
	return append(list, lost...)
}

// Holds reports whether the outcomes are as the condition says.
func (r *Result) Holds(c *Condition) bool {
	some, all := false, true
	for i := range r.Outcomes {
		h := c.expr.holds(r.Outcomes[i].Values)
		some, all = some || h, all && h
	}
	switch c.Quantifier {
	case Exists:
		return some
	case Never:
		return !some
	}
	return all
}

// In reports whether the condition is about the domain.
func (c *Condition) In(d worlds.Domain) bool {
	return c.ADR && d == worlds.ADR || c.EADR && d == worlds.EADR
}

// Names returns the names of what outcomes list, in order.
func (t *Test) Names() (names []string) {
	for i := range t.observed {
		names = append(names, t.observed[i].name)
	}
	return names
}

// String writes an outcome as conditions write it.
func (r *Result) String(o *Outcome) string {
	var b strings.Builder
	for i, v := range o.Values {
		if i > 0 {
			b.WriteByte(' ')
		}
		name := r.Test.observed[i].name
		if v > 0xffff {
			fmt.Fprintf(&b, "%s=%#x", name, v)
		} else {
			fmt.Fprintf(&b, "%s=%d", name, v)
		}
	}
	return b.String()
}
