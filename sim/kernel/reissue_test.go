package kernel

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zhuque/sim/det"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// on returns the process as it is, on a copy of another process's persistent
// memory: what a restart finds when a call was cut before its commit.
func (r *rig) on(m *rig, deferring bool) *rig {
	f := &rig{TB: r.TB, host: r.host, next: r.next, dram: r.dram.Fork(),
		pmem: m.pmem.Fork(), con: r.con.Fork(true), extents: r.extents.Fork()}
	fs := r.k.FS.Fork()
	f.k = r.k.Fork(func(s *mm.Space) *mm.Space { return s.Fork(f.dram, f.pmem, fs, f.extents) }, fs, f.con)
	f.k.DeferInOut(deferring)
	f.c = r.c
	f.attach()
	f.c.Retired = r.c.Retired
	r.c.Port.FlushTLB()
	m.c.Port.FlushTLB()
	return f
}

// commit makes the writes that the last call left over.
func (r *rig) commit() {
	for _, w := range r.k.TakeInOut() {
		copy(r.pmem.WritablePage(w.At.Frame())[w.At&phys.PageMask:], w.Data)
	}
}

// page returns a page of persistent memory.
func (r *rig) page(f phys.Frame) mem.Page {
	if p := r.pmem.Page(f); p != nil {
		return *p
	}
	return mem.Page{}
}

// sameAs compares two processes: result, registers, kernel state and memory.
func (r *rig) sameAs(o *rig) string {
	if diff := cmp.Diff(o.c.State(), r.c.State()); diff != "" {
		return "registers:\n" + diff
	}
	if diff := cmp.Diff(o.k.Records(), r.k.Records()); diff != "" {
		return "kernel state:\n" + diff
	}
	if diff := cmp.Diff(o.k.MM.VMAs(), r.k.MM.VMAs()); diff != "" {
		return "mappings:\n" + diff
	}
	for _, v := range r.k.MM.VMAs() {
		if v.Kind == mm.Direct || !v.Phys.IsPMEM() {
			continue
		}
		for _, s := range []*mem.Store{r.pmem, o.pmem} {
			var bad string
			s.Each(v.Phys.Frame(), (v.Phys + phys.Addr(v.Size())).Frame(), func(f phys.Frame, _ *mem.Page) bool {
				if a, b := o.page(f), r.page(f); a != b {
					i := 0
					for a[i] == b[i] {
						i++
					}
					bad = "memory: first difference at " + cmp.Diff(v.Start+uint64(f.Addr()-v.Phys)+uint64(i), 0)
				}
				return bad == ""
			})
			if bad != "" {
				return bad
			}
		}
	}
	return ""
}

// tangled returns a call whose results may lie over its arguments.
func (r *rig) tangled(rng *rand.Rand) (string, []any) {
	const base = scratch + 3*phys.PageSize - 40 // over a page boundary
	p := func() uint64 { return base + 4*rng.Uint64N(20) }
	var b []byte
	for range 24 {
		b = le.AppendUint64(b, []uint64{0, 1, 3, 8, 0x1_0000_0003, p(), p(), base, uint64(rng.Uint32N(64))}[rng.IntN(9)])
	}
	r.ok(r.c.Port.WriteBytes(base-16, b))
	path := func() uint64 {
		at := p()
		r.ok(r.c.Port.WriteBytes(at,
			[]byte([]string{"/etc/motd\x00", "/tmp\x00", "/proc/self/cwd\x00", "/nothing\x00"}[rng.IntN(4)])))
		return at
	}
	fd := func() uint64 { return 3 + rng.Uint64N(5) }
	vector := func() uint64 {
		at := base + 8*rng.Uint64N(4)
		r.ok(r.c.Port.WriteBytes(at, iov(p(), rng.Uint64N(30), p(), rng.Uint64N(30), p(), rng.Uint64N(30))))
		return at
	}
	calls := [][]any{
		{"readv", fd(), vector(), 1 + rng.Uint64N(3)},
		{"preadv", fd(), vector(), 1 + rng.Uint64N(3), rng.Uint64N(5)},
		{"writev", fd(), vector(), 1 + rng.Uint64N(3)},
		{"select", rng.Uint64N(70), p(), p(), p(), p()},
		{"pselect6", rng.Uint64N(70), p(), p(), p(), p(), 0},
		{"poll", p(), rng.Uint64N(5), 1},
		{"ppoll", p(), rng.Uint64N(5), p(), 0, 8},
		{"nanosleep", p(), p()},
		{"clock_nanosleep", 1, rng.Uint64N(2), p(), p()},
		{"stat", path(), p()},
		{"statx", -100, path(), 0, 0x7ff, p()},
		{"newfstatat", -100, path(), p(), 0},
		{"statfs", path(), p()},
		{"readlink", path(), p(), 40},
		{"sendfile", fd(), fd(), p(), rng.Uint64N(20)},
		{"copy_file_range", fd(), p(), fd(), p(), rng.Uint64N(20), 0},
		{"rt_sigaction", 10, p(), p(), 8},
		{"rt_sigprocmask", rng.Uint64N(3), p(), p(), 8},
		{"rt_sigtimedwait", p(), p(), 0, 8},
		{"rt_sigsuspend", p(), 8},
		{"sigaltstack", p(), p()},
		{"prlimit64", 0, 1, p(), p()},
		{"setitimer", 0, p(), p()},
		{"ioctl", fd(), []int{0x541b, 0x5421}[rng.IntN(2)], p()},
		{"pipe2", p(), 0o4000},
		{"getdents64", fd(), p(), 64},
		{"epoll_ctl", fd(), 1 + rng.Uint64N(3), fd(), p()},
		{"epoll_wait", fd(), p(), 1 + rng.Uint64N(4), 0},
		{"eventfd2", 1, oNonblock},
		{"socket", 1, 1, 0},
		{"getsockname", fd(), p(), p()},
		{"prctl", 15 + rng.Uint64N(2), p()},
		{"futex", p(), 0, 1, p()},
	}
	c := calls[rng.IntN(len(calls))]
	if c[0] == "rt_sigtimedwait" { // with the set of all signals
		r.ok(r.c.Port.WriteBytes(c[1].(uint64), le.AppendUint64(nil, ^uint64(0))))
	}
	return c[0].(string), c[1:]
}

