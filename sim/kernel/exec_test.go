package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/loader"
	"zhuque/sim/x86"
)

// elfProgram makes an executable: a text segment at base+0x1000 with code, and a
// data segment at base+0x2100 of "DATA" followed by 0x3000 bytes of BSS. The file
// goes on behind "DATA", so that the loader must zero the rest of the page.
func elfProgram(kind uint16, base uint64, code []byte) []byte {
	b := make([]byte, 0x3000)
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], kind)
	le.PutUint16(b[18:], 62)
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[24:], base+0x1000)
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 3)
	ph := func(i int, typ, flags uint32, off, size, mem uint64) {
		p := b[64+56*i:]
		le.PutUint32(p, typ)
		le.PutUint32(p[4:], flags)
		for j, v := range []uint64{off, base + off, base + off, size, mem, 0x1000} {
			le.PutUint64(p[8+8*j:], v)
		}
	}
	ph(0, 1, 5, 0, 0x1000+uint64(len(code)), 0x1000+uint64(len(code)))
	ph(1, 1, 6, 0x2100, 4, 0x3004)
	ph(2, 0x6474e551, 6, 0, 0, 0)
	copy(b[0x1000:], code)
	copy(b[0x2100:], "DATAgarbage that must not show")
	return b
}

// dumpStack is: write(1, rsp, 2048 or what there is); exit(42).
var dumpStack = []byte{
	0x48, 0x89, 0xe6, // mov rsi, rsp
	0xba, 0x00, 0x01, 0x00, 0x00, // mov edx, 256
	0xbf, 0x01, 0x00, 0x00, 0x00, // mov edi, 1
	0xb8, 0x01, 0x00, 0x00, 0x00, // mov eax, 1
	0x0f, 0x05, // syscall
	0xbf, 0x2a, 0x00, 0x00, 0x00, // mov edi, 42
	0xb8, 0x3c, 0x00, 0x00, 0x00, // mov eax, 60
	0x0f, 0x05, // syscall
}

// install puts a file into the guest's root and empties the address space.
func (r *rig) install(name string, data []byte, mode os.FileMode) {
	r.Helper()
	r.ok(os.WriteFile(filepath.Join(r.host, name), data, mode))
	r.ok(r.k.MM.Unmap(scratch, scratchPages*4096))
}

// run executes the program until it stops.
func (r *rig) run() Outcome {
	r.Helper()
	for {
		var o Outcome
		switch st := r.c.Run(1 << 20); st.Reason {
		case x86.StopSyscall:
			o = r.k.Syscall(r.c)
		case x86.StopException:
			o = r.k.Exception(r.c, st.Exc)
		default:
			r.Fatalf("%v %v", st.Reason, st.Unsup)
		}
		r.ok(r.k.Release())
		if o.Stops() {
			return o
		}
	}
}

func TestExec(t *testing.T) {
	for name, base := range map[string]uint64{"fixed": 0x40_0000, "pie": 0} {
		t.Run(name, func(t *testing.T) {
			kind, at := uint16(2), base
			if base == 0 {
				kind, at = 3, pieBase
			}
			r := newRig(t, nil)
			r.install("prog", elfProgram(kind, base, dumpStack), 0o755)
			r.ok(r.k.Exec(r.c, "/prog", []string{"prog", "one"}, []string{"A=1", "B=2"}))
			s := r.c.State()
			if s.RIP != at+0x1000 || s.R[x86.RDX] != 0 || s.R[x86.RSP]%16 != 0 || s.MXCSR != 0x1f80 || s.FPU.CW != 0x37f {
				t.Fatalf("start state: %+v", s)
			}
			if got := string(r.get(at+0x2100, 8)); got != "DATA\x00\x00\x00\x00" {
				t.Fatalf("data segment %q", got)
			}
			if got := r.get(at+0x5103, 1); got[0] != 0 {
				t.Fatal("the last byte of BSS is not zero")
			}
			if start, _ := r.k.MM.BrkRange(); start != at+0x6000 {
				t.Fatalf("heap at %#x", start)
			}
			checkMappings(t, r, at)
			if o := r.run(); !o.Exited || o.Status != 42 {
				t.Fatalf("%+v", o)
			}
			checkStart(t, r, at, s.R[x86.RSP])
		})
	}
}

