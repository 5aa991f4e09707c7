package crashinject

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"zhuque/cachemodel"
	"zhuque/eadr"
	"zhuque/runtime/wpp"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// Setup is everything that decides what a run does, besides the plan: it is
// written into every case file and every report.
type Setup struct {
	Program string // path in the guest's file tree, or GuestPrefix and the name of an embedded guest
	Args    []string
	Env     []string

	Memory   sim.Memory
	CPU      x86.Level // what the processor can do
	Model    bool
	Cache    string // preset of the cache model
	Domain   eadr.Domain
	Seed     uint64
	Cores    int    // of the machine; 0 for one
	Quantum  uint64 // mean number of instructions of a thread's turn; 0: the default of the number of cores
	Root     string // host directory the guest sees, "" for /
	Overlay  string // host directory that receives the guest's changes, "" to throw them away
	Files    string // when changes of files are durable: DurableFiles or PageCache
	PMEMDir  string // host directory that holds the files of /mnt/pmem between runs, "" to start empty and throw them away
	Dir      string // working directory in the guest tree, "" for /
	Stdin    string // host file, "" for none
	Mutant   string
	Flush    string          // what the runtime does where the platform does not protect the caches: FlushNone, FlushRuntime or FlushPowerFail
	SIGPWR   string          // who is told of a power failure: SIGPWRProcess or SIGPWRPerThread
	Energy   phys.NanoJoules // hold-up energy; 0: the platform's
	PMEMRead phys.Nanos      // PMEM read latency; 0: the preset's
	PMEMSize uint64          // of the persistent memory, in MiB

	// MaxInstructions ends a run that does not end by itself.
	MaxInstructions uint64

	// Guest delivers embedded guests; the caller sets it.
	Guest func(name string) ([]byte, error)
}

// When changes of files are durable: at the end of each call, or when they are
// synchronized. Under Zhuque every call's are at its commit, as the published system
// opens files with O_SYNC; so the two differ for other memories only.
const (
	DurableFiles = "durable"
	PageCache    = "pagecache"
)

// Who is told of a power failure, of a program that handles SIGPWR: one thread of each
// process, or all of its threads.
const (
	SIGPWRProcess   = "process"
	SIGPWRPerThread = "per-thread"
)

// What the runtime writes back by itself: nothing; its own lines, before each fence; or all
// caches when the power fails, with the energy that the power supply has left.
const (
	FlushNone      = "none"
	FlushRuntime   = "runtime"
	FlushPowerFail = "power-fail"
)

// GuestPrefix marks a program that comes with the simulator.
const GuestPrefix = "guest:"

// DefaultSetup returns the settings that every verb starts from.
func DefaultSetup() Setup {
	return Setup{Memory: sim.Zhuque, Model: true, Cache: cachemodel.Presets()[0], Domain: eadr.EADR, Seed: 1, Cores: 1, Files: DurableFiles, SIGPWR: SIGPWRProcess, Flush: FlushNone, PMEMSize: 4096}
}

// Fields lists the settings by name, in the words of the command line and of
// case files; values equal to the default's are left out.
func (s *Setup) Fields() map[string]string {
	all, def := s.fields(), DefaultSetup()
	for k, v := range def.fields() {
		if all[k] == v {
			delete(all, k)
		}
	}
	return all
}

func (s *Setup) fields() map[string]string {
	model := "off"
	if s.Model {
		model = "full"
	}
	f := map[string]string{
		"memory": string(s.Memory), "cpu": s.CPU.String(), "model": model, "cache": s.Cache, "domain": s.Domain.String(),
		"seed": strconv.FormatUint(s.Seed, 10), "dir": s.Dir, "root": s.Root, "overlay": s.Overlay, "pmem-dir": s.PMEMDir, "files": s.Files, "stdin": s.Stdin, "mutant": s.Mutant, "sigpwr": s.SIGPWR, "flush": s.Flush,
		"cores":            strconv.Itoa(max(s.Cores, 1)),
		"quantum":          strconv.FormatUint(s.Quantum, 10),
		"energy":           strconv.FormatUint(uint64(s.Energy), 10),
		"pmem-read":        strconv.FormatUint(uint64(s.PMEMRead), 10),
		"pmem-size":        strconv.FormatUint(s.PMEMSize, 10),
		"max-instructions": strconv.FormatUint(s.MaxInstructions, 10),
	}
	return f
}

