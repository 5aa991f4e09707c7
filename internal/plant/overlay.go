package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// switches is the package that the planted source imports. It is in no tree: only the
// overlay has it.
const switches = `// Package planted says which defect is active: none, unless the environment names one.
package planted

import (
	"os"
	"strconv"
)

var active, _ = strconv.Atoi(os.Getenv("` + activeVariable + `"))

// Is tells whether a defect is active.
func Is(n int) bool { return active == n }

// Not negates a condition.
func Not(n int, b bool) bool { return b != (active == n) }

// Add adds one to a number.
func Add[T ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr](n int, v T) T {
	if active == n {
		v++
	}
	return v
}

// Zero leaves a value out.
func Zero[T any](n int, v T) T {
	if active == n {
		return *new(T)
	}
	return v
}

// Or returns the original instead of its copy.
func Or[T any](n int, copied, original T) T {
	if active == n {
		return original
	}
	return copied
}
`

const (
	activeVariable = "ZHUQUE_PLANTED"
	switchPackage  = "internal/planted"
)

// overlay is the source with a switch for each of some defects: file names and what go
// build is to read in their place.
type overlay struct {
	root, dir string
	sources   []*source
}

// config is the overlay's description for go build.
func (o *overlay) config() string { return filepath.Join(o.dir, "overlay.json") }

// write makes the overlay for defects, whose numbers are their places in the list plus one.
func (o *overlay) write(list []defect) error {
	replace := map[string]string{}
	put := func(at, text string) error {
		name := filepath.Join(o.dir, strings.ReplaceAll(at, "/", "+"))
		replace[filepath.Join(o.root, filepath.FromSlash(at))] = name
		return os.WriteFile(name, []byte(text), 0o644)
	}
	if err := put(switchPackage+"/planted.go", switches); err != nil {
		return err
	}
	for _, s := range o.sources {
		for file := range s.files {
			if text, any := s.rewrite(file, list); any {
				if err := put(file, text); err != nil {
					return err
				}
			}
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	return os.WriteFile(o.config(), text, 0o644)
}

// edit is text to be inserted at an offset.
type edit struct {
	at    int
	after bool // it ends a span
	other int  // the span's other end
	order int
	text  string
}

// rewrite returns a file with its defects' switches; any is false where it has none.
func (s *source) rewrite(file string, list []defect) (text string, any bool) {
	name := s.files[file].Name.End()
	imported := edit{at: s.fset.Position(name).Offset, after: true,
		text: fmt.Sprintf("; import planted %q", module+"/"+switchPackage)}
	edits := []edit{imported}
	for i, d := range list {
		if d.file != file {
			continue
		}
		for _, e := range d.edits {
			from, to := s.fset.Position(e.from).Offset, s.fset.Position(e.to).Offset
			n := strconv.Itoa(i + 1)
			edits = append(edits, edit{at: from, other: to, order: i, text: strings.ReplaceAll(e.before, number, n)},
				edit{at: to, after: true, other: from, order: -i, text: strings.ReplaceAll(e.after, number, n)})
		}
	}
	if len(edits) == 1 {
		return "", false
	}
	slices.SortStableFunc(edits, compareEdits)
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.Write(s.text[file][at:e.at])
		b.WriteString(e.text)
		at = e.at
	}
	b.Write(s.text[file][at:])
	return b.String(), true
}

// compareEdits puts what closes before what opens, inner spans inside outer ones.
func compareEdits(a, b edit) int {
	if c := cmp.Compare(a.at, b.at); c != 0 {
		return c
	}
	if a.after != b.after {
		if a.after {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(b.other, a.other), cmp.Compare(a.order, b.order))
}

// build compiles with the overlay.
func (o *overlay) build(args ...string) (output string, err error) {
	cmd := exec.Command("go", append([]string{args[0], "-overlay", o.config()}, args[1:]...)...)
	cmd.Dir, cmd.Env = o.root, environment()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// complaint matches where the compiler does not take what was planted.
var complaint = regexp.MustCompile(`(?m)^([\w/.]+\.go|[^\s:]*\+[\w.]+\.go):(\d+)`)

// plantAll writes the overlay and builds the judge into it. Defects that the compiler does
// not take are replaced by the next of the reserve; the defects that were planted are returned.
func (o *overlay) plantAll(n int, reserve []defect) ([]defect, error) {
	refused := map[string]bool{}
	for range 20 {
		list := slices.DeleteFunc(slices.Clone(reserve), func(d defect) bool { return refused[d.Key] })
		list = list[:min(n, len(list))]
		if err := o.write(list); err != nil {
			return nil, err
		}
		out, err := o.build("build", "-gcflags=zhuque/...=-e", "-o", o.judge(), "./internal/plant/judge")
		if err == nil {
			return list, nil
		}
		bad := refusedBy(out, list)
		if len(bad) == 0 {
			return nil, fmt.Errorf("go build: %w\n%s", err, out)
		}
		for _, k := range bad {
			fmt.Fprintf(os.Stderr, "does not compile, drawn again: %s\n", k)
			refused[k] = true
		}
	}
	return nil, fmt.Errorf("go build still fails after 20 drawings: too little that can be planted compiles")
}

// judge is the program that runs campaigns with the defects planted.
func (o *overlay) judge() string { return filepath.Join(o.dir, "judge") }

// refusedBy returns the defects on lines that the compiler complains about.
func refusedBy(out string, list []defect) (bad []string) {
	for _, m := range complaint.FindAllStringSubmatch(out, -1) {
		at := strings.ReplaceAll(filepath.Base(m[1]), "+", "/") + ":" + m[2]
		for _, d := range list {
			if d.At == at || strings.HasSuffix(d.At, "/"+at) || d.At == m[1]+":"+m[2] {
				bad = append(bad, d.Key)
			}
		}
	}
	return bad
}
