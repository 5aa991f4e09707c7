package hwtest

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"
)

// State is the registers before and after an instruction.
type State struct {
	R     [16]uint64 // in encoding order, RSP included
	Flags uint64     // RFLAGS; set status flags, DF and AC only
	FX    [512]byte  // FXSAVE64 image: x87, XMM, MXCSR

	// High is the upper halves of the YMM registers, left alone without AVX.
	High [16][2]uint64

	RIP            uint64 // of the instruction, and afterwards of the next; Step only
	FSBase, GSBase uint64 // Step only

	Sel [4]uint16 // ES, DS, FS and GS afterwards; before the instruction they are null
}

// Fault is a processor exception that the instruction raised.
type Fault struct {
	Signal uint64 // Linux signal number
	Vector uint64 // exception number
	Code   uint64 // error code
	Addr   uint64 // CR2, meaningful for page faults
	RIP    uint64
	SiCode int32 // si_code of the signal
}

func (f *Fault) Error() string {
	return fmt.Sprintf("exception %d (signal %d, code %#x, address %#x) at rip %#x",
		f.Vector, f.Signal, f.Code, f.Addr, f.RIP)
}

const (
	page         = 4096
	slotOffset   = 0x800 // of the instruction, in the code page
	scratchPages = 2
	flowPages    = 2
	flowPage     = 3 + scratchPages + 1
	// code, block, guard, scratch, guard, flow, guard; everything below 2 GiB
	pages = flowPage + flowPages + 1
)

// block is what the machine code shares with Go; it fills the second page.
type block struct {
	fx        [512]byte
	r         [16]uint64
	flags     uint64
	hostRSP   uint64
	hostMXCSR uint32
	hostCW    uint16
	_         uint16
	signal    uint64
	vector    uint64
	code      uint64
	addr      uint64
	rip       uint64
	high      [16][2]uint64
	siCode    uint64
	eflags    uint64     // at the signal
	running   uint64     // not 0 while a signal is the instruction's
	startRIP  uint64     // where stepping begins
	fs, gs    uint64     // bases to load, then those stored
	hostFS    uint64     // bases of the host
	hostGS    uint64     //
	sel       [4]uint64  // selectors stored
	old       [32]uint64 // previous signal handlers, by signal number
}

// Native is the executable memory. One goroutine at a time may use it, and only
// one Native may be open in a process.
type Native struct {
	mem    []byte
	block  *block
	exit   uint64
	leave  uint64 // exit for signals, whose handler has stored RSP
	step   uint64 // entry that executes one instruction under the trap flag
	tables bool   // see Tables
	bases  bool   // RDFSBASE and its like work
	signal map[int]sigaction
}

// sigaction is the kernel's struct of that name.
type sigaction struct {
	handler, flags, restorer, mask uint64
}

// Vectors of #UD, #SS and #GP.
const undefined, stack, protection = 6, 12, 13

const (
	saSiginfo  = 4
	saRestorer = 0x04000000
	saOnstack  = 0x08000000
)

var caught = []unix.Signal{unix.SIGILL, unix.SIGTRAP, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV}

// Open maps the memory and takes over the signals that processor exceptions
// cause; those of other code are passed on to the previous handlers.
func Open() (*Native, error) {
	mem, err := mapMemory()
	if err != nil {
		return nil, fmt.Errorf("mapping executable memory: %w", err)
	}
	for _, guard := range []int{2, flowPage - 1, pages - 1} {
		if err := unix.Mprotect(mem[guard*page:(guard+1)*page], unix.PROT_NONE); err != nil {
			return nil, fmt.Errorf("protecting a guard page: %w", err)
		}
	}
	n := &Native{mem: mem, block: (*block)(unsafe.Pointer(&mem[page])), signal: map[int]sigaction{}}
	n.tables = n.probeTables()
	n.bases = n.tables && segmentBases()
	handler, restorer := n.assemble()
	for _, s := range caught {
		act := sigaction{handler: handler, flags: saSiginfo | saRestorer | saOnstack, restorer: restorer}
		var old sigaction
		if err := setSignal(int(s), &act, &old); err != nil {
			return nil, fmt.Errorf("installing the handler of %v: %w", s, err)
		}
		n.signal[int(s)] = old
		n.block.old[s] = old.handler
	}
	return n, nil
}

