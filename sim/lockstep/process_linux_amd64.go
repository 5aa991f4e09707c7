package lockstep

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"zhuque/sim/x86"
)

// stub is the page with the instruction through which the process makes the
// system calls that we want of it. It must lie outside the model's mappings.
const stub = 0x2a5a_5a5a_5000

const pageSize = 4096

var syscallCode = []byte{0x0f, 0x05}

// process is a stopped process of the host whose memory and registers are ours.
// All its methods must be called on the thread that made it.
type process struct {
	pid     int
	mem     int // file descriptor of /proc/PID/mem
	pagemap int
	regs    unix.PtraceRegs // as last read
	fx      [512]byte       // FXSAVE64 image as last read
	own     unix.PtraceRegs // CS, SS and the like, which the model does not have

	host host

	extended bool   // the upper halves of the YMM registers count
	xstate   []byte // XSAVE image as last read, when they do
}

// startProcess makes a process with nothing mapped but the stub. The calling
// goroutine must be locked to its thread.
func startProcess() (p *process, err error) {
	// Any executable will do: it stops before its first instruction.
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"zhuque-lockstep"}, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return nil, &NotHere{Reason: fmt.Sprintf("a process cannot be traced with ptrace: %v", err)}
	}
	p = &process{pid: pid, mem: -1, pagemap: -1}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if sig, err := p.wait(); err != nil || sig != unix.SIGTRAP {
		return nil, &NotHere{Reason: fmt.Sprintf("a traced process does not stop at its start: signal %d, %v", sig, err)}
	}
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_EXITKILL); err != nil {
		return nil, &NotHere{Reason: fmt.Sprintf("ptrace: %v", err)}
	}
	for _, f := range []struct {
		fd   *int
		name string
		mode int
	}{{&p.mem, "mem", unix.O_RDWR}, {&p.pagemap, "pagemap", unix.O_RDONLY}} {
		if *f.fd, err = unix.Open(fmt.Sprintf("/proc/%d/%s", pid, f.name), f.mode|unix.O_CLOEXEC, 0); err != nil {
			return nil, &NotHere{Reason: fmt.Sprintf("the memory of a traced process cannot be opened: %v", err)}
		}
	}
	if err := p.empty(); err != nil {
		return nil, err
	}
	p.host, err = p.probe()
	return p, err
}

// empty makes the stub and unmaps all else.
func (p *process) empty() error {
	if err := p.readRegs(); err != nil {
		return err
	}
	p.own = p.regs
	entry := p.regs.Rip
	if err := p.write(entry, syscallCode); err != nil {
		return err
	}
	at, err := p.syscallAt(entry, unix.SYS_MMAP, stub, pageSize, unix.PROT_READ|unix.PROT_EXEC,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED_NOREPLACE, ^uint64(0), 0)
	if err != nil || at != stub {
		return fmt.Errorf("lockstep: mapping a page at %#x: %#x, %v", uint64(stub), at, err)
	}
	if err := p.write(stub, syscallCode); err != nil {
		return err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.pid))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		lo, hi, ok := parseMapping(line)
		if !ok || lo == stub {
			continue
		}
		// A host may seal what it maps itself; it stays then, and the model's
		// mappings fail where they meet it.
		if err := p.unmap(lo, hi); err != nil && !strings.Contains(line, "[v") {
			return fmt.Errorf("%w (%s)", err, strings.TrimSpace(line))
		}
	}
	return nil
}

// parseMapping reads the addresses of a line of /proc/PID/maps.
func parseMapping(line string) (lo, hi uint64, ok bool) {
	span, _, _ := strings.Cut(line, " ")
	from, to, ok := strings.Cut(span, "-")
	lo, err1 := strconv.ParseUint(from, 16, 64)
	hi, err2 := strconv.ParseUint(to, 16, 64)
	return lo, hi, ok && errors.Join(err1, err2) == nil
}

// close ends the process.
func (p *process) close() {
	for _, fd := range []int{p.mem, p.pagemap} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	unix.Kill(p.pid, unix.SIGKILL)
	for {
		var ws unix.WaitStatus
		if _, err := unix.Wait4(p.pid, &ws, unix.WALL, nil); err == unix.EINTR || err == nil && ws.Stopped() {
			continue
		}
		return
	}
}

