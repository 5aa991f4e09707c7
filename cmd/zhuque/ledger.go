package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/ledger"
	"zhuque/crashinject/result"
)

// keep opens the campaign's ledger, if it has one.
func (f *campaignFlags) keep(camp *crashinject.Campaign, folder *runFolder) (*keeper, error) {
	k := &keeper{own: f.ledger == ""}
	if k.own && f.out == "" {
		return k, nil
	}
	path := f.ledger
	if k.own {
		if err := folder.make(); err != nil {
			return nil, err
		}
		path = filepath.Join(folder.dir, "ledger.sqlite")
	}
	of, err := simulator()
	if err != nil {
		return nil, err
	}
	k.Ledger, err = ledger.Create(path, of)
	switch {
	case err == nil:
		camp.Ledger = k
		return k, nil
	case errors.As(err, new(*ledger.Foreign)) || errors.As(err, new(*ledger.InUse)):
		return nil, err
	case k.own:
		fmt.Fprintf(os.Stderr, "zhuque: no ledger is kept: %v\n", reason(err))
		k.err = err
		return k, nil
	}
	return nil, exit(result.StatusInfrastructure, "%s: %v", path, reason(err))
}

// keeper is the ledger of a run. That it cannot be written hides no verdict: the campaign is judged to its end.
type keeper struct {
	*ledger.Ledger // nil for none
	// own is a ledger that nobody asked for: it begins anew where it is of another campaign, or
	// complete, as the command that is given again is to judge again.
	own bool

	mu  sync.Mutex
	err error // the first of writing it
}

// Open implements crashinject.Ledger.
func (k *keeper) Open(d crashinject.Description) (map[crashinject.Job][]byte, error) {
	known, err := k.Ledger.Open(d)
	if k.own && (errors.As(err, new(*ledger.Foreign)) || err == nil && k.Complete()) {
		if err := k.Reset(); err != nil {
			return nil, err
		}
		return k.Ledger.Open(d)
	}
	if len(known) > 0 {
		fmt.Fprintf(os.Stderr, "zhuque: %d of %d jobs are in the ledger, the campaign continues from there\n", len(known), d.Jobs)
	}
	return known, err
}

// Keep implements crashinject.Ledger.
func (k *keeper) Keep(j crashinject.Judged) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		if k.err = k.Ledger.Keep(j); k.err != nil {
			fmt.Fprintf(os.Stderr, "zhuque: the ledger ends here: %v\n", k.err)
		}
	}
	return nil
}

// Close returns what kept the ledger from being written.
func (k *keeper) Close() error {
	if k.Ledger != nil {
		k.err = errors.Join(k.err, k.Ledger.Close())
	}
	return unwritten(k.err)
}

// simulator says which program judges: two that differ in anything may judge otherwise.
func simulator() (string, error) {
	name, err := os.Executable()
	if err != nil {
		return "", err
	}
	in, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return "", err
	}
	return fmt.Sprintf("zhuque %s, %.8x", version().Version, h.Sum(nil)), nil
}

func ledgerVerb() *cobra.Command {
	var form format
	var verdict string
	var most int
	c := &cobra.Command{
		Use:   "ledger [flags] FILE",
		Short: "Show what a campaign's ledger holds, or export it",
		Long: `Ledger shows what was judged so far and the failures by cause, each with its number of points and
the plan of the first. A campaign may be writing the ledger meanwhile. The file is a SQLite database;
crashinject/ledger/README.md has its schema.`,
		Example: `  zhuque campaign --strategy random --points 20 --ledger list.sqlite -- guest:list
  zhuque ledger list.sqlite
  zhuque ledger export list.sqlite`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			asJSON, err := form.json()
			if err != nil {
				return err
			}
			if verdict != "" {
				if _, err := result.ParseVerdict(verdict); err != nil {
					return fmt.Errorf("--%w", err)
				}
			}
			if most < 1 {
				return fmt.Errorf("--limit %d: expected 1 or more", most)
			}
			return showLedger(os.Stdout, args[0], verdict, most, asJSON)
		},
	}
	form.register(c)
	c.Flags().StringVar(&verdict, "verdict", "", "only failures of this `VERDICT`")
	c.Flags().IntVar(&most, "limit", 50, "how many causes are shown")
	var as string
	export := &cobra.Command{
		Use:   "export [flags] FILE",
		Short: "Write all rows of a ledger to standard output",
		Long: `Export writes the rows of a ledger, jobs and then points that did not pass, each in order. They
hold nothing of the host: a campaign has the same rows however often it was interrupted, and wherever
its parts were judged.`,
		Example: `  zhuque ledger export --format json list.sqlite`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if !slices.Contains(ledger.Formats, as) {
				return fmt.Errorf("--format %q: expected one of %q", as, ledger.Formats)
			}
			l, err := ledger.Read(args[0])
			if err != nil {
				return err
			}
			defer l.Close()
			return l.Export(os.Stdout, as)
		},
	}
	export.Flags().StringVar(&as, "format", "csv", strings.Join(ledger.Formats, " or "))
	c.AddCommand(export)
	return c
}

