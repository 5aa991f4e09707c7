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
