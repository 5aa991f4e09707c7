package kernel

import (
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"zhuque/sim/det"
	"zhuque/sim/phys"
)

// ipcTwin makes the same calls of IPC here and on the host. Objects stand in slots: their
// identities differ.
type ipcTwin struct {
	*twin
	rng   *rand.Rand
	ids   [3][4][2]int // by kind and slot: here, on the host
	at    [2][2]uint64 // where segments are attached
	queue [2]int       // descriptors of a POSIX queue
}

// The kinds in an ipcTwin and the calls that make them.
const (
	twinSegment = iota
	twinSet
	twinQueue
)

var twinGets = [...]string{"shmget", "semget", "msgget"}

// key is a key that nobody else on the host has.
func (w *ipcTwin) key(n int) int {
	if n == 0 {
		return ipcPrivate
	}
	return 0x51<<24 | os.Getpid()&0xffff<<8 | n
}

// pair makes a call on both sides with arguments of its own for each, and compares the
// results but for identities.
func (w *ipcTwin) pair(name string, identity bool, here, there []any) (got, want int64) {
	w.Helper()
	var h [6]uintptr
	for i, a := range there {
		switch v := a.(type) {
		case int:
			h[i] = uintptr(v)
		case uint64:
			h[i] = uintptr(v)
		case memArg:
			h[i] = w.hostAt(v)
		case bytesAt:
			copy(w.mem[v.off:], v.data)
			h[i] = w.hostAt(memArg(v.off))
		}
	}
	for i, a := range here {
		switch v := a.(type) {
		case memArg:
			here[i] = w.buf + uint64(v)
		case bytesAt:
			w.ok(w.c.Port.WriteBytes(w.buf+uint64(v.off), v.data))
			here[i] = w.buf + uint64(v.off)
		}
	}
	got = w.sys(name, here...)
	w.ok(w.k.Release())
	r, _, e := syscall.Syscall6(uintptr(numbers[name]), h[0], h[1], h[2], h[3], h[4], h[5])
	if want = int64(r); e != 0 {
		want = -int64(e)
	}
	w.log = append(w.log, name+": "+outcome(want))
	if got != want && !(identity && got >= 0 && want >= 0) {
		w.differ("%s%v = %s here, %s%v = %s on Linux", name, here, outcome(got), name, there, outcome(want))
	}
	return got, want
}

// same is pair for arguments that are the same on both sides but for the first, which may be
// an object.
func (w *ipcTwin) same(name string, id [2]int, args ...any) int64 {
	w.Helper()
	_, want := w.pair(name, false, append([]any{id[0]}, args...), append([]any{id[1]}, args...))
	return want
}

func (w *ipcTwin) hostAt(off memArg) uintptr { return uintptr(unsafe.Pointer(&w.mem[off])) }

func (w *ipcTwin) get(kind int) {
	slot, key := w.rng.IntN(4), w.key(w.rng.IntN(4))
	flags := []int{ipcCreat | 0o600, ipcCreat | ipcExcl | 0o640, 0, 0o600, ipcCreat | 0o400, ipcExcl}[w.rng.IntN(6)]
	args := []any{key, []int{0, 1, 4096, 5000, 8192, -1}[w.rng.IntN(6)], flags}
	switch kind {
	case twinSet:
		args[1] = []int{-1, 0, 1, 2, 3, 4, 32001}[w.rng.IntN(7)]
	case twinQueue:
		args = []any{key, flags}
	}
	got, want := w.pair(twinGets[kind], true, append([]any(nil), args...), args)
	if want >= 0 {
		w.drop(kind, slot)
		for i, have := range w.ids[kind] { // one object stands in one slot
			if have == [2]int{int(got), int(want)} {
				w.ids[kind][i] = [2]int{-1, -1}
			}
		}
		w.ids[kind][slot] = [2]int{int(got), int(want)}
	}
}

// drop removes an object.
func (w *ipcTwin) drop(kind, slot int) {
	if id := w.ids[kind][slot]; id[1] >= 0 {
		switch kind {
		case twinSegment:
			w.same("shmctl", id, ipcRmid, 0)
		case twinSet:
			w.same("semctl", id, 0, ipcRmid, 0)
		case twinQueue:
			w.same("msgctl", id, ipcRmid, 0)
		}
	}
	w.ids[kind][slot] = [2]int{-1, -1}
}

func (w *ipcTwin) id(kind int) [2]int { return w.ids[kind][w.rng.IntN(4)] }

