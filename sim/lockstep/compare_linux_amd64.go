package lockstep

import (
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"

	"zhuque/sim"
	"zhuque/sim/x86"
)

// compare runs once. It does so on a thread of its own, which is bound to one
// processor (stepping is three times slower across two) and not used afterwards.
func compare(o Options) (r *Report, err error) {
	done := make(chan any)
	go func() {
		defer func() { done <- recover() }()
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		bindThread()
		r, err = compareHere(o)
	}()
	if p := <-done; p != nil {
		panic(p)
	}
	return r, err
}

// bindThread binds this thread and the processes it starts to the processor it
// is on. That makes it faster and nothing else, so failure is no error.
func bindThread() {
	var cpu uint32
	if _, _, e := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0); e == 0 {
		var set unix.CPUSet
		set.Set(int(cpu))
		_ = unix.SchedSetaffinity(0, &set)
	}
}

func compareHere(o Options) (*Report, error) {
	m, err := o.Start()
	if err != nil {
		return nil, err
	}
	if stop := m.RunUntil(o.From); stop.Reason != sim.Reached {
		return nil, fmt.Errorf("lockstep: the program does not reach instruction %d: %v after %d", o.From, stop, m.Retired())
	}
	p, err := startProcess()
	if err != nil {
		return nil, err
	}
	defer p.close()
	p.extended = m.CPU().Level() >= x86.V3 && cpu.X86.HasAVX
	l := &lockstep{o: o, m: m, p: p, g: image{p: p}, absent: map[int]bool{}, swept: m.Retired()}
	l.r.From, l.r.Executed = o.From, make([]uint64, len(forms))
	if err := l.push(); err != nil {
		return nil, err
	}
	if err := l.run(); err != nil {
		return nil, err
	}
	l.finish()
	return &l.r, nil
}

// lockstep is one comparison.
type lockstep struct {
	o      Options
	m      *sim.Machine
	p      *process
	g      image
	r      Report
	absent map[int]bool
	swept  uint64 // instructions retired at the last sweep

	next   x86.Next // the instruction being executed
	before x86.State
	at     uint64 // instructions retired before it
}

const reportEvery = 1 << 13 // instructions between two reports

// run goes on until something ends it; l.r tells what.
func (l *lockstep) run() error {
	var since uint64 // instructions since memory was compared
	for n := uint64(1); l.o.Max == 0 || n <= l.o.Max; n++ {
		l.before = l.m.CPU().State()
		l.next = l.m.CPU().Next()
		l.at = l.m.Retired()
		stop, err := l.instruction()
		if err != nil || l.r.Difference != nil {
			return err
		}
		if stop.Reason != sim.Reached {
			l.r.Stop, l.r.End = stop, stop.String()
			return nil
		}
		if since++; since >= l.o.Every {
			since = 0
			if err := l.memory(l.m, n%l.o.sweep < l.o.Every); err != nil || l.r.Difference != nil {
				return err
			}
		}
		if n%reportEvery == 0 && l.o.Progress != nil {
			l.o.Progress(&l.r)
		}
	}
	l.r.End = fmt.Sprintf("%d instructions compared", l.o.Max)
	return l.memory(l.m, true)
}

// instruction executes the next instruction on both sides and compares registers.
func (l *lockstep) instruction() (sim.Stop, error) {
	if l.next.Fetch == x86.FetchUnknown || l.aside() {
		return l.mirror()
	}
	sig, err := l.native()
	switch {
	case err != nil:
		return sim.Stop{}, err
	case sig == unix.SIGILL && l.foreign():
		l.absent[l.next.Form] = true
		return l.mirror()
	case sig != unix.SIGTRAP:
		return l.fault(sig)
	}
	calls := l.m.Calls()
	stop := l.m.Step()
	switch {
	case stop.Reason == sim.Stuck:
		return stop, nil
	case l.m.Calls() != calls:
		l.differ(l.m.CPU().State(), "the model: an exception", "the processor: none")
		return stop, nil
	}
	if l.next.Name == "PUSHF" {
		if err := l.hideTrapFlag(); err != nil {
			return stop, err
		}
	}
	if l.o.disturb != nil {
		l.o.disturb(l.m, l.p.write)
	}
	l.r.Compared++
	l.r.Executed[l.next.Form]++
	return stop, l.registers(l.m.CPU(), l.next.Undef)
}

// forms is the instruction table.
var forms = x86.ISA()

