// Package brute is a deliberately dumb second implementation of what package
// worlds computes, for tests: it takes every step that the processor might take
// by itself, one at a time, in every order, and keeps every state that it has
// seen. A state has a store buffer, write-combining buffers and pending flushes a
// core, and for each line the bytes that other cores see, the bytes that the
// persistence domain has, and between the two the queue of what is visible and not
// yet written back. A power cut leaves the bytes that the persistence domain has.
//
// It follows the project's persistence semantics rule by rule and shares no code
// with worlds. It is for a dozen instructions and imports the standard library.
package brute

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// LineBytes is how many bytes of a line the programs of Run may use; the rest is
// left out.
const LineBytes = 24

const lineSize = 64

// Kind is what an instruction does.
type Kind int

// The instructions.
const (
	Store Kind = iota
	NT
	Load
	CLFLUSH
	Weak // CLFLUSHOPT or CLWB
	SFENCE
	MFENCE
	Serialize // drains buffers, completes no flush
)

// Op is an instruction of a core. Data's length counts for loads.
type Op struct {
	Core, Line, Off int
	Kind            Kind
	Data            []byte
}

// Config is what the machine is like.
type Config struct {
	EADR        bool
	Cores       int
	StoreBuffer int // entries
	Lines       int
}

// write is bytes within one aligned 8 bytes of a line.
type write struct {
	line, off int
	data      string
}

// entry is an entry of a store buffer: the parts of a store that are not yet
// visible, or a flush.
type entry struct {
	kind  Kind
	line  int
	parts []write
}

// pending is a flush that has acted: at the core's barrier the first upTo writes
// of the line are persistent. Writes are counted since the beginning.
type pending struct{ line, upTo int }

type core struct {
	buffer  []entry
	waiting []int // lines of CLFLUSHOPT and CLWB that may act, and have not
	flushed []pending
	wc      []write
}

type line struct {
	visible, persistent [lineSize]byte
	queue               []write // visible, not persistent
	written             int     // writes that ever became visible
}

type state struct {
	lines []line
	cores []core
	loads string
}

// key is equal for equal states.
func (s *state) key() string {
	b := make([]byte, 0, 512)
	b = append(append(b, s.loads...), '|')
	for i := range s.lines {
		ln := &s.lines[i]
		b = append(append(b, ln.visible[:]...), ln.persistent[:]...)
		b = appendWrites(append(b, byte(ln.written)), ln.queue)
	}
	for i := range s.cores {
		c := &s.cores[i]
		for _, e := range c.buffer {
			b = appendWrites(append(b, 1, byte(e.kind), byte(e.line)), e.parts)
		}
		for _, l := range c.waiting {
			b = append(b, 2, byte(l))
		}
		for _, p := range c.flushed {
			b = append(b, 3, byte(p.line), byte(p.upTo))
		}
		b = appendWrites(append(b, 4), c.wc)
	}
	return string(b)
}

func appendWrites(b []byte, list []write) []byte {
	b = append(b, byte(len(list)))
	for _, w := range list {
		b = append(append(b, byte(w.line), byte(w.off), byte(len(w.data))), w.data...)
	}
	return b
}

func (s *state) clone() *state {
	n := &state{lines: slices.Clone(s.lines), cores: slices.Clone(s.cores), loads: s.loads}
	for i := range n.lines {
		n.lines[i].queue = slices.Clone(n.lines[i].queue)
	}
	for i := range n.cores {
		c := &n.cores[i]
		c.buffer, c.waiting, c.flushed, c.wc = slices.Clone(c.buffer),
			slices.Clone(c.waiting), slices.Clone(c.flushed), slices.Clone(c.wc)
		for k := range c.buffer {
			c.buffer[k].parts = slices.Clone(c.buffer[k].parts)
		}
	}
	return n
}

func (w write) to(b *[lineSize]byte) { copy(b[w.off:], w.data) }

// Persistent is one memory after a cut: the lines, one after the other.
type Persistent string

// Run executes the instructions in this order and returns, for the time before
// the first and after each, what a cut may leave: the memory behind what was
// loaded so far.
func (cfg Config) Run(initial Persistent, ops []Op) (at []map[string]bool) {
	s := &state{lines: make([]line, cfg.Lines), cores: make([]core, cfg.Cores)}
	for i := range s.lines {
		if initial != "" {
			copy(s.lines[i].visible[:], initial[i*LineBytes:][:LineBytes])
			s.lines[i].persistent = s.lines[i].visible
		}
	}
	now := cfg.closure([]*state{s})
	at = append(at, outcomes(now))
	for _, o := range ops {
		var next []*state
		for _, s := range now {
			if n := cfg.execute(s, o); n != nil {
				next = append(next, n)
			}
		}
		now = nil
		for _, s := range cfg.closure(next) {
			if s.cores[o.Core].occupied() <= cfg.StoreBuffer {
				now = append(now, s)
			}
		}
		at = append(at, outcomes(now))
	}
	return at
}