func (w *ipcTwin) segments() {
	id, n := w.id(twinSegment), w.rng.IntN(2)
	switch w.rng.IntN(8) {
	case 0, 1:
		w.get(twinSegment)
	case 2:
		w.drop(twinSegment, w.rng.IntN(4))
	case 3, 4:
		if w.at[n][1] != 0 {
			w.pair("shmdt", false, []any{w.at[n][0]}, []any{w.at[n][1]})
		}
		flags := []int{0, shmRdonly, shmRemap, shmRnd, shmExec}[w.rng.IntN(5)]
		w.at[n] = [2]uint64{}
		if got, want := w.pair("shmat", true, []any{id[0], 0, flags}, []any{id[1], 0, flags}); want > 0 {
			w.at[n] = [2]uint64{uint64(got), uint64(want)}
		}
	case 5:
		w.pair("shmdt", false, []any{w.at[n][0] + 1<<n}, []any{w.at[n][1] + 1<<n})
		w.pair("shmat", false, []any{id[0], 0x1001, 0}, []any{id[1], 0x1001, 0})
	case 6:
		if w.at[n][1] != 0 {
			w.pair("munmap", false, []any{w.at[n][0], phys.PageSize}, []any{w.at[n][1], phys.PageSize})
			if w.rng.IntN(2) == 0 {
				w.pair("shmdt", false, []any{w.at[n][0]}, []any{w.at[n][1]})
				w.at[n] = [2]uint64{}
			}
		}
	default:
		if w.same("shmctl", id, ipcStat, memArg(0)) == 0 {
			w.memory(0, 24) // owner and mode
			w.memory(48, 8) // size
			w.memory(88, 8) // attachments
		}
		w.same("shmctl", id, []int{shmLock, shmUnlock, 7, -1}[w.rng.IntN(4)], memArg(0))
	}
}

func (w *ipcTwin) semaphores() {
	id := w.id(twinSet)
	switch w.rng.IntN(8) {
	case 0:
		w.get(twinSet)
	case 1:
		if w.rng.IntN(4) == 0 {
			w.drop(twinSet, w.rng.IntN(4))
		}
	case 2, 3, 4:
		var list []int
		for range 1 + w.rng.IntN(3) {
			list = append(list, w.rng.IntN(4), []int{0, 1, 2, -1, -2, 30000, -30000, 32767}[w.rng.IntN(8)],
				ipcNowait|semUndo*w.rng.IntN(2))
		}
		b := ops(list...)
		n := len(list) / 3
		if n = []int{n, n, n, n, 0, semOps + 1}[w.rng.IntN(6)]; id[1] < 0 && n > semOps {
			break // which error comes first depends on the release
		}
		w.same("semop", id, bytesAt{0, b}, n)
	case 5:
		w.same("semctl", id, w.rng.IntN(4), semSetVal, []int{0, 1, 5, 32767, 32768, -1}[w.rng.IntN(6)])
	case 6:
		w.same("semctl", id, 0, semSetAll, bytesAt{0, ops(1, w.rng.IntN(70000), 3, 4)})
	default:
		for num := range 4 {
			for _, cmd := range []int{semGetVal, semGetN, semGetZ} {
				w.same("semctl", id, num, cmd, 0)
			}
		}
		if w.same("semctl", id, 0, ipcStat, memArg(0)) == 0 {
			w.memory(0, 24)
			w.memory(80, 8)
		}
		w.same("semctl", id, 0, semGetAll, memArg(0))
		w.same("semctl", id, 0, 99, memArg(0))
	}
}

func (w *ipcTwin) messages() {
	id := w.id(twinQueue)
	switch w.rng.IntN(8) {
	case 0:
		w.get(twinQueue)
	case 1:
		if w.rng.IntN(4) == 0 {
			w.drop(twinQueue, w.rng.IntN(4))
		}
	case 2, 3, 4:
		text := make([]byte, []int{0, 1, 10, 5000, 8192, 8193}[w.rng.IntN(6)])
		for i := range text {
			text[i] = byte(w.rng.Uint32())
		}
		w.same("msgsnd", id, bytesAt{0, letter(int64(w.rng.IntN(6)), string(text))}, len(text), ipcNowait)
	case 5, 6:
		how := ipcNowait | []int{0, msgNoError, msgExcept,
			msgNoError | msgExcept, msgCopy, msgCopy | msgExcept}[w.rng.IntN(6)]
		n := w.same("msgrcv", id, memArg(0), []int{0, 5, 10, 8192, 10000}[w.rng.IntN(5)], w.rng.IntN(12)-5, how)
		if n >= 0 {
			w.memory(0, int(n)+8)
		}
	default:
		if w.same("msgctl", id, ipcStat, memArg(0)) == 0 {
			w.memory(0, 24)
			w.memory(72, 24)
		}
		if w.rng.IntN(3) == 0 {
			b := append([]byte(nil), w.mem[:120]...)
			le.PutUint64(b[88:], uint64([]int{100, 16384, 10}[w.rng.IntN(3)]))
			w.same("msgctl", id, ipcSet, bytesAt{0, b})
		}
	}
}