// setAside tells of every form whether it is left to the model: what is the
// machine's own affair (see the package comment), what would reach the host's
// kernel, what moves segment registers, as single-stepping misses the instruction
// behind a load of SS and ptrace sets selectors of the program's privilege only, and
// single-stepping also misses the one behind those that the kernel emulates (SGDT and its like).
var setAside = func() []bool {
	list := make([]bool, len(forms))
	for i, f := range forms {
		switch f.Name {
		case "SYSCALL", "CPUID", "RDTSC", "RDTSCP", "RDPID", "XGETBV", "RDRAND", "RDSEED", "INT3", "INT1",
			"RCPPS", "RCPSS", "RSQRTPS", "RSQRTSS", "FNSTENV", "FNSAVE", "FXSAVE",
			"XSAVE", "XSAVEOPT", "XSAVEC", "SGDT", "SIDT", "SLDT", "SMSW", "STR", "LSL", "LSS", "LFS", "LGS",
			"F2XM1", "FYL2X", "FYL2XP1", "FPTAN", "FPATAN", "FSIN", "FCOS", "FSINCOS":
			list[i] = true
		default:
			list[i] = strings.Contains(f.Args, "Sw") || f.Args == "FS" || f.Args == "GS"
		}
	}
	return list
}()

// aside reports whether the next instruction is not executed natively: the host may not be
// able to. Nor are those
// that the program itself single-steps: ptrace cannot tell its steps from ours.
func (l *lockstep) aside() bool {
	if l.before.RFlags&x86.TF != 0 || l.before.Trap {
		return true
	}
	if l.p.host.leaves(l.next.Name, &l.before) {
		return true
	}
	if l.next.Fetch != x86.FetchDecoded {
		return false
	}
	if n := l.next.Imm & 0xff; l.next.Name == "INT" && (n == 0x80 || n == uint64(x86.BP)) {
		return true // a system call of 32-bit programs; a breakpoint, which looks like a step
	}
	return setAside[l.next.Form] || l.next.Odd
}

// foreign reports whether the host's processor may lack the next instruction.
func (l *lockstep) foreign() bool {
	if l.next.Fetch != x86.FetchDecoded {
		return false
	}
	switch forms[l.next.Form].Feature {
	case "", "FPU", "TSC", "CX8", "CMOV", "CLFSH", "MMX", "FXSR", "SSE", "SSE2", "SYSCALL":
		return false // every x86-64 processor has it
	}
	return true
}

// native executes the next instruction in the process.
func (l *lockstep) native() (sig unix.Signal, err error) {
	if !l.next.Rep {
		return l.p.step()
	}
	const many = 64
	end := l.next.RIP + uint64(l.next.Len)
	if l.before.R[x86.RCX] > many && !l.reaches(end) {
		return l.p.runTo(end)
	}
	for sig = unix.SIGTRAP; sig == unix.SIGTRAP; {
		if sig, err = l.p.step(); err != nil || l.p.regs.Rip != l.next.RIP {
			break
		}
	}
	return sig, err
}

// reaches reports whether a string instruction may touch the byte at va, so that
// no breakpoint may be there.
func (l *lockstep) reaches(va uint64) bool {
	n := l.before.R[x86.RCX]
	if n > 1<<40 {
		return true
	}
	for _, r := range []int{x86.RSI, x86.RDI} {
		if a := l.before.R[r]; va-a+8*n <= 16*n+8 {
			return true
		}
	}
	return false
}

// hideTrapFlag clears the flag that single-stepping left in what PUSHF pushed.
func (l *lockstep) hideTrapFlag() error {
	var b [1]byte
	at := l.p.regs.Rsp + 1
	if err := l.p.read(at, b[:]); err != nil || b[0]&1 == 0 {
		return err
	}
	b[0] &^= 1
	return l.p.write(at, b[:])
}

// leaving reports whether the next instruction is the program's last.
func (l *lockstep) leaving() bool {
	nr := l.before.R[x86.RAX]
	return l.next.Name == "SYSCALL" && (nr == unix.SYS_EXIT || nr == unix.SYS_EXIT_GROUP)
}

// mirror lets the model alone make the next instruction and takes its result over.
func (l *lockstep) mirror() (sim.Stop, error) {
	memory := l.next.Stores || l.next.Name == "SYSCALL" || l.next.Fetch != x86.FetchDecoded
	if memory {
		if err := l.memory(l.m, l.leaving()); err != nil || l.r.Difference != nil {
			return sim.Stop{}, err
		}
	}
	calls := l.m.Calls()
	stop := l.m.Step()
	l.r.Mirrored++
	if stop.Reason != sim.Reached {
		return stop, nil
	}
	if memory || l.m.Calls() != calls {
		return stop, l.push()
	}
	s := l.m.CPU().State()
	return stop, l.p.setState(&s)
}

