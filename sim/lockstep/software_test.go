package lockstep_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/scenarios/real"
	"zhuque/sim"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/lockstep"
	"zhuque/sim/x86"
)

// software is Debian's programs, with their dynamic linker and shared libraries. Those
// that make machine code make it on both sides, as the model's memory is copied. SBCL
// starts a thread in the end, which no comparison follows.
var software = []struct {
	name    string
	command string
	level   x86.Level
	from    []uint64
}{
	{"python", "/usr/bin/python3.11 -c pass", x86.V2, []uint64{0, 200_000, 8_000_000, 20_000_000}},
	{"python-v3", "/usr/bin/python3.11 -c pass", x86.V3, []uint64{60_000, 20_000_000}},
	{"perl", "/usr/bin/perl -e $s{$_%7}.=chr(65+$_%26)for(1..3000);print(map{length}values%s)", x86.V2, []uint64{0, 1_500_000}},
	{"gawk-v3", "/usr/bin/gawk -f /script/words.awk /script/words.awk", x86.V3, []uint64{0, 1_000_000}},
	{"sqlite", "/usr/bin/sqlite3 :memory: " + query, x86.V2, []uint64{500_000, 2_000_000}},
	{"openssl", "/usr/bin/openssl dgst -sha3-256 /script/queue.s", x86.V2, []uint64{50_000, 4_000_000}},
	{"openssl-v3", "/usr/bin/openssl dgst -sha512 /script/queue.s", x86.V3, []uint64{0, 4_000_000}},
	{"luajit", "/usr/bin/luajit /script/loop.lua", x86.V2, []uint64{0, 300_000, 500_000}},
	{"luajit-v3", "/usr/bin/luajit /script/loop.lua", x86.V3, []uint64{0, 450_000}},
	{"tcc-v3", "/usr/bin/tcc -run /script/fib.c", x86.V3, []uint64{300_000, 1_100_000}},
	{"grep-pcre", "/bin/grep -oP (?<=a)[a-f]+(?!c) /script/words.awk", x86.V2, []uint64{100_000, 500_000}},
	{"sbcl", "/usr/bin/sbcl --noinform --no-sysinit --no-userinit --disable-debugger --load /script/loop.lisp", x86.V2, []uint64{0, 1_500_000}},
}

const query = "with\trecursive\tc(i)\tas(select\t1\tunion\tall\tselect\ti+1\tfrom\tc\twhere\ti<300)select\tsum(i*i),group_concat(i%7)from\tc;"

// scripts are small enough for a whole run, one step at a time.
var scripts = map[string]string{
	"loop.lua":  "local s, t = 0, {}\nfor r = 1, 20 do for i = 1, 200 do s = (s * 31 + i + r % 3 * 0.5) % 65521; t[i] = s end end\nprint(s, #t, ('x'):rep(99):byte(50))\n",
	"loop.lisp": "(defun f (n) (declare (fixnum n)) (if (< n 2) n (+ (f (- n 1)) (f (- n 2)))))\n(print (f 12)) (print (handler-case (truncate (f 5) (f 0)) (division-by-zero () 'none))) (terpri) (finish-output) (exit :abort t)\n",
	"fib.c":     "int printf(const char *, ...);\nstatic unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }\nint main(void) { printf(\"%u %g\\n\", fib(14), fib(9) / 7.0); return 3; }\n",
}

// Real programs with all that they load, on both levels of the processor: from several
// places in their lives, or with ZHUQUE_REAL_ALL=1 in the environment from beginning to end.
func TestRealSoftware(t *testing.T) {
	root, err := real.Root()
	if errors.As(err, new(*real.Missing)) && !*record && os.Getenv("CI") != "true" && os.Getenv("ZHUQUE_REAL") != "need" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for name, text := range scripts {
		files["/script/"+name] = []byte(text)
	}
	for _, name := range []string{"words.awk", "queue.s"} {
		if files["/script/"+name], err = os.ReadFile(filepath.Join("../../scenarios/real/scripts", name)); err != nil {
			t.Fatal(err)
		}
	}
	whole := os.Getenv("ZHUQUE_REAL_ALL") != ""
	for _, c := range software {
		t.Run(c.name, func(t *testing.T) {
			args := strings.Split(c.command, " ")
			start := machine(t, sim.Config{Program: args[0], Args: args, Env: []string{"PATH=/usr/bin:/bin", "HOME=/", "LC_ALL=C.UTF-8"},
				Level: c.level, Preload: files, Files: vfs.Options{Root: root}})
			n := uint64(20_000)
			if *record {
				n *= recordTimes
			}
			if whole && c.name != "sbcl" {
				c.from, n = c.from[:1], 0
				c.from[0] = 0
			}
			if testing.Short() {
				c.from = c.from[len(c.from)-1:]
			}
			for _, from := range c.from {
				count(same(t, lockstep.Options{Start: start, From: from, Max: n}))
			}
		})
	}
}
