package x86

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"zhuque/sim/det"
)

// FuzzHost executes up to 15 arbitrary bytes on the host's processor and in the
// model, in a state drawn from a seed, at the end of mapped code, across a page
// boundary or in the middle of a page, and compares everything: registers,
// memory, and the exception with its error code and address. A search on a host that is not
// AMD's finds where makers differ, not the model's faults: there it compares what
// instructions do that raise no exception, and all of it for the seeds.
func FuzzHost(f *testing.F) {
	p := newHWPair(f)
	steps := newSteps(p)
	steps.search = flag.Lookup("test.fuzz").Value.String() != ""
	for i := range forms {
		if c, ok := p.draw(det.Stream(1, "fuzz "+forms[i].row.key()), &forms[i]); ok {
			f.Add(c.code, uint64(i), uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, code []byte, seed uint64, place uint8) {
		c := steps.bytesCase(code[:min(len(code), maxLength)], seed, place)
		if diff, _ := steps.step(c); len(diff) > 0 {
			t.Errorf("%s\n\t%s", c.describe(), strings.Join(diff, "\n\t"))
		}
	})
}

// bytesCase puts code where place says, with a state drawn from seed.
func (p *hwPair) bytesCase(code []byte, seed uint64, place uint8) *stepCase {
	c := &stepCase{code: code, state: p.drawState(det.Stream(seed, "bytes"))}
	switch place % 4 {
	case 0: // the code ends where the memory does
		c.at = p.flow + p.flowLen - uint64(len(code))
	case 1: // across the pages
		c.at = p.flow + p.flowLen/2 - uint64(place>>2)%16
	default:
		c.at = p.flow + 0xC00 + uint64(place>>2)
	}
	if c.at == p.flow+p.flowLen {
		c.at--
	}
	return c
}

func (c *stepCase) describe() string {
	s := &c.state
	return fmt.Sprintf("% x at %#x\n\tregisters %x\n\tflags %#x mxcsr %#x fs %#x gs %#x\n\tvectors %x\n\tx87 %x",
		c.code, c.at, s.R, s.RFlags, s.MXCSR, s.FSBase, s.GSBase, s.V, s.FPU)
}