// TestSecondTry: a call that was made without its commit, and is made again on the
// memory that it left, does what one call does. It catches a result that is
// written over an argument, and anything else that a second try sees.
func TestSecondTry(t *testing.T) {
	overlaps := map[string]int{}
	for seed := range uint64(4) {
		r := newRig(t, strings.NewReader(strings.Repeat("input", 100)))
		rng := det.Stream(seed, "kernel/reissue")
		r.want(3, "open", "/etc/motd", 0, 0)
		r.want(4, "open", "/tmp/a", oRdwr|oCreat, 0o600)
		r.want(0, "pipe2", scratch, oNonblock)
		r.want(7, "open", "/", 0, 0)
		for n := range 700 {
			var name string
			if rng.IntN(4) == 0 {
				likely := r.likely(rng)
				c := likely[rng.IntN(len(likely))]
				name = c[0].(string)
				r.prepare(name, c[1:]...)
			} else {
				var args []any
				name, args = r.tangled(rng)
				r.prepare(name, args...)
			}
			r.c.R[x86.RSP] = stackTop - 4096
			once, first := r.on(r, false), r.on(r, true)
			o := once.k.Syscall(once.c)
			first.k.Syscall(first.c)
			again := r.on(first, true)
			if p := again.k.Syscall(again.c); p.Exited != o.Exited || (p.Unsupported == nil) != (o.Unsupported == nil) {
				t.Fatalf("seed %d, call %d: %s: %+v, again %+v", seed, n, name, o, p)
			}
			overlaps[name] += len(again.k.inOut)
			again.commit()
			again.c.Port.FlushTLB()
			if o.Unsupported == nil {
				if diff := again.sameAs(once); diff != "" {
					t.Fatalf("seed %d, call %d: %s%v made again: %s", seed, n, name, r.c.State().R, diff)
				}
				if !o.Exited {
					r.k.Syscall(r.c)
					r.giveUp()
				}
			}
			r.repair()
			r.ok(r.k.Release())
		}
	}
	for _, name := range []string{"readv", "preadv", "select",
		"pselect6", "ppoll", "stat", "statx", "readlink", "sendfile",
		"copy_file_range", "rt_sigaction", "rt_sigprocmask", "rt_sigtimedwait", "sigaltstack", "prlimit64"} {
		if overlaps[name] == 0 {
			t.Errorf("%s never wrote over its arguments", name)
		}
	}
}

// TestStoreSplits: only the part of a result that lies over something read waits
// for the commit, and the bytes come out the same.
func TestStoreSplits(t *testing.T) {
	r := newRig(t, nil)
	rng := det.Stream(1, "kernel/split")
	const at = scratch + phys.PageSize - 100
	for range 300 {
		r.k.DeferInOut(true)
		c := r.k.enter(r.c)
		old, result := make([]byte, 200), make([]byte, 200)
		for i := range result {
			old[i], result[i] = byte(rng.Uint32()), byte(rng.Uint32())
		}
		r.ok(r.c.Port.WriteBytes(at, old))
		now := bytes.Clone(old)
		for range rng.IntN(4) {
			from, n := rng.IntN(150), 1+rng.IntN(50)
			r.ok(c.load(at+uint64(from), make([]byte, n)))
		}
		read := make([]bool, 200)
		for _, s := range c.read {
			for i := s.at; i < s.at+s.n; i++ {
				read[i-at] = true
			}
		}
		lo, hi := rng.IntN(100), 100+rng.IntN(100)
		r.ok(c.store(at+uint64(lo), result[lo:hi]))
		for i := lo; i < hi; i++ {
			if !read[i] {
				now[i] = result[i]
			}
		}
		if got := r.get(at, 200); !bytes.Equal(got, now) {
			t.Fatalf("before the commit, reads %v, write %d-%d:\n%v\nwant\n%v", c.read, lo, hi, got, now)
		}
		r.commit()
		copy(now[lo:hi], result[lo:hi])
		if got := r.get(at, 200); !bytes.Equal(got, now) {
			t.Fatalf("after the commit, reads %v, write %d-%d:\n%v\nwant\n%v", c.read, lo, hi, got, now)
		}
	}
}
