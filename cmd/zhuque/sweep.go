package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/report"
	"zhuque/sim"
	"zhuque/sim/kernel"
)

// sweepSystems are the kinds of memory whose cost a sweep compares.
var sweepSystems = []struct {
	word, name string
	memory     sim.Memory
}{{"native", "native", sim.Native}, {"pmem", "native-on-PMEM", sim.PMEM}, {"zhuque", "Zhuque", sim.Zhuque}}

const (
	maxSweepValues = 1000
	maxSweepSeeds  = 1000
)

// sweepFlags are the flags of sweep that are no settings.
type sweepFlags struct {
	setup   setupFlags
	format  format
	param   string
	systems []string
	seeds   uint64
	out     string
}

func sweepVerb() *cobra.Command {
	var f sweepFlags
	c := &cobra.Command{
		Use:   "sweep --param NAME=V1,V2,… [flags] -- PROG ARG…",
		Short: "Measure a program's run time over a parameter, and draw it",
		Long: `Sweep runs a program without a failure for each value of a parameter and each system, and
reports the modelled run time relative to native at the same value. NAME is a setting
(a flag of this verb) or a parameter of the model, as zhuque params lists them.

Systems: native (memory is DRAM), pmem (all memory is PMEM, without a runtime), zhuque.
native is always run: it is what the others are compared with. Time is that until the last
core is done; several cores need --model timed --clock model.

With --seeds N each point is N runs with as many seeds, and its interval is that from the
smallest to the largest ratio. Where the seed changes nothing there is none.

Every run must end with status 0 and, where time is counted in instructions, print the
same in all systems: one that does not is an error (exit status 16), and nothing is drawn.`,
		Example: `  zhuque sweep --param cache.pmem.read=100,305,1000 -- guest:list
  zhuque sweep --param cache.pmem.read=100,305 --system zhuque --format json -- guest:list`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	c.Flags().SetInterspersed(false)
	f.setup.registerSome(c, func(s *crashinject.Setting) bool { return s.Name != "memory" && s.Name != "mutant" })
	f.format.register(c)
	c.Flags().StringVar(&f.param, "param", "", "what varies: NAME=V1,V2,…")
	c.Flags().StringSliceVar(&f.systems, "system", []string{"native", "pmem", "zhuque"},
		"systems to compare: native, pmem, zhuque")
	complete(c, "system", func() []string { return []string{"native", "pmem", "zhuque"} })
	numberVar(c.Flags(), &f.seeds, "seeds", 1, "runs of each point, with as many seeds")
	c.Flags().StringVar(&f.out, "out", "",
		"directory for figure, tables and report; without it one of its own in "+defaultOut)
	return c
}

// sweep is what is run: every system at every value, with every seed.
type sweep struct {
	setup  crashinject.Setup
	name   string // of the parameter
	unit   string
	values []uint64
	seeds  uint64
	picked map[string]bool // by word
}

// parse reads the flags and the program.
func (f *sweepFlags) parse(c *cobra.Command, args []string) (*sweep, error) {
	setup, err := f.setup.setup(c, args)
	if err != nil {
		return nil, err
	}
	s := &sweep{setup: setup, seeds: f.seeds, picked: map[string]bool{}}
	name, list, ok := strings.Cut(f.param, "=")
	if !ok || name == "" || list == "" {
		return nil, fmt.Errorf("--param %q: expected NAME=V1,V2,…", f.param)
	}
	s.name = name
	for _, text := range strings.Split(list, ",") {
		v, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("--param %s: %q: expected a whole number", name, text)
		}
		if slices.Contains(s.values, v) {
			return nil, fmt.Errorf("--param %s: duplicate %d", name, v)
		}
		one := setup
		if err := one.Set(name, text); err != nil {
			return nil, fmt.Errorf("--param %w", err)
		}
		s.values = append(s.values, v)
	}
	switch {
	case len(s.values) > maxSweepValues:
		return nil, fmt.Errorf("--param %s: %d values: expected at most %d", name, len(s.values), maxSweepValues)
	case f.seeds == 0 || f.seeds > maxSweepSeeds:
		return nil, fmt.Errorf("--seeds %d: expected 1 to %d", f.seeds, maxSweepSeeds)
	}
	slices.Sort(s.values)
	for _, word := range f.systems {
		known := slices.ContainsFunc(sweepSystems, func(k struct {
			word, name string
			memory     sim.Memory
		}) bool {
			return k.word == word
		})
		if !known {
			return nil, fmt.Errorf("--system %q: expected native, pmem or zhuque", word)
		}
		s.picked[word] = true
	}
	params, err := paramsOf(&setup)
	if err != nil {
		return nil, err
	}
	for _, p := range params {
		if p.Name == name || strings.TrimPrefix(p.Name, "cache.") == name {
			s.unit = p.Unit
		}
	}
	return s, nil
}

