package systems

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"zhuque/crashinject"
	"zhuque/scenarios/region"
	"zhuque/sim"
)

// measured runs a workload where native memory is DRAM, and the region persistent.
func measured(t *testing.T, w Workload) *region.Cost {
	t.Helper()
	s := crashinject.DefaultSetup()
	s.Memory, s.Guest = sim.Native, Guest
	p := w.Program()
	c, err := p.Measure(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What an operation on one word takes is what the algorithms say. Undo log: fences behind the cleared
// slot, the entry, the range, the heap and the generation; lines of slot, entry, range, generation.
// Redo log: the log and its tail, then the data and the tail; the data's line, and three of the log. Sections:
// each flush has a fence on both sides; the four entries of acquire, store, release and end lie two in
// a line and take six flushes (1.5 each), then the data and the log's head. Clobber: arguments, the word, the
// data, and in the repaired form the flag behind it.
func TestFencesAndFlushesOfAnOperation(t *testing.T) {
	const n = 100
	type counts struct{ sfence, mfence, clwb, clflush, streamed uint64 }
	for _, row := range []struct {
		system, mode, mix string
		want              counts
	}{
		{"native", "adr", "load", counts{}},
		{"undo", "adr", "load", counts{sfence: 5, clwb: 2, streamed: 2}},
		{"undo", "adr", "c", counts{sfence: 2}},
		{"undo", "fof", "load", counts{sfence: 5, streamed: 2}},
		{"undo", "unfenced", "load", counts{streamed: 2}},
		{"undo", "plain", "load", counts{}},
		{"redo", "adr", "load", counts{sfence: 2, mfence: 2, clflush: 1, streamed: 3}},
		{"redo", "adr", "c", counts{}},
		{"redo", "fof", "load", counts{sfence: 2, mfence: 2, streamed: 3}},
		{"fase", "adr", "load", counts{mfence: 16, clflush: 8}},
		{"fase", "fof", "load", counts{mfence: 16}},
		{"clobber", "adr", "load", counts{sfence: 4, clwb: 4}},
		{"clobber", "adr-published", "load", counts{sfence: 3, clwb: 3}},
		{"clobber", "fof", "load", counts{sfence: 4}},
	} {
		c := measured(t, Workload{row.system, "counters", row.mode, row.mix, 1, n, 1})
		s := c.Stats
		got := counts{s.SFENCE / n, s.MFENCE / n, s.CLWB / n, s.CLFLUSH / n, s.WCEvictions / n}
		if got != row.want {
			t.Errorf("%s %s %s: %+v for an operation, expected %+v", row.system, row.mode, row.mix, got, row.want)
		}
	}
}

// Every system leaves the same in every structure, by one thread and by three.
func TestSystemsAgree(t *testing.T) {
	for _, structure := range Structures() {
		for _, threads := range []uint64{1, 3} {
			want := ""
			for _, sys := range all {
				c := measured(t, Workload{sys.Name, structure, "adr", "load", threads, 20, 20})
				if want == "" {
					want = c.Prints
				}
				if c.Prints != want || c.Prints == "" {
					t.Errorf("%s, %d threads, %s: %q, natively %q", structure, threads, sys.Name, c.Prints, want)
				}
			}
		}
	}
}

// A check of the program that fails is an error, not a measurement.
func TestMeasureRefuses(t *testing.T) {
	for _, w := range []Workload{{"undo", "tree", "adr", "load", 1, 1, 1}, {"undo", "queue", "adr", "e", 1, 1, 1}, {"none", "queue", "adr", "a", 1, 1, 1}} {
		s, p := crashinject.DefaultSetup(), w.Program()
		s.Guest = Guest
		if c, err := p.Measure(s); err == nil {
			t.Errorf("%+v: %+v", w, c)
		}
	}
}

// The committed programs are what the sources give, where the compiler is the same.
func TestBuildGivesTheCommittedPrograms(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("builds for this processor")
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no gcc")
	}
	dir := t.TempDir()
	if out, err := exec.Command("./build", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	read := func(path string) []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if !bytes.Equal(read(filepath.Join(dir, "COMPILER")), read("bin/COMPILER")) {
		t.Skip("another compiler than that of the committed programs")
	}
	for _, sys := range all {
		if !bytes.Equal(read(filepath.Join(dir, sys.Name)), read("bin/"+sys.Name)) {
			t.Errorf("bin/%s is not what its source gives: run scenarios/systems/build", sys.Name)
		}
	}
}
