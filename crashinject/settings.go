package crashinject

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"zhuque/cachemodel"
	"zhuque/eadr"
	"zhuque/runtime/wpp"
	"zhuque/sim"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// Setting is one setting of a run: the row that command-line flags, case files, the
// machine's configuration, comparisons with an image and completion are made of. A new
// setting is a field of Setup and a row here.
type Setting struct {
	Name, Usage string
	Absent      string          // what happens where it is not given, in words; "" where the default is a word itself
	Words       func() []string // that complete it; nil for none
	// Old are its earlier names and the parameter that it is: accepted, never printed.
	Old []string
	// Only names the verb that has it as a flag; "" for all.
	Only string
	// Tunes says that it changes parameters of the model, which zhuque params shows.
	Tunes bool

	get   func(*Setup) string // "" where it is not given
	set   func(*Setup, string) error
	build func(*Setup, *sim.Config) error // its part of the configuration; nil for none of its own

	zeroAbsent bool // a 0 of case files of version 1 means that it is not given
	sameImage  bool // an image may be continued with another value
}

// Settings lists the settings. Those that later ones build upon come first.
func Settings() []Setting { return settings }

// settings is filled in by init, as setting a parameter needs the table itself.
var settings []Setting

func init() {
	settings = []Setting{
		preset(),
		{Name: "domain", Usage: "persistence domain: eadr or adr", Words: words("eadr", "adr"), Tunes: true,
			get: func(s *Setup) string { return s.Domain.String() },
			set: parsed(func(s *Setup) *eadr.Domain { return &s.Domain }, eadr.ParseDomain),
			build: func(s *Setup, cfg *sim.Config) error {
				cfg.Power = eadr.Default(s.Domain)
				return nil
			}},
		choice("memory", "where memory lies: zhuque (persistent, under the runtime), pmem (no runtime), native (DRAM)",
			func(s *Setup) *sim.Memory { return &s.Memory }, sim.Zhuque, sim.Native, sim.PMEM).
			builds(func(s *Setup, cfg *sim.Config) { cfg.Memory = s.Memory }),
		{Name: "cpu", Usage: "what the processor can do: v2 (up to SSE4.2) or v3 (also AVX, AVX2, FMA, F16C), in the levels of the x86-64 psABI",
			Words: words("v2", "v3"),
			get:   func(s *Setup) string { return s.CPU.String() },
			set:   parsed(func(s *Setup) *x86.Level { return &s.CPU }, x86.ParseLevel),
			build: func(s *Setup, cfg *sim.Config) error { cfg.Level = s.CPU; return nil }},
		choice("model", "cache model: full, timed (also devices with queues, and misses that overlap) or off",
			func(s *Setup) *Model { return &s.Model }, FullModel, TimedModel, NoModel).
			builds(func(s *Setup, cfg *sim.Config) {
				cfg.Model, cfg.Cache.Timing.On = s.Model != NoModel, s.Model == TimedModel
			}),
		clock(),
		number("seed", "seed of everything random", func(s *Setup) *uint64 { return &s.Seed }, 0, 1<<64-1).
			builds(func(s *Setup, cfg *sim.Config) { cfg.Seed = s.Seed }),
		cores(),
		number("quantum", "mean number of instructions of a thread's turn",
			func(s *Setup) *uint64 { return &s.Quantum }, 1, 1<<64-1).
			or("5000, with several cores 200").builds(func(s *Setup, cfg *sim.Config) { cfg.Quantum = s.Quantum }),
		path("root", "host directory that is the guest's whole file tree",
			"the host's, read-only", func(s *Setup) *string { return &s.Root }).
			builds(func(s *Setup, cfg *sim.Config) { cfg.Files.Root = s.Root }),
		path("overlay", "host directory that keeps the guest's file changes",
			"thrown away", func(s *Setup) *string { return &s.Overlay }).
			builds(func(s *Setup, cfg *sim.Config) { cfg.Files.Overlay = s.Overlay }),
		choice("files", "when changes of files are durable: durable (at the end of each call), pagecache (when synchronized; the same under zhuque)",
			func(s *Setup) *string { return &s.Files }, DurableFiles, PageCache).
			builds(func(s *Setup, cfg *sim.Config) { cfg.PageCache = s.Files == PageCache }),
		path("pmem-dir", "host directory that keeps the files of /mnt/pmem between runs",
			"empty at the start, thrown away", func(s *Setup) *string { return &s.PMEMDir }).
			builds(func(s *Setup, cfg *sim.Config) { cfg.Files.Pools = s.PMEMDir }),
		path("dir", "the guest's working directory", "the present one; / with --root and for embedded guests",
			func(s *Setup) *string { return &s.Dir }).
			builds(func(s *Setup, cfg *sim.Config) { cfg.Dir = s.Dir }),
		path("stdin", "host file that is the guest's standard input", "empty", func(s *Setup) *string { return &s.Stdin }).only("campaign"),
		choice("flush", "what the runtime writes back by itself: none, runtime (its own lines), power-fail (all caches, with what energy the power supply has left)",
			func(s *Setup) *string { return &s.Flush }, FlushNone, FlushRuntime, FlushPowerFail).
			builds(func(s *Setup, cfg *sim.Config) { cfg.Power.SoftwareFlush = s.Flush == FlushPowerFail }),
		choice("sigpwr",
			"who is told of a power failure, if the program handles SIGPWR: process (one thread of it), per-thread (all)",
			func(s *Setup) *string { return &s.SIGPWR }, SIGPWRProcess, SIGPWRPerThread).
			builds(func(s *Setup, cfg *sim.Config) { cfg.SIGPWRPerThread = s.SIGPWR == SIGPWRPerThread }),
		{Name: "mutant", Usage: "run with a deliberate defect (see zhuque mutants)", Words: wpp.MutantNames,
			get: func(s *Setup) string { return s.Mutant },
			set: func(s *Setup, name string) (err error) { s.Mutant, err = checkedMutant(name); return err }},
		parameter("energy", "hold-up energy in nanojoules", "the platform's", "power.energy"),
		parameter("pmem-read", "PMEM read latency in nanoseconds", "the preset's", "cache.pmem.read"),
		number("pmem-size", "size of the persistent memory in MiB", func(s *Setup) *uint64 { return &s.PMEMSize }, 1, 1<<20).
			builds(func(s *Setup, cfg *sim.Config) { cfg.PMEMSize = phys.Bytes(s.PMEMSize) << 20 }),
		number("max-instructions", "end a run after so many instructions",
			func(s *Setup) *uint64 { return &s.MaxInstructions }, 1, 1<<64-1).
			or("no limit").builds(func(s *Setup, cfg *sim.Config) { cfg.MaxInstructions = s.MaxInstructions }).anyImage(),
		number("max-events", "end a run after so many events in which no instruction runs: waits, timers, signals",
			func(s *Setup) *uint64 { return &s.MaxEvents }, 1, 1<<64-1).
			or("as many as max-instructions").builds(func(s *Setup, cfg *sim.Config) { cfg.MaxEvents = cmp.Or(s.MaxEvents, s.MaxInstructions) }).anyImage(),
	}
}

