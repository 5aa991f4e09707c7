package kernel

import (
	"bytes"
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// sharedFile opens a file of some pages and returns its descriptor.
func (r *rig) sharedFile(name string, size int) int {
	r.Helper()
	fd := int(r.sys("open", name, oRdwr|oCreat, 0o600))
	r.want(0, "ftruncate", fd, size)
	return fd
}

func (r *rig) set(va uint64, s string) {
	r.Helper()
	r.ok(r.c.Port.WriteBytes(va, []byte(s)))
}

func (r *rig) shows(what string, va uint64, want string) {
	r.Helper()
	if got := string(r.get(va, len(want))); got != want {
		r.Errorf("%s shows %q, want %q", what, got, want)
	}
}

// bus checks that an access to va is a bus error.
func (r *rig) bus(va uint64, write bool) {
	r.Helper()
	err := r.c.Port.ReadBytes(va, make([]byte, 1))
	if write {
		err = r.c.Port.WriteBytes(va, []byte{1})
	}
	if f, ok := err.(*mem.Fault); !ok || f.Kind != mem.BusError {
		r.Errorf("an access to %#x gives %v, want a bus error", va, err)
	}
}

// TestSharedFile: all mappings of a file and read and write show the same bytes.
func TestSharedFile(t *testing.T) {
	r := newRig(t, nil)
	fd := r.sharedFile("/tmp/s", 3*phys.PageSize)
	a := uint64(r.sys("mmap", 0, 4*phys.PageSize, 3, mapShared, fd, 0))
	b := uint64(r.sys("mmap", 0, 2*phys.PageSize, 3, mapShared, fd, phys.PageSize))
	ro := uint64(r.sys("mmap", 0, 3*phys.PageSize, 1, mapPrivate, fd, 0))
	r.shows("an untouched page", ro, "\x00\x00")
	r.set(a, "first")
	r.set(a+phys.PageSize, "second")
	r.shows("another shared mapping", b, "second")
	r.shows("a private mapping", ro, "first")
	buf := r.put(make([]byte, 16))
	r.want(6, "pread64", fd, buf, 6, phys.PageSize)
	r.shows("read", buf, "second")
	r.want(2, "pwrite64", fd, "SE", 2, phys.PageSize)
	for name, va := range map[string]uint64{"one": a + phys.PageSize, "two": b, "three": ro + phys.PageSize} {
		r.shows("after a write mapping "+name, va, "SEcond")
	}
	r.want(5, "read", fd, a+2*phys.PageSize, 5) // the file into itself
	r.shows("what was read", b+phys.PageSize, "first")
	r.want(0, "msync", a, 3*phys.PageSize, 4)

	r.bus(a+3*phys.PageSize, false)
	r.bus(a+3*phys.PageSize, true)
	r.want(0, "ftruncate", fd, phys.PageSize+3)
	r.bus(b+phys.PageSize, true)
	r.bus(ro+2*phys.PageSize, false)
	r.shows("the page with the end", b, "SEc\x00\x00\x00")
	r.set(b+3, "behind the end")
	r.want(0, "ftruncate", fd, 4*phys.PageSize)
	r.shows("the page after it grew", b, "SEc\x00\x00\x00")
	r.shows("a page that came back", a+2*phys.PageSize, "\x00\x00\x00\x00\x00")
	r.set(a+3*phys.PageSize, "fourth")

	r.want(0, "munmap", a, 4*phys.PageSize)
	r.want(0, "close", fd)
	fd = int(r.sys("open", "/tmp/s", 0, 0))
	r.want(6, "pread64", fd, buf, 6, 3*phys.PageSize)
	r.shows("the file without its mapping", buf, "fourth")
	r.want(0, "munmap", b, 2*phys.PageSize)
	r.want(0, "munmap", ro, 3*phys.PageSize)
	r.want(0, "close", fd)
	r.want(0, "unlink", "/tmp/s")
	r.ok(r.k.Release())
	if n := r.k.FS.Framed(); n != 0 {
		t.Errorf("%d pages of a removed file are still in memory", n)
	}
	frames := 0
	r.pmem.Each(0, 1<<(phys.AddrBits-phys.PageShift), func(f phys.Frame, _ *mem.Page) bool {
		if f.Addr() >= 1<<41+phys.PMEMBase {
			frames++
		}
		return true
	})
	if frames != 0 {
		t.Errorf("%d frames of a removed file are not given back", frames)
	}
}

// TestSharedRights: what a shared mapping may become follows from how the file is open.
func TestSharedRights(t *testing.T) {
	r := newRig(t, nil)
	r.sharedFile("/tmp/s", phys.PageSize)
	ro := int(r.sys("open", "/tmp/s", 0, 0))
	wo := int(r.sys("open", "/tmp/s", oWronly, 0))
	rw := int(r.sys("open", "/tmp/s", oRdwr, 0))
	r.want(errno.EACCES, "mmap", 0, 4096, 3, mapShared, ro, 0)
	r.want(errno.EACCES, "mmap", 0, 4096, 1, mapShared, wo, 0)
	r.want(errno.EACCES, "mmap", 0, 4096, 1, mapPrivate, wo, 0)
	a := uint64(r.sys("mmap", 0, 4096, 1, mapShared, ro, 0))
	r.want(errno.EACCES, "mprotect", a, 4096, 3)
	b := uint64(r.sys("mmap", 0, 4096, 1, mapShared, rw, 0))
	r.want(0, "mprotect", b, 4096, 3)
	r.set(b, "x")
	r.shows("the mapping for reading only", a, "x")
	r.want(errno.EACCES, "mprotect", b, 8192, 3) // b lies below a
	if v, _ := r.k.MM.Find(b); a != b+4096 || v.Prot != mm.Read|mm.Write {
		t.Errorf("%#x to %#x is %v", v.Start, v.End, v.Prot)
	}
}

// TestPrivateCut: a truncation takes private copies behind the new end with it,
// when it is durable and not before.
func TestPrivateCut(t *testing.T) {
	r := newRig(t, nil)
	fd := r.sharedFile("/tmp/s", 2*phys.PageSize)
	p := uint64(r.sys("mmap", 0, 2*phys.PageSize, 3, mapPrivate, fd, 0))
	r.set(p, "kept")
	r.set(p+phys.PageSize, "lost")
	r.want(0, "ftruncate", fd, 100)
	if got := r.get(p+phys.PageSize, 4); string(got) != "lost" {
		t.Errorf("before the commit the private page shows %q", got)
	}
	r.ok(r.k.Release())
	r.k.MM.OnChange(nil)
	r.attach()
	r.bus(p+phys.PageSize, false)
	r.want(0, "ftruncate", fd, 2*phys.PageSize)
	r.shows("the page that came back", p+phys.PageSize, "\x00\x00\x00\x00")
	r.shows("the page before the end", p, "kept")
}

// TestSharedUndone: a write to a mapped file, and stores through mappings beside
// it, are what they were when the call is undone.
func TestSharedUndone(t *testing.T) {
	r := newRig(t, nil)
	fd := r.sharedFile("/tmp/s", 2*phys.PageSize)
	a := uint64(r.sys("mmap", 0, 2*phys.PageSize, 3, mapShared, fd, 0))
	r.set(a, "before")
	r.k.FS.BeginCall(1)
	r.want(6, "pwrite64", fd, "after!", 6, 0)
	r.want(0, "ftruncate", fd, 3)
	r.shows("the mapping", a, "aft\x00\x00")
	r.k.FS.Resolve(0)
	r.k.MM.FileChanged(3)
	r.attach()
	r.shows("the mapping, after the call was undone", a, "before")
	buf := r.put(make([]byte, 8))
	r.want(6, "pread64", fd, buf, 6, 0)
	if !bytes.Equal(r.get(buf, 6), []byte("before")) {
		t.Errorf("read %q", r.get(buf, 6))
	}
}

// TestSharedFork: machines that parted do not see each other's stores.
func TestSharedFork(t *testing.T) {
	r := newRig(t, nil)
	fd := r.sharedFile("/tmp/s", phys.PageSize)
	a := uint64(r.sys("mmap", 0, phys.PageSize, 3, mapShared, fd, 0))
	r.set(a, "common")
	pmem, fs := r.pmem.Fork(), r.k.FS.Fork()
	fs.SetMemory(pmem)
	d, dpmem := r.dram.Fork(), pmem
	s := r.k.MM.Fork(d, dpmem, fs, nil)
	port := mem.NewPort(s, nil, d, dpmem)
	r.c.Port.FlushTLB()
	r.ok(port.WriteBytes(a, []byte("forked")))
	r.shows("the original", a, "common")
	r.set(a, "origin")
	got := make([]byte, 6)
	id, err := fs.Walk(1, "/tmp/s", true)
	r.ok(err)
	if _, err := fs.ReadAt(id, got, 0); err != nil || string(got) != "forked" {
		t.Errorf("the fork's file holds %q, %v", got, err)
	}
}
