// Package readme executes the examples of the README and of the READMEs beside the code. It
// models nothing and is imported by nobody.
//
// An example is a fenced block marked console whose first line begins with
// "$ zhuque", "$ echo" or "$ gcc". Its lines that begin with "$ " are commands for
// the shell, run one after the other in one empty directory for each document; the lines behind a command are what it writes, standard output and
// standard error together. "$ echo $?" shows the status of the command before. A fenced
// block of another kind is a file in that directory when the comment before it says
//
//	<!-- file: NAME -->
//
// Output must be equal but for the width of white space and of rules. A line of
// "…" stands for any lines. Comments directly before a block change that:
//
//	<!-- varies: points/s -->  the number before each of these words may differ;
//	                           a word beginning with # is a column of numbers,
//	                           counted from 1 at the left, or from -1 at the right
//	<!-- needs: FILE -->       the example is about a real program of .cache
//
// go test ./internal/readme -rewrite puts the real output into the documents.
package readme

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"zhuque/internal/testrig"
)

var rewrite = flag.Bool("rewrite", false, "put the real output of the examples into the documents")

const (
	root   = "../.."
	path   = root + "/README.md"
	elided = "…"
)

// documents are the READMEs of the repository.
func documents(t *testing.T) []string { return named(t, "README.md") }

// named finds the documents with one of some names.
func named(t *testing.T, names ...string) (list []string) {
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && name != root:
			return filepath.SkipDir
		case slices.Contains(names, d.Name()):
			list = append(list, name)
		}
		return nil
	})
	if err != nil || !slices.Contains(list, path) {
		t.Fatalf("documents %q: %v", list, err)
	}
	return list
}

// block is one fenced block of the README: lines[from:to] without the fences. It is an
// example or, with a name, a file.
type block struct {
	from, to int
	varies   []string
	needs    string
	file     string
}

// step is a command of a block and what it is said to write.
type step struct {
	line    int // of the command, from 1
	command string
	output  []string
}

var comment = regexp.MustCompile(`^<!-- (varies|needs|file): (.*) -->$`)

var example = regexp.MustCompile(`^\$ (zhuque|echo|gcc)\b`)

func blocks(lines []string) (list []block) {
	var b block
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if m := comment.FindStringSubmatch(line); m != nil {
			switch m[1] {
			case "varies":
				b.varies = strings.Split(m[2], ", ")
			case "needs":
				b.needs = m[2]
			case "file":
				b.file = m[2]
			}
			continue
		}
		if !strings.HasPrefix(line, "```") {
			b = block{}
			continue
		}
		b.from, b.to = i+1, i+1
		for b.to < len(lines) && lines[b.to] != "```" {
			b.to++
		}
		if b.file != "" || line == "```console" && example.MatchString(lines[b.from]) {
			list = append(list, b)
		}
		i, b = b.to, block{}
	}
	return list
}

func steps(lines []string, b block) (list []step) {
	for i := b.from; i < b.to; i++ {
		if c, ok := strings.CutPrefix(lines[i], "$ "); ok {
			list = append(list, step{line: i + 1, command: c})
			continue
		}
		s := &list[len(list)-1]
		s.output = append(s.output, lines[i])
	}
	return list
}

// shell runs the commands of a document.
type shell struct {
	dir, bin string
	status   int
}

// build makes the program and returns its directory.
func build(t *testing.T) string {
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "zhuque"), "zhuque/cmd/zhuque")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build zhuque/cmd/zhuque: %v\n%s", err, out)
	}
	return dir
}

func newShell(t *testing.T, bin string) *shell {
	s := &shell{dir: t.TempDir(), bin: bin}
	cache, err := filepath.Abs(root + "/.cache")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(cache, filepath.Join(s.dir, ".cache")); err != nil {
		t.Fatal(err)
	}
	return s
}

