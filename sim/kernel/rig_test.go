package kernel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

const (
	scratch      = 0x1000_0000 // read-write memory of the test process
	scratchPages = 64
	stackTop     = scratch + scratchPages*phys.PageSize
	unmapped     = 0x6000_0000
)

// rig is a process without a program: memory, registers and a kernel.
type rig struct {
	testing.TB
	k    *Kernel
	c    *x86.CPU
	con  *Console
	host string // host directory that is the guest's root
	next uint64 // free scratch memory
	dram *mem.Store
	pmem *mem.Store

	extents *mm.Extents

	earlier []Key // by calls before the one that is checked
	calls   int   // so far
	ipc     bool  // random calls are often about IPC
	always  bool  // each call is checked, see checkRecords
}

func newRig(t testing.TB, stdin io.Reader) *rig {
	t.Helper()
	r := &rig{TB: t, host: t.TempDir(), next: scratch, dram: mem.NewStore(), pmem: mem.NewStore()}
	for _, d := range []string{"tmp", "dev", "proc", "etc"} {
		r.ok(os.Mkdir(filepath.Join(r.host, d), 0o755))
	}
	r.ok(os.WriteFile(filepath.Join(r.host, "etc/motd"), []byte("hello, guest\n"), 0o644))
	fs, err := vfs.New(vfs.Options{Root: r.host, Hooks: Hooks()})
	r.ok(err)
	r.con = NewConsole(stdin, nil, nil)
	r.con.Capture()
	r.start(fs)
	r.k.FS.Ref(vfs.Root) // the working directory, as Exec does
	_, err = r.k.MM.Map(mm.MapRequest{Addr: scratch, Length: scratchPages * phys.PageSize,
		Prot: mm.Read | mm.Write, Fixed: true, Kind: mm.Anon})
	r.ok(err)
	r.c.R[x86.RSP] = stackTop - 256
	return r
}

// space returns an empty address space.
func (r *rig) space(fs *vfs.FS) *mm.Space {
	return mm.New(mm.Config{DRAM: r.dram, PMEM: r.pmem, Files: fs, Extents: r.extents,
		PMEMSize: 16 << 20, Placement: mm.Placement{Anon: mm.PMEM, PrivateWritable: mm.PMEM}})
}

func (r *rig) start(fs *vfs.FS) {
	fs.SetMemory(r.pmem)
	r.extents = mm.NewExtents(0, 0)
	r.k = New(Config{MM: r.space(fs), FS: fs, Console: r.con, Seed: 7, WallBase: 1_700_000_000 * second})
	r.attach()
}

