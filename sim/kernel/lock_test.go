package kernel

import (
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
)

// flockBytes is a struct flock.
func flockBytes(typ, whence int, start, n int64) []byte {
	b := le.AppendUint16(nil, uint16(typ))
	b = le.AppendUint16(b, uint16(whence))
	b = append(b, 0, 0, 0, 0)
	b = le.AppendUint64(b, uint64(start))
	b = le.AppendUint64(b, uint64(n))
	return append(b, make([]byte, 8)...)
}

func (r *rig) flock(typ, whence int, start, n int64) uint64 {
	r.Helper()
	return r.put(flockBytes(typ, whence, start, n))
}

// TestLocks: who stands in whose way, and what a close releases.
func TestLocks(t *testing.T) {
	r := newRig(t, nil)
	a := r.sharedFile("/tmp/l", 100)
	b := int(r.sys("open", "/tmp/l", oRdwr, 0))
	r.want(0, "flock", a, lockSh)
	r.want(0, "flock", b, lockSh)
	r.want(errno.EAGAIN, "flock", a, lockEx|lockNb) // and the shared one is lost
	r.want(0, "flock", b, lockEx|lockNb)
	r.waits("flock", a, lockEx)
	r.want(0, "close", b)
	r.want(0, "flock", a, lockEx)

	b = int(r.sys("open", "/tmp/l", oRdwr, 0))
	r.want(0, "fcntl", a, fOfdSetlk, r.flock(fWrlck, 0, 10, 10))
	r.want(errno.EAGAIN, "fcntl", b, fOfdSetlk, r.flock(fRdlck, 0, 15, 1))
	r.want(errno.EAGAIN, "fcntl", b, fSetlk, r.flock(fRdlck, 0, 0, 0))
	r.waits("fcntl", b, fSetlkw, r.flock(fRdlck, 0, 0, 0))
	ask := r.flock(fWrlck, 2, -85, 5) // bytes 15 to 19
	r.want(0, "fcntl", b, fGetlk, ask)
	if got := r.get(ask, 28); got[0] != fWrlck || le.Uint64(got[8:]) != 10 ||
		le.Uint64(got[16:]) != 10 || int32(le.Uint32(got[24:])) != -1 {
		t.Errorf("F_GETLK tells % x", got)
	}
	r.want(0, "fcntl", a, fOfdSetlk, r.flock(fUnlck, 0, 12, 3))
	r.want(0, "fcntl", b, fOfdSetlk, r.flock(fWrlck, 0, 13, 1))
	r.want(errno.EAGAIN, "fcntl", b, fOfdSetlk, r.flock(fWrlck, 0, 13, 3))
	r.want(0, "fcntl", b, fSetlk, r.flock(fRdlck, 0, 50, 0))
	if n := len(r.k.FS.Locks(r.k.get(a).node)); n != 5 {
		t.Errorf("%d locks are held, want 5", n)
	}
	r.want(errno.EBADF, "fcntl", int(r.sys("open", "/tmp/l", 0, 0)), fSetlk, r.flock(fWrlck, 0, 0, 1))
	r.want(errno.EOVERFLOW, "fcntl", a, fSetlk, r.flock(fWrlck, 0, 1<<62, 1<<62+1))
	r.want(errno.EINVAL, "fcntl", a, fSetlk, r.flock(fWrlck, 0, 5, -6))

	r.want(0, "close", b) // with the process's lock, although a is open
	if n := len(r.k.FS.Locks(r.k.get(a).node)); n != 3 {
		t.Errorf("%d locks are held, want 3", n)
	}
	r.want(0, "close", a)
	if id, err := r.k.FS.Walk(vfs.Root, "/tmp/l", true); err != nil || len(r.k.FS.Locks(id)) != 0 {
		t.Errorf("locks of a closed file: %v, %v", r.k.FS.Locks(id), err)
	}
}