// probeTables looks for the code segment of 32-bit programs.
func (n *Native) probeTables() bool {
	a := &assembler{mem: n.mem[:page], base: n.base()}
	a.emit(0xB9, user32CS, 0, 0, 0)                   // mov ecx, user32CS
	a.emit(0x31, 0xC0, 0x0F, 0x02, 0xD1)              // xor eax, eax; lar edx, ecx
	a.emit(0x0F, 0x94, 0xC0, 0xC3)                    // setz al; ret
	found, _, _ := purego.SyscallN(uintptr(n.base())) // errno means nothing here
	return found == 1
}

// Tables reports whether the processor's descriptor tables are those of Linux. They are
// not where it runs as a guest without privileges, whose host also changes what segment
// instructions and some exceptions do, and loses segment bases; nor without 32-bit programs.
func (n *Native) Tables() bool { return n.tables }

// Close gives the signals back and unmaps the memory.
func (n *Native) Close() error {
	for _, s := range caught {
		old := n.signal[int(s)]
		if err := setSignal(int(s), &old, nil); err != nil {
			return err
		}
	}
	return unix.MunmapPtr(unsafe.Pointer(&n.mem[0]), pages*page)
}

func setSignal(s int, act, old *sigaction) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s),
		uintptr(unsafe.Pointer(act)), uintptr(unsafe.Pointer(old)), 8, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func (n *Native) base() uint64 { return uint64(uintptr(unsafe.Pointer(&n.mem[0]))) }

// Slot is the address at which instructions are executed.
func (n *Native) Slot() uint64 { return n.base() + slotOffset }

// Scratch is the memory for operands, with an inaccessible page before and
// behind it. It lies below 2 GiB.
func (n *Native) Scratch() []byte { return n.mem[3*page : (3+scratchPages)*page] }

// ScratchAddr is the address of Scratch.
func (n *Native) ScratchAddr() uint64 { return n.base() + 3*page }

// Run executes one instruction of at most 15 bytes with the registers in s and
// stores the resulting ones there, also those at a fault.
func (n *Native) Run(code []byte, s *State) *Fault {
	if len(code) > 15 {
		panic("BUG: hwtest.Run: instruction longer than 15 bytes")
	}
	end := copy(n.mem[slotOffset:], code) + slotOffset
	n.mem[end] = 0xE9 // jmp exit
	binary.LittleEndian.PutUint32(n.mem[end+1:], uint32(n.exit-(n.base()+uint64(end)+5)))

	return n.surely(s, func() *Fault { return n.once(s) })
}

// surely executes f. A host that is not the processor's master may raise #UD, #SS and #GP of its
// own accord, once in some hundred thousand times, where it fails to emulate an access: there
// f is executed until one of these comes twice in succession, or anything else. What the
// processor raises comes each time.
func (n *Native) surely(s *State, f func() *Fault) *Fault {
	before := *s
	for last := uint64(0); ; {
		fault := f()
		if n.tables || fault == nil || fault.Vector == last ||
			fault.Vector != undefined && fault.Vector != stack && fault.Vector != protection {
			return fault
		}
		*s, last = before, fault.Vector
	}
}

// once executes what lies in the slot.
func (n *Native) once(s *State) *Fault {
	b := n.block
	b.fx, b.high, b.r, b.flags, b.signal = s.FX, s.High, s.R, s.Flags, 0
	if s.Flags&alignmentFlag == 0 {
		n.enter(n.base())
	} else { // a handler of Go's must not run with alignment checks
		n.undisturbed(n.base())
	}
	s.FX, s.High, s.R, s.Flags = b.fx, b.high, b.r, b.flags
	s.Sel = b.selectors()
	if b.signal != 0 {
		return n.fault(s)
	}
	return nil
}

