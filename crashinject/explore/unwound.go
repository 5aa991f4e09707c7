package explore

import (
	"encoding/binary"

	"zhuque/cachemodel/worlds"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/symbols"
)

// unwound is what an instruction's stack was unwound by, as far as its line: where the return
// addresses lie, from the stack pointer. Where they are there again the stack is the same.
type unwound struct {
	returns []slot
	site    worlds.Site
}

// slot is a word of the stack.
type slot struct{ off, value uint64 }

// mapped is an instruction where it is mapped.
type mapped struct {
	code
	pc uint64
}

// mostUnwound is how many are kept for an instruction.
const mostUnwound = 32

// known returns the number of an instruction whose stack has been unwound before.
func (s *sites) known(m *sim.Machine, p *kernel.Process, at mapped, sp uint64) (worlds.Site, bool) {
	var word [8]byte
next:
	for _, t := range s.trails[at] {
		for _, r := range t.returns {
			if m.Peek(p, sp+r.off, word[:]) != len(word) || binary.LittleEndian.Uint64(word[:]) != r.value {
				continue next
			}
		}
		return t.site, true
	}
	return 0, false
}

// remember keeps the trail of a stack, unless a signal interrupted something on the way.
func (s *sites) remember(m *sim.Machine, p *kernel.Process, at mapped, stack symbols.Stack, n worlds.Site) {
	t := unwound{site: n}
	sp := stack[0].SP
	var word [8]byte
	for i, f := range stack {
		if f.Signal || f.How == symbols.BySignal {
			return
		}
		if i > 0 && f.How != symbols.ByInlining {
			if m.Peek(p, f.SP-8, word[:]) != len(word) {
				return
			}
			t.returns = append(t.returns, slot{f.SP - 8 - sp, binary.LittleEndian.Uint64(word[:])})
		}
		if f.HasLine() {
			break
		}
	}
	if s.trails == nil {
		s.trails = map[mapped][]unwound{}
	}
	if list := s.trails[at]; len(list) < mostUnwound {
		s.trails[at] = append(list, t)
	}
}
