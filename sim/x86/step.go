package x86

// Single steps (TF) and alignment checks (AC), which a program may turn on for itself.
// While one of them is on, instructions are executed one by one, here; the loop in
// execute knows nothing of them. What turns them on leaves the block with slowFrom.

// slowFrom is what an instruction panics with that is complete and after which
// execution goes on, at this address, out of the fast loop.
type slowFrom uint64

// slow reports whether instructions must be executed one by one.
func (c *CPU) slow() bool { return c.rest&(TF|AC) != 0 || c.trap }

// Trapping reports whether a #DB is to come before the next instruction: see State.Trap.
func (c *CPU) Trapping() bool { return c.trap }

// leaveIfSlow ends an instruction that has loaded the flags.
func (c *CPU) leaveIfSlow(next uint64) {
	if c.slow() {
		panic(slowFrom(next))
	}
}

// step executes one instruction, or one iteration of a REP string instruction, or
// raises the #DB of the one before. done means that Run returns.
func (c *CPU) step(s *Stop, until uint64) (done bool) {
	switch {
	case c.Retired >= until:
		return true
	case c.trap: // it stays until the kernel enters a handler
		s.Reason = StopException
		s.Exc = &Exception{Vector: DB, RIP: c.RIP, Step: true}
		return true
	}
	traced, rip, before := c.rest&TF != 0, c.RIP, c.Retired
	if traced && c.loadsStack() {
		traced = false // no trap between a load of SS and the instruction behind it
	}
	allowed := c.rep
	c.rep, c.until = 1, before+1
	c.Port.CheckAlignment(c.rest&AC != 0)
	c.execute(s)
	c.Port.CheckAlignment(false)
	if allowed != ^uint64(0) {
		allowed -= 1 - c.rep
	}
	c.rep = allowed
	if s.Reason != StopCount || c.Retired == before {
		return s.Reason != StopCount
	}
	if c.partial && c.rep > 0 { // the instruction goes on with the next iteration
		c.partial = false
		c.RIP, c.Retired = rip, before
		c.trap = traced
		return false
	}
	c.trap = traced
	return c.partial
}

// loadsStack reports whether the instruction at RIP loads SS.
func (c *CPU) loadsStack() bool {
	in := c.peek()
	return in != nil && forms[in.row].row.Args == "Sw,Ew" && in.reg&7 == regSS
}
