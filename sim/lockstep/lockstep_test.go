package lockstep_test

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"zhuque/cachemodel"
	"zhuque/eadr"
	"zhuque/runtime/wpp"
	"zhuque/scenarios/guests"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/lockstep"
	"zhuque/sim/x86"
)

// machine returns what starts a program under the runtime with the cache model:
// everything that could disturb the interpreter is on.
func machine(t *testing.T, cfg sim.Config) func() (*sim.Machine, error) {
	t.Helper()
	cache, err := cachemodel.Preset("")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Files.Root == "" {
		cfg.Files = vfs.Options{Root: t.TempDir()}
	}
	cfg.Memory, cfg.Model, cfg.Cache, cfg.Power, cfg.Seed = sim.Zhuque, true, cache, eadr.Default(eadr.EADR), 1
	return func() (*sim.Machine, error) {
		rt, err := wpp.New("")
		if err != nil {
			return nil, err
		}
		c := cfg
		c.Console = kernel.NewConsole(bytes.NewReader(bytes.Repeat([]byte("the quick brown fox "), 1000)), nil, nil)
		c.Console.Capture()
		return sim.New(&c, rt)
	}
}

func guest(t *testing.T, name string) func() (*sim.Machine, error) {
	t.Helper()
	elf, err := guests.Guest(name)
	if err != nil {
		t.Fatal(err)
	}
	path := "/guest/" + name
	return machine(t,
		sim.Config{Program: path, Args: []string{name}, Preload: map[string][]byte{path: elf, "/tmp/.keep": nil}})
}

// run compares. Where programs cannot be traced the test fails in CI and is
// skipped elsewhere, with the reason.
func run(t *testing.T, o lockstep.Options) *lockstep.Report {
	t.Helper()
	r, err := lockstep.Run(o)
	var notHere *lockstep.NotHere
	if errors.As(err, &notHere) && (os.Getenv("CI") != "true" || runtime.GOOS != "linux" || runtime.GOARCH != "amd64") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// same runs and wants no difference.
func same(t *testing.T, o lockstep.Options) *lockstep.Report {
	t.Helper()
	r := run(t, o)
	if r.Difference != nil {
		t.Fatalf("%s\nfrom %d: %d instructions compared", r.Difference, r.From, r.Compared)
	}
	t.Logf("from %d: %d compared, %d mirrored, %d exceptions, %d forms, %d pages; %s",
		r.From, r.Compared, r.Mirrored, r.Faults, len(r.Forms), r.Pages, r.End)
	if r.Absent != nil {
		t.Logf("this processor lacks %q", r.Absent)
	}
	return r
}

// So does code for a v3 processor, with all 256 bits of the vector registers.
func TestVectorGuest(t *testing.T) {
	elf, err := guests.Guest("ymm")
	if err != nil {
		t.Fatal(err)
	}
	start := machine(t, sim.Config{Program: "/guest/ymm", Args: []string{"ymm"},
		Level: x86.V3, Preload: map[string][]byte{"/guest/ymm": elf}})
	r := same(t, lockstep.Options{Start: start, From: 80_000, Max: 20_000})
	if !strings.Contains(strings.Join(r.Forms, "\n"), "VPERMQ") && r.Absent == nil {
		t.Errorf("forms %v: no AVX2 among them", r.Forms)
	}
}

// Every guest does on the processor what it does in the model, except those that
// lockstep says it cannot follow.
func TestGuests(t *testing.T) {
	for _, g := range guests.List() {
		t.Run(g.Name, func(t *testing.T) {
			if why := map[string]string{"shared": "shares a file", "threads": "several threads", "bulk": "several threads", "handlers": "several threads", "processes": "several threads", "crowd": "several threads", "litmus": "several threads", "fase": "several threads", "settings": "several threads", "ipc": "shares a file", "clocks": "several threads", "micro": "several threads", "hostcost": "several threads"}[g.Name]; why != "" {
				_, err := lockstep.Run(lockstep.Options{Start: guest(t, g.Name), Max: 10_000})
				if err == nil || !strings.Contains(err.Error(), why) {
					t.Fatalf("%v, expected a refusal: the program %s", err, why)
				}
				return
			}
			n := uint64(20_000)
			if testing.Short() {
				n = 2_000
			}
			if *record {
				n *= recordTimes
			}
			start := guest(t, g.Name)
			count(same(t, lockstep.Options{Start: start, Max: n}))
			if later := g.Instructions / 2; later > n {
				count(same(t, lockstep.Options{Start: start, From: later, Max: n}))
			}
		})
	}
}
