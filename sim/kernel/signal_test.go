package kernel

import (
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/mem"
	"zhuque/sim/x86"
)

const (
	handlerAt  = 0x40_1000
	restorerAt = 0x40_2000
)

// handle installs a handler.
func (r *rig) handle(sig int, flags, mask uint64) {
	r.Helper()
	r.want(0, "rt_sigaction", sig, iov(handlerAt, flags|saRestorer, restorerAt, mask), 0, 8)
}

// marked gives every register a value of its own.
func (r *rig) marked() x86.State {
	s := r.c.State()
	for i := range s.R {
		if i != x86.RSP {
			s.R[i] = 0x1111 * uint64(i+1)
		}
	}
	s.RFlags |= x86.CF | x86.DF | x86.ZF
	for i := range s.V {
		s.V[i] = x86.Vec{uint64(i) + 1, uint64(i) << 40}
	}
	s.FPU.CW, s.MXCSR, s.RIP = 0x27f, 0x3f80, 0x40_0123
	s.FPU.Reg[3] = x86.F80{Mant: 1 << 63, SE: 0x3fff}
	s.FPU.Tag = 1 << 3
	return s
}

// enter sends a signal to the process that runs with state s.
func (r *rig) enter(s x86.State, sig int) Outcome {
	r.Helper()
	s.R[x86.RDI], s.R[x86.RSI], s.R[x86.RAX] = initialPID, uint64(sig), numbers["kill"]
	r.c.SetState(&s)
	return r.k.Syscall(r.c)
}

// TestFrame compares a signal frame with the layout of struct rt_sigframe and
// returns through it: every register must be as it was.
func TestFrame(t *testing.T) {
	r := newRig(t, nil)
	r.handle(10, saSiginfo, 1<<11)
	s := r.marked()
	if o := r.enter(s, 10); o.Stops() {
		t.Fatalf("%+v", o)
	}
	n := r.c.State()
	sp := n.R[x86.RSP]
	if n.RIP != handlerAt || n.R[x86.RDI] != 10 || n.R[x86.RSI] != sp+312 || n.R[x86.RDX] != sp+8 || sp%16 != 8 {
		t.Fatalf("handler entered with rip %#x rdi %d rsi %#x rdx %#x rsp %#x",
			n.RIP, n.R[x86.RDI], n.R[x86.RSI], n.R[x86.RDX], sp)
	}
	if sp > s.R[x86.RSP]-redZone-frameSize-fpSize || n.RFlags&x86.DF != 0 || n.FPU.CW != 0x37f || n.MXCSR != 0x1f80 {
		t.Fatal("red zone, direction flag or floating-point state of the handler")
	}
	b := r.get(sp, frameSize)
	u := func(off int) uint64 { return le.Uint64(b[off:]) }
	for off, want := range map[int]uint64{0: restorerAt,
		8 + 40 + 64: initialPID, 8 + 40 + 104: 0, 8 + 40 + 120: s.R[x86.RSP],
		8 + 40 + 128: s.RIP, 8 + 40 + 152: 0, 312: 10, 328: initialPID} {
		if u(off) != want {
			t.Errorf("frame[%d] = %#x, want %#x", off, u(off), want)
		}
	}
	fp := u(8 + 40 + 184)
	if fp%64 != 0 || fp < sp+frameSize || le.Uint16(r.get(fp, 2)) != 0x27f ||
		le.Uint32(r.get(fp+24, 4)) != 0x3f80 || le.Uint64(r.get(fp+160+16, 8)) != 2 {
		t.Fatalf("floating-point state at %#x", fp)
	}
	if got := r.k.thread.mask; got != bit(10)|bit(12) {
		t.Fatalf("mask in the handler %#x", got)
	}
	r.c.R[x86.RSP], r.c.R[x86.RAX] = sp+8, numbers["rt_sigreturn"]
	r.k.Syscall(r.c)
	s.R[x86.RDI], s.R[x86.RSI], s.R[x86.RAX] = initialPID, 10, 0
	if got := r.c.State(); got != s {
		t.Fatalf("after the return\n%+v, want\n%+v", got, s)
	}
	if r.k.thread.mask != 0 {
		t.Fatalf("mask after the return %#x", r.k.thread.mask)
	}
}