// enter calls machine code; signals are the instruction's meanwhile.
func (n *Native) enter(at uint64) {
	n.block.running = 1
	purego.SyscallN(uintptr(at))
	n.block.running = 0
}

// fault is what the handler stored.
func (n *Native) fault(s *State) *Fault {
	b := n.block
	s.Flags = b.eflags &^ (trapFlag | resumeFlag)
	return &Fault{Signal: b.signal, Vector: b.vector, Code: b.code, Addr: b.addr, RIP: b.rip, SiCode: int32(b.siCode)}
}

// assembler appends machine code and resolves RIP-relative operands.
type assembler struct {
	mem  []byte
	base uint64
	pos  int
}

func (a *assembler) emit(code ...byte) { a.pos += copy(a.mem[a.pos:], code) }
func (a *assembler) here() uint64      { return a.base + uint64(a.pos) }

// rip emits code followed by a 32-bit displacement to target.
func (a *assembler) rip(target uint64, code ...byte) {
	a.emit(code...)
	a.emit(binary.LittleEndian.AppendUint32(nil, uint32(target-a.here()-4))...)
}

// high emits code that loads or stores the upper halves of the YMM registers,
// where there are any; after storing them they are clear.
func (a *assembler) high(data uint64, load bool) {
	if !cpu.X86.HasAVX {
		return
	}
	for r := range 16 {
		vvvv, opcode := byte(15), byte(0x19) // vextractf128 [high+16r], ymm, 1
		if load {
			vvvv, opcode = byte(^r&15), 0x18 // vinsertf128 ymm, ymm, [high+16r], 1
		}
		a.rip(data+uint64(16*r)-1, 0xC4, 0xE3&^byte(r>>3<<7), vvvv<<3|5, opcode, byte(r&7<<3|5))
		a.emit(1)
	}
	if !load {
		a.emit(0xC5, 0xF8, 0x77) // vzeroupper
	}
}

// assemble writes the code page: entry at its start, the exit path behind it,
// the signal handler and its restorer after the slot.
func (n *Native) assemble() (handler, restorer uint64) {
	a := &assembler{mem: n.mem[:page], base: n.base()}
	data := a.base + page
	at := func(off uintptr) uint64 { return data + uint64(off) }
	var b block
	reg := func(r int) uint64 { return at(unsafe.Offsetof(b.r) + uintptr(8*r)) }

	n.assembleEntry(a, data)
	a.rip(at(unsafe.Offsetof(b.flags)), 0xFF, 0x35) // push [flags]
	a.emit(0x9D)                                    // popfq
	for r := range 16 {
		a.rip(reg(r), 0x48|byte(r>>3<<2), 0x8B, byte(r&7<<3|5)) // mov r, [r]
	}
	a.rip(a.base+slotOffset, 0xE9) // jmp slot

	n.exit = a.here()
	a.rip(reg(4), 0x48, 0x89, 0x25) // mov [rsp], rsp
	n.leave = a.here()
	for r := range 16 {
		if r != 4 {
			a.rip(reg(r), 0x48|byte(r>>3<<2), 0x89, byte(r&7<<3|5)) // mov [r], r
		}
	}
	n.assembleBases(a, data)
	a.rip(at(unsafe.Offsetof(b.hostRSP)), 0x48, 0x8B, 0x25)  // mov rsp, [hostRSP]
	a.emit(0x9C)                                             // pushfq
	a.rip(at(unsafe.Offsetof(b.flags)), 0x8F, 0x05)          // pop [flags]
	a.rip(at(unsafe.Offsetof(b.fx)), 0x48, 0x0F, 0xAE, 0x05) // fxsave64 [fx]
	a.high(at(unsafe.Offsetof(b.high)), false)
	a.emit(0xDB, 0xE3)                                                 // fninit
	a.rip(at(unsafe.Offsetof(b.hostCW)), 0xD9, 0x2D)                   // fldcw [hostCW]
	a.rip(at(unsafe.Offsetof(b.hostMXCSR)), 0x0F, 0xAE, 0x15)          // ldmxcsr [hostMXCSR]
	a.emit(0x68, 2, 2, 0, 0)                                           // push IF: sigreturn keeps NT and ID
	a.emit(0x9D)                                                       // popfq
	a.emit(0x41, 0x5F, 0x41, 0x5E, 0x41, 0x5D, 0x41, 0x5C, 0x5D, 0x5B) // pop r15..r12, rbp, rbx
	a.emit(0xC3)                                                       // ret

	if a.pos > slotOffset {
		panic("BUG: hwtest: entry code runs into the slot")
	}
	a.pos = slotOffset + 0x100
	handler, restorer = n.assembleHandler(a, data)
	n.assembleStep(a, data)
	return handler, restorer
}