// or says that the setting may be absent, and what happens then.
func (r Setting) or(absent string) Setting {
	r.Absent, r.zeroAbsent = absent, true
	return r
}

func (r Setting) only(verb string) Setting { r.Only = verb; return r }
func (r Setting) anyImage() Setting        { r.sameImage = true; return r }

func (r Setting) builds(f func(*Setup, *sim.Config)) Setting {
	r.build = func(s *Setup, cfg *sim.Config) error { f(s, cfg); return nil }
	return r
}

func words(list ...string) func() []string { return func() []string { return list } }

// choice is a setting with a few words.
func choice[T ~string](name, usage string, field func(*Setup) *T, list ...T) Setting {
	texts := make([]string, len(list))
	for i, w := range list {
		texts[i] = string(w)
	}
	return Setting{Name: name, Usage: usage, Words: words(texts...),
		get: func(s *Setup) string { return cmp.Or(string(*field(s)), texts[0]) },
		set: func(s *Setup, value string) error {
			if !slices.Contains(texts, value) {
				return fmt.Errorf("%s %q: expected %s", name, value, alternatives(texts))
			}
			*field(s) = T(value)
			return nil
		}}
}

// alternatives is "a, b or c".
func alternatives(list []string) string {
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " or " + list[last]
}

// number is a setting of a whole number; where 0 is below lo, a 0 of the field is absence.
func number(name, usage string, field func(*Setup) *uint64, lo, hi uint64) Setting {
	return Setting{Name: name, Usage: usage,
		get: func(s *Setup) string {
			if n := *field(s); n >= lo {
				return strconv.FormatUint(n, 10)
			}
			return ""
		},
		set: func(s *Setup, value string) error {
			n, err := wholeNumber(name, value, lo, hi)
			if err == nil {
				*field(s) = n
			}
			return err
		}}
}

