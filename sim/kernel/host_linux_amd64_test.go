package kernel

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"zhuque/sim/det"
	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

// twin makes the same system calls in the simulator's kernel and in the host's.
type twin struct {
	*rig
	dir   string // the host directory that stands for the guest's /tmp
	guest [6]int // descriptors by slot, 999 for a closed one
	host  [6]int
	buf   uint64 // guest memory beside mem
	mem   []byte // host memory
	maps  [2]mapped
	log   []string

	mapping bool // mappings are tried, and locks are not
}

// mapped is a mapping of the first pages of a file on both sides.
type mapped struct {
	guest uint64
	host  []byte
}

const noFD = 999

func newTwin(t *testing.T) *twin {
	w := &twin{rig: newRig(t, nil), dir: t.TempDir()}
	for i := range w.guest {
		w.guest[i], w.host[i] = noFD, noFD
	}
	w.buf = scratch + 32*phys.PageSize
	w.mem = make([]byte, 16*phys.PageSize)
	t.Cleanup(func() {
		for _, fd := range w.host {
			if fd != noFD {
				unix.Close(fd)
			}
		}
		for _, m := range w.maps {
			if m.host != nil {
				_ = unix.Munmap(m.host)
			}
		}
	})
	return w
}

// arg is one argument: a number, the path of a name, the descriptor of a slot, or
// bytes at an offset of the memory.
type (
	nameArg string
	slotArg int
	memArg  int
	bytesAt struct {
		off  int
		data []byte
	}
)

func (b bytesAt) String() string { return fmt.Sprintf("%.32x@%d+%d", b.data, b.off, len(b.data)) }

// pathCalls are those whose errors are not told apart: where two are due at once,
// the order of Linux's checks is not followed.
const pathCalls = " open mkdir rmdir unlink link renameat2 truncate symlink "

// both makes a call on both sides and compares the results; the host's is returned.
func (w *twin) both(name string, args ...any) int64 {
	w.Helper()
	w.next = scratch
	var g []any
	var h [6]uintptr
	var keep []any
	for i, a := range args {
		switch v := a.(type) {
		case int:
			g, h[i] = append(g, v), uintptr(v)
		case nameArg:
			g = append(g, "/tmp/"+string(v))
			p, err := unix.BytePtrFromString(w.dir + "/" + string(v))
			w.ok(err)
			keep, h[i] = append(keep, p), uintptr(unsafe.Pointer(p))
		case slotArg:
			g, h[i] = append(g, w.guest[v]), uintptr(w.host[v])
		case memArg:
			g, h[i] = append(g, w.buf+uint64(v)), uintptr(unsafe.Pointer(&w.mem[v]))
		case bytesAt:
			w.ok(w.c.Port.WriteBytes(w.buf+uint64(v.off), v.data))
			copy(w.mem[v.off:], v.data)
			g, h[i] = append(g, w.buf+uint64(v.off)), uintptr(unsafe.Pointer(&w.mem[v.off]))
		default:
			w.Fatalf("argument %T", a)
		}
	}
	w.log = append(w.log, fmt.Sprintf("%s%v", name, args))
	got := w.sys(name, g...)
	w.ok(w.k.Release())
	r, _, e := syscall.Syscall6(uintptr(numbers[name]), h[0], h[1], h[2], h[3], h[4], h[5])
	runtime.KeepAlive(keep)
	want := int64(r)
	if e != 0 {
		want = -int64(e)
	}
	descriptor := strings.HasPrefix(name, "open") || name == "dup"
	excused := got < 0 && want < 0 && strings.Contains(pathCalls, " "+name+" ")
	if got != want && !excused && !(descriptor && got >= 0 && want >= 0) {
		w.differ("%s%v = %s here, %s on Linux", name, args, outcome(got), outcome(want))
	}
	if descriptor && want >= 0 {
		w.guest[5], w.host[5] = int(got), int(want) // the caller moves it
	}
	return want
}

func outcome(r int64) string {
	if r < 0 {
		return errno.Errno(-r).Name()
	}
	return fmt.Sprint(r)
}

func (w *twin) differ(format string, a ...any) {
	w.Helper()
	w.Fatalf("%s\nafter\n%s", fmt.Sprintf(format, a...), strings.Join(w.log[max(0, len(w.log)-25):], "\n"))
}

// memory compares n bytes of memory at off.
func (w *twin) memory(off, n int) {
	w.Helper()
	if g := w.get(w.buf+uint64(off), n); string(g) != string(w.mem[off:off+n]) {
		w.differ("memory differs: %.60q here, %.60q on Linux", g, w.mem[off:off+n])
	}
}