// checkMappings looks at where each part of the program lies.
func checkMappings(t *testing.T, r *rig, at uint64) {
	for _, c := range []struct {
		va   uint64
		prot mm.Prot
		kind mm.Kind
		pmem bool
	}{
		{at + 0x1000, mm.Read | mm.Exec, mm.File, false},
		{at + 0x2000, mm.Read | mm.Write, mm.Copy, true},
		{at + 0x3000, mm.Read | mm.Write, mm.Anon, true},
		{mm.TaskSize - 4096, mm.Read | mm.Write, mm.Stack, true},
	} {
		v, ok := r.k.MM.Find(c.va)
		if !ok || v.Prot != c.prot || v.Kind != c.kind || v.Phys.IsPMEM() != c.pmem {
			t.Errorf("mapping at %#x: %+v", c.va, v)
		}
	}
}

// checkStart reads what the program printed: its initial stack.
func checkStart(t *testing.T, r *rig, at, sp uint64) {
	out, _ := r.con.Output()
	word := func(i int) uint64 { return le.Uint64(r.get(sp+8*uint64(i), 8)) }
	if len(out) != 256 || string(out) != string(r.get(sp, 256)) {
		t.Fatalf("the program printed %d bytes", len(out))
	}
	text := func(va uint64) string { return cString(r.get(va, 8)) }
	if word(0) != 2 || text(word(1)) != "prog" || text(word(2)) != "one" || word(3) != 0 ||
		text(word(4)) != "A=1" || text(word(5)) != "B=2" || word(6) != 0 {
		t.Fatalf("arguments %x", r.get(sp, 56))
	}
	aux := map[uint64]uint64{}
	for i := 7; word(i) != atNull; i += 2 {
		aux[word(i)] = word(i + 1)
	}
	for typ, want := range map[uint64]uint64{atPhdr: at + 64, atPhent: 56,
		atPhnum: 3, atPagesz: 4096, atEntry: at + 0x1000, atBase: 0, atSecure: 0} {
		if got, ok := aux[typ]; !ok || got != want {
			t.Errorf("auxiliary vector %d: %#x, want %#x", typ, got, want)
		}
	}
	if _, ok := aux[33]; ok {
		t.Error("AT_SYSINFO_EHDR promises a vDSO")
	}
	if text(aux[atExecfn]) != "/prog" || text(aux[atPlat]) != "x86_64" ||
		string(r.get(aux[atRand], 16)) != string(r.k.atRandom()) {
		t.Error("AT_EXECFN, AT_PLATFORM or AT_RANDOM")
	}
	if got := r.text("/proc/self/cmdline"); got != "prog\x00one\x00" {
		t.Errorf("command line %q", got)
	}
	if maps := r.text("/proc/self/maps"); !strings.Contains(maps, "r-xp") ||
		!strings.Contains(maps, "/prog") || !strings.Contains(maps, "[stack]") {
		t.Errorf("maps:\n%s", maps)
	}
}

func TestExecErrors(t *testing.T) {
	r := newRig(t, nil)
	r.install("text", []byte("no program"), 0o755)
	r.install("plain", elfProgram(2, 0x40_0000, dumpStack), 0o644)
	r.install("loop", []byte("#!/loop\n"), 0o755)
	for _, path := range []string{"/text", "/plain", "/tmp", "/loop"} {
		var ne *loader.NotExecutable
		if err := r.k.Exec(r.c, path, []string{path}, nil); !errors.As(err, &ne) || ne.Path == "" {
			t.Errorf("%s: %v", path, err)
		}
	}
	var nf *NotFound
	if err := r.k.Exec(r.c, "/none", nil, nil); !errors.As(err, &nf) || nf.Err != errno.ENOENT {
		t.Errorf("/none: %v", err)
	}
}

