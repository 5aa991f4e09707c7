package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/explore"
	"zhuque/crashinject/result"
	"zhuque/eadr"
)

type exploreFlags struct {
	setup  setupFlags
	form   format
	recov  string
	check  string
	status uint64
	output string
	stdout string
	bound  uint64
	point  uint64
	cuts   uint64
	world  string
	out    string

	stdin    string
	fuzz     string
	inputs   uint64 // of --stdin-fuzz
	input    uint64
	failOn   []string
	suppress string
	generate string
	only     *uint64 // --stdin-input, when it is given
}

// mostInputs bounds --stdin-fuzz.
const mostInputs = 100_000

func exploreVerb() *cobra.Command {
	var f exploreFlags
	c := &cobra.Command{
		Use:   "explore [flags] -- PROG ARG…",
		Short: "Give a program's recovery every memory that a power cut may leave",
		Long: `Explore is for programs that manage persistent memory themselves: they map a file
of /mnt/pmem, store, flush and fence, and recover from what a power cut leaves. It runs
PROG once. At each crash point that can leave another memory than the ones before, it
boots a machine whose persistent memory holds every memory that the architecture allows
there, and runs the recovery: --recover, or PROG itself, run again. Where the recovery
loads bytes in which these memories differ the machine forks, once for each value.

A world is a machine that was run after a cut. It is wrong when the recovery is killed
by a signal, ends with another status than 0 (--expect-status), does not end (hang),
writes other output than the file of --expect-output has, or when --check fails
afterwards. Lines that PROG writes to standard output, or zhuque_mark of
runtime/zhuque.h, acknowledge what it has done: the recovery after a cut must then answer
as after a cut right before or right after the operation in flight. Otherwise what was
acknowledged is lost, or the operation is torn. Commands are split into words as a shell
does, but no shell runs.

For a program list: zhuque explore --recover "./list walk" -- ./list push 3. One that
stores to no mapped file of /mnt/pmem has nothing to explore (exit status 2).

Advice is what a right program may do: robustness names two stores that a cut may leave in
the wrong order, race a store on which another thread acts before it is durable. It is a
failure with --fail-on alone. --suppress leaves out of the report, and of the verdict, what
a file in the form of Valgrind's suppressions names; --gen-suppressions writes one.

--stdin is what PROG reads. --stdin-fuzz FILE [N] explores it N times: with the lines of
FILE, and with variations of them by --seed. A recovery reads nothing.

Each failure has a folder in the --out directory: world.case, which zhuque replay judges
again, and failure.txt, what is said of it here. Without --out a run that finds one has its
own directory, zhuque-out/NAME-N.

What fails without a power cut is said first: exit status 16. The exit status is 0 when
nothing was found, 10 when a world is wrong, and otherwise that of other verbs. The
domain is adr unless --domain says otherwise.`,
		Example: `  zhuque explore --domain eadr -- guest:hello   # exit status 2`,
		Args:    cobra.ArbitraryArgs,
		RunE:    func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	c.Flags().SetInterspersed(false)
	f.setup.register(c)
	f.form.register(c)
	fl := c.Flags()
	fl.StringVar(&f.recov, "recover", "", "the recovery, a `COMMAND` (default: the program itself)")
	fl.StringVar(&f.check, "check", "", "a `COMMAND` run after a recovery that ended well, which must exit with status 0")
	numberVar(fl, &f.status, "expect-status", 0, "the exit status of a recovery that is right; 128+n for signal n")
	fl.StringVar(&f.output, "expect-output", "", "a `FILE` with what the recovery must write to standard output")
	fl.StringVar(&f.stdout, "stdout", "terminal", "what standard output is: terminal (line-buffered) or pipe")
	complete(c, "stdout", words("terminal", "pipe"))
	numberVar(fl, &f.bound, "bound-worlds", 0, "stop after so many worlds (default: no bound)")
	numberVar(fl, &f.point, "bound-point", 2000, "run so many worlds of one crash point; where there are more, those nearest to everything and nothing persisted, and a quarter more at random; 0: all")
	numberVar(fl, &f.cuts, "cuts", 2, "power cuts one after the other: 1 does not cut the recovery, and is the quicker way: one machine is started for many crash points")
	fl.StringVar(&f.stdin, "stdin", "", "host `FILE` that is the program's standard input (default: empty); a recovery's is empty")
	fl.StringVar(&f.fuzz, "stdin-fuzz", "", "host `FILE` with lines of an example of standard input; explored with it and N-1 variations by --seed, N before -- (default: 10)")
	numberVar(fl, &f.input, "stdin-input", 0, "of --stdin-fuzz: this input alone")
	fl.StringSliceVar(&f.failOn, "fail-on", nil, "advice that is a failure: robustness, race; with commas or repeated")
	complete(c, "fail-on", words(string(explore.Robustness), string(explore.RaceAdvice)))
	fl.StringVar(&f.suppress, "suppress", "", "a `FILE` of suppressions in Valgrind's form, of kinds zhuque:KIND")
	fl.StringVar(&f.generate, "gen-suppressions", "", "a `FILE` to write with suppressions of all that is reported")
	fl.StringVar(&f.world, "world", "", "run this world alone: the numbers of a failure's world in the JSON report, with dots between them")
	fl.StringVar(&f.out, "out", "", "directory for a folder of each failure (default zhuque-out/NAME-N, N counting the runs)")
	return c
}

// options are what the flags say.
func (f *exploreFlags) options(c *cobra.Command, args []string) (*explore.Options, error) {
	given := c.Flags().Changed
	args, err := f.count(c, args)
	if err != nil {
		return nil, err
	}
	setup, err := f.setup.setup(c, args)
	if err != nil {
		return nil, err
	}
	setup.Stdin = f.stdin
	for _, name := range explore.Foreign {
		if given(name) {
			return nil, fmt.Errorf("--%s: explore has its own machine, of which persistent memory is the files of /mnt/pmem", name)
		}
	}
	if !given("domain") {
		setup.Domain = eadr.ADR
	}
	opt := &explore.Options{Setup: setup, Status: int(f.status), Pipe: f.stdout == "pipe", Worlds: f.bound, PointWorlds: f.point, Cuts: int(f.cuts)}
	switch {
	case f.stdout != "pipe" && f.stdout != "terminal":
		return nil, fmt.Errorf("--stdout %q: expected terminal or pipe", f.stdout)
	case f.status > 255:
		return nil, fmt.Errorf("--expect-status %d: expected 0 to 255", f.status)
	case f.cuts < 1 || f.cuts > explore.MostCuts:
		return nil, fmt.Errorf("--cuts %d: expected 1 to %d", f.cuts, explore.MostCuts)
	case given("bound-worlds") && f.bound == 0:
		return nil, errors.New("--bound-worlds 0: expected a number above zero")
	}
	for _, n := range strings.FieldsFunc(f.world, func(r rune) bool { return r == '.' }) {
		v, err := strconv.ParseUint(n, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("--world %q: expected whole numbers with dots between them", f.world)
		}
		opt.Only = append(opt.Only, v)
	}
	if given("recover") {
		if opt.Recover, err = f.command(&setup, "recover", f.recov); err != nil {
			return nil, err
		}
	}
	if given("check") {
		if opt.Check, err = f.command(&setup, "check", f.check); err != nil {
			return nil, err
		}
	}
	if given("expect-output") {
		if opt.Output, err = crashinject.ReadInput(f.output); err != nil {
			return nil, fmt.Errorf("--expect-output: %w", err)
		}
		opt.Output = append([]byte{}, opt.Output...) // an empty file is something, too
	}
	return opt, f.advice(opt)
}

// count reads the N of --stdin-fuzz FILE N, with the flags behind it, and returns what follows.
func (f *exploreFlags) count(c *cobra.Command, args []string) ([]string, error) {
	given := c.Flags().Changed
	f.inputs = 10
	if given("stdin-fuzz") && len(args) > 0 && c.ArgsLenAtDash() < 0 {
		n, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil || n < 1 || n > mostInputs {
			return nil, fmt.Errorf("--stdin-fuzz %s %s: expected a number of inputs from 1 to %d, or -- before the program", f.fuzz, args[0], mostInputs)
		}
		f.inputs = n
		if err := c.Flags().Parse(args[1:]); err != nil {
			return nil, flagError(c, err)
		}
		args = c.Flags().Args()
	}
	if given("stdin-input") {
		f.only = &f.input
	}
	switch {
	case !given("stdin-fuzz") && f.only != nil:
		return nil, errors.New("--stdin-input: expected --stdin-fuzz FILE with it")
	case !given("stdin-fuzz"):
		return args, nil
	case given("stdin"):
		return nil, errors.New("--stdin and --stdin-fuzz: expected one of them")
	}
	if f.only != nil && f.input >= mostInputs {
		return nil, fmt.Errorf("--stdin-input %d: expected less than %d", f.input, mostInputs)
	}
	return args, nil
}

// advice reads what is to be done about advice.
func (f *exploreFlags) advice(opt *explore.Options) error {
	for _, word := range f.failOn {
		k := explore.Kind(word)
		if k != explore.Robustness && k != explore.RaceAdvice {
			return fmt.Errorf("--fail-on %q: expected %s or %s", word, explore.Robustness, explore.RaceAdvice)
		}
		opt.FailOn = append(opt.FailOn, k)
	}
	if f.suppress == "" {
		return nil
	}
	text, err := crashinject.ReadInput(f.suppress)
	if err != nil {
		return fmt.Errorf("--suppress: %w", err)
	}
	opt.Suppress, err = explore.ParseSuppressions(f.suppress, string(text))
	return err
}

// explore explores with the standard inputs that the flags ask for.
func (f *exploreFlags) explore(ctx context.Context, opt *explore.Options) (*explore.Report, error) {
	if f.fuzz == "" {
		return explore.Explore(ctx, opt)
	}
	example, err := crashinject.ReadInput(f.fuzz)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--stdin-fuzz: %w", err)
	case len(bytes.TrimSpace(example)) == 0:
		return nil, fmt.Errorf("--stdin-fuzz %s: expected lines in it", f.fuzz)
	}
	from, to := 0, int(f.inputs)
	if f.only != nil {
		from, to = int(f.input), int(f.input)+1
	}
	return explore.Inputs(ctx, opt, from, to, func(n int) []byte { return crashinject.FuzzLines(example, opt.Setup.Seed, n) })
}