var names = []nameArg{"a", "b", "d/c", "d", "s", "d/../a", "a/", "none/x"}

func (w *twin) step(rng *rand.Rand) {
	name := func() nameArg { return names[rng.IntN(len(names))] }
	slot := func() slotArg { return slotArg(rng.IntN(4)) }
	size := func() int { return []int{0, 1, 100, 4095, 4096, 4097, 8192, 10000, 12288}[rng.IntN(9)] }
	data := func() bytesAt {
		b := make([]byte, 1+rng.IntN(1+rng.IntN(9000)))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return bytesAt{0, b}
	}
	switch rng.IntN(24) {
	case 0, 1:
		flags := []int{oRdwr, oRdwr | oCreat, 0, oWronly | oCreat, oRdwr | oCreat | oTrunc, oRdwr | oCreat | oExcl,
			oRdwr | oAppend, oPath, oDirectory, oRdwr | oNofollow, oTmpfile | oRdwr}[rng.IntN(11)]
		w.open(rng.IntN(4), "open", name(), flags, 0o644)
	case 2:
		w.close(rng.IntN(4))
	case 3:
		from := slot()
		w.open(rng.IntN(4), "dup", from)
	case 4, 5:
		b := data()
		w.both("write", slot(), b, len(b.data))
	case 6:
		b := data()
		w.both("pwrite64", slot(), b, len(b.data), size())
	case 7, 8:
		if n := w.both("pread64", slot(), memArg(0), size(), size()); n > 0 {
			w.memory(0, int(n))
		}
	case 9:
		if n := w.both("read", slot(), memArg(0), size()); n > 0 {
			w.memory(0, int(n))
		}
	case 10:
		if s := slot(); !w.isDir(s) { // in a directory an offset means what the file system likes
			w.both("lseek", s, size()-rng.IntN(2)*5000, rng.IntN(3))
		}
	case 11:
		w.both("ftruncate", slot(), size())
	case 12:
		w.both("fallocate", slot(), []int{0, 1, 3, 2, 0x10, 0x11, 0x13}[rng.IntN(7)], size()-rng.IntN(2), size())
	case 13:
		from, to := slot(), slot()
		var off any = 0
		if rng.IntN(2) == 0 {
			off = bytesAt{16384, []byte{byte(rng.IntN(200)), byte(rng.IntN(20)), 0, 0, 0, 0, 0, 0}}
		}
		w.both("copy_file_range", from, off, to, 0, size(), 0)
		w.memory(16384, 8)
	case 14:
		w.both("sendfile", slot(), slot(), 0, 1+size())
	case 15:
		switch rng.IntN(6) {
		case 0:
			w.both("renameat2", -100, name(), -100, name(), rng.IntN(4))
		case 1:
			w.both("link", name(), name())
		case 2:
			w.both("unlink", name())
		case 3:
			w.both("mkdir", name(), 0o755)
		case 4:
			w.both("rmdir", name())
		case 5:
			w.both("truncate", name(), size())
		}
	case 16, 17:
		if w.mapping { // a mapping keeps a description, and its locks, on Linux but not here
			break
		}
		cmd, arg := []int{fSetlk, fSetlk, fGetlk, fOfdSetlk, fOfdSetlk, fOfdGetlk}[rng.IntN(6)], flockArg(rng)
		if cmd == fOfdGetlk && arg.data[0] == fUnlck {
			break // a question that only newer kernels than ours know
		}
		w.both("fcntl", slot(), cmd, arg)
		w.lockAnswer()
	case 18:
		if w.mapping {
			break
		}
		w.both("flock", slot(), []int{lockSh, lockEx, lockUn, lockSh | lockEx}[rng.IntN(4)]|lockNb)
	case 19:
		w.both("fcntl", slot(), []int{1, 3}[rng.IntN(2)])
	case 20:
		w.both([]string{"fsync", "fdatasync", "fchdir"}[rng.IntN(2)], slot())
	case 21:
		w.stat(slot())
	default:
		if w.mapping {
			w.touch(rng)
		}
	}
}

func (w *twin) isDir(s slotArg) bool {
	d := w.k.get(w.guest[s])
	if d == nil {
		return false
	}
	st, err := w.k.FS.Stat(d.node)
	return err == nil && st.Dir()
}

func flockArg(rng *rand.Rand) bytesAt {
	b := le.AppendUint16(nil, uint16(rng.IntN(4)))
	b = le.AppendUint16(b, uint16(rng.IntN(4)))
	b = append(b, 0, 0, 0, 0)
	b = le.AppendUint64(b, uint64(int64(rng.IntN(30)-5)))
	b = le.AppendUint64(b, uint64(int64(rng.IntN(20)-5)))
	return bytesAt{20000 &^ 7, append(b, make([]byte, 8)...)}
}

