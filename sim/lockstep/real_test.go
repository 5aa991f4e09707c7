package lockstep_test

import (
	"errors"
	"os"
	"testing"

	"zhuque/scenarios/real"
	"zhuque/sim"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/lockstep"
)

// Programs of others, from several places in their lives.
func TestRealPrograms(t *testing.T) {
	input, err := real.Input()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, program string
		args          []string
		from          []uint64
	}{
		{"busybox-sh", "busybox", []string{"sh", "-c", "i=0; while [ $i -lt 300 ]; do i=$((i+1)); done; echo $i"}, []uint64{0, 100_000}},
		{"busybox-awk", "busybox", []string{"awk", "{ n[length($1)] += NR / 3 } END { for (i in n) printf \"%d %.10g\\n\", i, n[i] }", input}, []uint64{1_000_000}},
		{"tour-musl", "tour-musl", []string{input}, []uint64{0, 3_000_000}},
		{"tour-glibc", "tour-glibc", []string{input}, []uint64{0, 1_000_000}},
		{"jit-border", "jit", []string{"protection", "border"}, []uint64{20_000}},
		{"jit-ahead", "jit", []string{"ahead"}, []uint64{0, 30_000}},
		{"jit-elsewhere", "jit", []string{"middle", "elsewhere"}, []uint64{30_000}},
		{"jit-compiler", "jit", []string{"hot", "compiler"}, []uint64{100_000, 700_000}},
		// Not the part that reads behind a mapped file's end, where the host's process has memory.
		{"faults", "faults", nil, []uint64{200_000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, err := real.Path(c.program)
			if errors.As(err, new(*real.Missing)) && !*record &&
				os.Getenv("CI") != "true" && os.Getenv("ZHUQUE_REAL") != "need" {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if testing.Short() {
				c.from = c.from[:1]
			}
			start := machine(t, sim.Config{Program: path, Args: append([]string{path}, c.args...),
				Env: []string{"PATH=/bin", "HOME=/"}, Files: vfs.Options{Root: "/"}})
			n := uint64(30_000)
			if *record {
				n *= recordTimes
			}
			for _, from := range c.from {
				count(same(t, lockstep.Options{Start: start, From: from, Max: n}))
			}
		})
	}
}