func (f *exploreFlags) command(setup *crashinject.Setup, flag, words string) (*crashinject.Restart, error) {
	r, err := crashinject.ParseRestart(words, 0)
	if err != nil {
		return nil, fmt.Errorf("--%s %w", flag, err)
	}
	r.Program = findProgram(setup, r.Program)
	return r, nil
}

// keep writes each failure into a folder of its own, and says how it is replayed.
func (f *exploreFlags) keep(opt *explore.Options, failures []*explore.Failure, folder *runFolder) (errs error) {
	for i, x := range failures {
		if err := keepOne(opt, x, folder, fmt.Sprintf("failure-%d-%s", i+1, x.Kind)); err != nil {
			errs = errors.Join(errs, fmt.Errorf("failure %d has no case: %w", i+1, err))
		}
	}
	return errs
}

// worldCase is the case in a failure's folder.
const worldCase = "world" + caseExt

func keepOne(opt *explore.Options, x *explore.Failure, folder *runFolder, name string) error {
	cs, err := x.Case(opt)
	if err != nil {
		return err
	}
	text := comment(x.Text()) + cs.String()
	if err := folder.make(); err != nil {
		return err
	}
	dir, err := freeFolder(filepath.Join(folder.dir, name), text)
	if err != nil {
		return err
	}
	name = filepath.Join(dir, worldCase)
	x.Replay = command("zhuque", "replay", name)
	if err := result.WriteFile(name, writeText(text)); err != nil {
		return err
	}
	return result.WriteFile(filepath.Join(dir, "failure.txt"), writeText(x.Text()))
}

