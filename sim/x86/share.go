package x86

import "zhuque/sim/mem"

// NewSharing is New with the decoded blocks of another processor, which must run
// on the same goroutine and have its level. Blocks hold nothing but decoded bytes and are checked
// against the pages that p leads to, so no state passes between the two.
func NewSharing(p *mem.Port, other *CPU) *CPU {
	c := &CPU{Port: p, MXCSR: 0x1F80, code: other.code, level: other.level, rep: ^uint64(0)}
	c.FPU.CW = 0x37F
	c.setFlags(0)
	c.InvalidateBlocks()
	p.CodeWritten = c.codeWritten
	return c
}
