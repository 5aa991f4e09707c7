package hwtest

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Fixed address of the memory, so that what is recorded is the same in every
// process. It lies below 2 GiB, where programs of Go have nothing.
const memoryAddr = 0x5a000000

const (
	trapFlag      = 1 << 8
	resumeFlag    = 1 << 16
	alignmentFlag = 1 << 18

	trapTrace = 2 // si_code of a single step

	hwcap2      = 26 // AT_HWCAP2
	hwcap2Bases = 1 << 1
)

func mapMemory() ([]byte, error) {
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC, unix.MAP_PRIVATE | unix.MAP_ANON
	at, err := unix.MmapPtr(-1, 0, unsafe.Add(nil, memoryAddr), pages*page, prot, flags|unix.MAP_FIXED_NOREPLACE)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(at), pages*page), nil
}

// segmentBases reports whether user mode may read and write segment bases.
func segmentBases() bool {
	pairs, err := unix.Auxv()
	if err != nil {
		return false
	}
	for _, p := range pairs {
		if p[0] == hwcap2 {
			return p[1]&hwcap2Bases != 0
		}
	}
	return false
}

// Bases reports whether Step can load segment bases.
func (n *Native) Bases() bool { return n.bases }

// Flow is executable memory of two pages for Step, with an inaccessible page
// before and behind it.
func (n *Native) Flow() []byte { return n.mem[flowPage*page : (flowPage+flowPages)*page] }

// FlowAddr is the address of Flow.
func (n *Native) FlowAddr() uint64 { return n.base() + flowPage*page }

// Step executes one instruction, which lies at s.RIP, with the registers in s,
// and stores the resulting ones there. The processor's trap flag ends it after
// one instruction, wherever that leads, or one iteration of a REP string
// instruction; PUSHF pushes that flag. Signals of other origin wait meanwhile,
// as their handlers need the host's FS.
func (n *Native) Step(s *State) *Fault {
	return n.surely(s, func() *Fault { return n.stepOnce(s) })
}

func (n *Native) stepOnce(s *State) *Fault {
	b := n.block
	b.fx, b.high, b.r, b.flags, b.signal = s.FX, s.High, s.R, s.Flags|trapFlag, 0
	b.startRIP, b.fs, b.gs = s.RIP, s.FSBase, s.GSBase
	n.undisturbed(n.step)
	s.FX, s.High, s.R, s.FSBase, s.GSBase = b.fx, b.high, b.r, b.fs, b.gs
	s.Sel = b.selectors()
	f := n.fault(s)
	s.RIP = f.RIP
	if f.Vector == 1 && f.SiCode == trapTrace {
		return nil
	}
	return f
}

// undisturbed is enter while signals of other origin wait.
func (n *Native) undisturbed(at uint64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mask := ^uint64(0)
	for _, c := range caught {
		mask &^= 1 << (c - 1)
	}
	var old uint64
	setMask(&mask, &old)
	n.enter(at)
	setMask(&old, nil)
}

func (b *block) selectors() (s [4]uint16) {
	for i, v := range b.sel {
		s[i] = uint16(v)
	}
	return s
}

func setMask(set, old *uint64) {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK,
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), 8, 0, 0)
	if errno != 0 {
		panic("BUG: hwtest: rt_sigprocmask: " + errno.Error())
	}
}

// assembleEntry saves what belongs to the host and loads x87 and vector state.
func (n *Native) assembleEntry(a *assembler, data uint64) {
	var b block
	at := func(off uintptr) uint64 { return data + uint64(off) }
	a.emit(0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57) // push rbx, rbp, r12..r15
	a.rip(at(unsafe.Offsetof(b.hostRSP)), 0x48, 0x89, 0x25)            // mov [hostRSP], rsp
	a.rip(at(unsafe.Offsetof(b.hostMXCSR)), 0x0F, 0xAE, 0x1D)          // stmxcsr [hostMXCSR]
	a.rip(at(unsafe.Offsetof(b.hostCW)), 0xD9, 0x3D)                   // fnstcw [hostCW]
	if n.bases {
		for seg, off := range []uintptr{unsafe.Offsetof(b.hostFS), unsafe.Offsetof(b.hostGS)} {
			a.emit(0xF3, 0x48, 0x0F, 0xAE, 0xC0+byte(seg)<<3) // rdfsbase rax, rdgsbase rax
			a.rip(at(off), 0x48, 0x89, 0x05)                  // mov [host], rax
		}
	}
	a.rip(at(unsafe.Offsetof(b.fx)), 0x48, 0x0F, 0xAE, 0x0D) // fxrstor64 [fx]
	a.high(at(unsafe.Offsetof(b.high)), true)
}