// wait returns the signal with which the process stopped.
func (p *process) wait() (unix.Signal, error) {
	for {
		var ws unix.WaitStatus
		_, err := unix.Wait4(p.pid, &ws, unix.WALL, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, fmt.Errorf("lockstep: waiting for the process: %w", err)
		case !ws.Stopped():
			return 0, fmt.Errorf("lockstep: the process ended, wait status %#x", uint32(ws))
		default:
			return ws.StopSignal(), nil
		}
	}
}

// ptrace makes a request. It is a raw system call, as none of these blocks.
func (p *process) ptrace(request int, data unsafe.Pointer) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(p.pid), 0, uintptr(data), 0, 0)
	if errno != 0 {
		return fmt.Errorf("lockstep: ptrace request %#x: %w", request, errno)
	}
	return nil
}

func (p *process) readRegs() error { return p.ptrace(unix.PTRACE_GETREGS, unsafe.Pointer(&p.regs)) }
func (p *process) readFX() error   { return p.ptrace(unix.PTRACE_GETFPREGS, unsafe.Pointer(&p.fx)) }

func (p *process) writeRegs() error {
	p.regs.Orig_rax = ^uint64(0) // no system call to restart
	return p.ptrace(unix.PTRACE_SETREGS, unsafe.Pointer(&p.regs))
}

// general returns where the general registers lie in regs, in encoding order.
func general(r *unix.PtraceRegs) [16]*uint64 {
	return [16]*uint64{&r.Rax, &r.Rcx, &r.Rdx, &r.Rbx, &r.Rsp, &r.Rbp, &r.Rsi,
		&r.Rdi, &r.R8, &r.R9, &r.R10, &r.R11, &r.R12, &r.R13, &r.R14, &r.R15}
}

// selectors returns where the segment registers lie in regs, in the order of x86.Selectors.
func selectors(r *unix.PtraceRegs) [4]*uint64 {
	return [4]*uint64{x86.SelES: &r.Es, x86.SelDS: &r.Ds, x86.SelFS: &r.Fs, x86.SelGS: &r.Gs}
}

var selectorNames = [4]string{x86.SelES: "es", x86.SelDS: "ds", x86.SelFS: "fs", x86.SelGS: "gs"}

// visible is what ptrace can set and tells of a selector: of a null one nothing, else
// one with the program's privilege.
func visible(selector uint16) uint16 {
	if selector&^3 == 0 {
		return 0
	}
	return selector | 3
}

// setState gives the process the model's registers.
func (p *process) setState(s *x86.State) error {
	p.regs = p.own
	for i, r := range general(&p.regs) {
		*r = s.R[i]
	}
	p.regs.Rip, p.regs.Eflags, p.regs.Fs_base, p.regs.Gs_base = s.RIP, s.RFlags, s.FSBase, s.GSBase
	for i, r := range selectors(&p.regs) {
		*r = uint64(visible(s.Sel[i]))
	}
	if err := p.writeRegs(); err != nil {
		return err
	}
	p.fx = s.FXSave()
	if p.extended {
		return p.writeExtended(s)
	}
	return p.ptrace(unix.PTRACE_SETFPREGS, unsafe.Pointer(&p.fx))
}

// state is what was last read, as far as the model's state has it.
func (p *process) state() (s x86.State) {
	for i, r := range general(&p.regs) {
		s.R[i] = *r
	}
	s.RIP, s.RFlags, s.FSBase, s.GSBase = p.regs.Rip, p.regs.Eflags&^(x86.TF|resumeFlag), p.regs.Fs_base, p.regs.Gs_base
	for i, r := range selectors(&p.regs) {
		s.Sel[i] = uint16(*r)
	}
	return s
}

const resumeFlag = 1 << 16 // RF: set in what a fault saves

// step executes one instruction, or one iteration of a REP string instruction,
// and reads the registers.
func (p *process) step() (unix.Signal, error) {
	if err := p.ptrace(unix.PTRACE_SINGLESTEP, nil); err != nil {
		return 0, err
	}
	sig, err := p.wait()
	if err == nil {
		err = p.readRegs()
	}
	return sig, err
}