func wholeNumber(name, value string, lo, hi uint64) (uint64, error) {
	n, err := strconv.ParseUint(value, 10, 64)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s %q: expected a whole number", name, value)
	case (n < lo || n > hi) && hi == 1<<64-1:
		return 0, fmt.Errorf("%s %d: expected at least %d", name, n, lo)
	case n < lo || n > hi:
		return 0, fmt.Errorf("%s %d: expected %d to %d", name, n, lo, hi)
	}
	return n, nil
}

// path is a setting of a place on the host or in the guest, "" for absence.
func path(name, usage, absent string, field func(*Setup) *string) Setting {
	return Setting{Name: name, Usage: usage, Absent: absent,
		get: func(s *Setup) string { return *field(s) },
		set: func(s *Setup, value string) error { *field(s) = value; return nil }}
}

// parameter is a shorter name of a parameter of the model.
func parameter(name, usage, absent, param string) Setting {
	return Setting{Name: name, Usage: usage, Absent: absent, Tunes: true, zeroAbsent: true,
		set: func(s *Setup, value string) error { return s.setParam(name, param, value) }}
}

func parsed[T any](field func(*Setup) *T, parse func(string) (T, error)) func(*Setup, string) error {
	return func(s *Setup, value string) error {
		v, err := parse(value)
		if err == nil {
			*field(s) = v
		}
		return err
	}
}

func cores() Setting {
	r := Setting{Name: "cores", Usage: "processor cores of the machine, 1 to 64; threads are spread over them", Tunes: true, Old: []string{"cache.cores"},
		get: func(s *Setup) string { return strconv.Itoa(max(s.Cores, 1)) },
		set: func(s *Setup, value string) error {
			n, err := wholeNumber("cores", value, 1, sim.MaxCores)
			if err == nil {
				s.Cores = int(n)
			}
			return err
		}}
	return r.builds(func(s *Setup, cfg *sim.Config) { cfg.Cores, cfg.Cache.Cores = s.Cores, max(s.Cores, 1) })
}

func preset() Setting {
	return Setting{Name: "preset",
		Usage: "parameters of the model: a preset's name, or a file as zhuque params --format json prints it", Tunes: true,
		Words: cachemodel.Presets, Old: []string{"cache"},
		get: func(s *Setup) string { return s.Preset },
		set: (*Setup).setPreset,
		build: func(s *Setup, cfg *sim.Config) (err error) {
			cfg.Cache, err = cachemodel.Preset(s.Preset)
			return err
		}}
}

func checkedMutant(name string) (string, error) {
	m, err := wpp.FindMutant(name)
	return m.Name, err
}

// findSetting returns the row called name, by its present or an earlier name.
func findSetting(name string) *Setting {
	for i := range settings {
		if r := &settings[i]; r.Name == name || slices.Contains(r.Old, name) {
			return r
		}
	}
	return nil
}

// Get returns one setting as Set reads it, "" for one that is not given or not known.
func (s *Setup) Get(name string) string {
	if r := findSetting(name); r != nil && r.get != nil {
		return r.get(s)
	}
	for _, p := range s.params {
		if p.name == name {
			return strconv.FormatUint(p.value, 10)
		}
	}
	return ""
}

// Set changes one setting or one parameter of the model by its name.
func (s *Setup) Set(name, value string) error {
	if r := findSetting(name); r != nil {
		return r.set(s, value)
	}
	return s.setParam(name, name, value)
}

// fields lists what is given, parameters too.
func (s *Setup) fields() map[string]string {
	f := map[string]string{}
	for i := range settings {
		if r := &settings[i]; r.get != nil {
			f[r.Name] = r.get(s)
		}
	}
	for _, p := range s.params {
		f[p.name] = strconv.FormatUint(p.value, 10)
	}
	return f
}

// clock is the setting of what time the machine has.
func clock() Setting {
	r := choice("clock",
		"what decides which core goes next: instructions, or model (each core's own time; needs the timed model)",
		func(s *Setup) *Clock { return &s.Clock }, InstructionClock, ModelClock).only("run")
	r.build = func(s *Setup, cfg *sim.Config) error {
		cfg.ModelClock = s.Clock == ModelClock
		if cfg.ModelClock && s.Model != TimedModel {
			return fmt.Errorf(
				"clock model with model %s: the cores' own times are known to the timed model only; expected model timed", s.Model)
		}
		return nil
	}
	return r
}
