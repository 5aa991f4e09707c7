package x86

// RDRAND and RDSEED. What they draw is a function of CPU.Entropy, which the
// machine derives from its seed, and of the number of instructions retired. The
// generator has no state of its own, on purpose: whatever carries the retired
// count over a power failure carries the position in the stream with it, so the
// recovered machine and the one that never failed draw the same numbers, and a
// program that is cut between two draws can neither repeat nor skip one. That is
// sound because the count grows with every instruction of a core: no two draws
// see the same one. Cores need an Entropy each.

// mix64 is the finalizer of SplitMix64: a bijection that spreads every bit.
func mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// draw returns the random number of an instruction.
func (c *CPU) draw(in *Inst, kind uint64) uint64 {
	const golden = 0x9E3779B97F4A7C15
	return mix64(mix64(c.Entropy+golden*(2*c.tsc(in)+kind)) ^ c.Entropy)
}

// random stores a number that was drawn; drawing never fails here, so CF is set.
func (c *CPU) random(in *Inst, v uint64) {
	c.setReg(in.rm, in, v)
	c.setFlags(CF)
}

func rdrand(c *CPU, in *Inst) { c.random(in, c.draw(in, 0)) }
func rdseed(c *CPU, in *Inst) { c.random(in, c.draw(in, 1)) }

// rdpid returns TSC_AUX.
func rdpid(c *CPU, in *Inst) { c.R[in.rm&15] = uint64(c.TSCAux) }