func (f *sweepFlags) run(c *cobra.Command, args []string) error {
	asJSON, err := f.format.json()
	if err != nil {
		return err
	}
	s, err := f.parse(c, args)
	if err != nil {
		return err
	}
	folder, err := newRunFolder(f.out, "sweep-"+s.setup.Program)
	if err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	curve, runs, err := s.measure(ctx)
	switch {
	case ctx.Err() != nil:
		return exit(result.StatusInterrupted, "%v", context.Cause(ctx))
	case err != nil:
		return classify(err)
	}
	doc, err := document("sweep of "+s.setup.Program, &s.setup)
	if err != nil {
		return err
	}
	doc.Overheads, doc.Runs = []result.Overhead{curve}, runs
	werr := folder.report(doc)
	if asJSON {
		err = writeJSON(os.Stdout, curve)
	} else if err = report.Text(os.Stdout, doc, colour(os.Stdout)); err == nil && werr == nil {
		fmt.Printf("\nreport: %s (figure and tables beside it)\n", folder.page())
	}
	return errors.Join(err, unwritten(werr))
}

// measure runs everything. The runs that it returns are those of the first seed.
func (s *sweep) measure(ctx context.Context) (result.Overhead, []result.Run, error) {
	curve := result.Overhead{Program: command(append([]string{s.setup.Program}, s.setup.Args...)...), Parameter: s.axis()}
	var runs []result.Run
	for _, value := range s.values {
		ratios := map[string][]float64{}
		first := map[string]result.Run{}
		for i := range s.seeds {
			var native result.Run
			var printed [2]string
			for _, sys := range sweepSystems {
				if sys.memory != sim.Native && !s.picked[sys.word] {
					continue
				}
				fmt.Fprintf(os.Stderr, "%s=%d, %s, seed %d\n", s.name, value, sys.name, s.setup.Seed+i)
				if ctx.Err() != nil {
					return curve, nil, context.Cause(ctx)
				}
				r, out, err := s.once(value, sys.memory, s.setup.Seed+i)
				if err != nil {
					return curve, nil, err
				}
				if sys.memory == sim.Native {
					native, printed = r, out
				}
				if out != printed && s.setup.Clock != crashinject.ModelClock {
					return curve, nil,
						exit(result.StatusBaseline, "%s=%d, seed %d: the program prints something else under %s than natively",
							s.name, value, s.setup.Seed+i, sys.name)
				}
				ratios[sys.word] = append(ratios[sys.word], float64(r.ElapsedCycles)/float64(max(native.ElapsedCycles, 1)))
				if i == 0 {
					r.Name = fmt.Sprintf("%s=%d, %s", s.name, value, sys.name)
					first[sys.word] = r
				}
			}
		}
		for _, sys := range sweepSystems {
			if !s.picked[sys.word] {
				continue
			}
			r := first[sys.word]
			curve.Points = append(curve.Points, point(sys.name, value, &r, ratios[sys.word]))
			runs = append(runs, r)
		}
	}
	return curve, runs, nil
}

// axis is the parameter's name with its unit.
func (s *sweep) axis() string {
	if s.unit == "" || strings.HasSuffix(s.name, s.unit) {
		return s.name
	}
	return s.name + " (" + s.unit + ")"
}

// point is one system at one value: the mean of the ratios, and how far they reach.
func point(system string, value uint64, r *result.Run, ratios []float64) result.OverheadPoint {
	sum := 0.0
	for _, v := range ratios {
		sum += v
	}
	p := result.OverheadPoint{System: system, Value: float64(value), Cycles: r.ElapsedCycles,
		Instructions: r.Instructions, RelativeToNative: sum / float64(len(ratios)), N: len(ratios)}
	if len(ratios) > 1 {
		// The mean of equal numbers may lie beside them by a rounding.
		p.Low, p.High = min(slices.Min(ratios), p.RelativeToNative), max(slices.Max(ratios), p.RelativeToNative)
	}
	return p
}

// once makes one run. It returns what the program has printed, as digests.
func (s *sweep) once(value uint64, memory sim.Memory, seed uint64) (result.Run, [2]string, error) {
	none := [2]string{}
	setup := s.setup
	setup.Memory, setup.Seed = memory, seed
	if err := setup.Set(s.name, strconv.FormatUint(value, 10)); err != nil {
		return result.Run{}, none, err
	}
	var in io.Reader
	if setup.Stdin != "" {
		f, err := os.Open(setup.Stdin)
		if err != nil {
			return result.Run{}, none, err
		}
		defer f.Close()
		in = f
	}
	out, errs := sha256.New(), sha256.New()
	cfg, err := setup.Config(kernel.NewConsole(in, out, errs))
	if err != nil {
		return result.Run{}, none, err
	}
	m, err := setup.Start(cfg)
	if err != nil {
		return result.Run{}, none, err
	}
	begin := time.Now()
	stop := m.Run()
	wall := time.Since(begin)
	if err := m.Close(); err != nil {
		return result.Run{}, none, err
	}
	switch order := m.Time().Order; {
	case !stop.Ended() || stop.ExitCode() != 0:
		return result.Run{}, none, exit(result.StatusBaseline,
			"%s=%d, memory %s, seed %d: %v: expected an end with status 0", s.name, value, memory, seed, stop)
	case order != "" && order != string(crashinject.ModelClock):
		return result.Run{}, none,
			fmt.Errorf("several cores take turns by %s, of which no time follows: expected --model timed --clock model", order)
	}
	r, err := runRecord(&setup, m, stop, wall)
	return r, [2]string{hex.EncodeToString(out.Sum(nil)), hex.EncodeToString(errs.Sum(nil))}, err
}
