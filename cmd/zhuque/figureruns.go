package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/scenarios"
	"zhuque/scenarios/figures"
	"zhuque/scenarios/region"
	"zhuque/sim/hostdir"
)

// keptRuns is the file of runs that were made: a line that names the machine and the programs,
// then one for each run. It is this process's until it is closed.
type keptRuns struct {
	file  *os.File
	known map[string]*region.Cost
}

type keptRun struct {
	Made string          `json:"made,omitempty"` // by what: of the first line
	Name string          `json:"name,omitempty"`
	Cost json.RawMessage `json:"cost,omitempty"` // a region.Cost
	Sum  string          `json:"sum,omitempty"`  // of name and cost: a line that is not ours is not drawn
}

func (r *keptRun) sum() string {
	h := sha256.Sum256(append([]byte(r.Name+"\n"), r.Cost...))
	return hex.EncodeToString(h[:8])
}

const (
	runsFile   = "runs.jsonl"
	mostRuns   = 100_000 // lines that are read
	longestRun = 1 << 20 // bytes of one
)

// openRuns reads the runs of a folder, and opens them for more. A line that a kill has cut
// short is dropped.
func openRuns(dir string, doc *result.Document, setup *crashinject.Setup, programs []string) (*keptRuns, error) {
	made, err := madeBy(doc, setup, programs)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, runsFile)
	// A link leads to a file that nobody named; a pipe or a device never ends.
	if st, err := os.Lstat(path); err == nil && !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: expected a regular file that zhuque figures has written", path)
	}
	k := &keptRuns{known: map[string]*region.Cost{}}
	if k.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644); err != nil {
		return nil, err
	}
	if err := hostdir.Lock(k.file); err != nil {
		k.close()
		return nil, fmt.Errorf("%s: another zhuque figures draws into %s: expected it to end first, or another --out", path, dir)
	}
	if err := k.read(path, made); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

func (k *keptRuns) close() { k.file.Close() }

// read takes what the file has, and leaves it ready for the next line.
func (k *keptRuns) read(path, made string) error {
	in, whole := bufio.NewReaderSize(k.file, longestRun), int64(0)
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			if first := `{"made":"` + made + `"}`; n == 1 && !bytes.HasPrefix([]byte(first), line) {
				return fmt.Errorf("%s: line 1 is no run: expected a file that zhuque figures has written", path)
			}
			if err := errors.Join(k.file.Truncate(whole), seekTo(k.file, whole)); err != nil || n > 1 {
				return err
			}
			return k.line(keptRun{Made: made})
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		case err != nil || n > mostRuns:
			return fmt.Errorf("%s: line %d: expected at most %d lines of %d bytes", path, n, mostRuns, longestRun)
		}
		if err := k.take(line, n, made); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		whole += int64(len(line))
	}
}

func (k *keptRuns) take(line []byte, n int, made string) error {
	var r keptRun
	if err := json.Unmarshal(line, &r); err != nil || n > 1 && r.Sum != r.sum() {
		return fmt.Errorf("line %d is no run: expected a file that zhuque figures has written", n)
	}
	if n == 1 {
		if r.Made != made {
			return errors.New("the runs are of other programs, parameters or another version of zhuque: expected another --out, or none of them there")
		}
		return nil
	}
	c := &region.Cost{}
	if err := json.Unmarshal(r.Cost, c); err != nil {
		return fmt.Errorf("line %d: %w", n, err)
	}
	k.known[r.Name] = c
	return nil
}

func seekTo(f *os.File, at int64) error { _, err := f.Seek(at, io.SeekStart); return err }

// madeBy is a digest of what decides the runs: the programs, the parameters, the settings
// (a seed, say, or the length of turns), and the simulator.
func madeBy(doc *result.Document, setup *crashinject.Setup, programs []string) (string, error) {
	h := sha256.New()
	for _, name := range programs {
		program, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		h.Write(program)
	}
	for _, name := range figures.Guests() {
		elf, err := scenarios.Guest(name)
		if err != nil {
			return "", err
		}
		h.Write(elf)
	}
	for _, f := range doc.Environment {
		if f.Name != "host" {
			fmt.Fprintln(h, f.Name, f.Value)
		}
	}
	for _, p := range doc.Params {
		fmt.Fprintln(h, p.Name, p.Value)
	}
	settings := setup.Fields()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(h, "%s %q\n", name, settings[name])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (k *keptRuns) line(r keptRun) error {
	text, err := json.Marshal(r)
	if err == nil {
		_, err = k.file.Write(append(text, '\n'))
	}
	return err
}

// keep writes a run down, and says so.
func (k *keptRuns) keep(done, total int, p figures.Point, c *region.Cost) error {
	fmt.Fprintf(os.Stderr, "%d of %d: %s\n", done, total, p.Name())
	cost, err := json.Marshal(c)
	if err != nil {
		return err
	}
	r := keptRun{Name: p.Name(), Cost: cost}
	r.Sum = r.sum()
	return k.line(r)
}
