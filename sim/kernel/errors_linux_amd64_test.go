package kernel

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// host makes calls of the host's Linux, with memory that the collector does not know.
type host struct {
	testing.TB
	dir  string
	mem  []byte
	used int
}

func hostAsked(t testing.TB) asked {
	mem, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	return &host{TB: t, dir: t.TempDir(), mem: mem}
}

func (h *host) call(name string, args ...uint64) int64 {
	var a [6]uintptr
	for i, v := range args {
		a[i] = uintptr(v)
	}
	nr, ok := numbers[name]
	if !ok {
		h.Fatalf("no system call %s", name)
	}
	r, _, e := unix.Syscall6(uintptr(nr), a[0], a[1], a[2], a[3], a[4], a[5])
	if e != 0 {
		return -int64(e)
	}
	return int64(r)
}

func (h *host) place(b []byte) uint64 {
	at := h.mem[h.used:]
	h.used += (copy(at, b) + 15) &^ 15
	return uint64(uintptr(unsafe.Pointer(&at[0])))
}

func (h *host) path(name string) string { return h.dir + "/" + name }
