package x86

import "zhuque/sim/mem"

// Branches. Before a block runs, RIP already holds the address after its last
// instruction, so a branch that is not taken writes nothing.

func jmpJ(c *CPU, in *Inst) { c.RIP = in.imm }
func jmpE(c *CPU, in *Inst) { c.RIP = c.target(c.loadRM(in)) }
func jmpR(c *CPU, in *Inst) { c.RIP = c.target(c.R[in.rm&15]) }

// target checks an address that a program computed to go on at: one that is not
// canonical faults at the branch, not behind it.
func (c *CPU) target(to uint64) uint64 {
	if uint64(int64(to<<16)>>16) != to {
		c.raise(GP, 0)
	}
	return to
}

func callJ(c *CPU, in *Inst) {
	c.push(in.next)
	c.RIP = in.imm
}

// callE reads its target before the push: it may lie on the stack. A target that
// is not canonical faults after the stack was checked, and nothing is pushed.
func callE(c *CPU, in *Inst) {
	to := c.loadRM(in)
	if uint64(int64(to<<16)>>16) != to {
		c.Port.Align(c.R[RSP]-8, 8, mem.Write)
		c.Port.Check(c.R[RSP]-8, 8, mem.Write)
		c.raise(GP, 0)
	}
	c.push(in.next)
	c.RIP = to
}

func ret(c *CPU, _ *Inst) {
	to := c.target(c.Port.Load64(c.R[RSP]))
	c.R[RSP] += 8
	c.RIP = to
}

func retI(c *CPU, in *Inst) {
	to := c.target(c.Port.Load64(c.R[RSP]))
	c.R[RSP] += 8 + in.imm
	c.RIP = to
}

// jcc holds the conditional jumps by condition code.
var jcc = [16]handler{
	func(c *CPU, in *Inst) {
		if c.of() {
			c.RIP = in.imm
		}
	},
	func(c *CPU, in *Inst) {
		if !c.of() {
			c.RIP = in.imm
		}
	},
	func(c *CPU, in *Inst) {
		if c.cf() {
			c.RIP = in.imm
		}
	},
	func(c *CPU, in *Inst) {
		if !c.cf() {
			c.RIP = in.imm
		}
	},
	func(c *CPU, in *Inst) {
		if c.zf() {
			c.RIP = in.imm
		}
	},
	func(c *CPU, in *Inst) {
		if !c.zf() {
			c.RIP = in.imm
		}
	},
	func(c *CPU, in *Inst) {
		if c.cf() || c.zf() {
			c.RIP = in.imm
		}
	},
	func(c *CPU, in *Inst) {
		if !c.cf() && !c.zf() {
			c.RIP = in.imm
		}
	},
	func(c *CPU, in *Inst) {
		if c.sf() {
			c.RIP = in.imm
		}
	},
	func(c *CPU, in *Inst) {
		if !c.sf() {
			c.RIP = in.imm
		}
	},
	func(c *CPU, in *Inst) {
		if c.pf() {
			c.RIP = in.imm
		}
	},
	func(c *CPU, in *Inst) {
		if !c.pf() {
			c.RIP = in.imm
		}
	},
	func(c *CPU, in *Inst) {
		if c.sf() != c.of() {
			c.RIP = in.imm
		}
	},
	func(c *CPU, in *Inst) {
		if c.sf() == c.of() {
			c.RIP = in.imm
		}
	},
	func(c *CPU, in *Inst) {
		if c.zf() || c.sf() != c.of() {
			c.RIP = in.imm
		}
	},
	func(c *CPU, in *Inst) {
		if !c.zf() && c.sf() == c.of() {
			c.RIP = in.imm
		}
	},
}

// counter returns RCX, or ECX with 67.
func (c *CPU) counter(in *Inst) uint64 {
	if in.prefix&prefixAddr32 != 0 {
		return uint64(uint32(c.R[RCX]))
	}
	return c.R[RCX]
}

// setCounter sets RCX, or ECX with 67.
func (c *CPU) setCounter(in *Inst, v uint64) {
	if in.prefix&prefixAddr32 != 0 {
		v = uint64(uint32(v))
	}
	c.R[RCX] = v
}

func jrcxz(c *CPU, in *Inst) {
	if c.counter(in) == 0 {
		c.RIP = in.imm
	}
}

func loop(c *CPU, in *Inst) {
	c.setCounter(in, c.counter(in)-1)
	if c.counter(in) != 0 {
		c.RIP = in.imm
	}
}

func loope(c *CPU, in *Inst) {
	c.setCounter(in, c.counter(in)-1)
	if c.counter(in) != 0 && c.zf() {
		c.RIP = in.imm
	}
}

func loopne(c *CPU, in *Inst) {
	c.setCounter(in, c.counter(in)-1)
	if c.counter(in) != 0 && !c.zf() {
		c.RIP = in.imm
	}
}