// assembleBases stores the segment registers and their bases and loads the host's,
// which are null with a base. RAX and RCX are lost, the flags are not.
func (n *Native) assembleBases(a *assembler, data uint64) {
	if !n.bases {
		return
	}
	var b block
	for seg, off := range []uintptr{unsafe.Offsetof(b.fs), unsafe.Offsetof(b.gs)} {
		a.emit(0xF3, 0x48, 0x0F, 0xAE, 0xC0+byte(seg)<<3) // rdfsbase rax, rdgsbase rax
		a.rip(data+uint64(off), 0x48, 0x89, 0x05)         // mov [own], rax
	}
	for i, reg := range []byte{0, 3, 4, 5} {
		a.emit(0x8C, 0xC0|reg<<3)                                                // mov eax, sreg
		a.rip(data+uint64(unsafe.Offsetof(b.sel))+uint64(8*i), 0x48, 0x89, 0x05) // mov [sel], rax
		a.emit(0x89, 0xC1, 0xE3, 7, 0xB8, 0, 0, 0, 0, 0x8E, 0xC0|reg<<3)         // mov ecx, eax; jrcxz behind; mov eax, 0; mov sreg, eax
	}
	for seg, off := range []uintptr{unsafe.Offsetof(b.hostFS), unsafe.Offsetof(b.hostGS)} {
		a.rip(data+uint64(off), 0x48, 0x8B, 0x05)           // mov rax, [host]
		a.emit(0xF3, 0x48, 0x0F, 0xAE, 0xC0+byte(seg+2)<<3) // wrfsbase rax, wrgsbase rax
	}
}

// Selectors of a 64-bit process of Linux.
const userCS, userSS, user32CS = 0x33, 0x2B, 0x23

// assembleStep emits the entry of Step. IRETQ loads RIP, RSP and the flags in
// one instruction, so that the trap flag meets the next one.
func (n *Native) assembleStep(a *assembler, data uint64) {
	var b block
	at := func(off uintptr) uint64 { return data + uint64(off) }
	reg := func(r int) uint64 { return at(unsafe.Offsetof(b.r) + uintptr(8*r)) }
	n.step = a.here()
	n.assembleEntry(a, data)
	if n.bases {
		for seg, off := range []uintptr{unsafe.Offsetof(b.fs), unsafe.Offsetof(b.gs)} {
			a.rip(at(off), 0x48, 0x8B, 0x05)                    // mov rax, [own]
			a.emit(0xF3, 0x48, 0x0F, 0xAE, 0xC0+byte(seg+2)<<3) // wrfsbase rax, wrgsbase rax
		}
	}
	a.emit(0x6A, userSS)                               // push SS
	a.rip(reg(4), 0xFF, 0x35)                          // push [rsp]
	a.rip(at(unsafe.Offsetof(b.flags)), 0xFF, 0x35)    // push [flags]
	a.emit(0x6A, userCS)                               // push CS
	a.rip(at(unsafe.Offsetof(b.startRIP)), 0xFF, 0x35) // push [startRIP]
	for r := range 16 {
		if r != 4 {
			a.rip(reg(r), 0x48|byte(r>>3<<2), 0x8B, byte(r&7<<3|5)) // mov r, [r]
		}
	}
	a.emit(0x48, 0xCF) // iretq
	if a.pos > page {
		panic("BUG: hwtest: the code is longer than its page")
	}
}
