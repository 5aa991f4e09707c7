package kernel

import (
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

// TestMapSync: direct access is granted on the file system for it and nowhere else,
// and stores through the mapping reach persistent memory.
func TestMapSync(t *testing.T) {
	r := newRig(t, nil)
	pool, other := r.sharedFile("/mnt/pmem/pool", phys.PageSize), r.sharedFile("/tmp/f", phys.PageSize)
	a := uint64(r.sys("mmap", 0, phys.PageSize, 3, mapSharedValidate|mapSync, pool, 0))
	r.set(a, "durable")
	if tr, ok, bus := r.k.MM.Translate(a, 1); !ok || bus || !tr.Frame.IsPMEM() {
		t.Errorf("the mapping is at %v", tr.Frame)
	}
	r.want(errno.EOPNOTSUPP, "mmap", 0, phys.PageSize, 3, mapSharedValidate|mapSync, other, 0)
	r.want(errno.EOPNOTSUPP, "mmap", 0, phys.PageSize, 3, mapSharedValidate|1<<30, pool, 0)
	r.want(errno.EXDEV, "rename", "/tmp/f", "/mnt/pmem/f")
	r.want(errno.EXDEV, "link", "/mnt/pmem/pool", "/tmp/l")

	buf := r.put(make([]byte, 256))
	for path, want := range map[string][2]uint64{"/tmp/f": {0x801, 0x01021994}, "/mnt/pmem/pool": {0x10300, 0xef53},
		"/proc/self/maps": {0x15, 0x9fa0}, "/sys/block": {0x16, 0x62656572}} {
		r.want(0, "stat", path, buf)
		dev := le.Uint64(r.get(buf, 8))
		r.want(0, "statfs", path, buf)
		if magic := le.Uint64(r.get(buf, 8)); dev != want[0] || magic != want[1] {
			t.Errorf("%s: device %#x, file system %#x, want %#x", path, dev, magic, want)
		}
	}
	r.want(0, "statx", pool, "", atEmptyPath, 0xfff, buf)
	if attributes := le.Uint64(r.get(buf+8, 8)); attributes != 0x200000 {
		t.Errorf("statx tells attributes %#x", attributes)
	}
}
