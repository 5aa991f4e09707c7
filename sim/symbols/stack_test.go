package symbols_test

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"zhuque/internal/testrig"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/symbols"
)

// guest returns a machine with a program of the host's and the host's libraries.
func guest(t testing.TB, program string, args ...string) *sim.Machine {
	t.Helper()
	cfg := testrig.Config(t, "list")
	cfg.Program, cfg.Args, cfg.Files.Root = program, append([]string{program}, args...), "/"
	cfg.Memory, cfg.Model, cfg.Preload = sim.Native, false, nil
	cfg.Console = kernel.NewConsole(strings.NewReader(""), nil, nil)
	cfg.Console.Capture()
	m, err := sim.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// entry reports whether a function begins at an address.
func entry(s *symbols.Process, at uint64, function string) bool {
	l := s.At(at)
	return l.Symbol == function && l.SymbolOffset == 0
}

// stackAt runs a guest until it enters a function for the n-th time.
func stackAt(t testing.TB, m *sim.Machine, function string, n int) symbols.Stack {
	t.Helper()
	cache := &symbols.Cache{}
	known := map[uint64]bool{}
	for m.Retired() < 20e6 {
		if stop := m.Step(); stop.Ended() {
			t.Fatalf("%v before %s is called", stop, function)
		}
		pc := m.CPU().RIP
		hit, asked := known[pc]
		if !asked {
			th := m.Kernel().Threads()[0]
			hit = entry(m.Symbols(th.Process(), cache), pc, function)
			known[pc] = hit
		}
		if hit {
			if n--; n == 0 {
				return m.Stack(m.Kernel().Threads()[0], cache)
			}
		}
	}
	t.Fatalf("%s is not called", function)
	return nil
}

var gdbFrame = regexp.MustCompile(
	`(?m)^#\d+ +(?:0x[0-9a-f]+ in )?(\S+|<signal handler called>)(?: \(.*\))?(?: at (\S+:\d+))?(?: from \S+)?$`)

// gdbStack is what gdb prints at the same place of a native run.
func gdbStack(t *testing.T, function string, n int, program string, args ...string) (list []string) {
	t.Helper()
	needs(t, "gdb")
	script := []string{"-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "set breakpoint pending on",
		"-ex", "set backtrace past-main on", "-ex", "handle SIGUSR1 nostop noprint pass",
		"-ex", "set print frame-arguments none", "-ex", "break *" + function, "-ex", "run", "-ex", fmt.Sprintf("ignore 1 %d", n-1)}
	if n > 1 {
		script = append(script, "-ex", "continue")
	}
	script = append(script, "-ex", "bt", "-ex", "kill", "--args", program)
	out, err := exec.Command("gdb", append(script, args...)...).CombinedOutput()
	if err != nil {
		t.Skipf("gdb cannot run programs here: %v\n%s", err, out)
	}
	for _, f := range gdbFrame.FindAllStringSubmatch(string(out), -1) {
		at := ""
		if f[2] != "" {
			at = " " + path.Base(f[2])
		}
		list = append(list, f[1]+at)
	}
	if len(list) == 0 {
		t.Skipf("gdb printed no stack:\n%s", out)
	}
	return list
}

// shown gives a stack as gdbStack does.
func shown(s symbols.Stack) (list []string) {
	for _, f := range s {
		switch {
		case f.Signal:
			list = append(list, "<signal handler called>")
		case f.HasLine():
			list = append(list, fmt.Sprintf("%s %s:%d", f.Function, path.Base(f.File), f.Line))
		case f.Symbol != "":
			list = append(list, f.Symbol)
		default:
			list = append(list, "??")
		}
	}
	return list
}

// own leaves out the library's frames: gdb infers some of tail calls, and how many there
// are shows in what comes behind them.
func own(list []string) (out []string) {
	for _, s := range list {
		if strings.Contains(s, " stack.c:") || s[0] == '<' {
			out = append(out, s)
		}
	}
	return out
}

// The stack through recursion, inlined functions and a signal's handler, on the stack or on
// one of its own, is the one that gdb sees.
func TestStacksAreThoseOfGDB(t *testing.T) {
	for _, c := range []struct {
		name, cc, flags string
		args            []string
	}{
		{"-O0", "gcc", "-O0 -g", nil}, {"-O2", "gcc", "-O2 -g -fno-optimize-sibling-calls", nil},
		{"alternate stack", "gcc", "-O2 -g", []string{"alternate"}}, {"DWARF 4, no PIE", "gcc", "-O1 -gdwarf-4 -no-pie", nil},
		{"static", "gcc", "-O1 -g -static", nil}, {"static PIE", "gcc", "-O1 -g -static-pie", []string{"alternate"}},
		{"musl, static", "musl-gcc", "-O1 -g -static", nil}, {"musl, static, alternate stack", "musl-gcc", "-O2 -g -static", []string{"alternate"}},
		{"frame pointers alone", "gcc", "-O0 -g -fno-asynchronous-unwind-tables -fno-dwarf2-cfi-asm", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			needs(t, c.cc)
			program := build(t, c.cc, "stack.c", strings.Fields(c.flags)...)
			got := shown(stackAt(t, guest(t, program, c.args...), "stop_here", 1))
			i := slices.IndexFunc(got, func(s string) bool { return strings.HasPrefix(s, "main ") })
			if i < 0 || !slices.Contains(got, "<signal handler called>") {
				t.Fatalf("the stack does not reach main through the handler:\n%s", strings.Join(got, "\n"))
			}
			want := gdbStack(t, "stop_here", 1, program, c.args...)
			if j := slices.IndexFunc(want, func(s string) bool { return strings.HasPrefix(s, "main ") }); j >= 0 {
				want = want[:j+1]
			}
			got, want = own(got[:i+1]), own(want)
			if c.cc == "musl-gcc" { // gdb gets lost in musl, which has no call frame information
				tail := []string{"compare stack.c:45", "main stack.c:57"}
				if len(got) < 3 || !slices.Equal(got[len(got)-2:], tail) {
					t.Errorf("behind musl's frames expected %q:\n%s", tail, strings.Join(got, "\n"))
				}
				got = got[:min(len(got), len(want))]
			}
			if !slices.Equal(got, want) {
				t.Errorf("stack:\n%s\nexpected:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// A store in libpmem, which has no lines, is named by the line that called for it.
func TestStoresOfALibraryAreNamedByTheirCallers(t *testing.T) {
	if _, err := os.Stat("/usr/include/libpmem.h"); err != nil {
		t.Skip(err)
	}
	for _, opt := range []string{"-O0", "-O2"} {
		program := build(t, "gcc", "pmem.c", opt, "-g", "-lpmem")
		pool := filepath.Join("/mnt/pmem", "pool")
		for _, c := range []struct{ in, line string }{{"pmem_persist", "pmem.c:7 (fill)"},
			{"pmem_memcpy_persist", "pmem.c:8 (fill)"}} {
			m, cache := guest(t, program, pool), &symbols.Cache{}
			s := stackAt(t, m, c.in, 1)
			f, ok := s.Line()
			if !ok || f.Location.String() != c.line {
				t.Errorf("%s, %s: %v, expected %s: %q", opt, c.in, f, c.line, shown(s))
			}
			for n := range 200 { // inside the library, at every instruction
				if stop := m.Step(); stop.Ended() {
					t.Fatal(stop)
				}
				s := m.Stack(m.Kernel().Threads()[0], cache)
				if f, ok := s.Line(); !ok || path.Base(f.File) != "pmem.c" {
					t.Fatalf("%s: %d instructions in %s: %q", opt, n, c.in, shown(s))
				}
				if s[0].HasLine() {
					break
				}
			}
		}
	}
}
