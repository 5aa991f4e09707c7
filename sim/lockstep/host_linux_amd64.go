package lockstep

import (
	"errors"

	"golang.org/x/sys/unix"

	"zhuque/sim/x86"
)

// host is what the host's kernel or hypervisor does to a program that the processor
// would not. What hangs on it is left to the model.
type host struct {
	losesNT     bool // the flag is cleared when the kernel returns to the program
	needsStack  bool // a return with a stack pointer that is no address faults
	ownsNoTable bool // the descriptor tables are not those of Linux, or have no 32-bit segment
}

// leaves reports whether an instruction cannot be compared on the host.
func (h *host) leaves(name string, before *x86.State) bool {
	if h.losesNT && before.RFlags&x86.NT != 0 ||
		h.needsStack && int64(before.R[x86.RSP]<<16)>>16 != int64(before.R[x86.RSP]) {
		return true
	}
	switch name {
	case "LAR", "VERR", "VERW", "SYSENTER", "SYSEXIT":
		return h.ownsNoTable
	}
	return false
}

// probe finds out about the host with a few instructions in place of the stub.
func (p *process) probe() (h host, err error) {
	const user32CS, zero, nowhere = 0x23, 1 << 6, 0x1200_0000_0000_beef
	var old [3]byte
	if err := p.read(stub, old[:]); err != nil {
		return h, err
	}
	try := func(code []byte, change func(*unix.PtraceRegs)) (trapped bool) {
		p.regs = p.own
		p.regs.Rip = stub
		change(&p.regs)
		sig, stepErr := unix.Signal(0), errors.Join(p.write(stub, code), p.writeRegs())
		if stepErr == nil {
			sig, stepErr = p.step()
		}
		err = errors.Join(err, stepErr)
		return sig == unix.SIGTRAP
	}
	nop := []byte{0x90}
	h.losesNT = try(nop, func(r *unix.PtraceRegs) { r.Eflags |= uint64(x86.NT) }) && p.regs.Eflags&uint64(x86.NT) == 0
	h.needsStack = !try(nop, func(r *unix.PtraceRegs) { r.Rsp = nowhere })
	lar := []byte{0x0F, 0x02, 0xD1} // lar edx, ecx
	h.ownsNoTable = !try(lar, func(r *unix.PtraceRegs) { r.Rcx, r.Eflags = user32CS, r.Eflags&^zero }) ||
		p.regs.Eflags&zero == 0
	return h, errors.Join(err, p.write(stub, old[:]))
}
