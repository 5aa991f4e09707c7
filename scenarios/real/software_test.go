package real

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"zhuque/crashinject"
	"zhuque/sim"
	"zhuque/sim/kernel"
)

// run is one run of a program of the unpacked tree, in a directory of its own that
// holds the input (input.txt), rows (rows.csv) and the scripts that it names.
type run struct {
	name    string
	args    []string          // the program's path first
	stdin   string            // a script, or "input.txt"; "" for nothing
	scripts []string          // files of scripts/ that lie in its directory
	copies  map[string]string // more files of its directory: where they are on the host
	inside  string            // the directory below its own in which it runs, "" for that itself
	exit    int               // natively
	// lacks is what stops the run here, in the words of the stop: it fails when
	// that is there one day, and this row has to change.
	lacks string
	long  bool // more than 300 million instructions: with ZHUQUE_REAL_ALL only
	cuts  cutting
	// apart are the streams that are not compared because they differ natively
	// from one run to the next; "" for none.
	apart string
	// shows is what of standard output is compared; nil: all of it.
	shows func(stdout string) string
}

// cutting says whether the program runs again with power cuts, and with how many when
// not everything is asked for.
type cutting int

const (
	noCuts cutting = iota
	manyCuts
	fewCuts   // each run takes seconds
	cutsIfAll // none: it takes even longer
)

// inputSize keeps most runs under 100 million instructions.
const inputSize = 48 << 10

var softwareEnv = []string{"PATH=/usr/bin:/bin", "HOME=/", "LC_ALL=C.UTF-8", "TZ=UTC", "PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1"}

// all reports whether the long runs are asked for, and with many cuts.
func all() bool { return os.Getenv("ZHUQUE_REAL_ALL") != "" }

// software returns the unpacked tree. ZHUQUE_REAL_ALL=1 in the environment adds the
// long runs, and makes the cuts 10,000. Without the tree the test fails in CI, and where
// ./check has fetched; elsewhere it is skipped with the reason.
func software(t testing.TB) string {
	t.Helper()
	program(t, "busybox") // the same conditions
	dir, err := cache()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "root")
}

// prepare makes the directory of the run anew, the same to the last file time.
func (r *run) prepare(t testing.TB, root string) (guestDir string) {
	t.Helper()
	guestDir = "/work/" + r.name
	dir := filepath.Join(root, guestDir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, r.inside), 0o755); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"input.txt": inputText()[:inputSize], "rows.csv": rows()}
	for _, name := range r.scripts {
		files[name] = script(t, name)
	}
	for name, from := range r.copies {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	then := time.Unix(1_000_000_000, 0)
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(name, then, then))
	})
	if err != nil {
		t.Fatal(err)
	}
	return guestDir
}