// comment makes text lines of a case that do not count.
func comment(text string) string {
	text = strings.TrimRight(crashinject.Printable(text), "\n")
	return "# " + strings.ReplaceAll(text, "\n", "\n# ") + "\n"
}

// freeFolder makes the first folder of a name that has no other case in it.
func freeFolder(base, text string) (string, error) {
	for n := 1; ; n++ {
		dir := base
		if n > 1 {
			dir = fmt.Sprintf("%s-%d", base, n)
		}
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, os.ErrExist) {
			return "", fmt.Errorf("cannot make the directory %s: %w", dir, reason(err))
		}
		if old, err := os.ReadFile(filepath.Join(dir, worldCase)); err == nil && string(old) == text {
			return dir, nil
		}
	}
}

// unexplored gives an error of exploring its exit status, where that is its own.
func unexplored(err error) error {
	var (
		fails       *explore.BaselineFails
		interrupted *Interrupted
	)
	switch {
	case errors.As(err, &fails):
		return exit(result.StatusBaseline, "%v", err)
	case errors.As(err, &interrupted):
		return exit(result.StatusInterrupted, "%v", err)
	}
	return err
}

func (f *exploreFlags) run(c *cobra.Command, args []string) error {
	opt, err := f.options(c, args) // which reads flags behind --stdin-fuzz FILE N
	if err != nil {
		return err
	}
	asJSON, err := f.form.json()
	if err != nil {
		return err
	}
	folder := &runFolder{name: folderName(opt.Setup.Program)}
	if f.out != "" {
		if folder, err = newRunFolder(f.out, ""); err != nil {
			return err
		}
	}
	ctx, stop := interruptible()
	defer stop()
	r, err := f.explore(ctx, opt)
	if err != nil {
		return classify(unexplored(err))
	}
	unkept := f.keep(opt, r.Failures, folder)
	if f.generate != "" {
		if err := os.WriteFile(f.generate, []byte(r.Suppressions()), 0o644); err != nil {
			return fmt.Errorf("--gen-suppressions: %w", err)
		}
	}
	if asJSON {
		err = writeJSON(os.Stdout, r)
	} else {
		_, err = os.Stdout.WriteString(crashinject.Printable(r.Text()))
	}
	switch {
	case err != nil:
		return err
	case r.Verdict != "pass":
		return errors.Join(verdict(result.Violation), told(unkept))
	case ctx.Err() != nil:
		return exit(result.StatusInterrupted, "interrupted after %d worlds", r.Worlds)
	}
	return classify(r.Err())
}
