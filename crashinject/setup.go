package crashinject

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"zhuque/cachemodel"
	"zhuque/eadr"
	"zhuque/runtime/wpp"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/kernel/vfs"
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
	Model    Model
	Preset   string  // of the model's parameters
	params   []param // those that differ from the preset's, by name
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
	Flush    string // what the runtime does where the platform does not protect the caches: FlushNone, FlushRuntime or FlushPowerFail
	Clock    Clock  // what decides which core goes next; "" for InstructionClock
	SIGPWR   string // who is told of a power failure: SIGPWRProcess or SIGPWRPerThread
	PMEMSize uint64 // of the persistent memory, in MiB

	// MaxInstructions ends a run that does not end by itself; 0 for no limit.
	MaxInstructions uint64
	// MaxEvents ends a run whose waits, timers and signals do not end, though hardly any
	// instruction runs; 0: as many as MaxInstructions.
	MaxEvents uint64

	// Guest delivers embedded guests; the caller sets it.
	Guest func(name string) ([]byte, error)

	keep *vfs.Keep // see KeepFiles
}

// Clock is what decides which core goes next.
type Clock string

const (
	InstructionClock Clock = "instructions"
	ModelClock       Clock = "model"
)

// Model says whether the cache model is there.
type Model string

const (
	FullModel  Model = "full"
	TimedModel Model = "timed" // with devices that have queues, and misses that overlap
	NoModel    Model = "off"
)

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
	return Setup{Memory: sim.Zhuque, Model: FullModel, Preset: cachemodel.Presets()[0], Domain: eadr.EADR,
		Seed: 1, Cores: 1, Files: DurableFiles, SIGPWR: SIGPWRProcess, Flush: FlushNone, PMEMSize: 4096}
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
	both := maps.Clone(here)
	maps.Copy(both, there)
	for _, name := range slices.Sorted(maps.Keys(both)) {
		if r := findSetting(name); (r == nil || !r.sameImage) && here[name] != there[name] {
			return fmt.Sprintf("its setting %s is %q, here it is %q", name, there[name], here[name])
		}
	}
	return ""
}

// supply gives the platform, where the user does not say otherwise, the energy that its promise
// needs when all caches of all cores are full of dirty lines.
func (s *Setup) supply(cfg *sim.Config) {
	if cfg.Power.Energy != eadr.Default(s.Domain).Energy || s.Domain != eadr.EADR || cfg.Power.Validate() != nil {
		return
	}
	cache := cfg.Cache
	cache.Cores = max(s.Cores, 1)
	worst := eadr.Inventory{Cores: cache.Cores, BufferedStores: cache.Cores * cache.StoreBuffer,
		SaveLines:  saveLines * cache.Cores,
		DirtyLines: cache.MostDirty()}
	cfg.Power.Energy = max(cfg.Power.Energy, eadr.Needed(cfg.Power, worst))
}

// saveLines bounds the lines that a core writes to save its registers.
const saveLines = 64

// Config builds the machine's configuration. console is the standard streams,
// nil for captured ones with the setup's standard input.
func (s *Setup) Config(console *kernel.Console) (*sim.Config, error) {
	cfg := &sim.Config{Program: s.Program, Args: append([]string{s.Program}, s.Args...),
		Env: s.Env, WallBase: s.start(), Console: console}
	for i := range settings {
		if build := settings[i].build; build != nil {
			if err := build(s, cfg); err != nil {
				return nil, err
			}
		}
	}
	cfg.Files.Keep = s.keep
	if err := s.tune(&cfg.Cache, &cfg.Power, &cfg.Kernel); err != nil {
		return nil, err
	}
	if s.Domain == eadr.ADR && !cfg.Model {
		return nil,
			fmt.Errorf("domain adr with model off: what the caches lose is known to the cache model only; expected model full")
	}
	s.supply(cfg)
	bug, err := wpp.FindMutant(s.Mutant)
	if err != nil {
		return nil, err
	}
	if bug.Platform != nil {
		bug.Platform(&cfg.Power)
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
			data, err := readStdin(s.Stdin)
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

// KeepFiles locks the host directories of the settings overlay and pmem-dir for this run,
// whose machines write them when they are closed. Without it they do not: a setting out of
// a case or an image names a directory, but lets nobody write it. Errors: *hostdir.InUse,
// and what is wrong with the directories.
func (s *Setup) KeepFiles() (release func(), err error) {
	if s.Overlay == "" && s.PMEMDir == "" {
		return func() {}, nil
	}
	if s.keep, err = vfs.OpenKeep(s.PMEMDir, s.Overlay); err != nil {
		return nil, err
	}
	return func() { _ = s.keep.Close() }, nil // only locks are left
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