// lockAnswer compares a struct flock but for the process in it.
func (w *twin) lockAnswer() { w.memory(20000&^7, 24) }

func (w *twin) open(slot int, name string, args ...any) {
	if w.both(name, args...) < 0 {
		return
	}
	g, h := w.guest[5], w.host[5]
	w.close(slot)
	w.guest[slot], w.host[slot], w.guest[5], w.host[5] = g, h, noFD, noFD
}

func (w *twin) close(slot int) {
	w.both("close", slotArg(slot))
	w.guest[slot], w.host[slot] = noFD, noFD
}

// stat compares what does not depend on where the files are.
func (w *twin) stat(slot slotArg) {
	const mode, nlink, size = 24, 16, 48
	if w.both("fstat", slot, memArg(0)) != 0 {
		return
	}
	w.memory(mode, 4)
	if le.Uint32(w.mem[mode:])&0o170000 == 0o100000 {
		w.memory(nlink, 8)
		w.memory(size, 8)
	}
}

// touch maps, unmaps, stores through a mapping or compares one.
func (w *twin) touch(rng *rand.Rand) {
	const pages = 3
	m := &w.maps[rng.IntN(len(w.maps))]
	if m.host == nil || rng.IntN(8) == 0 {
		w.remap(m, slotArg(rng.IntN(4)), 1+rng.IntN(2), []int{1, 3}[rng.IntN(2)])
		return
	}
	at := rng.IntN(pages*phys.PageSize - 8)
	b := byte(rng.Uint32())
	w.log = append(w.log, fmt.Sprintf("store %d at %d of mapping %#x", b, at, m.guest))
	if !w.reachable(m, at) {
		return
	}
	if v, _ := w.k.MM.Find(m.guest); v.Prot&2 != 0 {
		w.ok(w.c.Port.WriteBytes(m.guest+uint64(at), []byte{b}))
		m.host[at] = b
	}
	page := at &^ phys.PageMask
	if got := w.get(m.guest+uint64(page), phys.PageSize); string(got) != string(m.host[page:page+phys.PageSize]) {
		i := 0
		for got[i] == m.host[page+i] {
			i++
		}
		w.differ("mapping %#x differs at %d: %#x here, %#x on Linux", m.guest, page+i, got[i], m.host[page+i])
	}
}

// reachable reports whether the host can touch a byte of a mapping: behind the end
// of the file it would be killed, and the simulator must say so too. The bytes behind
// the end in its last page are Linux's own affair.
func (w *twin) reachable(m *mapped, at int) bool {
	v, _ := w.k.MM.Find(m.guest)
	if int64(at&^phys.PageMask)+phys.PageSize > w.k.FS.Size(v.Node) {
		if int64(at&^phys.PageMask) >= w.k.FS.Size(v.Node) {
			w.bus(m.guest+uint64(at), false)
		}
		return false
	}
	return true
}

func (w *twin) remap(m *mapped, slot slotArg, kind, prot int) {
	const size = 3 * phys.PageSize
	if m.host != nil {
		w.want(0, "munmap", m.guest, size)
		w.ok(w.k.Release())
		w.ok(unix.Munmap(m.host))
		*m = mapped{}
	}
	w.log = append(w.log, fmt.Sprintf("mmap slot %d prot %d kind %d", slot, prot, kind))
	w.next = scratch
	got := w.sys("mmap", 0, size, prot, kind, w.guest[slot], 0)
	host, err := unix.Mmap(w.host[slot], 0, size, prot, kind)
	want := int64(0)
	if e, ok := err.(syscall.Errno); ok {
		want = -int64(e)
	}
	if want < 0 && got != want || want == 0 && got < 0 {
		w.differ("mmap = %s here, %s on Linux", outcome(got), outcome(want))
	}
	if err == nil {
		*m = mapped{guest: uint64(got), host: host}
	}
}

// TestAgainstHostKernel makes random calls on files, locks and mappings, here and
// on the host's Linux.
func TestAgainstHostKernel(t *testing.T) {
	old := syscall.Umask(0o022)
	defer syscall.Umask(old)
	for seed := range uint64(40) {
		rng := det.Stream(seed, "kernel/host")
		w := newTwin(t)
		w.mapping = seed%2 == 0
		w.both("umask", 0o022)
		w.both("mkdir", nameArg("d"), 0o755)
		w.both("symlink", bytesAt{0, []byte("a\x00")}, nameArg("s"))
		for range 500 {
			w.step(rng)
		}
	}
}