// runTo lets the process run to a breakpoint at va, and reads the registers.
func (p *process) runTo(va uint64) (unix.Signal, error) {
	var old [1]byte
	if err := errors.Join(p.read(va, old[:]), p.write(va, []byte{0xcc})); err != nil {
		return 0, err
	}
	if err := p.ptrace(unix.PTRACE_CONT, nil); err != nil {
		return 0, err
	}
	sig, err := p.wait()
	if err == nil {
		err = errors.Join(p.write(va, old[:]), p.readRegs())
	}
	if err == nil && sig == unix.SIGTRAP {
		p.regs.Rip = va
		err = p.writeRegs()
	}
	return sig, err
}

// faultAddress is the address that the last signal tells of.
func (p *process) faultAddress() (uint64, error) {
	var info [128]byte
	err := p.ptrace(unix.PTRACE_GETSIGINFO, unsafe.Pointer(&info))
	return binary.LittleEndian.Uint64(info[16:]), err
}

// syscallAt makes a system call through the instruction at rip. The registers
// are lost.
func (p *process) syscallAt(rip uint64, nr uint64, a ...uint64) (uint64, error) {
	p.regs = p.own
	p.regs.Rip, p.regs.Rax = rip, nr
	for i, r := range []*uint64{&p.regs.Rdi, &p.regs.Rsi, &p.regs.Rdx, &p.regs.R10, &p.regs.R8, &p.regs.R9}[:len(a)] {
		*r = a[i]
	}
	if err := p.writeRegs(); err != nil {
		return 0, err
	}
	sig, err := p.step()
	switch {
	case err != nil:
		return 0, err
	case sig != unix.SIGTRAP:
		return 0, fmt.Errorf("lockstep: signal %d from system call %d in the process", sig, nr)
	}
	if e := -int64(p.regs.Rax); e > 0 && e < pageSize {
		return 0, unix.Errno(e)
	}
	return p.regs.Rax, nil
}

// mapAt maps zeros, over what is there. prot is of mmap(2).
func (p *process) mapAt(lo, hi, prot uint64) error {
	_, err := p.syscallAt(stub, unix.SYS_MMAP, lo, hi-lo, prot,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED|unix.MAP_NORESERVE, ^uint64(0), 0)
	return failed("mmap", lo, hi, err)
}

func (p *process) unmap(lo, hi uint64) error {
	_, err := p.syscallAt(stub, unix.SYS_MUNMAP, lo, hi-lo)
	return failed("munmap", lo, hi, err)
}

func (p *process) protect(lo, hi, prot uint64) error {
	_, err := p.syscallAt(stub, unix.SYS_MPROTECT, lo, hi-lo, prot)
	return failed("mprotect", lo, hi, err)
}

func failed(what string, lo, hi uint64, err error) error {
	if err != nil {
		err = fmt.Errorf("lockstep: %s of %#x to %#x in the process: %w", what, lo, hi, err)
	}
	return err
}

// read and write go past protections. They must meet mapped memory.
func (p *process) read(va uint64, buf []byte) error {
	n, err := unix.Pread(p.mem, buf, int64(va))
	if err != nil || n != len(buf) {
		return fmt.Errorf("lockstep: reading %d bytes at %#x of the process: %d, %v", len(buf), va, n, err)
	}
	return nil
}

func (p *process) write(va uint64, data []byte) error {
	n, err := unix.Pwrite(p.mem, data, int64(va))
	if err != nil || n != len(data) {
		return fmt.Errorf("lockstep: writing %d bytes at %#x of the process: %d, %v", len(data), va, n, err)
	}
	return nil
}

// present appends the pages of [lo, hi) that the process has touched.
func (p *process) present(list []uint64, lo, hi uint64) ([]uint64, error) {
	buf := make([]byte, 64<<10)
	for lo < hi {
		part := buf[:min(uint64(len(buf)), (hi-lo)/pageSize*8)]
		n, err := unix.Pread(p.pagemap, part, int64(lo/pageSize*8))
		if err != nil || n != len(part) {
			return nil, fmt.Errorf("lockstep: reading the page map of the process at %#x: %d, %v", lo, n, err)
		}
		for ; len(part) > 0; part, lo = part[8:], lo+pageSize {
			if part[7]>>6 != 0 { // present or swapped out
				list = append(list, lo)
			}
		}
	}
	return list, nil
}
