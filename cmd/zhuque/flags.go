package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"zhuque/crashinject"
	"zhuque/scenarios"
	"zhuque/scenarios/guests"
	"zhuque/scenarios/systems"
)

// setupFlags are the machine's settings on the command line: the rows of
// crashinject.Settings.
type setupFlags struct {
	rows   []crashinject.Setting
	values map[string]*string
	set    []string
	env    []string
}

func words(list ...string) func() []string { return func() []string { return list } }

func guestNames() (names []string) {
	for _, g := range append(guests.Names(), systems.Names()...) {
		names = append(names, crashinject.GuestPrefix+g)
	}
	return names
}

// register makes the flags of a verb that runs a program.
func (f *setupFlags) register(c *cobra.Command) {
	f.registerSome(c, func(r *crashinject.Setting) bool { return r.Only == "" || r.Only == c.Name() })
	c.Flags().StringArrayVar(&f.env, "env", nil,
		"`NAME=VALUE`, a variable of the guest's environment, beside PATH and HOME; may be repeated")
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return guestNames(), cobra.ShellCompDirectiveDefault
	}
}

// registerSome makes the flags of some settings, and --set for all and for parameters.
func (f *setupFlags) registerSome(c *cobra.Command, wanted func(*crashinject.Setting) bool) {
	f.values = map[string]*string{}
	def := crashinject.DefaultSetup()
	for _, r := range crashinject.Settings() {
		if !wanted(&r) {
			continue
		}
		f.rows = append(f.rows, r)
		value, usage := new(string), r.Usage
		*value = def.Get(r.Name)
		if r.Absent != "" {
			usage += " (default: " + r.Absent + ")"
		}
		f.values[r.Name] = value
		c.Flags().VarPF((*text)(value), r.Name, "", usage)
		if r.Words != nil {
			complete(c, r.Name, r.Words)
		}
		for _, old := range r.Old {
			if !strings.Contains(old, ".") { // or it is a parameter
				c.Flags().VarPF((*text)(value), old, "", usage).Hidden = true
			}
		}
	}
	c.Flags().StringArrayVar(&f.set, "set", nil,
		"`NAME=VALUE`, a setting or a parameter of the model (see zhuque params); may be repeated")
	complete(c, "set", settingNames)
}

// settingNames completes --set.
func settingNames() (names []string) {
	for _, name := range crashinject.Parameters() {
		names = append(names, name+"=")
	}
	for _, r := range crashinject.Settings() {
		names = append(names, r.Name+"=")
	}
	return names
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
	if err := f.settings(c, s); err != nil {
		return err
	}
	for _, e := range f.env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return fmt.Errorf("--env %q: expected NAME=VALUE", e)
		}
	}
	s.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"}, f.env...)
	return nil
}

// settings changes s in the order of the table, then as --set says.
func (f *setupFlags) settings(c *cobra.Command, s *crashinject.Setup) error {
	for _, r := range f.rows {
		if !slices.ContainsFunc(append(r.Old, r.Name), c.Flags().Changed) {
			continue
		}
		if err := s.Set(r.Name, *f.values[r.Name]); err != nil {
			if i := slices.IndexFunc(r.Old, c.Flags().Changed); i >= 0 && !c.Flags().Changed(r.Name) {
				return fmt.Errorf("--%s: %w", r.Old[i], err) // by the name that was given
			}
			return fmt.Errorf("--%w", err)
		}
	}
	for _, text := range f.set {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return fmt.Errorf("--set %q: expected NAME=VALUE", text)
		}
		if err := s.Set(name, value); err != nil {
			return fmt.Errorf("--set %w", err)
		}
	}
	return nil
}

// setup reads the flags and the program behind them.
func (f *setupFlags) setup(c *cobra.Command, args []string) (crashinject.Setup, error) {
	s := crashinject.DefaultSetup()
	s.Guest = scenarios.Guest
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
	s.Program = findProgram(&s, s.Program)
	return s, nil
}

// findProgram returns the path in the guest's tree of a program that somebody named: as
// a shell finds it.
func findProgram(s *crashinject.Setup, name string) string {
	of := *s
	of.Program = name
	if found := lookPath(&of); found != "" {
		return found
	}
	if strings.Contains(name, "/") && !filepath.IsAbs(name) &&
		s.Dir != "" && !strings.HasPrefix(name, crashinject.GuestPrefix) {
		return filepath.Join(s.Dir, name)
	}
	return name
}

// lookPath looks for a program without a slash along the guest's PATH.
func lookPath(s *crashinject.Setup) string {
	if s.Program == "" || s.Program == "." || s.Program == ".." || strings.Contains(s.Program, "/") ||
		strings.HasPrefix(s.Program, crashinject.GuestPrefix) {
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
