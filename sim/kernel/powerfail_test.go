package kernel

import (
	"slices"
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/x86"
)

const (
	pwrHandler  = 0x1234
	pwrRestorer = 0x5678
)

// pwrRig is a process of three threads that handles SIGPWR.
func pwrRig(t *testing.T) (*rig, []*Thread) {
	r := newRig(t, nil)
	r.want(0, "rt_sigaction", SIGPWR, iov(pwrHandler, saRestorer|saSiginfo, pwrRestorer, 0), 0, 8)
	for i := range uint64(2) {
		r.want(int(initialPID+1+i), "clone", uint64(cloneThreadFlags), stackTop-8192*(i+1), 0, 0, 0)
	}
	return r, r.k.Threads()
}

// told lists for each thread the count of the power failure that it is to handle, 0
// for none.
func told(threads []*Thread) (list []int32) {
	for _, t := range threads {
		n := int32(0)
		for _, q := range t.queue {
			n += q.Code
		}
		list = append(list, n)
	}
	return list
}

// running lists for each thread whether it may go on.
func (r *rig) running(threads []*Thread) (list []bool) {
	for _, t := range threads {
		list = append(list, r.k.runnable(t))
	}
	return list
}

func (r *rig) expect(step string, threads []*Thread, counts []int32, running ...bool) {
	r.Helper()
	if c, n := told(threads), r.running(threads); !slices.Equal(c, counts) || !slices.Equal(n, running) {
		r.Fatalf("%s: told %v, running %v; expected %v and %v", step, c, n, counts, running)
	}
}

// deliver lets the current thread enter the handler.
func (r *rig) deliver() {
	r.Helper()
	if o := r.k.DeliverOne(r.c); o.Stops() || r.c.RIP != pwrHandler {
		r.Fatalf("%+v, rip %#x", o, r.c.RIP)
	}
}

// sigreturn is the end of the handler.
func (r *rig) sigreturn() {
	r.Helper()
	r.c.R[x86.RSP] += 8
	r.prepare("rt_sigreturn")
	if o := r.k.Syscall(r.c); o.Stops() {
		r.Fatalf("%+v", o)
	}
}

// The main thread handles a power failure, and no other goes on meanwhile; the failures
// after it are told once, with the last count, when the handler has returned.
func TestMainThreadIsToldFirst(t *testing.T) {
	r, threads := pwrRig(t)
	if !r.k.ToldOfPowerFailures() {
		t.Fatal("the process handles SIGPWR")
	}
	r.k.PowerFailed(r.c.Retired, 3)
	r.k.PowerFailed(r.c.Retired, 4)
	r.expect("two failures", threads, []int32{4, 0, 0}, true, false, false)
	r.deliver()
	if got := le.Uint32(r.get(r.c.R[x86.RSI]+8, 4)); got != 4 {
		t.Errorf("si_code is %d", got)
	}
	r.expect("in the handler", threads, []int32{0, 0, 0}, true, false, false)
	r.k.PowerFailed(r.c.Retired, 5)
	r.expect("a failure in the handler", threads, []int32{5, 0, 0}, true, false, false)
	r.sigreturn() // and enters it again at once
	r.expect("in the second handler", threads, []int32{0, 0, 0}, true, false, false)
	r.sigreturn()
	r.expect("behind it", threads, []int32{0, 0, 0}, true, true, true)
}

// A handler that waits, or that is left by siglongjmp, holds nobody.
func TestHandlersThatDoNotReturn(t *testing.T) {
	r, threads := pwrRig(t)
	r.k.PowerFailed(r.c.Retired, 1)
	r.deliver()
	if o := r.raw("pause"); !o.Again {
		t.Fatalf("%+v", o)
	}
	r.expect("pause in the handler", threads, []int32{0, 0, 0}, false, true, true)

	r, threads = pwrRig(t)
	r.k.PowerFailed(r.c.Retired, 1)
	r.deliver()
	r.want(0, "rt_sigprocmask", 2, iov(0), 0, 8)
	r.expect("siglongjmp", threads, []int32{0, 0, 0}, true, true, true)
}

// The program chooses the thread by its masks; when all block SIGPWR it waits for the
// first that does not.
func TestThreadIsChosenByMasks(t *testing.T) {
	r, threads := pwrRig(t)
	threads[0].mask = bit(SIGPWR)
	r.k.PowerFailed(r.c.Retired, 7)
	r.expect("main blocks it", threads, []int32{0, 7, 0}, false, true, false)
	if got := r.k.Current(); got != threads[1].tid {
		t.Errorf("thread %d goes on, expected the one that was told", got)
	}

	r, threads = pwrRig(t)
	for _, th := range threads {
		th.mask = bit(SIGPWR)
	}
	r.k.PowerFailed(r.c.Retired, 1)
	r.k.PowerFailed(r.c.Retired, 2)
	r.expect("all block it", threads, []int32{0, 0, 0}, true, true, true)
	if q := r.k.proc.queue; len(q) != 1 || q[0].Code != 2 {
		t.Errorf("pending for the process: %+v", q)
	}
}

// In the mode of the published runtime all threads handle it before one goes on.
func TestPerThreadHasABarrier(t *testing.T) {
	r, threads := pwrRig(t)
	r.k.cfg.SIGPWRPerThread = true
	threads[2].mask = bit(SIGPWR)
	r.k.PowerFailed(r.c.Retired, 1)
	r.expect("told", threads, []int32{1, 1, 0}, true, true, false)
	r.deliver()
	r.sigreturn()
	r.expect("one has returned", threads, []int32{0, 1, 0}, false, true, false)

	r.k.noBarrier = true // the mutant
	r.expect("without the barrier", threads, []int32{0, 1, 0}, true, true, true)
	r.want(-3, "tgkill", initialPID, int(threads[1].tid), 0)
	r.k.noBarrier = false
	r.want(0, "tgkill", initialPID, int(threads[1].tid), 0)
}

// A process that does not handle SIGPWR is not told.
func TestDefaultIsNotTold(t *testing.T) {
	for _, handler := range []uint64{sigDfl, sigIgn} {
		r := newRig(t, nil)
		r.want(0, "rt_sigaction", SIGPWR, iov(handler, 0, 0, 0), 0, 8)
		r.k.PowerFailed(r.c.Retired, 1)
		if r.k.ToldOfPowerFailures() || len(r.k.thread.queue)+len(r.k.proc.queue) != 0 {
			t.Errorf("handler %d: told", handler)
		}
	}
}

// A process whose queue of signals is full is told all the same, comes back from the next
// failure, and can be killed.
func TestToldBehindAFullQueue(t *testing.T) {
	r, threads := pwrRig(t)
	const rt = 40
	r.want(0, "rt_sigprocmask", 0, iov(bit(rt)), 0, 8)
	for range maxQueued {
		r.want(0, "tgkill", initialPID, initialPID, rt)
	}
	r.want(errno.EAGAIN, "tgkill", initialPID, initialPID, rt)
	r.k.PowerFailed(r.c.Retired, 1)
	if n := len(threads[0].queue); n != maxQueued+1 {
		t.Fatalf("%d signals are pending", n)
	}
	r.ok(r.reborn(r.k.Records()))
	r.deliver()
	if o := r.raw("tgkill", initialPID, initialPID, SIGKILL); !o.Exited || o.Signal != SIGKILL {
		t.Errorf("SIGKILL behind a full queue: %+v", o)
	}
}
