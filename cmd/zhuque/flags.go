package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"zhuque/cachemodel"
	"zhuque/crashinject"
	"zhuque/runtime/wpp"
	"zhuque/scenarios/guests"
)

// setupFlags are the machine's settings on the command line. Their names are
// those of crashinject.Setup.Set.
type setupFlags struct {
	values map[string]*string
	env    []string
}

var settings = []struct {
	name, usage string
	words       func() []string // for completion; nil: none
}{
	{"memory", "where memory lies: zhuque (persistent, under the runtime), pmem (no runtime), native (DRAM)", words("zhuque", "pmem", "native")},
	{"cpu", "what the processor can do: v2 (up to SSE4.2) or v3 (also AVX, AVX2, FMA, F16C), in the levels of the x86-64 psABI", words("v2", "v3")},
	{"model", "cache model: full or off", words("full", "off")},
	{"cache", "preset of the cache model (see zhuque params)", cachemodel.Presets},
	{"domain", "persistence domain: eadr or adr", words("eadr", "adr")},
	{"seed", "seed of everything random", nil},
	{"cores", "processor cores of the machine, 1 to 64; threads are spread over them", nil},
	{"quantum", "mean number of instructions of a thread's turn (default 5000, with several cores 200)", nil},
	{"root", "host directory that is the guest's whole file tree (default the host's, read-only)", nil},
	{"overlay", "host directory that keeps the guest's file changes (default: thrown away)", nil},
	{"files", "when changes of files are durable: durable (at the end of each call), pagecache (when synchronized; the same under zhuque)", words(crashinject.DurableFiles, crashinject.PageCache)},
	{"pmem-dir", "host directory that keeps the files of /mnt/pmem between runs (default: empty at the start, thrown away)", nil},
	{"dir", "the guest's working directory (default: the present one; / with --root and for embedded guests)", nil},
	{"flush", "what the runtime writes back by itself: none, runtime (its own lines), power-fail (all caches, with what energy the power supply has left)", words(crashinject.FlushNone, crashinject.FlushRuntime, crashinject.FlushPowerFail)},
	{"sigpwr", "who is told of a power failure, if the program handles SIGPWR: process (one thread of it), per-thread (all)", words(crashinject.SIGPWRProcess, crashinject.SIGPWRPerThread)},
	{"mutant", "run with a deliberate defect (see zhuque mutants)", mutantNames},
	{"energy", "hold-up energy in nanojoules (default: the platform's)", nil},
	{"pmem-read", "PMEM read latency in nanoseconds (default: the preset's)", nil},
	{"pmem-size", "size of the persistent memory in MiB", nil},
	{"max-instructions", "end a run after so many instructions (default: no limit)", nil},
}

func words(list ...string) func() []string { return func() []string { return list } }

func mutantNames() (names []string) {
	for _, m := range wpp.Mutants() {
		names = append(names, m.Name)
	}
	return names
}

func guestNames() (names []string) {
	for _, g := range guests.Names() {
		names = append(names, crashinject.GuestPrefix+g)
	}
	return names
}

func (f *setupFlags) register(c *cobra.Command) {
	f.values = map[string]*string{}
	def := crashinject.DefaultSetup()
	for _, s := range settings {
		// The defaults 0 and "" are explained in words.
		value, shown := new(string), def.Get(s.name)
		*value = shown
		if shown == "0" {
			shown = ""
		}
		f.values[s.name] = value
		flag := c.Flags().VarPF((*text)(value), s.name, "", s.usage)
		flag.DefValue = shown
		if s.words != nil {
			complete(c, s.name, s.words)
		}
	}
	c.Flags().StringArrayVar(&f.env, "env", nil, "`NAME=VALUE`, a variable of the guest's environment, beside PATH and HOME; may be repeated")
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return guestNames(), cobra.ShellCompDirectiveDefault
	}
}