func script(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("scripts", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// rows is a table of 10,000 lines with two words and a number in each.
func rows() []byte {
	words := strings.Fields(string(inputText()))
	var b bytes.Buffer
	for i := range 10_000 {
		fmt.Fprintf(&b, "%d,%s,%s,%d\n", i+1, words[2*i], words[2*i+1], len(words[2*i])*(i%100))
	}
	return b.Bytes()
}

func (r *run) input(t testing.TB) []byte {
	switch r.stdin {
	case "":
		return nil
	case "input.txt":
		return inputText()[:inputSize]
	}
	return script(t, r.stdin)
}

// setup is the machine of the run, whose directory has been prepared.
func (r *run) setup(root, dir string) crashinject.Setup {
	s := crashinject.DefaultSetup()
	s.Root, s.Dir, s.Program, s.Args, s.Env = root, path.Join(dir, r.inside), r.args[0], r.args[1:], softwareEnv
	return s
}

// seen is everything about a run that is compared.
type seen struct {
	outcome
	files map[string]string // of its directory: kind, mode and content
}

// natively runs on the host's processor.
func (r *run) natively(t testing.TB, root, dir string) (s seen) {
	t.Helper()
	box := sandbox{Root: root, Dir: path.Join(dir, r.inside), Args: r.args, Env: softwareEnv}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd, err := box.command(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(r.input(t)), &stdout, &stderr
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatalf("natively: %v (user namespaces may be forbidden here; root does not need them)", err)
	}
	s.stdout, s.stderr, s.exit = stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
	if w, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		s.exit = 128 + int(w.Signal())
	}
	s.files = tree(t, filepath.Join(root, dir))
	return s
}

// tree describes what lies below a directory.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		text := ""
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			text, err = os.Readlink(name)
			files[rel] = "link to " + text
			return err
		case d.Type().IsRegular():
			var data []byte
			if data, err = os.ReadFile(name); err != nil {
				return err
			}
			text = string(data)
		}
		files[rel] = fmt.Sprintf("%v\n%s", info.Mode(), text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// changed is before with the changes that a guest's overlay holds. A change outside
// the run's directory and /tmp fails the test.
func changed(t testing.TB, before map[string]string, overlay, dir string) map[string]string {
	t.Helper()
	list, err := os.ReadFile(filepath.Join(overlay, "zhuque-changes"))
	if err != nil {
		t.Fatal(err)
	}
	after := maps.Clone(before)
	written := tree(t, filepath.Join(overlay, "tree"))
	for _, line := range strings.Split(strings.TrimSpace(string(list)), "\n")[1:] {
		kind, rest, _ := strings.Cut(line, " ")
		mode, quoted, _ := strings.Cut(strings.TrimSpace(rest), " ")
		name, err := strconv.Unquote(strings.TrimSpace(quoted))
		if err != nil {
			t.Fatalf("overlay: %q: %v", line, err)
		}
		at, inside := strings.CutPrefix(name, dir+"/")
		switch {
		case name == dir || name == "/tmp" || strings.HasPrefix(name, "/tmp/") || strings.HasPrefix(name, "/dev/"):
		case !inside:
			t.Errorf("the guest changed %s", name)
		case kind == "removed":
			maps.DeleteFunc(after, func(k, _ string) bool { return k == at || strings.HasPrefix(k, at+"/") })
		default:
			after[at] = written[strings.TrimPrefix(name, "/")]
			// Modes that this user could not read are in the list only.
			if _, content, ok := strings.Cut(after[at], "\n"); ok && kind != "link" {
				bits, err := strconv.ParseUint(mode, 8, 32)
				if err != nil {
					t.Fatal(err)
				}
				m := fs.FileMode(bits)
				if kind == "dir" {
					m |= fs.ModeDir
				}
				after[at] = fmt.Sprintf("%v\n%s", m, content)
			}
		}
	}
	return after
}

// keepChanges gives a setup an overlay that this test may write.
func keepChanges(t testing.TB, setup *crashinject.Setup) {
	t.Helper()
	setup.Overlay = t.TempDir()
	release, err := setup.KeepFiles()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
}

// simulated runs in the simulator, without the cache model.
func (r *run) simulated(t testing.TB, root, dir string) (s seen, stop sim.Stop, instructions uint64) {
	t.Helper()
	setup := r.setup(root, dir)
	setup.Memory, setup.Model = sim.Native, crashinject.NoModel
	keepChanges(t, &setup)
	var stdout, stderr bytes.Buffer
	cfg, err := setup.Config(kernel.NewConsole(bytes.NewReader(r.input(t)), &stdout, &stderr))
	if err != nil {
		t.Fatal(err)
	}
	m, err := setup.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	before := tree(t, filepath.Join(root, dir))
	stop = m.Run()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	s.stdout, s.stderr, s.exit = stdout.String(), stderr.String(), stop.ExitCode()
	s.files = changed(t, before, setup.Overlay, dir)
	return s, stop, m.Retired()
}

// compare reports what differs from the native run.
func (r *run) compare(t testing.TB, want, got *seen) {
	t.Helper()
	if got.exit != want.exit {
		t.Errorf("exit status %d, natively %d", got.exit, want.exit)
	}
	shows := r.shows
	if shows == nil {
		shows = func(all string) string { return all }
	}
	if r.apart != "stdout" {
		sameText(t, "standard output", shows(want.stdout), shows(got.stdout))
	}
	if r.apart != "stderr" {
		sameText(t, "standard error", want.stderr, got.stderr)
	}
	for _, name := range slices.Sorted(maps.Keys(want.files)) {
		if text, ok := got.files[name]; !ok {
			t.Errorf("there is no file %s", name)
		} else {
			sameText(t, "file "+name, want.files[name], text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got.files)) {
		if _, ok := want.files[name]; !ok {
			t.Errorf("natively there is no file %s", name)
		}
	}
}

// sameText reports the first line that differs.
func sameText(t testing.TB, what, want, got string) {
	t.Helper()
	if got == want {
		return
	}
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		switch {
		case i >= len(w):
			t.Errorf("%s: line %d is %.200q, natively it ends before", what, i+1, g[i])
		case i >= len(g):
			t.Errorf("%s: it ends before line %d, natively %.200q", what, i+1, w[i])
		case w[i] != g[i]:
			t.Errorf("%s: line %d is %.200q, natively %.200q", what, i+1, g[i], w[i])
		default:
			continue
		}
		return
	}
}

// check compares a run in the simulator with the native one.
func (r *run) check(t *testing.T, root string) {
	t.Helper()
	dir := r.prepare(t, root)
	begin := time.Now()
	got, stop, n := r.simulated(t, root, dir)
	seconds := time.Since(begin).Seconds()
	t.Logf("%d million instructions in %.1f s", n/1e6, seconds)
	if r.lacks != "" {
		if stop.Ended() || !strings.Contains(stop.String(), r.lacks) {
			t.Errorf("%v, expected to be stopped by %q; standard error %q", stop, r.lacks, got.stderr)
		}
		return
	}
	before := tree(t, root+dir)
	want := r.natively(t, root, dir)
	if want.exit != r.exit || want.stdout+want.stderr == "" && maps.Equal(before, want.files) {
		t.Errorf("natively exit status %d, want %d; %d bytes of output, files changed: %v; standard error %q", want.exit, r.exit, len(want.stdout), !maps.Equal(before, want.files), want.stderr)
	}
	if !stop.Ended() {
		t.Fatalf("%v (after %d instructions)", stop, n)
	}
	r.compare(t, &want, &got)
}

// Debian's programs do in the simulator what they do on the host: the same bytes on
// both streams, the same exit status, the same files.
func TestSoftware(t *testing.T) {
	native(t)
	root := software(t)
	for i := range runs {
		r := &runs[i]
		t.Run(r.name, func(t *testing.T) {
			if r.long && !all() {
				t.Skip("long: set ZHUQUE_REAL_ALL=1")
			}
			t.Parallel()
			if _, err := os.Stat(filepath.Join(root, r.args[0])); err != nil && os.Getenv("CI") != "true" && os.Getenv("ZHUQUE_REAL") != "need" {
				t.Skip(err)
			}
			r.check(t, root)
		})
	}
}

func TestRunsHaveDirectoriesOfTheirOwn(t *testing.T) {
	names := map[string]bool{}
	for _, r := range runs {
		if names[r.name] || r.name != path.Base(r.name) {
			t.Errorf("%q: the name of another run, or no name for a directory", r.name)
		}
		names[r.name] = true
	}
}
