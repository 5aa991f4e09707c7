package lockstep

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"zhuque/sim/x86"
)

// The upper halves of the YMM registers, which the kernel gives in an XSAVE image.

const (
	ntX86XState = 0x202 // NT_X86_XSTATE of Linux

	xsaveMax   = 16 << 10 // longer than any image
	xsaveBits  = 512      // XSTATE_BV: the components that are not in their initial state
	xsaveUpper = 576      // the component of AVX, in the standard format
	stateFPU   = 1 << 0
	stateSSE   = 1 << 1
	stateAVX   = 1 << 2
)

// extendedState makes a request about the XSAVE image and returns its length.
func (p *process) extendedState(request int, image []byte) (int, error) {
	v := unix.Iovec{Base: &image[0]}
	v.SetLen(len(image))
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request),
		uintptr(p.pid), ntX86XState, uintptr(unsafe.Pointer(&v)), 0, 0)
	if errno != 0 {
		return 0, fmt.Errorf("lockstep: ptrace request %#x: %w", request, errno)
	}
	return int(v.Len), nil
}

func (p *process) readExtended() error {
	if cap(p.xstate) < xsaveMax {
		p.xstate = make([]byte, xsaveMax)
	}
	n, err := p.extendedState(unix.PTRACE_GETREGSET, p.xstate[:xsaveMax])
	if err == nil && n < xsaveUpper+16*16 {
		err = fmt.Errorf("lockstep: the kernel's XSAVE image has %d bytes only", n)
	}
	p.xstate = p.xstate[:n]
	return err
}

// writeExtended gives the process the model's x87, SSE and AVX state.
func (p *process) writeExtended(s *x86.State) error {
	if err := p.readExtended(); err != nil {
		return err
	}
	le := binary.LittleEndian
	copy(p.xstate[:fxEnd], p.fx[:fxEnd])
	le.PutUint64(p.xstate[xsaveBits:], le.Uint64(p.xstate[xsaveBits:])|stateFPU|stateSSE|stateAVX)
	for i, v := range s.V {
		le.PutUint64(p.xstate[xsaveUpper+16*i:], v[2])
		le.PutUint64(p.xstate[xsaveUpper+16*i+8:], v[3])
	}
	_, err := p.extendedState(unix.PTRACE_SETREGSET, p.xstate)
	return err
}

// upperHalves compares what readExtended read.
func (p *process) upperHalves(s *x86.State) (fields []string) {
	le := binary.LittleEndian
	var cpu [16]byte
	for i, v := range s.V {
		var model [16]byte
		le.PutUint64(model[:], v[2])
		le.PutUint64(model[8:], v[3])
		copy(cpu[:], p.xstate[xsaveUpper+16*i:])
		if le.Uint64(p.xstate[xsaveBits:])&stateAVX == 0 {
			cpu = [16]byte{}
		}
		fields = different(fields, fmt.Sprintf("ymm%d, upper half", i), model[:], cpu[:])
	}
	return fields
}
