package explore

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"sync"

	"zhuque/cachemodel/worlds"
	"zhuque/sim"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/symbols"
)

// sites numbers the instructions of all machines of an exploration. An instruction of a
// library without lines has a number for each line that it was called from. Its zero
// value has no numbers.
type sites struct {
	mu     sync.Mutex
	cache  symbols.Cache
	lined  map[code]worlds.Site // instructions with a line of their own
	called map[caller]worlds.Site
	trails map[mapped][]unwound
	places []Place // of each number
}

// code is a byte of a file: programs at the same address are told apart.
type code struct {
	file vfs.NodeID
	off  uint64
}

// caller is an instruction and the line that led to it.
type caller struct {
	code
	pc uint64
	at string
}

// number implements sim.Sites.
func (s *sites) number(m *sim.Machine, pc uint64) worlds.Site {
	s.mu.Lock()
	defer s.mu.Unlock()
	tid, regs := m.Held(m.Executing())
	t := m.Kernel().Thread(tid)
	if t == nil {
		return s.add(Place{Address: fmt.Sprintf("%#x", pc)}, caller{pc: pc})
	}
	var c code
	if v, ok := t.Process().MM.Find(pc); ok {
		c = code{v.Node, pc - v.Start + v.Off}
	}
	if n, ok := s.lined[c]; ok {
		return n
	}
	at := mapped{c, pc}
	if n, ok := s.known(m, t.Process(), at, regs.R[4]); ok {
		return n
	}
	stack := m.Symbols(t.Process(), &s.cache).Unwind(symbols.Registers{R: regs.R, RIP: pc})
	p := placeOf(stack)
	n := s.add(p, caller{c, pc, p.String()})
	if stack[0].HasLine() && c.file != 0 {
		if s.lined == nil {
			s.lined = map[code]worlds.Site{}
		}
		s.lined[c] = n
	}
	s.remember(m, t.Process(), at, stack, n)
	return n
}

// stack returns the stack of an instruction of a machine that executes it.
func (s *sites) stack(m *sim.Machine, pc uint64) (list []Frame) {
	tid, regs := m.Held(m.Executing())
	t := m.Kernel().Thread(tid)
	if t == nil {
		return nil
	}
	for _, f := range m.Symbols(t.Process(), &s.cache).Unwind(symbols.Registers{R: regs.R, RIP: pc}) {
		list = append(list, Frame{cmp.Or(f.Function, f.Symbol), f.Module, f.File, f.Line, fmt.Sprintf("%#x", f.Addr)})
	}
	return list
}

// add returns the number of a place.
func (s *sites) add(p Place, c caller) worlds.Site {
	if n, ok := s.called[c]; ok {
		return n
	}
	if s.called == nil {
		s.called = map[caller]worlds.Site{}
		s.places = append(s.places, Place{Address: "the start of the program"}) // 0: what the kernel loads to start it
	}
	n := worlds.Site(len(s.places))
	s.places = append(s.places, p)
	s.called[c] = n
	return n
}

// place returns what a number stands for.
func (s *sites) place(n worlds.Site) Place {
	if n >= worlds.Site(len(s.places)) {
		return Place{Address: fmt.Sprintf("%#x", uint64(n))}
	}
	return s.places[n]
}

// programLine is the innermost frame with a line that somebody wrote: a compiler's header of
// intrinsics stands for single instructions.
func programLine(stack symbols.Stack) (symbols.Frame, bool) {
	for i, f := range stack {
		if f.HasLine() &&
			!(strings.HasSuffix(f.File, "intrin.h") && i+1 < len(stack) && stack[i+1].How == symbols.ByInlining) {
			return f, true
		}
	}
	return stack.Line()
}

// placeOf names the innermost frame of a stack that has a line.
func placeOf(stack symbols.Stack) Place {
	inner := stack[0]
	p := Place{Address: fmt.Sprintf("%#x", inner.Addr)}
	f, ok := programLine(stack)
	if !ok {
		if inner.Symbol != "" {
			p.Function = fmt.Sprintf("%s+%#x", inner.Symbol, inner.SymbolOffset)
		}
		if inner.Text != "" {
			p.Address += ": " + inner.Text
		}
		return p
	}
	p.File, p.Line, p.Function = f.File, f.Line, f.Function
	if inner.Line != f.Line || inner.File != f.File {
		if p.In = inner.Symbol; p.In == "" {
			p.In = fmt.Sprintf("%s+%#x", path.Base(inner.Module), inner.Offset)
		}
	}
	return p
}
