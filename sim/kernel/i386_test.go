package kernel

import (
	"encoding/binary"
	"strings"
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/x86"
)

// INT 0x80: numbers and arguments of 32-bit Linux, without upper halves; no register but
// RAX changes; what would pass other structures stops the run and names the call.
func TestCallsOf32BitLinux(t *testing.T) {
	r := newRig(t, strings.NewReader(""))
	call := func(nr uint64, args ...uint64) (Outcome, int64) {
		for i, v := range args {
			r.c.R[[...]int{x86.RBX, x86.RCX, x86.RDX, x86.RSI, x86.RDI, x86.RBP}[i]] = v
		}
		r.c.R[x86.RAX] = nr
		before := r.c.State()
		out := r.k.SyscallI386(r.c)
		after := r.c.State()
		after.R[x86.RAX] = before.R[x86.RAX]
		if after != before && !out.Stops() {
			t.Errorf("call %d: another register than RAX has changed", nr)
		}
		return out, int64(r.c.R[x86.RAX])
	}
	const upper = 0x12345 << 32
	path := r.str("/etc/motd")
	_, fd := call(5|upper, path|upper, 0)
	if fd < 3 {
		t.Fatalf("open gives %d", fd)
	}
	buffer := r.put(make([]byte, 16))
	if _, n := call(3, uint64(fd), buffer, 5|upper); n != 5 || string(r.get(buffer, 5)) != "hello" {
		t.Errorf("read gives %d and %q", n, r.get(buffer, 5))
	}
	if _, n := call(19, uint64(fd), 0xFFFFFFFF, 1); n != 4 {
		t.Errorf("lseek by -1 from 5 gives %d", n)
	}
	if _, n := call(6, uint64(fd)|upper); n != 0 {
		t.Errorf("close gives %d", n)
	}
	if _, n := call(6, uint64(fd)); n != -int64(errno.EBADF) {
		t.Errorf("the second close gives %d", n)
	}
	if _, n := call(0xFFFFFFFF); n != -int64(errno.ENOSYS) {
		t.Errorf("a number of no call gives %d", n)
	}
	if out, _ := call(90); out.Unsupported == nil ||
		!strings.Contains(out.Unsupported.Error(), "system call 90 of 32-bit Linux") {
		t.Errorf("mmap with its structure: %+v", out)
	}
	if out, _ := call(252, 7); !out.Exited || out.Status != 7 {
		t.Errorf("exit_group: %+v", out)
	}
	for n, nr := range i386Numbers {
		if row(nr) == nil || SetsAllRegisters(nr) {
			t.Errorf("call %d leads to %d", n, nr)
		}
	}
}

// MAP_32BIT finds room from the second gigabyte's start on, around what is there.
func TestMappingsBelowTwoGigabytes(t *testing.T) {
	r := newRig(t, strings.NewReader(""))
	const flags = mapPrivate | mapAnonymous | map32bit
	r.want(1<<30, "mmap", 0, 4096, 3, flags, -1, 0)
	r.want(1<<30+4096, "mmap", 0, 8192, 3, flags, -1, 0)
	r.want(0, "munmap", 1<<30, 4096)
	r.want(1<<30+3*4096, "mmap", 0, 8192, 3, flags, -1, 0)
	r.want(1<<30, "mmap", 0, 4096, 3, flags, -1, 0)
	r.want(0x5000_0000, "mmap", 0x5000_0000, 4096, 3, flags, -1, 0)
	if at := r.sys("mmap", 1<<40, 4096, 3, flags, -1, 0); at>>31 != 0 {
		t.Errorf("with a hint above: %#x", at)
	}
	r.want(errno.ENOMEM, "mmap", 0, 1<<30, 0, flags|mapNoreserve, -1, 0)
	r.want(1<<40, "mmap", 1<<40, 4096, 3, flags|mapFixed, -1, 0)
}

// What V8 asks for: capabilities of the superuser, without those whose calls are EPERM here
// (CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN), and protection keys, which there are none of.
func TestCapabilitiesAndKeys(t *testing.T) {
	r := newRig(t, strings.NewReader(""))
	header := func(version uint32, pid int32) uint64 {
		return r.put(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, version), uint32(pid)))
	}
	data := r.put(make([]byte, 24))
	r.want(0, "capget", header(capVersion3, 0), data)
	b := r.get(data, 24)
	if le.Uint32(b) != 0xFFDFCFFF || le.Uint32(b[4:]) != 0xFFDFCFFF ||
		le.Uint32(b[8:]) != 0 || le.Uint32(b[12:]) != 0x1FF || le.Uint32(b[20:]) != 0 {
		t.Errorf("capabilities % x", b)
	}
	for number, has := range map[int]int{0: 1, 12: 0, 13: 0, 20: 1, 21: 0, 40: 1} {
		r.want(has, "prctl", 23, number)
	}
	r.want(errno.EINVAL, "prctl", 23, 41)
	r.want(errno.EPERM, "sethostname", data, 1)
	unknown := header(7, 0)
	r.want(errno.EINVAL, "capget", unknown, data)
	if v := le.Uint32(r.get(unknown, 4)); v != capVersion3 {
		t.Errorf("the version is told as %#x", v)
	}
	r.want(0, "capget", header(7, 0), 0)
	r.want(errno.ESRCH, "capget", header(capVersion3, 9999), data)
	r.want(errno.EINVAL, "capget", header(capVersion1, -1), data)
	r.want(errno.EFAULT, "capget", unmapped, data)
	r.want(errno.ENOSPC, "pkey_alloc", 0, 1)
	r.want(errno.EINVAL, "pkey_alloc", 1, 0)
	r.want(errno.EINVAL, "pkey_free", 1)
	r.want(0, "pkey_mprotect", scratch, 4096, 3, -1)
	r.want(errno.EINVAL, "pkey_mprotect", scratch, 4096, 3, 1)
}

// A file without a name is gone with its last descriptor.
func TestNamelessFilesEnd(t *testing.T) {
	r := newRig(t, strings.NewReader(""))
	for _, fd := range []int64{r.sys("memfd_create", r.str("x"), 0),
		r.sys("openat", -100, "/tmp", oTmpfile|oRdwr, 0o600)} {
		node := r.k.get(int(fd)).node
		if _, err := r.k.FS.Stat(node); err != nil {
			t.Errorf("descriptor %d: %v", fd, err)
		}
		r.want(0, "close", int(fd))
		r.ok(r.k.Release())
		if st, err := r.k.FS.Stat(node); err == nil {
			t.Errorf("behind its last descriptor there is still %+v", st)
		}
	}
}
