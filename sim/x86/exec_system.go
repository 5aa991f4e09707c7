package x86

import "zhuque/cachemodel"

// System instructions as a user program meets them.

// tsc returns the time-stamp counter at an instruction: one tick per retired
// instruction, so that it is the same with and without a cache model. Retired
// counts whole blocks.
func (c *CPU) tsc(in *Inst) uint64 {
	if core := c.Port.Core(); c.ModelTSC && core != nil {
		now, _ := core.Time()
		return uint64(now)
	}
	return c.Retired + uint64(in.at)
}

func rdtsc(c *CPU, in *Inst) {
	t := c.tsc(in)
	c.R[RAX], c.R[RDX] = uint64(uint32(t)), t>>32
}

// rdtscp also returns TSC_AUX.
func rdtscp(c *CPU, in *Inst) {
	rdtsc(c, in)
	c.R[RCX] = uint64(c.TSCAux)
}

// syscallInst enters the kernel: Run returns to its caller.
func syscallInst(c *CPU, in *Inst) {
	c.R[RCX] = in.next
	c.R[R11] = c.RFlags()
	c.entry, c.until = StopSyscall, 0
}

func int3(c *CPU, _ *Inst)       { c.raise(BP, 0) }
func int1(c *CPU, _ *Inst)       { c.raise(DB, 0) }
func ud(c *CPU, _ *Inst)         { c.raise(UD, 0) }
func privileged(c *CPU, _ *Inst) { c.raise(GP, 0) }

// intN is #GP, since no gate but those of INT3, of INT 4 and of 0x80 is open to
// user mode. Behind the last are the system calls of 32-bit Linux.
func intN(c *CPU, in *Inst) {
	switch n := in.imm & 0xFF; n {
	case uint64(BP), uint64(Overflow):
		c.raise(Vector(n), 0)
	case 0x80:
		c.entry, c.until = StopInterrupt, 0
	default:
		c.raise(GP, n<<3|2)
	}
}

func sfence(c *CPU, _ *Inst) { c.Port.Fence(cachemodel.SFENCE) }
func lfence(c *CPU, _ *Inst) { c.Port.Fence(cachemodel.LFENCE) }
func mfence(c *CPU, _ *Inst) { c.Port.Fence(cachemodel.MFENCE) }

func clflush(c *CPU, in *Inst)    { c.Port.Flush(c.ea(in), cachemodel.CLFLUSH) }
func clflushopt(c *CPU, in *Inst) { c.Port.Flush(c.ea(in), cachemodel.CLFLUSHOPT) }
func clwb(c *CPU, in *Inst)       { c.Port.Flush(c.ea(in), cachemodel.CLWB) }

func rdfsbase(c *CPU, in *Inst) { c.setReg(in.rm, in, c.SegBase[SegFS]) }
func rdgsbase(c *CPU, in *Inst) { c.setReg(in.rm, in, c.SegBase[SegGS]) }
func wrfsbase(c *CPU, in *Inst) { c.setBase(SegFS, c.reg(in.rm, in)) }
func wrgsbase(c *CPU, in *Inst) { c.setBase(SegGS, c.reg(in.rm, in)) }

func (c *CPU) setBase(seg int, v uint64) {
	if uint64(int64(v<<16)>>16) != v {
		c.raise(GP, 0)
	}
	c.SegBase[seg] = v
}