// push gives the process all that the model is.
func (l *lockstep) push() error {
	if err := l.g.push(l.m); err != nil {
		return err
	}
	s := l.m.CPU().State()
	return l.p.setState(&s)
}

// signals are what Linux makes of exceptions.
var signals = map[x86.Vector][]unix.Signal{
	x86.DE: {unix.SIGFPE}, x86.MF: {unix.SIGFPE}, x86.XM: {unix.SIGFPE}, x86.UD: {unix.SIGILL},
	x86.GP: {unix.SIGSEGV}, x86.Overflow: {unix.SIGSEGV}, x86.SS: {unix.SIGBUS}, x86.AlignmentCheck: {unix.SIGBUS}, x86.PageFaultVector: {unix.SIGSEGV, unix.SIGBUS},
}

// fault compares an exception: the process stopped with sig, with the registers
// at the exception. A fork of the model meets it; then the model itself takes it
// through its kernel and is mirrored.
func (l *lockstep) fault(sig unix.Signal) (sim.Stop, error) {
	f := l.m.Fork()
	cpu := f.CPU()
	st := cpu.Run(f.Retired() + 1)
	if st.Reason == x86.StopUnsupported {
		return l.mirror()
	}
	at, err := l.p.faultAddress()
	if err != nil {
		return sim.Stop{}, err
	}
	if st.Reason != x86.StopException {
		l.differ(cpu.State(), "the model: no exception", fmt.Sprintf("the processor: signal %v, address %#x", sig, at))
		return sim.Stop{}, nil
	}
	known := false
	for _, s := range signals[st.Exc.Vector] {
		known = known || s == sig
	}
	switch {
	case !known:
		l.differ(cpu.State(), "the model: "+st.Exc.Error(), fmt.Sprintf("the processor: signal %v, address %#x", sig, at))
	case st.Exc.Vector == x86.PageFaultVector && st.Exc.Fault.Addr != at:
		l.differ(cpu.State(), "the model: "+st.Exc.Error(), fmt.Sprintf("the processor: fault at address %#x", at))
	}
	if l.r.Difference != nil {
		return sim.Stop{}, nil
	}
	if err := l.registers(cpu, 0); err != nil || l.r.Difference != nil {
		return sim.Stop{}, err
	}
	if err := l.memory(f, false); err != nil || l.r.Difference != nil {
		return sim.Stop{}, err
	}
	stop := l.m.Step()
	l.r.Faults++
	if stop.Reason != sim.Reached {
		return stop, nil
	}
	return stop, l.push()
}

// memory compares the memory of m, or of its fork, with the process's: the pages
// changed since the last time, or all.
func (l *lockstep) memory(m *sim.Machine, all bool) error {
	compare := l.g.compareChanged
	if all {
		compare = l.g.sweep
	}
	bad, err := compare(m)
	l.r.Pages = l.g.pages
	if err != nil {
		return err
	}
	if bad != nil {
		l.differ(m.CPU().State(), bad.String())
		d := l.r.Difference
		d.from, d.swept = l.g.at, all
		if all {
			d.from = l.swept
		}
		d.Window = max(m.Retired()-d.from, 1)
		return nil
	}
	if all {
		l.swept = m.Retired()
	}
	if m == l.m {
		l.g.settle(m)
	}
	return nil
}

// differ notes a difference at the next instruction.
func (l *lockstep) differ(model x86.State, fields ...string) {
	text, _ := x86.Disasm(l.next.Code[:], l.next.RIP)
	n := len(l.next.Code)
	if l.next.Fetch == x86.FetchDecoded {
		n = int(l.next.Len)
	}
	cpu := l.p.state()
	l.r.Difference = &Difference{
		Instruction: l.at, RIP: l.next.RIP, Code: hex.EncodeToString(l.next.Code[:n]), Text: text, Window: 1,
		Fields: fields, Before: registers(&l.before), Model: registers(&model), CPU: registers(&cpu),
	}
	l.r.End = "difference"
}

// finish fills in what is told once.
func (l *lockstep) finish() {
	for i, f := range forms {
		if l.r.Executed[i] > 0 {
			l.r.Forms = append(l.r.Forms, f.Name+" "+f.Enc)
		}
		if l.absent[i] {
			l.r.Absent = append(l.r.Absent, f.Name+" "+f.Enc)
		}
	}
}
