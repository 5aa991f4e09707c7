package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/report"
)

// defaultOut receives what nobody gave another place to: a folder for each run, and the
// report of the latest.
const defaultOut = "zhuque-out"

// runFolder is where a campaign puts its cases and its report.
type runFolder struct {
	dir    string // "" until the first file, when nobody named one
	name   string // of the run, for its folder's name
	latest bool   // the report goes to defaultOut too
}

// newRunFolder returns the folder that --out names, or one of its own for the run. Only
// the former is made at once.
func newRunFolder(out, name string) (*runFolder, error) {
	if out == "" {
		parent := "."
		if st, err := os.Stat(defaultOut); err == nil && st.IsDir() {
			parent = defaultOut
		}
		if err := expectWritable(filepath.Join(parent, reportPage)); err != nil {
			return nil, fmt.Errorf("without --out the report goes to %s: %w", defaultOut, err)
		}
		return &runFolder{name: folderName(name), latest: true}, nil
	}
	if err := expectFolder(out); err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	return &runFolder{dir: out}, nil
}

// folderName makes a run's name one of a folder: of a program the base name, without what
// shells and file systems take amiss.
func folderName(name string) string {
	name = path.Base(strings.TrimPrefix(name, crashinject.GuestPrefix))
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+", r) {
			return r
		}
		return '-'
	}, name)
	if name = strings.Trim(name, "-."); name == "" {
		name = "run"
	}
	return name[:min(len(name), 64)]
}

// make makes the folder of a run that has none, under the next free number.
func (f *runFolder) make() error {
	if f.dir != "" {
		return nil
	}
	if err := os.MkdirAll(defaultOut, 0o755); err != nil {
		return fmt.Errorf("cannot make the directory %s: %w", defaultOut, reason(err))
	}
	for n := 1; ; n++ {
		dir := filepath.Join(defaultOut, fmt.Sprintf("%s-%d", f.name, n))
		err := os.Mkdir(dir, 0o755) // fails where one is: two runs never share one
		if err == nil {
			f.dir = dir
			return nil
		}
		if !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("cannot make the directory %s: %w", dir, reason(err))
		}
	}
}

// report writes a document into the folder, and where the latest is looked for.
func (f *runFolder) report(doc result.Document) error {
	if err := f.make(); err != nil {
		return err
	}
	if err := report.WriteAll(f.dir, doc); err != nil || !f.latest {
		return err
	}
	return f.makeLatest()
}

// latestList names the files of the latest report in defaultOut, one a line.
const latestList = "latest.txt"

// makeLatest copies the report to defaultOut and removes what an earlier one had beside it.
func (f *runFolder) makeLatest() error {
	old, err := os.ReadFile(filepath.Join(defaultOut, latestList))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	all, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	now := map[string]bool{}
	list := ""
	for _, e := range all {
		if e.Type().IsRegular() && filepath.Ext(e.Name()) != caseExt && !strings.HasPrefix(e.Name(), ".") {
			now[e.Name()], list = true, list+e.Name()+"\n"
		}
	}
	// What is going to be there is listed before it is: what a kill leaves is removed later.
	if err := result.WriteFile(filepath.Join(defaultOut, latestList), writeText(list)); err != nil {
		return err
	}
	for name := range strings.Lines(string(old)) {
		name = strings.TrimSuffix(name, "\n")
		if name != "" && !now[name] && !strings.ContainsAny(name, `/\`) && name != ".." {
			_ = os.Remove(filepath.Join(defaultOut, name)) // one that is gone is gone
		}
	}
	for name := range now {
		if name != reportPage {
			if err := f.copyLatest(name); err != nil {
				return err
			}
		}
	}
	return f.copyLatest(reportPage)
}

const reportPage = "report.html"

func (f *runFolder) copyLatest(name string) error {
	from, err := os.Open(filepath.Join(f.dir, name))
	if err != nil {
		return err
	}
	defer from.Close()
	return result.WriteFile(filepath.Join(defaultOut, name), func(w io.Writer) error {
		_, err := io.Copy(w, from)
		return err
	})
}

// page is the report that the user is told of.
func (f *runFolder) page() string {
	if f.latest {
		return filepath.Join(defaultOut, reportPage)
	}
	return filepath.Join(f.dir, reportPage)
}

const caseExt = ".case"

// firstCase keeps the first failing case of a campaign in a file.
type firstCase struct {
	folder *runFolder
	budget int      // of Shrink
	more   []string // of the file's name
	path   string   // where the case is; "" for nowhere yet
	failed error    // the last attempt to keep it
}

// attach makes a campaign keep its first failing case: as soon as it is found, and when
// the campaign is over the smallest form of it.
func (k *firstCase) attach(ctx context.Context, c *crashinject.Campaign) {
	c.Found = func(cs crashinject.Case) {
		if k.failed = k.put(cs); k.failed != nil {
			fmt.Fprintf(os.Stderr, "zhuque: %v\n", k.failed)
		}
	}
	c.Replay = func(cs crashinject.Case) (string, error) {
		small, err := cs.Shrink(ctx, k.budget)
		if err != nil {
			small = cs
		}
		if err := k.put(small); err != nil {
			return "", exit(result.StatusInfrastructure, "%v", err)
		}
		return command("zhuque", "replay", k.path), nil
	}
}

// put makes the file of the first case hold cs. A case of an earlier run stays: it has its
// own verdict to show.
func (k *firstCase) put(cs crashinject.Case) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("the first failure (%s, plan %s) could not be kept: %w", cs.Verdict, cs.Plan, err)
		}
	}()
	if err := k.folder.make(); err != nil {
		return err
	}
	base := filepath.Join(k.folder.dir, strings.Join(append([]string{"first", cs.Verdict.String()}, k.more...), "-"))
	name, text := k.path, cs.String()
	if !strings.HasPrefix(name, base) {
		if name, err = freeCase(base, text); err != nil {
			return err
		}
	}
	if err := result.WriteFile(name, writeText(text)); err != nil {
		return err
	}
	if k.path != "" && k.path != name {
		_ = os.Remove(k.path) // the same campaign's, of a later point
	}
	k.path = name
	return nil
}

// freeCase returns the first name that no other case has.
func freeCase(base, text string) (string, error) {
	for n := 1; ; n++ {
		name := base + caseExt
		if n > 1 {
			name = fmt.Sprintf("%s-%d%s", base, n, caseExt)
		}
		old, err := os.ReadFile(name)
		switch {
		case errors.Is(err, os.ErrNotExist), err == nil && string(old) == text:
			return name, nil
		case err != nil:
			return "", err
		}
	}
}
