package kernel

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/x86"
)

// The signal frame of x86-64 Linux (struct rt_sigframe), offsets in bytes:
//
//	  0 return address (sa_restorer)
//	  8 ucontext: flags, link, stack_t (16), sigcontext (40), signal mask (296)
//	312 siginfo
//	440 end
//
// The floating-point part is above the frame and aligned to 64: see xstate.go.
const (
	frameSize    = 440
	frameContext = 8
	frameMC      = frameContext + 40
	frameMask    = frameContext + 296
	frameInfo    = 312
	fpSize       = 512
	redZone      = 128

	ucFlags = 2 | 4 // UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS
	userCS  = 0x33
	userSS  = 0x2b

	defaultMXCSR = 0x1f80
	defaultFCW   = 0x37f
)

// contextRegs is the order of the general registers in struct sigcontext.
var contextRegs = [16]int{x86.R8, x86.R9, x86.R10, x86.R11, x86.R12, x86.R13, x86.R14, x86.R15,
	x86.RDI, x86.RSI, x86.RBP, x86.RBX, x86.RDX, x86.RAX, x86.RCX, x86.RSP}

func (a AltStack) holds(sp uint64) bool {
	return a.Flags&ssDisable == 0 && a.Size != 0 && sp > a.SP && sp-a.SP <= a.Size
}

// pushFrame makes c enter the handler of act. It reports false, with c unchanged,
// when the frame cannot be written.
func (c *call) pushFrame(q Queued, t trap, act Action) bool {
	if act.Flags&saRestorer == 0 {
		return false
	}
	s := c.cpu.State()
	alt := &c.thread.alt
	sp := s.R[x86.RSP] - redZone
	if act.Flags&saOnstack != 0 && !alt.holds(s.R[x86.RSP]) && alt.Flags&ssDisable == 0 && alt.Size != 0 {
		sp = alt.SP + alt.Size
	}
	fx := c.fpFrame(&s)
	fp := (sp - uint64(len(fx))) &^ 63
	at := (fp-frameSize)&^15 - 8
	if alt.holds(s.R[x86.RSP]) && act.Flags&saOnstack != 0 && !alt.holds(at) {
		return false // the alternate stack overflows
	}
	if c.store(fp, fx) != nil || c.store(at, c.frame(&s, q, t, act, fp)) != nil {
		return false
	}
	if alt.Flags&ssAutodisarm != 0 {
		*alt = AltStack{Flags: ssDisable}
	}
	n := s
	n.R[x86.RDI], n.R[x86.RSI], n.R[x86.RDX], n.R[x86.RAX] = uint64(q.Signal), at+frameInfo, at+frameContext, 0
	n.R[x86.RSP], n.RIP = at, act.Handler
	n.RFlags &^= x86.DF | x86.TF
	n.Trap = false
	n.V, n.FPU, n.MXCSR = [16]x86.Vec{}, x86.X87{CW: defaultFCW}, defaultMXCSR
	c.cpu.SetState(&n)
	c.useSaved = false
	c.entered(q, at)
	return true
}

// frame encodes the frame of a signal that interrupted s.
func (c *call) frame(s *x86.State, q Queued, t trap, act Action, fp uint64) []byte {
	alt, mask := c.thread.alt, c.thread.mask
	if c.useSaved {
		mask = c.savedMask
	}
	b := make([]byte, 0, frameSize)
	u64 := func(v ...uint64) {
		for _, x := range v {
			b = le.AppendUint64(b, x)
		}
	}
	u64(act.Restorer, c.contextFlags(), 0, alt.SP, uint64(alt.Flags), alt.Size)
	for _, r := range contextRegs {
		u64(s.R[r])
	}
	u64(s.RIP, s.RFlags|t.flags, userCS|userSS<<48, t.code, t.vector, mask, t.cr2, fp)
	u64(0, 0, 0, 0, 0, 0, 0, 0, mask)
	return append(b, siginfo(q)...)
}