// write makes a file of the document's directory.
func (s *shell) write(t *testing.T, name string, lines []string) {
	if err := os.WriteFile(filepath.Join(s.dir, filepath.Base(name)), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s *shell) run(t *testing.T, command string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", "-c", fmt.Sprintf("(exit %d)\n%s", s.status, command))
	c.Dir = s.dir
	c.Env = append(os.Environ(), "PATH="+s.bin+":"+os.Getenv("PATH"), "NO_COLOR=1", "LC_ALL=C")
	out, err := c.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatalf("%s: %v", command, err)
	}
	s.status = c.ProcessState.ExitCode()
	if len(out) == 0 {
		return nil
	}
	var lines []string
	for l := range strings.Lines(string(out)) {
		l = strings.TrimRight(l, " \n")
		if m := progress.FindStringSubmatch(l); m == nil || m[1] == m[2] {
			lines = append(lines, l)
		}
	}
	return lines
}

// progress is a line of progress, of which a slow host shows more.
var progress = regexp.MustCompile(`: (\d+) of (\d+) points, \d+ points/s$`)

var (
	numeral = regexp.MustCompile(`^[0-9][0-9.,]*$`)
	rule    = regexp.MustCompile(`^-{3,}$`)
)

// plain returns a line without what may differ.
func plain(line string, varies []string) string {
	words := strings.Fields(line)
	for i, w := range words {
		if rule.MatchString(w) {
			words[i] = "---"
		}
		if i > 0 && numeral.MatchString(words[i-1]) && slices.Contains(varies, w) {
			words[i-1] = "N"
		}
	}
	for _, v := range varies {
		n, err := strconv.Atoi(strings.TrimPrefix(v, "#"))
		if v[0] != '#' || err != nil {
			continue
		}
		if n--; n < 0 {
			n += 1 + len(words)
		}
		if n >= 0 && n < len(words) && numeral.MatchString(words[n]) {
			words[n] = "N"
		}
	}
	return strings.Join(words, " ")
}

// same reports whether got is what want says.
func same(want, got, varies []string) bool {
	at := slices.Index(want, elided)
	if at >= 0 {
		tail := len(want) - at - 1
		if len(got) < at+tail {
			return false
		}
		return same(want[:at], got[:at], varies) && same(want[at+1:], got[len(got)-tail:], varies)
	}
	return slices.EqualFunc(want, got, func(a, b string) bool { return plain(a, varies) == plain(b, varies) })
}

// shorten leaves out of got what want leaves out.
func shorten(want, got []string) []string {
	at := slices.Index(want, elided)
	tail := len(want) - at - 1
	if at < 0 || len(got) <= at+tail {
		return got
	}
	return slices.Concat(got[:at], []string{elided}, got[len(got)-tail:])
}

func TestExamples(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("the examples are for a POSIX shell")
	}
	bin := build(t)
	for _, document := range documents(t) {
		name, err := filepath.Rel(root, document)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.ToSlash(name), func(t *testing.T) { examples(t, document, filepath.ToSlash(name), bin) })
	}
}

