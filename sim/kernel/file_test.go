package kernel

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

func iov(pairs ...uint64) []byte {
	var b []byte
	for _, v := range pairs {
		b = le.AppendUint64(b, v)
	}
	return b
}

func TestReadWrite(t *testing.T) {
	r := newRig(t, nil)
	buf := r.put(make([]byte, 64))
	r.want(errno.ENOENT, "open", "/tmp/a", oRdwr, 0)
	r.want(3, "open", "/tmp/a", oRdwr|oCreat|oExcl, 0o666)
	r.want(errno.EEXIST, "open", "/tmp/a", oRdwr|oCreat|oExcl, 0o666)
	r.want(11, "write", 3, "hello world", 11)
	r.want(0, "lseek", 3, 0, 0)
	r.want(5, "read", 3, buf, 5)
	if got := r.get(buf, 6); string(got) != "hello\x00" {
		t.Fatalf("read %q", got)
	}
	r.want(4, "dup", 3)
	r.want(6, "read", 4, buf, 60) // shares the offset
	r.want(0, "read", 3, buf, 60)
	r.want(5, "pread64", 3, buf, 5, 6)
	if got := r.get(buf, 5); string(got) != "world" {
		t.Fatalf("pread %q", got)
	}
	r.want(11, "lseek", 3, 0, 1)
	r.want(5, "openat", -100, "/tmp/a", oWronly|oAppend, 0)
	r.want(1, "write", 5, "!", 1)
	r.want(errno.EBADF, "read", 5, buf, 1)
	r.want(12, "lseek", 3, 0, 2)
	r.want(0, "close", 5)
	r.want(errno.EBADF, "close", 5)
	r.want(errno.EINVAL, "lseek", 3, -1, 0)
	r.want(errno.EISDIR, "read", int(r.sys("open", "/tmp", 0, 0)), buf, 1)
	r.want(errno.EBADF, "read", -1, buf, 1)
}

func TestVectors(t *testing.T) {
	r := newRig(t, nil)
	fd := int(r.sys("open", "/tmp/v", oRdwr|oCreat, 0o600))
	a, b := r.str("abcd"), r.str("efgh")
	r.want(6, "writev", fd, iov(a, 4, unmapped, 0, b, 2), 3)
	r.want(4, "pwritev", fd, iov(a, 2, b, 2, unmapped, 5), 3, 2) // short: the rest cannot be read
	out := r.put(make([]byte, 16))
	r.want(6, "preadv", fd, iov(out, 1, out+8, 9), 2, 0)
	if got := string(r.get(out, 1)) + string(r.get(out+8, 5)); got != "ababef" {
		t.Fatalf("read %q", got)
	}
	r.want(errno.EINVAL, "readv", fd, iov(out, 1<<63), 1)
	r.want(errno.EINVAL, "readv", fd, iov(out, 1<<62, out, 1<<62), 2)
	r.want(errno.EFAULT, "readv", fd, uint64(unmapped), 1)
	r.want(errno.EINVAL, "writev", fd, a, 1025)
}

// TestFaults: a fault in the middle of a transfer gives what was moved before it,
// and only that is consumed.
func TestFaults(t *testing.T) {
	r := newRig(t, strings.NewReader("0123456789abcdef"))
	edge := uint64(stackTop - 6)
	r.want(6, "read", 0, edge, 16)
	r.want(10, "read", 0, r.put(make([]byte, 32)), 16)
	r.want(0, "read", 0, r.next-32, 16)
	r.want(6, "write", 1, edge, 16)
	r.want(errno.EFAULT, "write", 1, uint64(unmapped), 4)
	r.want(errno.EFAULT, "open", uint64(unmapped), 0, 0)
	r.want(errno.ENAMETOOLONG, "open", strings.Repeat("x", 5000), 0, 0)
	r.want(errno.EFAULT, "uname", edge)
	if out, _ := r.con.Output(); len(out) != 0 {
		t.Fatalf("output before Release: %q", out)
	}
	r.ok(r.k.Release())
	if out, _ := r.con.Output(); string(out) != "012345" || r.con.Consumed() != 16 {
		t.Fatalf("output %q, %d bytes of input consumed", out, r.con.Consumed())
	}
}

