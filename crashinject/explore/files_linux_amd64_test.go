package explore

import (
	"os"
	"path/filepath"
	"testing"

	"zhuque/sim/x86"
)

func files(t *testing.T, recovery string, run ...string) *Options {
	opt := guest(t, "files")
	opt.Setup.Args, opt.Cuts = run, 1
	if recovery != "" {
		opt.Recover = command(t, recovery)
	}
	return opt
}

// A call that reads bytes decides them and no others; one that writes decides nothing.
func TestCallsDecideWhatTheyRead(t *testing.T) {
	for _, tc := range []struct {
		recovery string
		worlds   uint64
	}{
		{"read-one", 2}, {"write-one", 1}, {"read-all", 8},
	} {
		opt := files(t, "/files "+tc.recovery, "store")
		worlds := map[string]bool{}
		last := 0
		opt.seen = func(_ int, a answer) { worlds[a.stdout] = true; last++ }
		r := explored(t, opt)
		if r.Looks != 2 || r.Worlds != tc.worlds+1 || len(worlds) != int(tc.worlds) || r.Verdict != "pass" {
			t.Errorf("%s: %d worlds of %d looks, answers %v, expected %d worlds beside that before the file has its size: %s",
				tc.recovery, r.Worlds, r.Looks, worlds, tc.worlds, r.Text())
		}
	}
}

// A recovery whose own program is in memory that is not decided is run for each content.
func TestProgramInUndecidedMemory(t *testing.T) {
	for _, line := range [][]string{nil, {"second"}} {
		opt := files(t, "", append([]string{"code", "/small"}, line...)...)
		small := filepath.Join("..", "..", "scenarios", "guests", "bin", "hello")
		code, err := os.ReadFile(small)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(opt.Setup.Root, "small"), code, 0o755); err != nil {
			t.Fatal(err)
		}
		opt.Recover = command(t, "/mnt/pmem/code")
		opt.Worlds = 200
		r := explored(t, opt)
		if r.Worlds < 3 || r.Err() != nil {
			t.Errorf("%v: %d worlds: %s", line, r.Worlds, r.Text())
		}
	}
}

// Shared mappings of files outside of /mnt/pmem are no persistent memory, and what is
// stored there is counted.
func TestMappingsOutside(t *testing.T) {
	r := explored(t, files(t, "/files read-one", "outside"))
	if r.Unexplored != 1 || r.Exhaustive {
		t.Errorf("%d unexplored writes, exhaustive %t", r.Unexplored, r.Exhaustive)
	}
	for _, f := range r.Performance {
		t.Errorf("finding %+v", f)
	}
}

// Loads of every width find what is not decided, as loads of single words do.
func TestWideLoads(t *testing.T) {
	for _, width := range []string{"8", "16", "24", "32", "swap"} {
		opt := guest(t, "wide")
		opt.Setup.CPU = x86.V3
		opt.Setup.Args, opt.Recover, opt.Cuts = []string{"store"}, command(t, "/wide "+width), 1
		worlds := map[string]bool{}
		opt.seen = func(_ int, a answer) { worlds[a.stdout] = true }
		if r := explored(t, opt); len(worlds) != 9 || r.Verdict != "pass" {
			t.Errorf("%s: %d answers %v, expected three contents of each line: %s", width, len(worlds), worlds, r.Text())
		}
	}
}
