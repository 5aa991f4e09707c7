package kernel

import (
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/mm"
)

// What a program leaves in the upper half of an argument that is an int is nobody's; and where several
// things are wrong, the first that Linux looks at is what it says. Each was compared with a real kernel.
func TestIntsAndOrderOfChecks(t *testing.T) {
	const high = uint64(1) << 63
	const bad = uint64(1) // no address
	r := newRig(t, nil)
	page := uint64(r.sys("mmap", 0, 8192, 3, mapPrivate|mapAnonymous, -1, 0))
	buf, path := r.put(make([]byte, 64)), r.str("/tmp")
	timer := int(r.sys("timerfd_create", 1, oNonblock))
	for _, c := range []struct {
		want any
		name string
		args []any
	}{
		{0, "mlock2", []any{page, 16, high}},
		{0, "msync", []any{page, 4096, high}},
		{0, "close_range", []any{1000, 2000, high}},
		{0, "getitimer", []any{high, buf}},
		{0, "setitimer", []any{high, buf, 0}},
		{errno.EFAULT, "getitimer", []any{high, bad}},
		{errno.EBADF, "fallocate", []any{1000, high, 0, 1}},
		{errno.EFAULT, "memfd_create", []any{bad, high}},
		{0, "vmsplice", []any{0, buf, high, 0}},

		{errno.EFAULT, "setitimer", []any{7, bad, 0}},
		{errno.EFAULT, "timerfd_settime", []any{timer, 7, bad, 0}},
		{errno.EFAULT, "timerfd_gettime", []any{timer, 0}},
		{errno.EFAULT, "timer_create", []any{-1, bad, buf}},
		{errno.EFAULT, "signalfd4", []any{-1, bad, 8, -1}},
		{errno.EINVAL, "signalfd4", []any{-1, buf, 8, -1}},
		{errno.EINVAL, "inotify_add_watch", []any{1000, path, -1}},
		{errno.EINVAL, "sched_getaffinity", []any{-5, 3, buf}},
		{errno.EINVAL, "socket", []any{afInet, sockStream, -1}},
		{errno.EINVAL, "socket", []any{afInet, sockStream, 263}},
		{errno.ENOMEM, "mincore", []any{uint64(mm.TaskSize), 1, buf}},
		{errno.ENOMEM, "mincore", []any{^uint64(4095), 1, buf}},
		{errno.EBADF, "sendfile", []any{1000, timer, 0, 4}},
		{0, "vmsplice", []any{0, buf, 2, 0}},
		{errno.EFAULT, "waitid", []any{9, 0, bad, 4, 0}},
		{errno.EINVAL, "waitid", []any{9, 0, buf, 4, 0}},
		{0, "sigaltstack", []any{buf, 0}}, // no change
	} {
		r.want(c.want, c.name, c.args...)
	}
	r.want(0, "sigaltstack", r.put(append(make([]byte, 8), 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)), 0)
}

// A waitid that fails clears what it was to tell of.
func TestWaitidClearsWhatItTellsOf(t *testing.T) {
	r := newRig(t, nil)
	info := r.put([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28})
	r.want(errno.ECHILD, "waitid", 0, 0, info, 4, 0)
	got := r.get(info, 28)
	for i, b := range got {
		if i < 12 && b != 0 || i >= 16 && b != 0 || i >= 12 && i < 16 && b == 0 {
			t.Fatalf("it has left % x", got)
		}
	}
}