// differs says in which setting a run differs from the one that an image is of, "" for
// in none that matters.
func (s *Setup) differs(image *Setup) string {
	for _, d := range []struct{ name, here, there string }{
		{"program", s.Program, image.Program},
		{"arguments", fmt.Sprintf("%q", s.Args), fmt.Sprintf("%q", image.Args)},
		{"environment", fmt.Sprintf("%q", s.Env), fmt.Sprintf("%q", image.Env)},
	} {
		if d.here != d.there {
			return fmt.Sprintf("its %s is %s, here it is %s", d.name, d.there, d.here)
		}
	}
	here, there := s.fields(), image.fields()
	for _, name := range slices.Sorted(maps.Keys(here)) {
		if name != "max-instructions" && here[name] != there[name] {
			return fmt.Sprintf("its setting %s is %q, here it is %q", name, there[name], here[name])
		}
	}
	return ""
}

// Get returns one setting as Set reads it, "" for an unknown one.
func (s *Setup) Get(name string) string { return s.fields()[name] }

// Set changes one setting by its name.
func (s *Setup) Set(name, value string) error {
	number := func() (uint64, error) {
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s %q: expected a whole number", name, value)
		}
		return n, nil
	}
	var n uint64
	var err error
	switch name {
	case "memory":
		return s.setMemory(value)
	case "cpu":
		s.CPU, err = x86.ParseLevel(value)
	case "model":
		if value != "full" && value != "off" {
			return fmt.Errorf("model %q: expected full or off", value)
		}
		s.Model = value == "full"
	case "cache":
		if _, err = cachemodel.Preset(value); err == nil {
			s.Cache = value
		}
	case "domain":
		s.Domain, err = eadr.ParseDomain(value)
	case "seed":
		s.Seed, err = number()
	case "cores":
		if n, err = number(); err == nil && (n < 1 || n > sim.MaxCores) {
			return fmt.Errorf("cores %d: expected 1 to %d", n, sim.MaxCores)
		}
		if err == nil {
			s.Cores = int(n)
		}
	case "quantum":
		s.Quantum, err = number()
	case "root":
		s.Root = value
	case "dir":
		s.Dir = value
	case "overlay":
		s.Overlay = value
	case "files":
		if value != DurableFiles && value != PageCache {
			return fmt.Errorf("files %q: expected %s or %s", value, DurableFiles, PageCache)
		}
		s.Files = value
	case "flush":
		if value != FlushNone && value != FlushRuntime && value != FlushPowerFail {
			return fmt.Errorf("flush %q: expected %s, %s or %s", value, FlushNone, FlushRuntime, FlushPowerFail)
		}
		s.Flush = value
	case "sigpwr":
		if value != SIGPWRProcess && value != SIGPWRPerThread {
			return fmt.Errorf("sigpwr %q: expected %s or %s", value, SIGPWRProcess, SIGPWRPerThread)
		}
		s.SIGPWR = value
	case "pmem-dir":
		s.PMEMDir = value
	case "stdin":
		s.Stdin = value
	case "mutant":
		if _, err = wpp.FindMutant(value); err == nil {
			s.Mutant = value
		}
	case "energy":
		n, err = number()
		s.Energy = phys.NanoJoules(n)
	case "pmem-read":
		n, err = number()
		s.PMEMRead = phys.Nanos(n)
	case "pmem-size":
		if n, err = number(); err == nil && (n < 1 || n > 1<<20) {
			return fmt.Errorf("pmem-size %d: expected 1 to %d MiB", n, 1<<20)
		}
		if err == nil {
			s.PMEMSize = n
		}
	case "max-instructions":
		s.MaxInstructions, err = number()
	default:
		return fmt.Errorf("setting %q: expected one of %s", name, strings.Join(slices.Sorted(maps.Keys(s.fields())), ", "))
	}
	return err
}

