package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/scenarios"
	"zhuque/sim/kernel"
	"zhuque/sim/phys"
)

// listVerb prints a table that the code runs on. rows gives each row's cells;
// records is the JSON form, nil for one object a row with the column heads as keys.
func listVerb(use, short, long string, head []string, rows func() [][]string, records func() any) *cobra.Command {
	var form format
	c := &cobra.Command{
		Use: use, Short: short, Long: long, Args: cobra.NoArgs,
		Example: fmt.Sprintf("  zhuque %s\n  zhuque %s --format json", use, use),
		RunE: func(*cobra.Command, []string) error {
			asJSON, err := form.json()
			if err != nil {
				return err
			}
			switch {
			case asJSON && records != nil:
				return writeJSON(os.Stdout, records())
			case asJSON:
				return writeJSON(os.Stdout, keyed(head, rows()))
			}
			w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
			for _, row := range append([][]string{head}, rows()...) {
				for i, cell := range row {
					if i > 0 {
						fmt.Fprint(w, "\t")
					}
					fmt.Fprint(w, cell)
				}
				fmt.Fprintln(w)
			}
			return w.Flush()
		},
	}
	form.register(c)
	return c
}

// keyed turns rows into objects.
func keyed(head []string, rows [][]string) []map[string]string {
	list := make([]map[string]string, len(rows))
	for i, row := range rows {
		list[i] = map[string]string{}
		for j, key := range head {
			list[i][strings.ToLower(key)] = row[j]
		}
	}
	return list
}

func scenariosVerb() *cobra.Command {
	c := scenariosList()
	c.Example += "\n  zhuque scenarios --coverage\n  zhuque scenarios --show list-adr\n  zhuque scenarios --schema"
	c.Long += `

With --coverage it runs their guests and prints for each system call that works, and for each
field of the kernel's state, how many scenarios cut the power in the call or while the field
has a value, and the first of them; where there is none, why.

--show NAME prints the file of one, a pattern for your own; --schema is the JSON schema of such
files, for editors that check and complete them.`
	var coverage, schema bool
	var show string
	c.Flags().BoolVar(&schema, "schema", false, "print the JSON schema of scenario files")
	c.Flags().StringVar(&show, "show", "", "print the file of the scenario `NAME`")
	complete(c, "show", scenarios.Names)
	c.Flags().BoolVar(&coverage, "coverage", false, "which calls and state the scenarios cover")
	list := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case schema:
			_, err := os.Stdout.Write(scenarios.Schema())
			return err
		case show != "":
			text, err := scenarios.Text(show)
			if err != nil {
				return fmt.Errorf("--show: %w%s", err, meant(show, scenarios.Names()))
			}
			_, err = os.Stdout.Write(text)
			return err
		case !coverage:
			return list(c, args)
		}
		return printCoverage(c.Flag("format").Value.String())
	}
	return c
}