func TestAltStack(t *testing.T) {
	r := newRig(t, nil)
	stack := r.put(make([]byte, 8192))
	old := r.put(make([]byte, 24))
	r.want(errno.ENOMEM, "sigaltstack", iov(stack, 0, 100), 0)
	r.want(0, "sigaltstack", iov(stack, 0, 8192), old)
	if b := r.get(old, 24); le.Uint32(b[8:]) != ssDisable {
		t.Fatalf("first alternate stack %x", b)
	}
	r.handle(10, saOnstack, 0)
	if o := r.enter(r.marked(), 10); o.Stops() {
		t.Fatalf("%+v", o)
	}
	sp := r.c.R[x86.RSP]
	if sp < stack || sp > stack+8192 {
		t.Fatalf("handler runs at %#x, the stack is %#x", sp, stack)
	}
	r.want(errno.EPERM, "sigaltstack", iov(stack, 0, 4096), 0)
	r.want(0, "sigaltstack", 0, old)
	if b := r.get(old, 24); le.Uint32(b[8:]) != ssOnstack {
		t.Fatalf("on the alternate stack its flags are %d", le.Uint32(b[8:]))
	}
	r.handle(12, saOnstack, 0)
	r.want(0, "kill", initialPID, 12)
	if n := r.c.R[x86.RSP]; n >= sp || n < stack {
		t.Fatalf("nested handler at %#x, outer at %#x", n, sp)
	}
}

func TestMasksAndFlags(t *testing.T) {
	r := newRig(t, nil)
	set := iov(bit(10) | bit(9) | bit(19))
	r.want(0, "rt_sigprocmask", 0, set, 0, 8)
	if r.k.thread.mask != bit(10) {
		t.Fatalf("mask %#x: SIGKILL or SIGSTOP blocked", r.k.thread.mask)
	}
	r.handle(10, saResethand|saNodefer, 0)
	r.want(0, "kill", initialPID, 10)
	r.want(0, "kill", initialPID, 10)
	buf := r.put(make([]byte, 8))
	r.want(0, "rt_sigpending", buf, 8)
	if got := le.Uint64(r.get(buf, 8)); got != bit(10) || len(r.k.proc.queue) != 1 {
		t.Fatalf("pending %#x, queued %d times", got, len(r.k.proc.queue))
	}
	r.want(0, "rt_sigprocmask", 1, set, 0, 8)
	if r.c.RIP != handlerAt || r.k.thread.mask != 0 {
		t.Fatalf("unblocked: rip %#x mask %#x", r.c.RIP, r.k.thread.mask)
	}
	if o := r.raw("kill", initialPID, 10); !o.Exited || o.Signal != 10 {
		t.Fatalf("SA_RESETHAND: the second signal gave %+v", o)
	}
	r.want(errno.EINVAL, "rt_sigaction", 9, iov(1, 0, 0, 0), 0, 8)
	r.want(errno.EINVAL, "kill", initialPID, 65)
	r.want(errno.ESRCH, "kill", 4711, 10)
	r.want(0, "kill", initialPID, SIGCHLD) // ignored by default
}

func TestSigsuspend(t *testing.T) {
	r := newRig(t, nil)
	r.handle(10, 0, 0)
	r.want(0, "rt_sigprocmask", 2, iov(bit(10)|bit(12)), 0, 8)
	r.want(0, "tgkill", initialPID, initialPID, 10)
	if o := r.raw("rt_sigsuspend", iov(0), 8); o.Stops() || r.c.RIP != handlerAt {
		t.Fatalf("%+v rip %#x", o, r.c.RIP)
	}
	b := r.get(r.c.R[x86.RSP], frameSize)
	if got := le.Uint64(b[frameMask:]); got != bit(10)|bit(12) {
		t.Fatalf("the handler returns to mask %#x", got)
	}
	if got := int64(le.Uint64(b[frameMC+13*8:])); got != -int64(errno.EINTR) {
		t.Fatalf("sigsuspend returns %d", got)
	}
	r.waits("rt_sigsuspend", iov(0), 8)
}

// TestExceptions checks signal, si_code and si_addr of each exception.
func TestExceptions(t *testing.T) {
	read := &mem.Fault{Kind: mem.PageFault, Addr: 0x123, Access: mem.Read}
	write := &mem.Fault{Kind: mem.PageFault, Addr: 0x1234, Access: mem.Write, Mapped: true}
	bus := &mem.Fault{Kind: mem.BusError, Addr: 0x5000, Access: mem.Read}
	for _, c := range []struct {
		e         x86.Exception
		sig, code int
		addr, err uint64
	}{
		{x86.Exception{Vector: x86.PageFaultVector, Fault: read}, SIGSEGV, 1, 0x123, 4},
		{x86.Exception{Vector: x86.PageFaultVector, Fault: write}, SIGSEGV, 2, 0x1234, 7},
		{x86.Exception{Vector: x86.PageFaultVector, Fault: bus}, SIGBUS, 2, 0x5000, 4},
		{x86.Exception{Vector: x86.DE, RIP: 0x77}, SIGFPE, 1, 0x77, 0},
		{x86.Exception{Vector: x86.UD, RIP: 0x77}, SIGILL, 2, 0x77, 0},
		{x86.Exception{Vector: x86.GP}, SIGSEGV, siKernel, 0, 0},
		{x86.Exception{Vector: x86.BP}, SIGTRAP, siKernel, 0, 0},
	} {
		r := newRig(t, nil)
		r.handle(c.sig, saSiginfo, 0)
		if o := r.k.Exception(r.c, &c.e); o.Stops() || r.c.RIP != handlerAt {
			t.Fatalf("%v: %+v", c.e.Vector, o)
		}
		b := r.get(r.c.R[x86.RSP], frameSize)
		if sig, code, addr := le.Uint32(b[312:]), le.Uint32(b[320:]), le.Uint64(b[328:]); int(sig) != c.sig ||
			int(code) != c.code || addr != c.addr {
			t.Errorf("%v: signal %d code %d address %#x", c.e.Vector, sig, code, addr)
		}
		if got := le.Uint64(b[frameMC+152:]); got != c.err {
			t.Errorf("%v: error code %d, want %d", c.e.Vector, got, c.err)
		}
		if o := r.k.Exception(r.c, &c.e); !o.Exited || o.Signal != c.sig {
			t.Errorf("%v in its own handler: %+v", c.e.Vector, o)
		}
	}
}

