package kernel

import (
	"testing"

	"zhuque/sim/phys"
)

// A futex in shared memory is the same wherever that is mapped, unless the caller says
// that it is private; one in private memory is at its address.
func TestSharedFutex(t *testing.T) {
	r := newRig(t, nil)
	fd := r.sharedFile("/tmp/f", 2*phys.PageSize)
	file := uint64(r.sys("mmap", 0, 2*phys.PageSize, 3, mapShared, fd, 0))
	again := uint64(r.sys("mmap", 0, phys.PageSize, 3, mapShared, fd, phys.PageSize))
	private := uint64(r.sys("mmap", 0, phys.PageSize, 3, mapPrivate, fd, phys.PageSize))
	anonymous := uint64(r.sys("mmap", 0, 2*phys.PageSize, 3, mapShared|mapAnonymous, -1, 0))
	for _, c := range []struct {
		waits  uint64
		flag   int
		wakes  uint64
		shared bool
		found  bool
	}{
		{file + phys.PageSize + 8, 0, again + 8, true, true},
		{again + 8, 0, file + phys.PageSize + 8, true, true},
		{again + 8, 0, again + 12, true, false},
		{again + 8, futexPrivate, file + phys.PageSize + 8, false, false},
		{again + 8, futexPrivate, again + 8, false, true},
		{again + 8, futexPrivate, again + 8, true, false},
		{again + 8, 0, private + 8, true, false},
		{private + 8, 0, private + 8, true, true},
		{private + 8, 0, private + 8, false, false},
		{anonymous + 4, 0, anonymous + 4, true, true},
		{anonymous + 4, 0, anonymous + 4, false, false},
		{anonymous + 4, futexPrivate, anonymous + 4, true, false},
	} {
		r.prepare("futex", c.waits, futexWait|c.flag, 0, 0, 0, 0)
		rip := r.c.RIP
		if o := r.k.Syscall(r.c); !o.Again {
			t.Fatalf("%+v: %+v", c, o)
		}
		if got := len(r.k.waiters(c.wakes, futexAllBits, c.shared)); (got == 1) != c.found {
			t.Errorf("%+v: %d waiters", c, got)
		}
		r.giveUp()
		r.c.RIP = rip
	}
}

// Where none is asked for FUTEX_WAKE wakes one, as on Linux. Requeueing means what it says.
func TestWakeOfNone(t *testing.T) {
	const set = 0 // FUTEX_OP_SET of 0, if the old value is 0
	for _, c := range []struct {
		name string
		wake []any
		want int
	}{
		{"wake", []any{scratch, futexWake, 0}, 1},
		{"wake a negative number", []any{scratch, futexWake, -1}, 1},
		{"wake some bits", []any{scratch, futexWakeBitset, 0, 0, 0, 1}, 1},
		{"wake and change another", []any{scratch, futexWakeOp, 0, 0, scratch + 8, set}, 1},
		{"change and wake another", []any{scratch + 8, futexWakeOp, 0, 0, scratch, set}, 1},
		{"requeue", []any{scratch, futexRequeue, 0, 0, scratch + 8, 0}, 0},
	} {
		r := newRig(t, nil)
		child := r.sys("clone", cloneThreadFlags, scratch+4096, 0, 0, 0)
		r.blocks(int32(child), "futex", scratch, futexWait, 0, 0, 0, 0)
		r.as(initialPID)
		if got := r.sys("futex", c.wake...); got != int64(c.want) || r.canRun(int32(child)) != (c.want == 1) {
			t.Errorf("%s: %d, the waiter goes on: %v", c.name, got, r.canRun(int32(child)))
		}
	}
}