func outcomes(states []*state) map[string]bool {
	set := map[string]bool{}
	for _, s := range states {
		var b strings.Builder
		b.WriteString(s.loads + "/")
		for i := range s.lines {
			b.Write(s.lines[i].persistent[:LineBytes])
		}
		set[b.String()] = true
	}
	return set
}

// Sorted returns the members of a set in order.
func Sorted(set map[string]bool) (list []string) {
	for s := range set {
		list = append(list, s)
	}
	sort.Strings(list)
	return list
}

// closure adds every state that is reached without an instruction.
func (cfg Config) closure(states []*state) (all []*state) {
	seen := map[string]bool{}
	for len(states) > 0 {
		s := states[len(states)-1]
		states = states[:len(states)-1]
		if k := s.key(); seen[k] {
			continue
		} else {
			seen[k] = true
		}
		all = append(all, s)
		states = append(states, cfg.steps(s)...)
	}
	return all
}

// steps are the things that may happen next by themselves.
func (cfg Config) steps(s *state) (next []*state) {
	for i := range s.lines {
		if len(s.lines[i].queue) > 0 { // write-back, as far as it got (rules 2 and 3)
			n := s.clone()
			n.writeBack(i, 1)
			next = append(next, n)
		}
	}
	for id := range s.cores {
		c := &s.cores[id]
		if len(c.buffer) > 0 {
			next = append(next, cfg.leave(s, id)...)
		}
		for k := range c.waiting {
			n := s.clone()
			nc := &n.cores[id]
			l := nc.waiting[k]
			nc.waiting = slices.Delete(nc.waiting, k, k+1)
			nc.flushed = append(nc.flushed, pending{l, n.lines[l].written})
			next = append(next, n)
		}
		for k := range c.wc {
			if !olderSamePiece(c.wc, k) {
				n := s.clone()
				n.combined(id, k)
				next = append(next, n)
			}
		}
	}
	return next
}

func olderSamePiece(wc []write, k int) bool {
	for _, w := range wc[:k] {
		if w.line == wc[k].line && w.off/8 == wc[k].off/8 {
			return true
		}
	}
	return false
}

// occupied is how many entries are in the buffer's order.
func (c *core) occupied() (n int) {
	for _, e := range c.buffer {
		if e.kind != Weak {
			n++
		}
	}
	return n
}

func (s *state) writeBack(l, n int) {
	ln := &s.lines[l]
	for range n {
		ln.queue[0].to(&ln.persistent)
		ln.queue = ln.queue[1:]
	}
}

// combined lets a non-temporal write out: what the line has is written back, and
// the write is visible and persistent (rule 10).
func (s *state) combined(id, k int) {
	c := &s.cores[id]
	w := c.wc[k]
	c.wc = slices.Delete(c.wc, k, k+1)
	s.writeBack(w.line, len(s.lines[w.line].queue))
	w.to(&s.lines[w.line].visible)
	w.to(&s.lines[w.line].persistent)
	s.lines[w.line].written++
}

// combinedAll lets the core's buffer of a line out, l -1 for all lines.
func (s *state) combinedAll(id, l int) {
	for k := 0; k < len(s.cores[id].wc); {
		if l >= 0 && s.cores[id].wc[k].line != l {
			k++
			continue
		}
		s.combined(id, k)
	}
}

// leave is what the oldest entry of the store buffer may do.
func (cfg Config) leave(s *state, id int) (next []*state) {
	e := s.cores[id].buffer[0]
	switch e.kind {
	case Store: // its parts in any order (rule 4)
		for k := range e.parts {
			n := s.clone()
			c := &n.cores[id]
			n.combinedAll(id, e.parts[k].line)
			n.show(cfg, e.parts[k])
			c.buffer[0].parts = slices.Delete(c.buffer[0].parts, k, k+1)
			if len(c.buffer[0].parts) == 0 {
				c.buffer = c.buffer[1:]
			}
			next = append(next, n)
		}
	case CLFLUSH:
		n := s.clone()
		n.combinedAll(id, e.line)
		n.writeBack(e.line, len(n.lines[e.line].queue))
		n.cores[id].buffer = n.cores[id].buffer[1:]
		next = append(next, n)
	case SFENCE: // when all older flushes have acted
		if len(s.cores[id].waiting) == 0 {
			n := s.clone()
			n.complete(id)
			n.cores[id].buffer = n.cores[id].buffer[1:]
			next = append(next, n)
		}
	}
	for _, n := range next {
		n.release(id)
	}
	return next
}