func TestScript(t *testing.T) {
	r := newRig(t, nil)
	r.install("prog", elfProgram(2, 0x40_0000, dumpStack), 0o755)
	r.install("script", []byte("#!/prog -x\nrest\n"), 0o755)
	r.ok(r.k.Exec(r.c, "/script", []string{"script", "a"}, nil))
	got := strings.Split(strings.TrimSuffix(r.text("/proc/self/cmdline"), "\x00"), "\x00")
	if want := []string{"/prog", "-x", "/script", "a"}; !slices.Equal(got, want) {
		t.Fatalf("arguments %q, want %q", got, want)
	}
}

// TestTime: virtual time comes from retired instructions and sleeps alone.
func TestTime(t *testing.T) {
	r := newRig(t, nil)
	ts := r.put(make([]byte, 16))
	read := func(clock int) uint64 {
		r.want(0, "clock_gettime", clock, ts)
		b := r.get(ts, 16)
		return le.Uint64(b)*1e9 + le.Uint64(b[8:])
	}
	a := read(1)
	r.c.Retired += 1_000_000
	b := read(1)
	if b-a != 1_000_001*nanosPerInstruction { // the call itself is one
		t.Fatalf("a million instructions took %d ns", b-a)
	}
	r.want(0, "nanosleep", iov(3, 500), 0)
	if c := read(1); c-b < 3e9+500 || c-b > 3e9+600 {
		t.Fatalf("sleeping for 3.0000005 s took %d ns", c-b)
	}
	if c := read(0); c-read(1) != 1_700_000_000*1e9-1 {
		t.Fatalf("wall clock %d", c)
	}
	r.want(errno.EINVAL, "nanosleep", iov(0, 1e9), 0)
	r.want(errno.EINVAL, "clock_gettime", 77, ts)
	now := read(1)
	r.want(0, "clock_nanosleep", 1, 1, iov(now/1e9+1, 0), 0)
	if c := read(1); c/1e9 != now/1e9+1 {
		t.Fatalf("sleeping until %d s ended at %d ns", now/1e9+1, c)
	}
}

// TestRandom: the stream depends on the seed and the position alone.
func TestRandom(t *testing.T) {
	r := newRig(t, nil)
	a := r.k.random(0, 100)
	for pos := range 99 {
		if got := r.k.random(uint64(pos), 1); got[0] != a[pos] {
			t.Fatalf("byte %d differs when read alone", pos)
		}
	}
	buf := r.put(make([]byte, 100))
	r.want(40, "getrandom", buf, 40, 0)
	r.want(60, "read", int(r.sys("open", "/dev/urandom", 0, 0)), buf+40, 60)
	if string(r.get(buf, 100)) != string(a) {
		t.Fatal("getrandom and /dev/urandom do not share one stream")
	}
}

