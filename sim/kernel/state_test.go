package kernel

import (
	"errors"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zhuque/sim/det"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// randomArg returns a number that some call takes for something.
func (r *rig) randomArg(rng *rand.Rand) uint64 {
	switch rng.IntN(10) {
	case 0:
		return r.str([]string{"/tmp/a", "/tmp", "b", "/etc/motd", "/dev/zero", "/proc/self/maps",
			"..", "/tmp/a/x", "/dev/stdin", "/proc/self/fd/3", "/dev/urandom"}[rng.IntN(11)])
	case 1, 2, 3:
		return rng.Uint64N(8)
	case 4, 5:
		return scratch + rng.Uint64N(scratchPages*phys.PageSize)&^15
	case 6:
		return scratch + rng.Uint64N(scratchPages)*phys.PageSize
	case 7:
		return 1 << rng.UintN(64)
	case 8:
		return rng.Uint64N(70000)
	}
	return []uint64{^uint64(0), ^uint64(99), 1<<63 - 1, stackTop - 3, unmapped, mm.TaskSize - 1, 1 << 47}[rng.IntN(7)]
}

// randomCall makes any call of the table with random arguments. Often they are
// ones that make sense, so that the process gets into interesting states.
func (r *rig) randomCall(rng *rand.Rand) (Call, Outcome) {
	r.giveUp()
	r.repair()
	table := Table()
	row := table[rng.IntN(len(table))]
	args := make([]any, 6)
	for i := range args {
		args[i] = r.randomArg(rng)
	}
	if rng.IntN(2) == 0 {
		likely := r.likely(rng)
		if r.ipc && rng.IntN(2) == 0 {
			likely = r.likelyIPC(rng)
		}
		c := likely[rng.IntN(len(likely))]
		row, args = table[row2(table, c[0].(string))], c[1:]
	}
	r.c.R[x86.RSP] = stackTop - 4096
	return row, r.raw(row.Name, args...)
}

// likely returns calls that change some part of the state.
func (r *rig) likely(rng *rand.Rand) [][]any {
	fd, buf := rng.Uint64N(8), uint64(scratch+4096*3)
	n := rng.Uint64N(300)
	return [][]any{
		{"openat", -100, "/tmp/" + string(rune('a'+rng.IntN(3))), oRdwr | oCreat, 0o600},
		{"dup2", fd, rng.Uint64N(8)},
		{"write", fd, buf, n},
		{"read", fd, buf, n},
		{"lseek", fd, n, 0},
		{"fcntl", fd, 4, oNonblock},
		{"fcntl", fd, 2, n & 1},
		{"pipe2", buf, oNonblock},
		{"epoll_create1", oCloexec * (n & 1)},
		{"epoll_ctl", fd, 1 + n%3, rng.Uint64N(8), iov(n&7|1<<30*(n>>3&1), 5)},
		{"epoll_ctl", fd, 1, rng.Uint64N(8), iov(5, 5)},
		{"epoll_wait", fd, buf, 1 + n&3, 0},
		{"eventfd2", n, oNonblock | n&1},
		{"socket", 1, 1 + n&1 | oCloexec, 0},
		{"connect", fd, "\x01\x00/tmp", 7},
		{"getdents64", fd, buf, n},
		{"chdir", []string{"/", "/tmp", "/etc"}[rng.IntN(3)]},
		{"umask", n},
		{"brk", 0x70_0000 + n*100},
		{"rt_sigprocmask", rng.Uint64N(3), iov(n << 8), 0, 8},
		{"rt_sigaction", 8 + n&15, iov(n&1, 0, 0, n), 0, 8},
		{"rt_sigtimedwait", iov(^uint64(0)), 0, iov(0, 0), 8},
		{"kill", initialPID, 8 + n&15},
		{"sigaltstack", iov(buf, 0, 4096+n), 0},
		{"set_tid_address", buf + n},
		{"set_robust_list", buf + n, 24},
		{"prlimit64", 0, []uint64{0, 1, 4, 5, 6, 7, 13, 14}[rng.Uint64N(8)], iov(8+n, 900), 0}, // of memory would end the test
		{"prctl", 15, "name" + string(rune('a'+rng.IntN(26)))},
		{"getrandom", buf, n, 0},
		{"openat", -100, "/dev/urandom", 0, 0},
		{"nanosleep", iov(0, n), 0},
		{"flock", fd, 1 + n%2},
		{"fcntl", fd, []int{fSetlkw, fOfdWait}[n%2], flockBytes(int(n>>1%2), 0, int64(n>>2%9), int64(n>>5))},
	}
}

// likelyIPC is likely for objects of IPC.
func (r *rig) likelyIPC(rng *rand.Rand) [][]any {
	fd, buf, n := rng.Uint64N(24), uint64(scratch+4096*3), rng.Uint64N(300)
	return [][]any{
		{"shmget", n % 3, n * 100, ipcCreat | 0o600},
		{"shmat", r.anIPC(KindSegment, n), 0, shmRdonly * (n & 1)},
		{"shmdt", r.anIPC(KindMapping, n)},
		{"shmctl", r.anIPC(KindSegment, n), n >> 4 & 3, buf},
		{"semget", n % 3, 1 + n%4, ipcCreat | 0o600},
		{"semop", r.anIPC(KindSemaphores, n), ops(int(n&3), int(n>>2&7)-3, ipcNowait*int(n>>5&1)|semUndo*int(n>>6&1)), 1},
		{"semctl", r.anIPC(KindSemaphores, n), n & 3, []int{semSetVal, semSetAll, ipcRmid, ipcStat}[n>>2&3], buf},
		{"msgget", n % 3, ipcCreat | 0o600},
		{"msgsnd", r.anIPC(KindMessages, n), buf, n * 20, ipcNowait * (n & 1)},
		{"msgrcv", r.anIPC(KindMessages, n), buf, n, int(n%5) - 2, ipcNowait},
		{"msgctl", r.anIPC(KindMessages, n), n >> 3 & 3, buf},
		{"mq_open", "q" + string(rune('a'+n%3)), oCreat | oRdwr | oNonblock*(n>>2&1), 0o600, iov(0, 1+n%3, 300, 0)},
		{"mq_timedsend", fd, buf, n, n & 7, 0},
		{"mq_timedreceive", fd, buf, 300, buf + 512, 0},
		{"mq_notify", fd, iov(n, 10, 0, 0, 0, 0, 0, 0)},
		{"mq_unlink", "q" + string(rune('a'+n%3))},
	}
}

// anIPC returns the identity of one of the objects of a kind, or where a segment is attached.
func (r *rig) anIPC(kind RecordKind, n uint64) uint64 {
	var keys []uint64
	if kind == KindMapping {
		for _, v := range r.k.MM.VMAs() {
			if v.Kind == mm.Direct && r.k.files.ipc.segmentAt(v.Node) != nil {
				keys = append(keys, v.Start)
			}
		}
	} else {
		kinds[kind].keys(r.k, func(key Key) { keys = append(keys, key.A) })
	}
	if len(keys) == 0 {
		return n
	}
	return keys[n%uint64(len(keys))]
}

// repair maps the scratch memory again when random calls have taken it away.
func (r *rig) repair() {
	if r.next > stackTop-16384 {
		r.next = scratch
	}
	for va := uint64(scratch); va < stackTop; va += phys.PageSize {
		used := va-r.next&^phys.PageMask <= phys.PageSize // by put, perhaps up to the next page
		if v, ok := r.k.MM.Find(va); ok && v.Prot&mm.Write != 0 && v.Kind != mm.Direct && !used {
			continue
		}
		if r.c.Port.WriteBytes(va, []byte{0}) == nil {
			continue
		}
		if _, err := r.k.MM.Map(mm.MapRequest{Addr: va, Length: phys.PageSize,
			Prot: mm.Read | mm.Write, Fixed: true, Kind: mm.Anon}); err != nil {
			r.Fatal(err)
		}
	}
}

func row2(table []Call, name string) int {
	for i := range table {
		if table[i].Name == name {
			return i
		}
	}
	panic(name)
}

// TestHostileArguments gives random numbers and pointers to every call. The
// kernel must not panic, and must not hold more memory than the process may have.
func TestHostileArguments(t *testing.T) {
	used := map[string]bool{}
	for seed := range uint64(12) {
		r := newRig(t, strings.NewReader("input"))
		rng := det.Stream(seed, "kernel/hostile")
		for range 1500 {
			row, o := r.randomCall(rng)
			used[row.Name] = true
			if o.Err != nil {
				t.Fatalf("seed %d: %s: %v", seed, row.Name, o.Err)
			}
			if o.Unsupported != nil && o.Unsupported.What == "" || o.Stops() && !o.Exited && o.Unsupported == nil {
				t.Fatalf("seed %d: %s: %+v", seed, row.Name, o)
			}
			if o.Exited && row.Class != Final && o.Signal == 0 {
				t.Fatalf("seed %d: %s ended the process with status %d", seed, row.Name, o.Status)
			}
			if err := r.k.Release(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(used) != len(Table()) {
		t.Fatalf("%d of %d calls were made", len(used), len(Table()))
	}
}

// FuzzSyscall lets the fuzzer choose one call and its arguments.
func FuzzSyscall(f *testing.F) {
	f.Add(uint64(9), uint64(0), uint64(1<<40), uint64(3), uint64(0x22), ^uint64(0), uint64(0))
	f.Add(uint64(20), uint64(1), uint64(scratch), uint64(1024), uint64(0), uint64(0), uint64(0))
	f.Add(uint64(217), uint64(0), uint64(scratch), ^uint64(0), uint64(0), uint64(0), uint64(0))
	f.Add(uint64(15), uint64(0), uint64(0), uint64(0), uint64(0), uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, nr, a, b, c, d, e, g uint64) {
		r := newRig(t, nil)
		for i, reg := range []int{x86.RAX, x86.RDI, x86.RSI, x86.RDX, x86.R10, x86.R8, x86.R9} {
			r.c.R[reg] = [...]uint64{nr, a, b, c, d, e, g}[i]
		}
		if o := r.k.Syscall(r.c); o.Err != nil {
			t.Fatal(o.Err)
		}
	})
}

// TestDirty: what TakeDirty names, applied to a copy, keeps the copy equal to the
// kernel's state through random calls. It catches a change that the runtime would
// not be told of.
func TestDirty(t *testing.T) {
	for seed := range uint64(10) {
		r := newRig(t, strings.NewReader("input"))
		r.always = true
		rng := det.Stream(seed, "kernel/dirty")
		shadow := map[Key]Record{}
		for _, rec := range r.k.Records() {
			shadow[rec.Key] = rec
		}
		r.k.TakeDirty()
		for n := range 600 {
			row, _ := r.randomCall(rng)
			for _, key := range r.k.TakeDirty() {
				delete(shadow, key)
				if rec, ok := r.k.Record(key); ok {
					shadow[key] = rec
				}
			}
			now := r.k.Records()
			if len(shadow) != len(now) {
				t.Fatalf("seed %d, call %d (%s): %d records known, %d there", seed, n, row.Name, len(shadow), len(now))
			}
			for _, rec := range now {
				if known := shadow[rec.Key]; !known.Equal(rec) {
					t.Fatalf("seed %d, call %d (%s): changed unnoticed: %v to %v", seed, n, row.Name, known, rec)
				}
			}
			r.ok(r.k.Release())
		}
	}
}

// reborn replaces the rig's kernel by one that is restored from records, on a file
// tree that went through its durable form.
func (r *rig) reborn(records []Record) error {
	data, err := r.k.FS.Marshal()
	r.ok(err)
	fs, err := vfs.Unmarshal(vfs.Options{Root: r.host, Hooks: Hooks()}, data)
	r.ok(err)
	r.start(fs)
	err = r.k.Restore(records, func() *mm.Space { return r.space(fs) }, Schedule{})
	if err == nil {
		r.attach()
	}
	return err
}

// TestRestore rebuilds processes from their records and looks whether they are the same.
func TestRestore(t *testing.T) {
	for seed := range uint64(10) {
		r := newRig(t, strings.NewReader("input"))
		rng := det.Stream(seed, "kernel/restore")
		for range 300 {
			r.randomCall(rng)
			r.ok(r.k.Release())
		}
		want := r.k.Records()
		r.ok(r.reborn(want))
		if diff := cmp.Diff(want, r.k.Records()); diff != "" {
			t.Fatalf("seed %d: after the restart:\n%s", seed, diff)
		}
		if d := r.k.TakeDirty(); len(d) > 0 {
			t.Fatalf("seed %d: dirty after a restart: %v", seed, d)
		}
	}
}

// TestRestoredSharing: dup'ed descriptors share an offset again, a pipe has its
// bytes, its writer and its end, and an unlinked open file is still there.
func TestRestoredSharing(t *testing.T) {
	r := newRig(t, nil)
	p := r.put(make([]byte, 8))
	buf := r.put(make([]byte, 16))
	r.want(0, "pipe", p)
	r.want(3, "write", 4, "xyz", 3)
	r.want(5, "open", "/tmp/gone", oRdwr|oCreat, 0o600)
	r.want(6, "write", 5, "abcdef", 6)
	r.want(2, "lseek", 5, 2, 0)
	r.want(9, "dup2", 5, 9)
	r.want(0, "unlink", "/tmp/gone")
	r.ok(r.k.Release())

	r.ok(r.reborn(r.k.Records()))
	r.k.FS.Sweep()

	r.want(3, "read", 5, buf, 3)
	r.want(1, "read", 9, buf+3, 9)
	if got := string(r.get(buf, 4)); got != "cdef" {
		t.Fatalf("the unlinked file reads %q", got)
	}
	r.want(1, "write", 4, "!", 1)
	r.want(4, "read", 3, buf, 16)
	r.want(0, "close", 4)
	r.want(0, "read", 3, buf, 16)
	r.want(0, "close", 5)
	r.want(0, "lseek", 9, 0, 0)
	r.want(6, "read", 9, buf, 16)
}

// TestDeletedUntilRelease: a file that has no name any more outlives the call
// that closes it until that call is committed.
func TestDeletedUntilRelease(t *testing.T) {
	r := newRig(t, nil)
	r.want(3, "open", "/tmp/gone", oRdwr|oCreat, 0o600)
	r.want(0, "unlink", "/tmp/gone")
	node := r.k.get(3).node
	r.ok(r.k.Release())
	r.want(0, "close", 3)
	if _, err := r.k.FS.Stat(node); err != nil {
		t.Fatalf("the file is gone before the commit: %v", err)
	}
	r.ok(r.k.Release())
	if _, err := r.k.FS.Stat(node); err == nil {
		t.Fatal("the file is kept for ever")
	}
}

// TestDamagedState changes one word, or loses one record, of a saved state.
func TestDamagedState(t *testing.T) {
	type list = []Record
	find := func(l list, kind RecordKind, n int) *Record {
		for i := range l {
			if l[i].Key.Kind == kind {
				if n--; n < 0 {
					return &l[i]
				}
			}
		}
		panic("no such record")
	}
	drop := func(kind RecordKind) func(list) list {
		return func(l list) list {
			return slices.DeleteFunc(l, func(r Record) bool { return r.Key.Kind == kind })
		}
	}
	word := func(kind RecordKind, n, w int, v uint64) func(list) list {
		return func(l list) list {
			find(l, kind, n).Words[w] = v
			return l
		}
	}
	for name, damage := range map[string]func(list) list{
		"kind of description":      word(KindDesc, 0, 0, 99),
		"socket of unknown type":   word(KindDesc, 2, 0, uint64(FDSocket)),
		"offset":                   word(KindDesc, 1, 2, ^uint64(0)),
		"descriptor of nothing":    word(KindFD, 1, 0, 77),
		"cloexec is no flag":       word(KindFD, 1, 1, 2),
		"no descriptors":           drop(KindFD),
		"pipe lost":                drop(KindPipe),
		"descriptions lost":        drop(KindDesc),
		"process lost":             drop(KindProcess),
		"threads lost":             drop(KindThread),
		"thread of nobody":         word(KindThread, 0, 0, 4711),
		"current thread not there": word(KindSystem, 0, 4, 77),
		"numbers":                  word(KindSystem, 0, 1, 1),
		"watch of nothing":         word(KindWatch, 0, 1, 77),
		"heap":                     word(KindProcess, 0, 16, 1<<40),
		"mapping without size":     word(KindMapping, 0, 0, 0),
		"half a record": func(l list) list {
			r := find(l, KindProcess, 0)
			r.Words = r.Words[:10]
			return l
		},
		"more than a record": func(l list) list {
			r := find(l, KindDesc, 0)
			r.Words = append(r.Words, 1)
			return l
		},
		"pipe content": func(l list) list {
			find(l, KindPipe, 0).Bytes = make([]byte, PipeCapacity+1)
			return l
		},
		"signal out of range": func(l list) list {
			return append(l, Record{Key: Key{KindAction, initialPID, 65}, Words: make([]uint64, 4)})
		},
		"the same twice": func(l list) list { return append(l, l[0]) },
		"unknown kind":   func(l list) list { return append(l, Record{Key: Key{Kind: recordKinds}}) },
	} {
		r := newRig(t, nil)
		r.want(0, "pipe", scratch)
		r.want(5, "epoll_create1", 0)
		r.want(0, "epoll_ctl", 5, 1, 3, iov(1, 0))
		r.sys("brk", uint64(r.sys("brk", 0)+100))
		if err := r.reborn(r.k.Records()); err != nil {
			t.Fatal(err)
		}
		var b *BadState
		if err := r.reborn(damage(r.k.Records())); !errors.As(err, &b) {
			t.Errorf("%s: %v, want *BadState", name, err)
		}
	}
}

// TestForkIndependence: a fork's calls leave the original alone.
func TestForkIndependence(t *testing.T) {
	r := newRig(t, strings.NewReader("input"))
	rng := det.Stream(1, "kernel/fork")
	for range 200 {
		r.randomCall(rng)
	}
	want := r.k.Records()
	f := &rig{TB: t, host: r.host, next: r.next, dram: r.dram.Fork(), pmem: r.pmem.Fork(), con: r.con.Fork(false)}
	fs := r.k.FS.Fork()
	f.k = r.k.Fork(func(s *mm.Space) *mm.Space { return s.Fork(f.dram, f.pmem, fs, nil) }, fs, f.con)
	f.attach()
	if diff := cmp.Diff(want, f.k.Records()); diff != "" {
		t.Fatalf("the fork differs:\n%s", diff)
	}
	for range 300 {
		f.randomCall(rng)
		f.ok(f.k.Release())
	}
	if diff := cmp.Diff(want, r.k.Records()); diff != "" {
		t.Fatalf("the original changed:\n%s", diff)
	}
}

// TestNumbers compares the table with Linux's header of system-call numbers: Debian's,
// which ./check fetches, or this machine's.
func TestNumbers(t *testing.T) {
	const header = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
	text, err := os.ReadFile("../../.cache/real/root" + header)
	if err != nil {
		text, err = os.ReadFile(header)
	}
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("no header of system-call numbers on this machine: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint64]string{}
	for _, m := range regexp.MustCompile(`#define __NR_(\w+)\s+(\d+)`).FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.ParseUint(m[2], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		want[n] = m[1]
	}
	if len(want) < 300 {
		t.Fatalf("%d numbers in the header", len(want))
	}
	for _, c := range Table() {
		if name, ok := want[c.Nr]; ok && name != c.Name {
			t.Errorf("system call %d is %s, the table says %s", c.Nr, name, c.Name)
		}
	}
}

// TestReissue: a call that was cut before its commit is issued again on the state
// before it, but on memory that it has written to. It must do the same again.
func TestReissue(t *testing.T) {
	r := newRig(t, nil)
	r.k.DeferInOut(true)
	in := int(r.sys("open", "/etc/motd", 0, 0))
	out := int(r.sys("open", "/tmp/o", oRdwr|oCreat, 0o600))
	off := r.put(iov(7))
	mask := r.put(iov(bit(10)))
	act := r.put(iov(handlerAt, saRestorer, restorerAt, 0))
	lim := r.put(iov(50, 60))
	stack := r.put(make([]byte, 4096))
	alt := r.put(iov(stack, 0, 4096))
	for _, c := range []struct {
		name string
		at   uint64
		args []any
	}{
		{"sendfile", off, []any{out, in, off, 3}},
		{"copy_file_range", off, []any{in, off, out, 0, 3, 0}},
		{"rt_sigprocmask", mask, []any{2, mask, mask, 8}},
		{"rt_sigaction", act, []any{10, act, act, 8}},
		{"prlimit64", lim, []any{0, rlimitNofile, lim, lim}},
		{"sigaltstack", alt, []any{alt, alt}},
	} {
		before := r.k.Records()
		first := r.sys(c.name, c.args...)
		writes, after := r.k.TakeInOut(), r.k.Records()
		if len(writes) != 1 {
			t.Fatalf("%s left %d writes", c.name, len(writes))
		}
		r.k.FS.ForgetRefs()
		r.ok(r.k.Restore(before, func() *mm.Space { return r.space(r.k.FS) }, Schedule{}))
		r.attach()
		r.k.DeferInOut(true)
		if again := r.sys(c.name, c.args...); again != first {
			t.Fatalf("%s: first %d, again %d", c.name, first, again)
		}
		if diff := cmp.Diff(after, r.k.Records()); diff != "" {
			t.Fatalf("%s issued again:\n%s", c.name, diff)
		}
		if diff := cmp.Diff(writes, r.k.TakeInOut()); diff != "" {
			t.Fatalf("%s issued again leaves other writes:\n%s", c.name, diff)
		}
		r.pmem.Write(writes[0].At, writes[0].Data)
		if got := r.get(c.at, len(writes[0].Data)); string(got) != string(writes[0].Data) {
			t.Fatalf("%s: the process reads %x, the write was %x", c.name, got, writes[0].Data)
		}
	}
}

// BenchmarkFork is the kernel's part of a machine's fork.
func BenchmarkFork(b *testing.B) {
	r := newRig(b, nil)
	fs := r.k.FS.Fork()
	space := func(s *mm.Space) *mm.Space { return s.Fork(r.dram, r.pmem, fs, nil) }
	for b.Loop() {
		r.k.Fork(space, fs, r.con.Fork(true))
	}
}

// BenchmarkSyscall is the cost of a call that does nothing, and of a small write.
func BenchmarkSyscall(b *testing.B) {
	r := newRig(b, nil)
	call := func(nr uint64, args ...uint64) {
		r.c.R[x86.RAX] = nr
		for i, a := range args {
			r.c.R[[]int{x86.RDI, x86.RSI, x86.RDX}[i]] = a
		}
		if o := r.k.Syscall(r.c); o.Stops() {
			b.Fatal(o)
		}
	}
	b.Run("getpid", func(b *testing.B) {
		for b.Loop() {
			call(39)
		}
	})
	b.Run("pwrite", func(b *testing.B) {
		fd := uint64(r.sys("open", "/tmp/x", oRdwr|oCreat, 0o600))
		for b.Loop() {
			call(1, fd, scratch, 64)
			call(8, fd, 0, 0)
		}
	})
}