func (r *rig) attach() {
	p := mem.NewPort(r.k.MM, nil, r.dram, r.pmem)
	c := x86.New(p)
	if r.c != nil {
		s := r.c.State()
		c.SetState(&s)
	}
	r.c = c
	r.k.Attach(func() *mm.Space { return r.space(r.k.FS) }, func() { p.FlushTLB(); c.InvalidateBlocks() })
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// put places bytes in scratch memory and returns where.
func (r *rig) put(b []byte) uint64 {
	r.Helper()
	at := r.next
	r.next += uint64(len(b)+15) &^ 15
	if r.next > stackTop-4096 {
		r.Fatal("scratch memory is used up")
	}
	r.ok(r.c.Port.WriteBytes(at, b))
	return at
}

func (r *rig) str(s string) uint64 { return r.put(append([]byte(s), 0)) }

func (r *rig) get(va uint64, n int) []byte {
	r.Helper()
	b := make([]byte, n)
	r.ok(r.c.Port.ReadBytes(va, b))
	return b
}

var numbers = func() map[string]uint64 {
	m := map[string]uint64{}
	for _, c := range Table() {
		m[c.Name] = c.Nr
	}
	return m
}()

// raw executes a system call; strings become pointers to them.
func (r *rig) raw(name string, args ...any) Outcome {
	r.Helper()
	r.prepare(name, args...)
	before := r.shadowed()
	o := r.k.Syscall(r.c)
	r.checkWatches()
	switch {
	case before != nil && !o.Stops():
		r.checkRecords(before, fmt.Sprintf("%s%v", name, args))
	case before != nil:
		r.remark()
	}
	return o
}

// prepare loads the registers for a system call.
func (r *rig) prepare(name string, args ...any) {
	r.Helper()
	nr, ok := numbers[name]
	if !ok {
		r.Fatalf("no system call %s", name)
	}
	var a [6]uint64
	for i, x := range args {
		switch v := x.(type) {
		case int:
			a[i] = uint64(v)
		case uint64:
			a[i] = v
		case string:
			a[i] = r.str(v)
		case []byte:
			a[i] = r.put(v)
		default:
			r.Fatalf("argument %T", x)
		}
	}
	for i, reg := range []int{x86.RDI, x86.RSI, x86.RDX, x86.R10, x86.R8, x86.R9} {
		r.c.R[reg] = a[i]
	}
	r.c.R[x86.RAX] = nr
	r.c.Retired++
}

// sys is raw for a call that returns.
func (r *rig) sys(name string, args ...any) int64 {
	r.Helper()
	if o := r.raw(name, args...); o.Stops() {
		r.Fatalf("%s%v: %+v %v", name, args, o, o.Unsupported)
	}
	return int64(r.c.R[x86.RAX])
}

// want checks a result; errno.Errno means the failure.
func (r *rig) want(want any, name string, args ...any) {
	r.Helper()
	got := r.sys(name, args...)
	switch w := want.(type) {
	case int:
		if got != int64(w) {
			r.Fatalf("%s%v = %d, want %d", name, args, got, w)
		}
	case errno.Errno:
		if got != -int64(w) {
			r.Fatalf("%s%v = %d, want %v", name, args, got, w)
		}
	}
}

// stops checks that a call stops the run as unsupported.
func (r *rig) stops(name string, args ...any) {
	r.Helper()
	if o := r.raw(name, args...); o.Unsupported == nil {
		r.Fatalf("%s%v went on: %+v, result %d", name, args, o, int64(r.c.R[x86.RAX]))
	}
}

// waits checks that a call waits for what nobody can bring: the only thread stands
// at its SYSCALL again, nothing has retired, and its turn ends in a deadlock. The
// wait is forgotten afterwards.
func (r *rig) waits(name string, args ...any) {
	r.Helper()
	r.prepare(name, args...)
	rip, retired := r.c.RIP, r.c.Retired
	o := r.k.Syscall(r.c)
	if !o.Again || r.c.RIP != rip-syscallSize || r.c.Retired != retired-1 || r.k.Current() != 0 || r.k.thread.wait == nil {
		r.Fatalf("%s%v does not wait: %+v, rip %#x, result %d", name, args, o, r.c.RIP, int64(r.c.R[x86.RAX]))
	}
	var d *Deadlock
	if o := r.k.Turn(r.c.Retired); !errors.As(o.Err, &d) || len(d.Waits) != 1 {
		r.Fatalf("%s%v: the turn of a thread that waits for ever: %+v", name, args, o)
	}
	r.giveUp()
	r.c.RIP = rip
}

// giveUp makes the first thread the current one and forget what it waits for.
func (r *rig) giveUp() {
	t := r.k.threads[0]
	if r.k.sys.current != t.tid {
		r.k.sys.current = t.tid
		r.k.touchSystem()
	}
	r.k.setCurrent()
	if r.c.Port.SetSpace(t.proc.MM) {
		r.c.InvalidateBlocks()
	}
	w := t.wait
	if w == nil {
		return
	}
	if w.masked {
		t.mask = w.mask
	}
	if w.fifo.pipe != 0 {
		r.k.leavePipe(w.fifo.pipe, w.fifo.kind)
	}
	t.wait = nil
	r.k.touchThread(t)
	r.k.sys.current = t.tid
	r.k.touchSystem()
}

// as makes a thread the current one, whoever's turn it is.
func (r *rig) as(tid int32) {
	r.Helper()
	t := r.k.findThread(tid)
	if t == nil {
		r.Fatalf("there is no thread %d", tid)
	}
	r.k.sys.current = tid
	r.k.touchSystem()
	r.k.setCurrent()
	if r.c.Port.SetSpace(t.proc.MM) {
		r.c.InvalidateBlocks()
	}
}

// forked returns a new process of the current one, which stays the current one.
func (r *rig) forked() int32 {
	r.Helper()
	return int32(r.sys("fork"))
}

// blocks checks that a call of a thread waits.
func (r *rig) blocks(tid int32, name string, args ...any) {
	r.Helper()
	r.as(tid)
	if o := r.raw(name, args...); !o.Again || r.canRun(tid) {
		r.Fatalf("%s%v of thread %d does not wait: %+v, result %d", name, args, tid, o, int64(r.c.R[x86.RAX]))
	}
	r.c.RIP += syscallSize
}

// canRun reports whether a thread is there and does not wait any more.
func (r *rig) canRun(tid int32) bool {
	t := r.k.findThread(tid)
	return t != nil && r.k.runnable(t)
}

// goesOn checks the result of a waiting thread's call, which is made again.
func (r *rig) goesOn(tid int32, want any, name string, args ...any) {
	r.Helper()
	if !r.canRun(tid) {
		r.Fatalf("thread %d still waits: %v", tid, r.k.findThread(tid).wait)
	}
	r.as(tid)
	r.want(want, name, args...)
}