func complete(c *cobra.Command, flag string, list func() []string) {
	err := c.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return list(), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic("BUG: " + err.Error())
	}
}

// text is a string flag.
type text string

func (t *text) String() string     { return string(*t) }
func (t *text) Set(s string) error { *t = text(s); return nil }
func (*text) Type() string         { return "value" }

// number is a flag of a whole number.
type number uint64

func (n *number) String() string { return strconv.FormatUint(uint64(*n), 10) }
func (*number) Type() string     { return "N" }

func (n *number) Set(s string) error {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return errors.New("expected a whole number")
	}
	*n = number(v)
	return nil
}

// numbers is a flag of whole numbers, separated by commas or given repeatedly.
type numbers []uint64

func (n *numbers) String() string { return "" }
func (*numbers) Type() string     { return "N" }

func (n *numbers) Set(s string) error {
	for _, part := range strings.Split(s, ",") {
		var one number
		if err := one.Set(strings.TrimSpace(part)); err != nil {
			return err
		}
		*n = append(*n, uint64(one))
	}
	return nil
}

func numberVar(fl *pflag.FlagSet, p *uint64, name string, value uint64, usage string) {
	*p = value
	fl.Var((*number)(p), name, usage)
}

// apply changes s as the flags that were given say.
func (f *setupFlags) apply(c *cobra.Command, s *crashinject.Setup) error {
	for _, set := range settings {
		if !c.Flags().Changed(set.name) {
			continue
		}
		if err := s.Set(set.name, *f.values[set.name]); err != nil {
			return fmt.Errorf("--%w", err)
		}
	}
	for _, e := range f.env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return fmt.Errorf("--env %q: expected NAME=VALUE", e)
		}
	}
	s.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"}, f.env...)
	return nil
}

// setup reads the flags and the program behind them.
func (f *setupFlags) setup(c *cobra.Command, args []string) (crashinject.Setup, error) {
	s := crashinject.DefaultSetup()
	s.Guest = guests.Guest
	if err := f.apply(c, &s); err != nil {
		return s, err
	}
	if len(args) == 0 {
		return s, errors.New("no program: expected -- PROG ARG…")
	}
	s.Program, s.Args = args[0], args[1:]
	if found := lookPath(&s); found != "" {
		s.Program = found
	}
	if s.Root != "" || strings.HasPrefix(s.Program, crashinject.GuestPrefix) {
		return s, nil
	}
	if s.Dir == "" {
		dir, err := os.Getwd()
		if err != nil {
			return s, err
		}
		s.Dir = dir
	}
	if strings.Contains(s.Program, "/") && !filepath.IsAbs(s.Program) {
		s.Program = filepath.Join(s.Dir, s.Program)
	}
	return s, nil
}

// lookPath looks for a program without a slash along the guest's PATH.
func lookPath(s *crashinject.Setup) string {
	if s.Program == "" || s.Program == "." || s.Program == ".." || strings.Contains(s.Program, "/") || strings.HasPrefix(s.Program, crashinject.GuestPrefix) {
		return ""
	}
	path := ""
	for _, e := range s.Env {
		if value, ok := strings.CutPrefix(e, "PATH="); ok {
			path = value
		}
	}
	for _, dir := range strings.Split(path, ":") {
		name := dir + "/" + s.Program
		st, err := os.Lstat(filepath.Join(s.Root, name))
		if err == nil && (st.Mode()&os.ModeSymlink != 0 || st.Mode().IsRegular() && st.Mode()&0o111 != 0) {
			return name
		}
	}
	return ""
}

// format is the --format flag.
type format struct{ value string }

func (f *format) register(c *cobra.Command) {
	c.Flags().StringVar(&f.value, "format", "text", "text or json")
	complete(c, "format", words("text", "json"))
}

func (f *format) json() (bool, error) {
	switch f.value {
	case "text":
		return false, nil
	case "json":
		return true, nil
	}
	return false, fmt.Errorf("--format %q: expected text or json", f.value)
}