func (w *ipcTwin) posix() {
	name := bytesAt{4096,
		[]byte([]string{"zhuque-test-a\x00", "zhuque-test-b\x00", "\x00", "a/b\x00", ".\x00"}[w.rng.IntN(5)])}
	switch w.rng.IntN(8) {
	case 0:
		flags := []int{oRdwr | oCreat, oRdwr | oCreat | oExcl, oRdwr, 0, oWronly, oAccmode}[w.rng.IntN(6)] | oNonblock
		var attr any = 0
		if w.rng.IntN(3) > 0 {
			attr = bytesAt{0,
				iov(0, []uint64{0, 1, 3, 10, 70000}[w.rng.IntN(5)], []uint64{0, 10, 100, 1 << 25}[w.rng.IntN(4)], 0, 0, 0, 0, 0)}
		}
		got, want := w.pair("mq_open", true, []any{name, flags, 0o600, attr}, []any{name, flags, 0o600, attr})
		if want >= 0 {
			w.same("close", w.queue)
			w.queue = [2]int{int(got), int(want)}
		}
	case 1:
		w.pair("mq_unlink", false, []any{name}, []any{name})
	case 2, 3:
		text := make([]byte, w.rng.IntN(12))
		w.same("mq_timedsend", w.queue, bytesAt{0, text}, len(text), []int{0, 1, 5, 32767, 32768}[w.rng.IntN(5)], 0)
	case 4, 5:
		if n := w.same("mq_timedreceive", w.queue, memArg(0),
			[]int{5, 10, 100, 8192}[w.rng.IntN(4)], memArg(8192), 0); n >= 0 {
			w.memory(0, int(n))
			w.memory(8192, 4)
		}
	case 6:
		how := []uint64{sigevNone, sigevNone, 7, sigevThread}[w.rng.IntN(4)]
		w.same("mq_notify", w.queue, bytesAt{0, iov(1, 900|how<<32, 0, 0, 0, 0, 0, 0)})
		if w.rng.IntN(2) == 0 {
			w.same("mq_notify", w.queue, 0)
		}
	default:
		if w.same("mq_getsetattr", w.queue, 0, memArg(0)) == 0 {
			w.memory(0, 64)
		}
		w.same("mq_getsetattr", w.queue, bytesAt{64, iov(oNonblock, 0, 0, 0, 0, 0, 0, 0)}, 0)
		w.same("mq_getsetattr", w.queue, bytesAt{64, iov(1, 0, 0, 0, 0, 0, 0, 0)}, 0)
	}
}

// TestIPCAgainstHostKernel makes random calls of System V IPC and of POSIX message queues,
// here and on the host's Linux: none that waits.
func TestIPCAgainstHostKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("whoever is not root has other limits")
	}
	for seed := range uint64(20) {
		w := &ipcTwin{twin: newTwin(t), rng: det.Stream(seed, "kernel/ipc"), queue: [2]int{noFD, noFD}}
		for kind := range w.ids {
			for slot := range w.ids[kind] {
				w.ids[kind][slot] = [2]int{-1, -1}
			}
		}
		w.probe()
		func() {
			defer w.clean()
			for range 400 {
				w.next = scratch
				switch w.rng.IntN(4) {
				case 0:
					w.segments()
				case 1:
					w.semaphores()
				case 2:
					w.messages()
				case 3:
					w.posix()
				}
			}
		}()
	}
}

// probe skips the test on a host that lets nobody use IPC, or is told to have less of it.
func (w *ipcTwin) probe() {
	w.Helper()
	try := func(name string, a ...uintptr) uintptr {
		a = append(a, 0, 0, 0, 0)
		id, _, e := syscall.Syscall6(uintptr(numbers[name]), a[0], a[1], a[2], a[3], a[4], 0)
		if e != 0 {
			w.Skipf("%s: %v: not to be had on this host", name, e)
		}
		return id
	}
	try("shmctl", try("shmget", ipcPrivate, 1, 0o600), ipcRmid)
	try("semctl", try("semget", ipcPrivate, 1, 0o600), 0, ipcRmid)
	q := try("msgget", ipcPrivate, 0o600)
	copy(w.mem, letter(1, "x"))
	try("msgsnd", q, w.hostAt(0), 1)
	try("msgrcv", q, w.hostAt(0), 1, 0, msgCopy|ipcNowait)
	try("msgctl", q, ipcRmid)
	copy(w.mem, "zhuque-test-a\x00")
	try("close", try("mq_open", w.hostAt(0), oRdwr|oCreat, 0o600))
	try("mq_unlink", w.hostAt(0))
}

// clean removes what the host still has of a test, whether it failed or not.
func (w *ipcTwin) clean() {
	raw := func(name string, a ...uintptr) {
		a = append(a, 0, 0, 0, 0)
		_, _, _ = syscall.Syscall6(uintptr(numbers[name]), a[0], a[1], a[2], a[3], 0, 0)
	}
	for slot := range 4 {
		raw("shmctl", uintptr(w.ids[twinSegment][slot][1]), ipcRmid)
		raw("semctl", uintptr(w.ids[twinSet][slot][1]), 0, ipcRmid)
		raw("msgctl", uintptr(w.ids[twinQueue][slot][1]), ipcRmid)
	}
	for _, at := range w.at {
		if at[1] != 0 {
			raw("shmdt", uintptr(at[1]))
		}
	}
	raw("close", uintptr(w.queue[1]))
	for _, name := range []string{"zhuque-test-a\x00", "zhuque-test-b\x00"} {
		copy(w.mem, name)
		raw("mq_unlink", w.hostAt(0))
	}
}