// examples executes those of one document; only the README of the whole must have some.
func examples(t *testing.T, document, name, bin string) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	sh := newShell(t, bin)
	var out []string
	done := 0 // lines that out holds already
	list := blocks(lines)
	if len(list) == 0 && document == path {
		t.Fatal("the README has no examples")
	}
	for _, b := range list {
		if b.needs != "" && !there(t, sh, b.needs) {
			continue
		}
		if b.file != "" {
			sh.write(t, b.file, lines[b.from:b.to])
			continue
		}
		if strings.HasPrefix(lines[b.from], "$ gcc") {
			testrig.Compiler(t)
		}
		out = append(out, lines[done:b.from]...)
		for _, s := range steps(lines, b) {
			got := sh.run(t, s.command)
			if !same(s.output, got, b.varies) {
				if !*rewrite {
					t.Errorf("%s:%d: $ %s\nwrote:\n%s\nthe document says:\n%s", name, s.line, s.command, strings.Join(got, "\n"), strings.Join(s.output, "\n"))
				}
				s.output = shorten(s.output, got)
			}
			out = append(append(out, "$ "+s.command), s.output...)
		}
		done = b.to
	}
	if *rewrite && len(list) > 0 {
		out = append(out, lines[done:]...)
		if err := os.WriteFile(document, []byte(strings.Join(out, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// there reports whether a real program has been fetched.
func there(t *testing.T, sh *shell, name string) bool {
	_, err := os.Stat(filepath.Join(sh.dir, name))
	if err != nil && (os.Getenv("CI") == "true" || os.Getenv("ZHUQUE_REAL") == "need") {
		t.Errorf("%s is missing: run scenarios/real/fetch", name)
	}
	return err == nil
}

func TestComparison(t *testing.T) {
	for _, c := range []struct {
		want, got string
		varies    []string
		same      bool
	}{
		{"a  b\n---- ---", "a b\n--- -----", nil, true},
		{"a b", "a c", nil, false},
		{"a", "a\nb", nil, false},
		{"a\n…\nc", "a\nb\nb\nc", nil, true},
		{"a\n…\nc", "a\nc", nil, true},
		{"a\n…\nc", "a\nb\nd", nil, false},
		{"a\n…\nc", "c", nil, false},
		{"x: 5 points, 1,234 points/s", "x: 5 points, 99.5 points/s", []string{"points/s"}, true},
		{"x: 5 points, 1,234 points/s", "x: 6 points, 1,234 points/s", []string{"points/s"}, false},
		{"x 5 17 pass", "x 5 9,000 pass", []string{"#-2"}, true},
		{"x 5 17 pass", "x 6 17 pass", []string{"#-2"}, false},
		{"x 5 17 pass", "x 5 17 fail", []string{"#-2"}, false},
	} {
		if got := same(strings.Split(c.want, "\n"), strings.Split(c.got, "\n"), c.varies); got != c.same {
			t.Errorf("%q and %q, varies %q: same is %v", c.want, c.got, c.varies, got)
		}
	}
}

// Every folder with Go code is in one map of folders, that of the README or of one beside
// the code, and no map names another.
func TestMapOfFolders(t *testing.T) {
	var text []byte
	for _, document := range documents(t) {
		more, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(text, more...), '\n')
	}
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "zhuque/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]bool{}
	for dir := range strings.Lines(string(out)) {
		rel, err := filepath.Rel(top, strings.TrimSpace(dir))
		if err != nil {
			t.Fatal(err)
		}
		folders[filepath.ToSlash(rel)] = true
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9/]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		if !folders[m[1]] {
			t.Errorf("a map names %s, which holds no Go package or is in another map too", m[1])
		}
		delete(folders, m[1])
	}
	for dir := range folders {
		t.Errorf("no map of folders has %s", dir)
	}
}

// The documents' table of the persistent image has the parts of the runtime's layout.
func TestPersistentImage(t *testing.T) {
	var text []byte
	for _, document := range documents(t) {
		more, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, more...)
	}
	layout, err := os.ReadFile(root + "/runtime/wpp/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, m := range regexp.MustCompile(`(?m)^//\t(0x[0-9a-f]{4}_[0-9a-f]{4})  `).FindAllStringSubmatch(string(layout), -1) {
		want = append(want, m[1])
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(0x[0-9a-f_]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		got = append(got, m[1])
	}
	if len(want) == 0 || !slices.Equal(want, got) {
		t.Errorf("the README's table of the persistent image has the offsets %q, runtime/wpp/doc.go has %q", got, want)
	}
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// Links between the documents lead somewhere.
func TestLinks(t *testing.T) {
	found := 0
	for _, document := range named(t, "README.md", "RATIONALE.md", "CONTRIBUTING.md") {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			found++
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", document, m[1], err)
			}
		}
	}
	if found == 0 {
		t.Error("no document has a link")
	}
}

// The README is for a first visit: what else there is to say is beside the code.
func TestReadmeIsShort(t *testing.T) {
	const most = 250
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n > most {
		t.Errorf("the README has %d lines: expected at most %d", n, most)
	}
}