// shownLedger is the JSON form of what the verb shows.
type shownLedger struct {
	Jobs     uint64            `json:"jobs"`
	AllJobs  uint64            `json:"all_jobs"`
	Points   uint64            `json:"points"`
	All      uint64            `json:"all_points"`
	Verdicts result.Counts     `json:"verdicts"`
	Campaign map[string]string `json:"campaign"`
	Failures []ledger.Failure  `json:"failures"`
}

func showLedger(w io.Writer, path, verdict string, most int, asJSON bool) error {
	l, err := ledger.Read(path)
	if err != nil {
		return err
	}
	defer l.Close()
	n, err := l.Counts()
	if err != nil {
		return err
	}
	failures, err := l.Failures(verdict, most)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(w, shownLedger{n.Jobs, n.AllJobs, n.Points, n.AllPoints, n.Verdicts, n.Fields, append([]ledger.Failure{}, failures...)})
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, field := range slices.Sorted(maps.Keys(n.Fields)) {
		fmt.Fprintf(t, "%s\t%s\n", field, crashinject.Printable(n.Fields[field]))
	}
	fmt.Fprintf(t, "judged\t%d of %d points, %d of %d jobs\n", n.Points, n.AllPoints, n.Jobs, n.AllJobs)
	for _, v := range result.Verdicts() {
		if k := n.Verdicts.Of(v); k > 0 {
			fmt.Fprintf(t, "%v\t%d\n", v, k)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range failures {
		if _, err := fmt.Fprintf(w, "\n%d points, the first %d: %s\n%s\n", f.Points, f.First, crashinject.Printable(f.Cause),
			crashinject.Printable(strings.ReplaceAll(strings.TrimSpace(f.Plan), "\n", "; "))); err != nil {
			return err
		}
	}
	return nil
}

func mergeVerb() *cobra.Command {
	return &cobra.Command{
		Use:   "merge OUT LEDGER…",
		Short: "Put the ledgers of a campaign's shards together",
		Long: `Merge adds to the ledger OUT, which is made where there is none, what the others have, and says how
much of the campaign is there. The same campaign with --ledger OUT then judges what is missing, which
may be nothing, and reports all of it.`,
		Example: `  zhuque campaign --strategy random --points 40 --shard 1/2 --ledger one.sqlite -- guest:list
  zhuque campaign --strategy random --points 40 --shard 2/2 --ledger two.sqlite -- guest:list
  zhuque merge all.sqlite one.sqlite two.sqlite
  zhuque campaign --strategy random --points 40 --ledger all.sqlite -- guest:list`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			var from []*ledger.Ledger
			for _, path := range args[1:] {
				l, err := ledger.Read(path)
				if err != nil {
					return err
				}
				defer l.Close()
				from = append(from, l)
			}
			out, err := ledger.Create(args[0], "")
			if err != nil {
				return err
			}
			for _, l := range from {
				if err := out.Merge(l); err != nil {
					return errors.Join(err, out.Close())
				}
			}
			n, err := out.Counts()
			if err := errors.Join(err, out.Close()); err != nil {
				return err
			}
			fmt.Printf("%s: %d of %d points, %d of %d jobs\n", args[0], n.Points, n.AllPoints, n.Jobs, n.AllJobs)
			return nil
		},
	}
}
