package kernel

import (
	"strings"
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// TestWithoutEnd: what a program makes without end ends with the error that Linux gives,
// long before the host is used up.
func TestWithoutEnd(t *testing.T) {
	for name, c := range map[string]struct {
		want    errno.Errno
		atMost  int64
		prepare func(r *rig)
		call    []any
	}{
		"threads":      {errno.EAGAIN, maxThreads, nil, []any{"clone", cloneThreadFlags, stackTop - 8192, 0, 0, 0}},
		"processes":    {errno.EAGAIN, maxThreads, nil, []any{"fork"}},
		"pipes":        {errno.EMFILE, 1024, nil, []any{"pipe2", uint64(scratch), 0}},
		"sockets":      {errno.EMFILE, 1024, nil, []any{"socket", 1, 1, 0}},
		"epolls":       {errno.EMFILE, 1024, nil, []any{"epoll_create1", 0}},
		"timers":       {errno.EAGAIN, maxTimers, nil, []any{"timer_create", 1, 0, uint64(scratch)}},
		"signals":      {errno.EAGAIN, maxQueued, func(r *rig) { r.want(0, "rt_sigprocmask", 0, iov(^uint64(0)), 0, 8) }, []any{"kill", initialPID, 40}},
		"links inside": {errno.ELOOP, 3, func(r *rig) { r.want(0, "symlink", "b", "/tmp/a"); r.want(0, "symlink", "a", "/tmp/b") }, []any{"open", "/tmp/a", 0, 0}},
	} {
		r := newRig(t, nil)
		if c.prepare != nil {
			c.prepare(r)
		}
		n := int64(0)
		for got := int64(0); ; n++ {
			if r.next > stackTop-16384 {
				r.next = scratch + phys.PageSize
			}
			if got = r.sys(c.call[0].(string), c.call[1:]...); got < 0 {
				if got != -int64(c.want) {
					t.Errorf("%s: %v after %d, want %v", name, errno.Errno(-got), n, c.want)
				}
				break
			}
			if n > c.atMost {
				t.Errorf("%s: no end after %d", name, n)
				break
			}
		}
	}
}

// TestMemoryWithoutEnd: who stores into more memory than there is stops the run, which
// says why; a call with such memory gets EFAULT.
func TestMemoryWithoutEnd(t *testing.T) {
	r := newRig(t, nil)
	const size = 15 << 20
	at := [2]uint64{}
	for i := range at {
		at[i] = uint64(r.sys("mmap", 0, size, 3, mapPrivate|mapAnonymous, -1, 0))
	}
	var fault *mem.Fault
	for i := uint64(0); fault == nil; i += phys.PageSize {
		if i == 2*size {
			t.Fatal("30 MiB in a memory of 16")
		}
		if err := r.c.Port.WriteBytes(at[i/size]+i%size, make([]byte, phys.PageSize)); err != nil {
			fault = err.(*mem.Fault)
		}
	}
	o := r.k.Exception(r.c, &x86.Exception{Vector: x86.PageFaultVector, Fault: fault})
	if o.Err == nil || !strings.Contains(o.Err.Error(), "used up the machine's 16 MiB of persistent memory") {
		t.Errorf("the run ends with %v", o)
	}
	r.want(errno.EFAULT, "getcwd", at[1]+size-phys.PageSize, 100)
}

// TestTricks: what the magic links of /proc lead to is what the process could open
// anyway, and what may not be followed is not.
func TestTricks(t *testing.T) {
	r := newRig(t, nil)
	r.want(3, "open", "/etc/motd", 0, 0)
	child := r.forked()
	buf := r.put(make([]byte, 64))
	r.want(0, "symlink", "/proc/self/fd/3", "/tmp/magic")
	for _, c := range []struct {
		want any
		path string
		flag int
	}{
		{errno.ELOOP, "/proc/self/fd/3", oNofollow},
		{errno.ELOOP, "/tmp/magic", oNofollow},
		{errno.ELOOP, "/proc/self", oNofollow},
		{errno.ENOTDIR, "/proc/self", oNofollow | oDirectory},
		{errno.ENOTDIR, "/proc/self/fd/3/..", 0},
		{errno.ENOTDIR, "/tmp/magic/", 0},
		{errno.ENOENT, "/proc/self/root/proc/self/root/../../../../../../etc/shadow", 0},
		{errno.ENOENT, "/proc/1001/root/../../etc/passwd", 0},
		{errno.ENOENT, "/proc/1001/cwd/../../../etc/passwd", 0},
		{errno.ENOENT, "/proc/1/root/etc/motd", 0},
		{errno.ENOENT, "/proc/999/root/etc/motd", 0},
		{errno.ENOENT, "/proc/self/fd/-1", 0},
		{errno.ENOENT, "/proc/self/fd/4294967299", 0},
		{errno.ENOENT, "/proc/self/task/1001", 0},
		{errno.EISDIR, "/proc/self/root/", oRdwr},
		{errno.EACCES, "/proc/self/maps", oRdwr},
		{errno.ENOENT, "/proc/self/mem", 0},
		{errno.ENOENT, "/proc/kcore", 0},
		{errno.ENOENT, "/proc/self/map_files", 0},
		{errno.EEXIST, "/proc/self/fd/3", oCreat | oExcl},
	} {
		r.want(c.want, "open", c.path, c.flag, 0)
	}
	got := int(r.sys("open", "/proc/1001/fd/3", 0, 0))
	r.want(5, "read", got, buf, 5)
	r.want(0, "lseek", 3, 0, 1) // an open file of its own
	r.as(child)
	r.raw("exit_group", 0)
	r.as(initialPID)
	r.want(errno.ENOENT, "open", "/proc/1001/fd/3", 0, 0)
}

// TestAdvice: advice is refused where Linux refuses it, and where a program would rely on
// what does not happen.
func TestAdvice(t *testing.T) {
	const normal, dontneed, free, wipeOnFork, dontneedLocked = 0, 4, 8, 18, 24
	r := newRig(t, nil)
	end := scratch + scratchPages*phys.PageSize
	for _, c := range []struct {
		at, n  uint64
		advice int
		want   any
	}{
		{scratch, 4096, normal, 0}, {scratch, 1, free, 0}, {scratch, 0, normal, 0},
		{scratch + 1, 4096, normal, errno.EINVAL}, {scratch, ^uint64(0), normal, errno.EINVAL}, {scratch, ^uint64(4095), normal, errno.EINVAL}, {scratch, 4096, 99, errno.EINVAL},
		{uint64(end) - 4096, 8192, normal, errno.ENOMEM}, {uint64(end) - 4096, 8192, dontneed, errno.ENOMEM}, {unmapped, 4096, free, errno.ENOMEM},
		{scratch, 4096, wipeOnFork, 0},
	} {
		r.want(c.want, "madvise", c.at, c.n, c.advice)
	}
	r.ok(r.c.Port.WriteBytes(scratch, []byte{7}))
	r.want(0, "madvise", scratch, 4096, dontneedLocked)
	if b := r.get(scratch, 1); b[0] != 0 {
		t.Errorf("memory that is not needed holds %d", b[0])
	}
}

// A file grows up to RLIMIT_FSIZE and no further, by whichever call: EFBIG and SIGXFSZ.
func TestFileSizeLimit(t *testing.T) {
	r := newRig(t, nil)
	r.want(0, "rt_sigaction", SIGXFSZ, iov(1, 0, 0, 0), 0, 8) // SIG_IGN
	fd := uint64(r.sys("open", "/tmp/file", oRdwr|oCreat, 0o600))
	buf := r.put(make([]byte, 300))
	r.want(0, "prlimit64", 0, rlimitFsize, iov(200, rlimInfinity), 0)
	r.want(150, "pwrite64", fd, buf, 150, 0)
	r.want(50, "pwrite64", fd, buf, 100, 150)
	r.want(errno.EFBIG, "pwrite64", fd, buf, 1, 200)
	r.want(0, "pwrite64", fd, buf, 0, 200)
	r.want(errno.EFBIG, "ftruncate", fd, 201)
	r.want(0, "ftruncate", fd, 200)
	r.want(errno.EFBIG, "fallocate", fd, 0, 0, 300)
	null := uint64(r.sys("open", "/dev/null", oWronly, 0))
	r.want(300, "write", null, buf, 300)
}

// The limit on data holds for private writable memory, whichever call makes it; that on the
// address space holds after another program was run, which has a space of its own.
func TestDataLimit(t *testing.T) {
	const size = 1 << 20
	r := newRig(t, nil)
	shared := uint64(r.sys("mmap", 0, size, 3, 0x21, -1, 0))
	readable := uint64(r.sys("mmap", 0, size, 1, 0x22, -1, 0))
	r.want(0, "prlimit64", 0, rlimitData, iov(size, rlimInfinity), 0)
	r.want(errno.ENOMEM, "mmap", 0, size, 3, 0x22, -1, 0)
	r.want(errno.ENOMEM, "mprotect", readable, size, 3)
	r.want(0, "mprotect", shared, size, 3)
	if at := r.sys("mmap", 0, size, 1, 0x22, -1, 0); at < 0 {
		t.Errorf("memory that is only read: %d", at)
	}
	small := uint64(r.sys("mmap", 0, 4096, 3, 0x22, -1, 0))
	r.want(errno.ENOMEM, "mremap", small, 4096, size, 1)
}
