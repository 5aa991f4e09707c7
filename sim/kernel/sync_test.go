package kernel

import (
	"testing"

	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// TestSync: each way to synchronize a file saves it from a power cut, and what is
// none does not.
func TestSync(t *testing.T) {
	for name, c := range map[string]struct {
		saved bool
		flags int
		do    func(r *rig, fd int)
	}{
		"nothing":         {false, 0, func(*rig, int) {}},
		"close":           {false, 0, func(r *rig, fd int) { r.want(0, "close", fd) }},
		"sync_file_range": {false, 0, func(r *rig, fd int) { r.want(0, "sync_file_range", fd, 0, 0, 7) }},
		"MS_ASYNC":        {false, 0, func(r *rig, fd int) { r.syncMapping(fd, 1) }},
		"another file":    {false, 0, func(r *rig, _ int) { r.want(0, "fsync", r.sharedFile("/tmp/other", 1)) }},
		"fsync":           {true, 0, func(r *rig, fd int) { r.want(0, "fsync", fd) }},
		"fdatasync":       {true, 0, func(r *rig, fd int) { r.want(0, "fdatasync", fd) }},
		"syncfs":          {true, 0, func(r *rig, fd int) { r.want(0, "syncfs", fd) }},
		"sync":            {true, 0, func(r *rig, _ int) { r.want(0, "sync") }},
		"MS_SYNC":         {true, 0, func(r *rig, fd int) { r.syncMapping(fd, 4) }},
		"O_SYNC":          {true, oSync, func(*rig, int) {}},
		"O_DSYNC":         {true, oDsync, func(*rig, int) {}},
		"RWF_DSYNC":       {true, 0, func(r *rig, fd int) { r.want(1, "pwritev2", fd, iov(r.str("a"), 1), 1, 3, 0, rwfDsync) }},
	} {
		r := newRig(t, nil)
		r.k.FS.CacheWrites()
		fd := int(r.sys("open", "/tmp/f", oRdwr|oCreat|c.flags, 0o600))
		r.want(4, "write", fd, "data", 4)
		c.do(r, fd)
		cut := r.k.FS.Fork()
		cut.SetMemory(r.pmem)
		cut.LoseUnsynced()
		got := make([]byte, 8)
		n := 0
		if id, err := cut.Walk(vfs.Root, "/tmp/f", true); err == nil {
			n, err = cut.ReadAt(id, got, 0)
			r.ok(err)
		}
		if saved := string(got[:n]) == "data"; saved != c.saved {
			t.Errorf("%s: %q is left", name, got[:n])
		}
	}
}

// syncMapping synchronizes a shared mapping of a file after a store to it.
func (r *rig) syncMapping(fd, flags int) {
	r.Helper()
	a := uint64(r.sys("mmap", 0, phys.PageSize, 3, mapShared, fd, 0))
	r.set(a, "d")
	r.want(0, "msync", a, phys.PageSize, flags)
}