// release lets flushes act that waited for a store of their line (rule 6). They
// sit in the buffer without a place in its order.
func (s *state) release(id int) {
	c := &s.cores[id]
	for k := 0; k < len(c.buffer); {
		e := c.buffer[k]
		older := slices.ContainsFunc(c.buffer[:k], func(o entry) bool {
			return o.kind == SFENCE || o.kind == Store &&
				slices.ContainsFunc(o.parts, func(w write) bool { return w.line == e.line })
		})
		if e.kind == Weak && (k == 0 || !older) {
			c.waiting = append(c.waiting, e.line)
			c.buffer = slices.Delete(c.buffer, k, k+1)
			continue
		}
		k++
	}
}

// others reports whether another core has something of the line in its buffers:
// in these runs loads see stores in the order of instructions, so that a core that
// touches a line waits for the others' stores of it.
func (s *state) others(id, l int) bool {
	for o, c := range s.cores {
		if o == id {
			continue
		}
		for _, e := range c.buffer {
			if e.kind == CLFLUSH && e.line == l {
				return true
			}
			for _, w := range e.parts {
				if w.line == l {
					return true
				}
			}
		}
		for _, w := range c.wc {
			if w.line == l {
				return true
			}
		}
	}
	return false
}

// parts splits bytes at 8 bytes and at lines.
func parts(o Op) (list []write) {
	for i := 0; i < len(o.Data); {
		l, off := o.Line, o.Off+i
		n := min(len(o.Data)-i, 8-off%8)
		list = append(list, write{l, off, string(o.Data[i : i+n])})
		i += n
	}
	return list
}

// execute is an instruction, nil when it has to wait in this state.
func (cfg Config) execute(s *state, o Op) *state {
	if o.Kind <= Weak && s.others(o.Core, o.Line) {
		return nil
	}
	n := s.clone()
	c := &n.cores[o.Core]
	switch o.Kind {
	case Store:
		c.buffer = append(c.buffer, entry{kind: Store, line: o.Line, parts: parts(o)})
	case CLFLUSH:
		c.buffer = append(c.buffer, entry{kind: CLFLUSH, line: o.Line})
	case Weak:
		c.buffer = append(c.buffer, entry{kind: Weak, line: o.Line})
		n.release(o.Core)
	case NT:
		for _, e := range c.buffer { // same line, or a CLFLUSH: wait
			if e.kind == CLFLUSH || e.kind == Store && e.line == o.Line {
				return nil
			}
		}
		n.writeBack(o.Line, len(n.lines[o.Line].queue))
		c.wc = append(c.wc, parts(o)...)
	case Load:
		v := n.lines[o.Line].visible
		for _, w := range c.wc {
			if w.line == o.Line {
				w.to(&v)
			}
		}
		for _, e := range c.buffer {
			for _, w := range e.parts {
				if w.line == o.Line {
					w.to(&v)
				}
			}
		}
		n.loads += fmt.Sprintf("%x,", v[o.Off:o.Off+len(o.Data)])
	default:
		return n.fence(o)
	}
	return n
}

func (s *state) fence(o Op) *state {
	c := &s.cores[o.Core]
	if len(c.buffer) > 0 {
		return nil
	}
	if o.Kind != Serialize {
		if len(c.waiting) > 0 {
			return nil
		}
		s.complete(o.Core)
	}
	s.combinedAll(o.Core, -1)
	return s
}

// complete is what a fence does when all flushes of the core have acted.
func (s *state) complete(id int) {
	c := &s.cores[id]
	for _, p := range c.flushed {
		ln := &s.lines[p.line]
		if n := p.upTo - (ln.written - len(ln.queue)); n > 0 {
			s.writeBack(p.line, n)
		}
	}
	c.flushed = nil
	s.combinedAll(id, -1)
}

// show makes a write visible.
func (s *state) show(cfg Config, w write) {
	ln := &s.lines[w.line]
	w.to(&ln.visible)
	ln.written++
	if cfg.EADR {
		w.to(&ln.persistent)
	} else {
		ln.queue = append(ln.queue, w)
	}
}