// TestConsoleCut: what a call did to the outside before its commit is taken back
// in the fork that a power cut makes.
func TestConsoleCut(t *testing.T) {
	r := newRig(t, strings.NewReader("abcdef"))
	buf := r.put(make([]byte, 8))
	r.want(2, "read", 0, buf, 2)
	r.want(1, "write", 1, "1", 1)
	r.ok(r.k.Release())
	r.want(2, "read", 0, buf, 2)
	r.want(1, "write", 1, "2", 1)
	cut := r.con.Fork(true)
	if err := cut.release(); err != nil {
		t.Fatal(err)
	}
	if out, _ := cut.Output(); string(out) != "1" || cut.Consumed() != 2 {
		t.Fatalf("after the cut: output %q, %d consumed", out, cut.Consumed())
	}
	if d, _ := cut.peek(9); string(d) != "cdef" {
		t.Fatalf("input after the cut: %q", d)
	}
	r.ok(r.k.Release())
	if out, _ := r.con.Output(); string(out) != "12" || r.con.Consumed() != 4 {
		t.Fatalf("the original: output %q, %d consumed", out, r.con.Consumed())
	}
}

func TestPipes(t *testing.T) {
	r := newRig(t, nil)
	p := r.put(make([]byte, 8))
	buf := r.put(make([]byte, 16))
	r.want(0, "pipe2", p, oCloexec)
	r.want(3, "write", 4, "abc", 3)
	r.want(2, "read", 3, buf, 2)
	r.want(1, "read", 3, buf, 16)
	if got := r.get(buf, 1); string(got) != "c" {
		t.Fatalf("read %q", got)
	}
	r.waits("read", 3, buf, 1)
	r.want(0, "fcntl", 3, 4, oNonblock)
	r.want(errno.EAGAIN, "read", 3, buf, 1)
	r.want(errno.ESPIPE, "lseek", 3, 0, 0)
	r.want(1, "fcntl", 3, 1)
	r.want(0, "close", 4)
	r.want(0, "read", 3, buf, 1)
	r.want(0, "pipe2", p, oNonblock)
	big := r.put(make([]byte, 4096))
	for range 16 {
		r.want(4096, "write", 5, big, 4096)
	}
	r.want(errno.EAGAIN, "write", 5, big, 1)
	r.want(16, "read", 4, buf, 16)
	r.want(errno.EAGAIN, "write", 5, big, 17) // small writes are whole or not at all
	r.want(0, "close", 4)
	if o := r.raw("write", 5, big, 1); !o.Exited || o.Signal != SIGPIPE {
		t.Fatalf("writing to a pipe without a reader: %+v", o)
	}
}

// TestListingWhileRemoving: no entry is skipped when the program removes those it
// has seen.
func TestListingWhileRemoving(t *testing.T) {
	r := newRig(t, nil)
	const files = 40
	for i := range files {
		fd := r.sys("open", fmt.Sprintf("/tmp/file%d", i), oCreat|oWronly, 0o600)
		r.want(0, "close", int(fd))
	}
	dir := int(r.sys("open", "/tmp", oDirectory, 0))
	buf := r.put(make([]byte, 256))
	var seen []string
	for {
		n := r.sys("getdents64", dir, buf, 256)
		if n <= 0 {
			break
		}
		for b := r.get(buf, int(n)); len(b) > 0; b = b[le.Uint16(b[16:]):] {
			name := cString(b[19:])
			seen = append(seen, name)
			if strings.HasPrefix(name, "file") {
				r.want(0, "unlink", "/tmp/"+name)
			}
		}
	}
	slices.Sort(seen)
	if len(seen) != files+2 || len(slices.Compact(seen)) != files+2 {
		t.Fatalf("%d entries: %v", len(seen), seen)
	}
	r.want(0, "rmdir", "/tmp")
	r.want(errno.EINVAL, "getdents64", int(r.sys("open", "/", 0, 0)), buf, 10)
}