func TestFormatCall(t *testing.T) {
	for _, c := range []struct {
		nr     uint64
		args   [6]uint64
		result uint64
		want   string
	}{
		{257, [6]uint64{^uint64(99), 0x1000, 0x241, 0o644}, 3, "openat(AT_FDCWD, 0x1000, 0x241, 0644) = 3"},
		{3, [6]uint64{9}, errno.EBADF.Result(), "close(9) = -1 EBADF (bad file descriptor)"},
		{9, [6]uint64{0, 4096, 3, 0x22, ^uint64(0), 0}, 0x7000, "mmap(NULL, 4096, 3, 0x22, -1, 0) = 0x7000"},
		{39, [6]uint64{}, 1000, "getpid() = 1000"},
		{999, [6]uint64{1}, errno.ENOSYS.Result(), "syscall_999(0x1, 0x0, 0x0, 0x0, 0x0, 0x0) = -1 ENOSYS (function not implemented)"},
	} {
		if got := FormatCall(c.nr, c.args, c.result); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// A program that is started without arguments has one, which is empty.
func TestExecWithoutArguments(t *testing.T) {
	for _, null := range []bool{true, false} {
		r := newRig(t, nil)
		r.ok(os.WriteFile(filepath.Join(r.host, "prog"), elfProgram(2, 0x40_0000, dumpStack), 0o755))
		argv := uint64(0)
		if !null {
			argv = r.put(make([]byte, 8))
		}
		if o := r.raw("execve", "/prog", argv, 0); o.Stops() {
			t.Fatalf("%+v", o)
		}
		start := r.get(r.c.R[x86.RSP], 24)
		if argc, arg := le.Uint64(start), le.Uint64(start[8:]); argc != 1 ||
			r.get(arg, 1)[0] != 0 || le.Uint64(start[16:]) != 0 {
			t.Errorf("%d arguments, the first at %#x", argc, arg)
		}
	}
}

// A child whose status cannot be written is waited for all the same.
func TestWaitToNowhere(t *testing.T) {
	r := newRig(t, nil)
	child := r.forked()
	r.as(child)
	r.raw("exit_group", 3)
	r.as(initialPID)
	r.want(errno.EFAULT, "wait4", -1, unmapped, 0, 0)
	r.want(errno.ECHILD, "wait4", -1, 0, 0, 0)
	child = r.forked()
	r.as(child)
	r.raw("exit_group", 3)
	r.as(initialPID)
	r.want(errno.EFAULT, "waitid", 0, 0, unmapped, waitExited, 0)
	r.want(errno.ECHILD, "wait4", -1, 0, 0, 0)
}

// A timer that expired more often than the count can say says the most that it can.
func TestOverrunOfATimer(t *testing.T) {
	r := newRig(t, nil)
	r.want(0, "rt_sigprocmask", 0, iov(^uint64(0)), 0, 8)
	r.want(0, "nanosleep", iov(6, 0), 0)
	at := r.put(make([]byte, 8))
	r.want(0, "timer_create", 1, 0, at)
	r.want(0, "timer_settime", 0, timerAbstime, iov(0, 1, 0, 1), 0)
	r.k.Turn(r.c.Retired)
	r.want(0, "timer_getoverrun", 0) // its signal was not taken yet
	for range 2 {
		r.want(14, "rt_sigtimedwait", iov(1<<13), 0, iov(0, 0), 8)
		r.want(1<<31-1, "timer_getoverrun", 0)
		r.k.Turn(r.c.Retired)
		r.c.Retired += 3e9
	}
}

// A process that asks for it is told of its parent's end.
func TestSignalAtTheEndOfAParent(t *testing.T) {
	const setPdeathsig, getPdeathsig = 1, 2
	r := newRig(t, nil)
	parent := r.forked()
	r.as(parent)
	child := r.forked()
	r.as(child)
	r.want(errno.EINVAL, "prctl", setPdeathsig, NSIG)
	r.want(0, "prctl", setPdeathsig, SIGHUP)
	r.want(0, "prctl", getPdeathsig, scratch)
	if b := r.get(scratch, 1); b[0] != SIGHUP {
		t.Errorf("signal %d is asked for", b[0])
	}
	r.want(0, "rt_sigprocmask", 0, []byte{1, 0, 0, 0, 0, 0, 0, 0}, 0, 8)
	grandchild := r.forked()
	r.as(grandchild)
	r.want(0, "prctl", getPdeathsig, scratch)
	if b := r.get(scratch, 1); b[0] != 0 {
		t.Errorf("a child inherits signal %d", b[0])
	}
	r.as(parent)
	r.raw("exit_group", 0)
	if q := r.k.findProcess(child).queue; len(q) != 1 || q[0].Signal != SIGHUP || q[0].PID != parent {
		t.Errorf("the child has %v pending", q)
	}
}