func (s *Setup) setMemory(value string) error {
	for _, m := range []sim.Memory{sim.Zhuque, sim.Native, sim.PMEM} {
		if value == string(m) {
			s.Memory = m
			return nil
		}
	}
	return fmt.Errorf("memory %q: expected zhuque, native or pmem", value)
}

// startWallClock is when every run starts, so that a run does not depend on the
// day: 2023-07-10 00:00:00 UTC, the first day of the conference that presented Zhuque.
const startWallClock = 1688947200 * 1_000_000_000

// Config builds the machine's configuration. console is the standard streams,
// nil for captured ones with the setup's standard input.
func (s *Setup) Config(console *kernel.Console) (*sim.Config, error) {
	cache, err := cachemodel.Preset(s.Cache)
	if err != nil {
		return nil, err
	}
	if s.PMEMRead != 0 {
		cache.PMEMRead = s.PMEMRead
	}
	if s.Domain == eadr.ADR && !s.Model {
		return nil, fmt.Errorf("domain adr with model off: what the caches lose is known to the cache model only; expected model full")
	}
	power := eadr.Default(s.Domain)
	if s.Energy != 0 {
		power.Energy = s.Energy
	}
	power.SoftwareFlush = s.Flush == FlushPowerFail
	bug, err := wpp.FindMutant(s.Mutant)
	if err != nil {
		return nil, err
	}
	if bug.Platform != nil {
		bug.Platform(&power)
	}
	cfg := &sim.Config{
		Program: s.Program, Args: append([]string{s.Program}, s.Args...), Env: s.Env, Memory: s.Memory, Level: s.CPU, Model: s.Model,
		Cache: cache, Power: power, Seed: s.Seed, Cores: s.Cores, Quantum: s.Quantum, SIGPWRPerThread: s.SIGPWR == SIGPWRPerThread, WallBase: startWallClock,
		Files: vfs.Options{Root: s.Root, Overlay: s.Overlay, Pools: s.PMEMDir}, PageCache: s.Files == PageCache, Dir: s.Dir, Console: console, MaxInstructions: s.MaxInstructions,
		PMEMSize: phys.Bytes(s.PMEMSize) << 20,
	}
	if name, ok := strings.CutPrefix(s.Program, GuestPrefix); ok {
		if s.Guest == nil {
			return nil, fmt.Errorf("program %q: no embedded guests here", s.Program)
		}
		elf, err := s.Guest(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoGuest, err)
		}
		cfg.Program = "/zhuque-guest/" + name
		cfg.Args[0] = name
		cfg.Preload = map[string][]byte{cfg.Program: elf}
	}
	if console == nil {
		var in io.Reader
		if s.Stdin != "" {
			data, err := os.ReadFile(s.Stdin)
			if err != nil {
				return nil, fmt.Errorf("standard input: %w", err)
			}
			in = bytes.NewReader(data)
		}
		cfg.Console = kernel.NewConsole(in, nil, nil)
		cfg.Console.Capture()
	}
	return cfg, nil
}

// runtime returns a fresh runtime for the setup, nil where memory does not survive.
func (s *Setup) runtime() (sim.Runtime, error) {
	if s.Memory != sim.Zhuque {
		return nil, nil
	}
	rt, err := wpp.New(s.Mutant)
	if err != nil {
		return nil, err
	}
	if s.Flush == FlushRuntime {
		rt.WriteBack()
	}
	return rt, nil
}

// Start starts the program on a fresh machine.
func (s *Setup) Start(cfg *sim.Config) (*sim.Machine, error) {
	rt, err := s.runtime()
	if err != nil {
		return nil, err
	}
	return sim.New(cfg, rt)
}

// ErrNoGuest is the answer for an embedded guest that does not exist.
var ErrNoGuest = errors.New("no such embedded guest")