// Offsets into the kernel's ucontext.
const (
	ucRSP   = 160
	ucRIP   = 168
	ucFlags = 176
	ucErr   = 192
	ucTrap  = 200
	ucCR2   = 216
)

// assembleHandler emits handler(rdi=signal, rsi=siginfo, rdx=ucontext).
func (n *Native) assembleHandler(a *assembler, data uint64) (handler, restorer uint64) {
	var b block
	load := func(off byte) { a.emit(0x48, 0x8B, 0x82, off, 0, 0, 0) } // mov rax, [rdx+off]
	save := func(off uintptr) { a.rip(data+uint64(off), 0x48, 0x89, 0x05) }

	handler = a.here()
	a.rip(data+uint64(unsafe.Offsetof(b.running)), 0x48, 0x8B, 0x05) // mov rax, [running]
	a.emit(0x48, 0x85, 0xC0)                                         // test rax, rax
	a.emit(0x74, 0)                                                  // jz other
	jump := a.pos
	load(ucRSP)
	save(unsafe.Offsetof(b.r) + 4*8)
	// Not every host returns from a signal to a stack pointer that is no address.
	a.rip(data+uint64(unsafe.Offsetof(b.hostRSP)), 0x48, 0x8B, 0x05) // mov rax, [hostRSP]
	a.emit(0x48, 0x89, 0x82, ucRSP, 0, 0, 0)                         // mov [rdx+ucRSP], rax
	load(ucRIP)
	save(unsafe.Offsetof(b.rip))
	load(ucErr)
	save(unsafe.Offsetof(b.code))
	load(ucTrap)
	save(unsafe.Offsetof(b.vector))
	load(ucCR2)
	save(unsafe.Offsetof(b.addr))
	load(ucFlags)
	save(unsafe.Offsetof(b.eflags))
	a.emit(0x8B, 0x46, 8) // mov eax, [rsi+8]: si_code
	save(unsafe.Offsetof(b.siCode))
	a.emit(0xC7, 0x82, ucFlags, 0, 0, 0, 2, 2, 0, 0)                // mov dword [rdx+ucFlags], IF
	a.rip(data+uint64(unsafe.Offsetof(b.signal)), 0x48, 0x89, 0x3D) // mov [signal], rdi
	a.rip(n.leave, 0x48, 0x8D, 0x05)                                // lea rax, [leave]
	a.emit(0x48, 0x89, 0x82, ucRIP, 0, 0, 0)                        // mov [rdx+ucRIP], rax
	a.emit(0xC3)                                                    // ret
	a.mem[jump-1] = byte(a.pos - jump)
	a.rip(data+uint64(unsafe.Offsetof(b.old)), 0x48, 0x8D, 0x05) // lea rax, [old]
	a.emit(0xFF, 0x24, 0xF8)                                     // jmp [rax+rdi*8]

	restorer = a.here()
	a.emit(0xB8, unix.SYS_RT_SIGRETURN, 0, 0, 0, 0x0F, 0x05) // mov eax, sigreturn; syscall
	return handler, restorer
}