// printCoverage prints the coverage table.
func printCoverage(as string) error {
	form := format{as}
	asJSON, err := form.json()
	if err != nil {
		return err
	}
	table, err := scenarios.Coverage()
	if err != nil {
		return classify(err)
	}
	if asJSON {
		return writeJSON(os.Stdout, table)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tNAME\tSCENARIOS\tFIRST, OR WHY NONE")
	for _, r := range table {
		first := r.Excuse
		if len(r.Scenarios) > 0 {
			first = r.Scenarios[0]
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", r.Kind, r.Name, len(r.Scenarios), first)
	}
	return w.Flush()
}

func scenariosList() *cobra.Command {
	return listVerb("scenarios", "List the named campaigns", `Scenarios lists the campaigns that zhuque campaign knows by name. Besides these there is
calls/NAME for each system call that works (calls/read, calls/read-2, …): its cuts are in
a program that makes the call do something.`,
		[]string{"NAME", "GUEST", "STRATEGY", "EXPECT", "SHOWS"},
		func() (rows [][]string) {
			for _, s := range scenarios.All() {
				expect := result.Pass
				if len(s.Expect) > 0 {
					expect = result.MainVerdict(s.Expect)
				}
				rows = append(rows, []string{s.Name, s.Guest, s.Strategy.String(), expect.String(), s.About})
			}
			return rows
		}, nil)
}

func statusesVerb() *cobra.Command {
	return listVerb("statuses", "List the exit statuses", `Statuses lists what each exit status means, for every verb. A campaign's is that of its
worst point. Points that were not judged never count as a pass.`,
		[]string{"STATUS", "VERDICT", "MEANING"},
		func() (rows [][]string) {
			for _, s := range result.Statuses() {
				rows = append(rows, []string{strconv.Itoa(s.Code), s.Verdict, s.Meaning})
			}
			return rows
		}, func() any { return result.Statuses() })
}

func syscallsVerb() *cobra.Command {
	return listVerb("syscalls", "List the system calls", `Syscalls prints the kernel's table: state, what is missing, and under CUT what a
power failure in the call leaves. A call takes effect as a whole when it commits:
cut before, it is issued again; cut after, its recorded result is returned.
  pure   it changes nothing: the same answer again
  once   effect and result are one commit
  wait   it can wait; the wait is kept, and ends with EINTR only where the program
         handles SIGPWR (or begins again, by SA_RESTART as signal(7) says)
  count  a wait when a part is done: the rest follows, or with SIGPWR the count done
  final  it does not return
A call that is not listed stops the run.`,
		[]string{"NR", "NAME", "ARGUMENTS", "STATE", "CUT", "REMARK"},
		func() (rows [][]string) {
			for _, c := range kernel.Table() {
				cut := c.Class.String()
				if c.State == kernel.Refused {
					cut = "-"
				}
				rows = append(rows, []string{fmt.Sprint(c.Nr), c.Name, c.Args, c.Label(), cut, c.Reason})
			}
			return rows
		}, nil)
}

func paramsVerb() *cobra.Command {
	setup := crashinject.DefaultSetup()
	get := func() []phys.Param {
		list, err := paramsOf(&setup)
		if err != nil {
			panic("BUG: checked before: " + err.Error())
		}
		return list
	}
	c := listVerb("params", "List the model's parameters", `Params prints every parameter of the machine with its value, unit, status and source.
With --measure-host it measures instead what the Linux of this host takes for system calls, page
faults, context switches, wake-ups, signals and loopback packets (about ten seconds), and
writes all parameters to a file that --preset takes, here and in any run. Only the timed model charges them.`,
		[]string{"NAME", "VALUE", "UNIT", "STATUS", "RANGE", "SOURCE"},
		func() (rows [][]string) {
			for _, p := range get() {
				rows = append(rows,
					[]string{p.Name, strconv.FormatFloat(p.Value, 'f', -1, 64), p.Unit, string(p.Status), p.Range, p.Source})
			}
			return rows
		}, func() any { return get() })
	var f setupFlags
	f.registerSome(c, func(r *crashinject.Setting) bool { return r.Tunes })
	var measured string
	c.Flags().StringVar(&measured, "measure-host", "",
		"measure this host's kernel and write all parameters to this `FILE`")
	list := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if measured != "" {
			return measureHost(measured, &setup)
		}
		return list(c, args)
	}
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if err := f.settings(c, &setup); err != nil {
			return err
		}
		_, err := paramsOf(&setup)
		return err
	}
	return c
}

func versionVerb() *cobra.Command {
	return listVerb("version", "Print the version", "Version prints which simulator this is and how it was built.",
		[]string{"VERSION", "REVISION", "GO", "PLATFORM"},
		func() [][]string {
			v := version()
			v.Revision = revision()
			return [][]string{{v.Version, v.Revision, v.Go, v.Platform}}
		}, func() any { v := version(); v.Revision = revision(); return v })
}