func TestStat(t *testing.T) {
	r := newRig(t, nil)
	buf := r.put(make([]byte, 256))
	r.want(0, "stat", "/etc/motd", buf)
	b := r.get(buf, 144)
	if mode, size := le.Uint32(b[24:]), le.Uint64(b[48:]); mode != vfs.ModeFile|0o644 || size != 13 {
		t.Fatalf("mode %o, size %d", mode, size)
	}
	ino := le.Uint64(b[8:])
	r.want(0, "statx", -100, "/etc/motd", 0, 0x7ff, buf)
	if x := r.get(buf, 256); le.Uint64(x[32:]) != ino ||
		le.Uint64(x[40:]) != 13 || le.Uint16(x[28:]) != vfs.ModeFile|0o644 {
		t.Fatalf("statx and stat differ: inode %d, size %d", le.Uint64(x[32:]), le.Uint64(x[40:]))
	}
	fd := int(r.sys("open", "/etc/motd", 0, 0))
	r.want(0, "newfstatat", fd, "", buf, atEmptyPath)
	if b := r.get(buf, 16); le.Uint64(b[8:]) != ino {
		t.Fatal("AT_EMPTY_PATH stats something else")
	}
	r.want(0, "fstat", 1, buf)
	if b := r.get(buf, 28); le.Uint32(b[24:])&vfs.ModeType != vfs.ModeFIFO {
		t.Fatalf("the console's mode is %o", le.Uint32(b[24:]))
	}
	r.want(errno.ENOTTY, "ioctl", 1, 0x5401, buf)
	r.want(errno.ENOENT, "stat", "", buf)
	r.want(errno.ENOTDIR, "stat", "/etc/motd/x", buf)
}

func TestPaths(t *testing.T) {
	r := newRig(t, nil)
	buf := r.put(make([]byte, 64))
	r.want(0, "mkdir", "/tmp/d", 0o777)
	r.want(0, "chdir", "/tmp/d")
	r.want(7, "getcwd", buf, 64)
	r.want(errno.ERANGE, "getcwd", buf, 6)
	fd := int(r.sys("open", "f", oCreat|oWronly, 0o600))
	r.want(0, "symlink", "f", "l")
	r.want(1, "readlink", "l", buf, 64)
	r.want(errno.ELOOP, "open", "l", oNofollow, 0)
	r.want(0, "rename", "f", "/tmp/g")
	r.want(errno.ENOENT, "open", "l", 0, 0)
	r.want(0, "link", "/tmp/g", "h")
	r.want(0, "unlink", "/tmp/g")
	r.want(errno.ENOTEMPTY, "rmdir", "/tmp/d")
	dir := int(r.sys("open", "/tmp", oDirectory|oPath, 0))
	r.want(0, "faccessat", dir, "d/h", 0)
	r.want(errno.EACCES, "faccessat", dir, "d/h", 1)
	r.want(errno.ENOTDIR, "openat", fd, "x", 0, 0)
	r.want(errno.EISDIR, "open", "/tmp", oWronly, 0)
	r.want(18, "umask", 0o77)
	r.want(0o77, "umask", 0)
	r.want(0, "ftruncate", fd, 9)
	r.want(9, "lseek", fd, 0, 2)
	n := r.sys("readlink", "/proc/self/cwd", buf, 64)
	if got := string(r.get(buf, int(n))); got != "/tmp/d" {
		t.Fatalf("/proc/self/cwd is %q", got)
	}
	if _, err := os.Stat(r.host + "/tmp/d"); err == nil {
		t.Fatal("the guest made a directory on the host")
	}
}

