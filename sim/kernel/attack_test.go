package kernel

import (
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// TestAttacks: each attempt to get out, to overflow or to use up the host is
// answered as Linux answers it, and costs no memory to speak of.
func TestAttacks(t *testing.T) {
	r := newRig(t, nil)
	fd := r.sharedFile("/tmp/f", 100)
	buf := r.put(make([]byte, 64))
	const top = 1<<63 - 1
	for _, c := range []struct {
		want any
		name string
		args []any
	}{
		{errno.ENOENT, "open", []any{"/../../../../../../etc/passwd", 0, 0}},
		{errno.ENOENT, "open", []any{"/proc/self/root/../../../etc/passwd", 0, 0}},
		{errno.ENOENT, "open", []any{"/proc/self/cwd/../../etc/passwd", 0, 0}},
		{0, "symlink", []any{"../../../../../etc/passwd", "/tmp/out"}},
		{errno.ENOENT, "open", []any{"/tmp/out", 0, 0}},
		{0, "symlink", []any{"/tmp/loop", "/tmp/loop"}},
		{errno.ELOOP, "open", []any{"/tmp/loop", 0, 0}},
		{errno.ENOENT, "open", []any{"/dev/mem", 0, 0}},
		{errno.ENOENT, "open", []any{"/proc/1/environ", 0, 0}},
		{errno.EPERM, "mknod", []any{"/tmp/disk", vfs.ModeBlock | 0o600, 0x801}},

		{errno.EFAULT, "write", []any{fd, ^uint64(0), 10}},
		{errno.EFAULT, "pwrite64", []any{fd, uint64(mm.TaskSize - 1), 1 << 40, 0}},
		{errno.EINVAL, "pwrite64", []any{fd, buf, 10, -1}},
		{errno.EFBIG, "pwrite64", []any{fd, buf, 10, uint64(top - 5)}},
		{errno.EFBIG, "ftruncate", []any{fd, uint64(top)}},
		{errno.EINVAL, "ftruncate", []any{fd, -5}},
		{errno.EFBIG, "fallocate", []any{fd, 0, uint64(top), uint64(top)}},
		{errno.EFBIG, "fallocate", []any{fd, fallocPunchHole | fallocKeepSize, 5, uint64(top)}},
		{errno.EINVAL, "lseek", []any{fd, uint64(1 << 63), 0}},
		{errno.EINVAL, "writev", []any{fd, iov(buf, top, buf, top), 2}},
		{errno.EINVAL, "readv", []any{fd, buf, 1 << 20}},
		{0, "readv", []any{fd, buf, 1 << 40}}, // the number of pieces is an unsigned int on its way
		{errno.EOVERFLOW, "copy_file_range", []any{fd, r.put(le.AppendUint64(nil, top)), fd, 0, 10, 0}},
		{0, "sendfile", []any{fd, fd, r.put(le.AppendUint64(nil, top-1)), 10}},

		{errno.EOVERFLOW, "mmap", []any{0, 4096, 3, mapPrivate, fd, uint64(top) &^ 4095}},
		{errno.ENOMEM, "mmap", []any{0, ^uint64(0), 3, mapPrivate | mapAnonymous, -1, 0}},
		{errno.ENOMEM, "mmap", []any{uint64(mm.TaskSize - 4096), 8192, 3, mapPrivate | mapAnonymous | mapFixed, -1, 0}},
		{0, "mmap", []any{0, 4096, 3, mapPrivate | mapAnonymous | mapFixed, -1, 0}}, // the superuser may
		{errno.EINVAL, "munmap", []any{uint64(scratch), ^uint64(0)}},
		{errno.ENOMEM, "mprotect", []any{uint64(scratch), ^uint64(0) - 8192, 3}},
		{errno.EINVAL, "mremap", []any{uint64(scratch), 4096, 8192, 3, uint64(mm.TaskSize)}},
		{errno.ENOMEM, "mincore", []any{uint64(scratch), 1 << 46, buf}},
		{errno.ENOMEM, "msync", []any{uint64(scratch), ^uint64(0) - 8192, 4}},
	} {
		r.want(c.want, c.name, c.args...)
	}
}

// TestUsedUp: descriptors, mappings and the room for files end with an error.
func TestUsedUp(t *testing.T) {
	r := newRig(t, nil)
	at := r.str("/etc/motd")
	opened := 0
	for ; opened < 5000; opened++ {
		if n := r.sys("open", at, 0, 0); n < 0 {
			if n != -int64(errno.EMFILE) {
				t.Errorf("the last open gives %d", n)
			}
			break
		}
	}
	if opened != 1024-3 {
		t.Errorf("%d files could be opened", opened)
	}
	r.want(errno.EMFILE, "pipe", r.put(make([]byte, 8)))
	r.want(errno.EMFILE, "dup", 3)
	r.want(0, "close_range", 3, 5000, 0)

	fd := int(r.sys("open", "/mnt/pmem/big", oRdwr|oCreat, 0o600))
	r.want(0, "ftruncate", fd, 1<<36)
	r.want(errno.EFBIG, "write", int(r.sys("open", "/mnt/pmem/big", oWronly|oAppend, 0)), at, 1)
	a := uint64(r.sys("mmap", 0, 1<<36, 3, mapShared, fd, 0))
	r.set(a+1<<35, "sparse")
	r.want(0, "munmap", a, 1<<36)
	for i := 0; ; i++ {
		if n := r.sys("mmap", 0, phys.PageSize, 1+i%2, mapPrivate|mapAnonymous, -1, 0); n < 0 {
			if n != -int64(errno.ENOMEM) || i < 60_000 || i > 66_000 {
				t.Errorf("mapping %d: %d", i, n)
			}
			break
		}
	}
}