// TestNoRoomForFrame: a handler without a usable stack is a SIGSEGV, which kills
// unless it has a handler on another stack.
func TestNoRoomForFrame(t *testing.T) {
	r := newRig(t, nil)
	r.handle(10, 0, 0)
	s := r.marked()
	s.R[x86.RSP] = unmapped
	if o := r.enter(s, 10); !o.Exited || o.Signal != SIGSEGV {
		t.Fatalf("%+v", o)
	}
	r = newRig(t, nil)
	stack := r.put(make([]byte, 8192))
	r.want(0, "sigaltstack", iov(stack, 0, 8192), 0)
	r.handle(10, 0, 0)
	r.handle(SIGSEGV, saOnstack, 0)
	s = r.marked()
	s.R[x86.RSP] = unmapped
	if o := r.enter(s, 10); o.Stops() || r.c.R[x86.RDI] != SIGSEGV || r.c.R[x86.RSP]-stack > 8192 {
		t.Fatalf("%+v rdi %d rsp %#x", o, r.c.R[x86.RDI], r.c.R[x86.RSP])
	}
}

// TestDeferredSignals: with DeferSignals a call leaves its signals to DeliverOne,
// one at a time, and the call's result is in the frame.
func TestDeferredSignals(t *testing.T) {
	r := newRig(t, nil)
	r.k.cfg.DeferSignals = true
	r.handle(10, saNodefer, 0)
	r.handle(12, 0, 0)
	s := r.marked()
	if o := r.enter(s, 12); o.Stops() || r.c.RIP != s.RIP || !r.k.Deliverable() {
		t.Fatalf("%+v, rip %#x", o, r.c.RIP)
	}
	r.enter(r.c.State(), 10)
	for _, sig := range []uint64{10, 12} {
		if o := r.k.DeliverOne(r.c); o.Stops() || r.c.RIP != handlerAt || r.c.R[x86.RDI] != sig {
			t.Fatalf("%+v, rip %#x, signal %d, want %d", o, r.c.RIP, r.c.R[x86.RDI], sig)
		}
	}
	if r.k.Deliverable() {
		t.Fatal("a signal is left")
	}
}

// TestRestoredLimit: RLIMIT_AS is enforced after a restart as before it.
func TestRestoredLimit(t *testing.T) {
	r := newRig(t, nil)
	r.want(0, "setrlimit", rlimitAS, iov(2<<20, rlimInfinity))
	r.want(errno.ENOMEM, "mmap", 0, 4<<20, 3, mapPrivate|mapAnonymous, -1, 0)
	r.ok(r.reborn(r.k.Records()))
	r.want(errno.ENOMEM, "mmap", 0, 4<<20, 3, mapPrivate|mapAnonymous, -1, 0)
}

// TestNobodyImpersonatesTheKernel: only to itself may a program send a signal that says that
// the kernel sent it, or kill(2): so nobody else tells a process of a power failure.
func TestNobodyImpersonatesTheKernel(t *testing.T) {
	r := newRig(t, nil)
	info := make([]byte, 128)
	child := int(r.forked())
	for code, other := range map[int32]any{1: errno.EPERM, siUser: errno.EPERM,
		siKernel: errno.EPERM, siTkill: errno.EPERM, siQueue: 0, siTimer: 0} {
		le.PutUint32(info[8:], uint32(code))
		at := r.put(info)
		r.want(other, "rt_sigqueueinfo", child, SIGURG, at)
		r.want(other, "rt_tgsigqueueinfo", child, child, SIGURG, at)
		r.want(0, "rt_sigqueueinfo", initialPID, SIGURG, at)
		r.want(0, "rt_tgsigqueueinfo", initialPID, initialPID, SIGURG, at)
	}
}