// TestSplice: bytes between pipes and files, and what stands in the way.
func TestSplice(t *testing.T) {
	r := newRig(t, nil)
	r.want(0, "pipe", r.put(make([]byte, 8))) // 3, 4
	r.want(0, "pipe", r.put(make([]byte, 8))) // 5, 6
	motd := int(r.sys("open", "/etc/motd", 0, 0))
	off := r.put(le.AppendUint64(nil, 7))
	r.want(5, "splice", motd, off, 4, 0, 5, 0)
	if got := le.Uint64(r.get(off, 8)); got != 12 {
		t.Errorf("offset after splice: %d", got)
	}
	r.want(5, "tee", 3, 6, 100, 0)
	r.want(5, "splice", 3, 0, 6, 0, 100, 0)
	buf := r.put(make([]byte, 16))
	r.want(10, "read", 5, buf, 16)
	r.shows("the second pipe", buf, "guestguest")
	r.want(errno.EAGAIN, "splice", 3, 0, 6, 0, 1, spliceNonblock)
	r.want(errno.EBADF, "splice", motd, 0, motd, 0, 1, 0)
	r.want(errno.ESPIPE, "splice", motd, 0, 4, off, 1, 0)
	r.want(errno.EINVAL, "tee", 3, 4, 1, 0)
	r.want(3, "vmsplice", 4, iov(r.str("abc"), 3), 1, 0)
	out := int(r.sys("open", "/tmp/o", oRdwr|oCreat, 0o600))
	r.want(3, "splice", 3, 0, out, 0, 3, 0)
	r.want(3, "pread64", out, buf, 16, 0)
	r.shows("the file", buf, "abc")
}

// TestRarerFileCalls: one good and one bad use of each.
func TestRarerFileCalls(t *testing.T) {
	r := newRig(t, nil)
	fd := r.sharedFile("/tmp/f", 10)
	dir := int(r.sys("open", "/tmp", 0, 0))
	path := int(r.sys("open", "/tmp/f", oPath, 0))
	buf := r.put(make([]byte, 256))
	for _, name := range []string{"fsync", "ftruncate", "fchmod", "read",
		"write", "getdents64", "fallocate", "fadvise64", "flistxattr"} {
		r.want(errno.EBADF, name, path, buf, 1, 1)
	}
	r.want(0, "fstat", path, buf)
	if n := r.sys("getdents", dir, buf, 256); n != 24+24+24 {
		t.Errorf("getdents gives %d bytes", n)
	}
	b := r.get(buf, 24)
	if b[18] != '.' || b[19] != 0 || b[23] != vfs.ModeDir>>12 || le.Uint16(b[16:]) != 24 {
		t.Errorf("the first entry is % x", b)
	}
	r.want(3, "pwritev2", fd, iov(r.str("end"), 3), 1, -1, 0, rwfAppend)
	r.want(13, "lseek", fd, 0, 1)
	if f := r.k.get(fd).flags; f&oAppend != 0 {
		t.Errorf("pwritev2 left flags %#o", f)
	}
	r.want(4, "preadv2", fd, iov(buf, 4), 1, 9, 0, 0)
	r.shows("preadv2", buf, "\x00end")
	r.want(errno.EOPNOTSUPP, "preadv2", fd, iov(buf, 4), 1, 0, 0, rwfAppend)
	r.want(0, "readahead", fd, 0, 10)
	r.want(errno.EINVAL, "readahead", dir, 0, 10)
	r.want(0, "sync_file_range", fd, 0, 0, 7)
	r.want(errno.EINVAL, "sync_file_range", fd, 0, 0, 8)
	r.want(errno.EOPNOTSUPP, "setxattr", "/tmp/f", "user.x", "v", 1, 0)
	r.want(errno.ENOENT, "getxattr", "/tmp/none", "user.x", buf, 1)
	r.want(0, "listxattr", "/tmp/f", buf, 10)
	r.want(errno.EOPNOTSUPP, "name_to_handle_at", -100, "/tmp/f", buf, buf, 0)
	r.want(0, "futimesat", -100, "/tmp/f", 0)
	r.want(0, "mknod", "/tmp/fifo", vfs.ModeFIFO|0o600, 0)
	r.waits("open", "/tmp/fifo", 0, 0)
	for _, name := range []string{"mount", "chroot", "umount2", "pivot_root"} {
		r.stops(name, "/tmp", "/tmp")
	}
	r.want(4, "pwrite64", fd, "head", 4, 0)
	r.want(0, "copy_file_range", fd, r.put(le.AppendUint64(nil, 13)), fd, 0, 9, 0)
	r.want(4, "copy_file_range", fd, r.put(make([]byte, 8)), fd, r.put(le.AppendUint64(nil, 20)), 4, 0)
	r.want(errno.EINVAL, "copy_file_range", fd, r.put(make([]byte, 8)), fd, r.put(le.AppendUint64(nil, 2)), 4, 0)
}