// TestMappedFile: private mappings follow the file, a writable one until its page
// is written, and none changes it.
func TestMappedFile(t *testing.T) {
	r := newRig(t, nil)
	fd := int(r.sys("open", "/tmp/m", oRdwr|oCreat, 0o600))
	r.want(3, "write", fd, "abc", 3)
	ro := uint64(r.sys("mmap", 0, 8192, 1, mapPrivate, fd, 0))
	rw := uint64(r.sys("mmap", 0, 8192, 3, mapPrivate, fd, 0))
	if string(r.get(ro, 4)) != "abc\x00" || string(r.get(rw, 4)) != "abc\x00" {
		t.Fatal("the mapping does not show the file")
	}
	r.want(1, "pwrite64", fd, "X", 1, 1)
	if string(r.get(ro, 3)) != "aXc" {
		t.Fatalf("after a write the mapping shows %q", r.get(ro, 3))
	}
	if string(r.get(rw, 3)) != "aXc" {
		t.Fatalf("after a write the private page, not written yet, shows %q", r.get(rw, 3))
	}
	r.ok(r.c.Port.WriteBytes(rw, []byte("Z")))
	r.want(1, "pwrite64", fd, "Y", 1, 1)
	buf := r.put(make([]byte, 4))
	r.want(1, "pread64", fd, buf, 1, 0)
	if got := r.get(buf, 1); string(got) != "a" {
		t.Fatalf("a private mapping changed the file: %q", got)
	}
	if err := r.c.Port.ReadBytes(ro+phys.PageSize, make([]byte, 1)); err == nil {
		t.Fatal("a page behind the end of the file can be read")
	}
	r.want(0, "mprotect", ro, 4096, 3)
	r.ok(r.c.Port.WriteBytes(ro, []byte("Y")))
	r.want(errno.EBADF, "mmap", 0, 4096, 3, mapPrivate, 99, 0)
	r.want(errno.EINVAL, "mmap", 0, 0, 3, mapPrivate|mapAnonymous, -1, 0)
	r.want(0, "close", fd)
	r.want(0, "unlink", "/tmp/m")
	r.ok(r.k.Release())
	if !bytes.Equal(r.get(rw, 3), []byte("ZXc")) {
		t.Fatal("the mapping lost a deleted file")
	}
}

func TestTransfers(t *testing.T) {
	r := newRig(t, nil)
	in := int(r.sys("open", "/etc/motd", 0, 0))
	out := int(r.sys("open", "/tmp/copy", oRdwr|oCreat, 0o600))
	off := r.put(le.AppendUint64(nil, 7))
	r.want(6, "sendfile", out, in, off, 100)
	if got := le.Uint64(r.get(off, 8)); got != 13 {
		t.Fatalf("offset after sendfile: %d", got)
	}
	r.want(0, "lseek", in, 0, 1)
	r.want(5, "copy_file_range", in, 0, out, 0, 5, 0)
	r.want(5, "lseek", in, 0, 1)
	r.want(11, "lseek", out, 0, 1)
	buf := r.put(make([]byte, 16))
	r.want(11, "pread64", out, buf, 16, 0)
	if got := string(r.get(buf, 11)); got != "guest\nhello" {
		t.Fatalf("copied %q", got)
	}
}

func TestPoll(t *testing.T) {
	r := newRig(t, nil)
	p := r.put(make([]byte, 8))
	r.want(0, "pipe", p)
	fds := r.put([]byte{3, 0, 0, 0, pollIn, 0, 0, 0, 4, 0, 0, 0, pollOut, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0})
	r.want(2, "poll", fds, 3, -1)
	if b := r.get(fds, 24); b[6] != 0 || b[14] != pollOut || b[22] != pollNval {
		t.Fatalf("revents %x", b)
	}
	before := r.k.mono()
	r.want(0, "poll", fds, 1, 250)
	if d := r.k.mono() - before; d < 250e6 {
		t.Fatalf("waiting for 250 ms took %d ns", d)
	}
	r.waits("poll", fds, 1, -1)
	r.want(1, "write", 4, "x", 1)
	set := r.put(le.AppendUint64(nil, 1<<3|1<<4))
	r.want(1, "select", 5, set, 0, 0, 0)
	if got := le.Uint64(r.get(set, 8)); got != 1<<3 {
		t.Fatalf("select left %#x", got)
	}
	none := r.put(make([]byte, 16))
	r.want(errno.EBADF, "select", 64, r.put(le.AppendUint64(nil, 1<<63)), 0, 0, none)
	// Of descriptors that the table has no room for select is blind, as in Linux.
	r.want(0, "select", 99, r.put(append(make([]byte, 8), 0xff, 0, 0, 0, 0, 0, 0, 0)), 0, 0, none)
}