// siginfo encodes a siginfo_t of 128 bytes.
func siginfo(q Queued) []byte {
	b := make([]byte, 128)
	le.PutUint32(b, uint32(q.Signal))
	le.PutUint32(b[8:], uint32(q.Code))
	if q.Code > 0 && q.Code != siKernel && q.Signal != SIGCHLD {
		le.PutUint64(b[16:], q.Value)
		return b
	}
	le.PutUint32(b[16:], uint32(q.PID))
	le.PutUint32(b[20:], q.UID)
	le.PutUint64(b[24:], q.Value)
	return b
}

// sysRtSigreturn restores what pushFrame saved. A frame that cannot be read kills.
func sysRtSigreturn(c *call) (uint64, error) {
	at := c.cpu.R[x86.RSP] - 8
	b := make([]byte, frameSize)
	s, err := c.cpu.State(), c.load(at, b)
	if err == nil {
		err = c.readContext(&s, b)
	}
	c.noResult = true
	if err != nil {
		c.handle(Queued{Signal: SIGSEGV, Code: siKernel}, trap{})
		return 0, nil
	}
	c.thread.alt = altStackFrom(b[frameContext+16:], c.thread.alt)
	c.thread.mask = le.Uint64(b[frameMask:]) &^ unblockable
	c.touchThread(c.thread)
	c.cpu.SetState(&s)
	c.handled(at)
	return 0, nil
}

// restoredFlags are the flags that rt_sigreturn takes from a frame (FIX_EFLAGS of
// the kernel's arch/x86/kernel/signal.c); the others stay.
const restoredFlags = x86.StatusFlags | x86.DF | x86.TF | x86.AC

// readContext decodes the registers of a frame into s.
func (c *call) readContext(s *x86.State, b []byte) error {
	mc := b[frameMC:]
	for i, r := range contextRegs {
		s.R[r] = le.Uint64(mc[8*i:])
	}
	flags := le.Uint64(mc[136:])
	s.RIP, s.RFlags = le.Uint64(mc[128:]), s.RFlags&^restoredFlags|flags&restoredFlags
	fp := le.Uint64(mc[184:])
	if fp == 0 {
		s.V, s.FPU, s.MXCSR = [16]x86.Vec{}, x86.X87{CW: defaultFCW}, defaultMXCSR
		return nil
	}
	return c.restoreFP(s, fp)
}

// altStackFrom decodes a stack_t; one that sigaltstack would refuse leaves old.
func altStackFrom(b []byte, old AltStack) AltStack {
	n := AltStack{SP: le.Uint64(b), Flags: le.Uint32(b[8:]), Size: le.Uint64(b[16:])}
	if n.Flags&ssDisable != 0 {
		return AltStack{Flags: ssDisable}
	}
	if n.Flags&^(ssAutodisarm|ssOnstack) != 0 || n.Size < minSigstksz {
		return old
	}
	n.Flags &^= ssOnstack
	return n
}

func sysSigaltstack(c *call) (uint64, error) {
	sp := c.cpu.R[x86.RSP]
	old := c.thread.alt
	var in [24]byte
	if c.a[0] != 0 {
		if err := c.load(c.a[0], in[:]); err != nil {
			return 0, err
		}
		if err := c.setAltStack(in[:], sp); err != nil {
			return 0, err
		}
	}
	if c.a[1] == 0 {
		return 0, nil
	}
	flags := old.Flags
	if old.holds(sp) {
		flags |= ssOnstack
	}
	b := le.AppendUint64(nil, old.SP)
	b = le.AppendUint64(b, uint64(flags))
	return 0, c.store(c.a[1], le.AppendUint64(b, old.Size))
}

func (c *call) setAltStack(in []byte, sp uint64) error {
	flags := le.Uint32(in[8:])
	if c.thread.alt.holds(sp) {
		return errno.EPERM
	}
	mode := flags &^ ssAutodisarm
	n := AltStack{SP: le.Uint64(in), Flags: flags &^ ssOnstack, Size: le.Uint64(in[16:])}
	switch {
	case mode != 0 && mode != ssOnstack && mode != ssDisable:
		return errno.EINVAL
	case n == c.thread.alt, n == AltStack{} && c.thread.alt == AltStack{Flags: ssDisable}:
		return nil // no change is none, be it too small
	case mode == ssDisable:
		n = AltStack{Flags: flags}
	case n.Size < minSigstksz:
		return errno.ENOMEM
	}
	c.thread.alt = n
	c.touchThread(c.thread)
	return nil
}
