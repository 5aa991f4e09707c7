package real

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// goProgram is a program that the Go toolchain builds for the guest.
type goProgram struct {
	name string
	args []string // of the go command, without the output
	// source is a script of its one file, "" for a package of the standard library.
	source string
	skip   string // tests that need more than the program itself, as -test.skip takes them
	long   bool
}

var goPrograms = []goProgram{
	{name: "hello", args: []string{"build"}, source: "hello.go.txt"},
	{name: "sort", args: []string{"test", "-c", "sort"}, long: true},
	{name: "strings", args: []string{"test", "-c", "strings"}, long: true},
	{name: "math-big", args: []string{"test", "-c", "math/big"}, long: true},
	{name: "encoding-json", args: []string{"test", "-c", "encoding/json"}, long: true},
	{name: "compress-flate", args: []string{"test", "-c", "compress/flate"}, long: true},
	{name: "sync", args: []string{"test", "-c", "sync"}, skip: "^ExampleOnceValues$", long: true},
	{name: "time", args: []string{"test", "-c", "-tags", "timetzdata", "time"}, long: true},
}

// build puts the program into the tree, unless this version of Go has already, and
// returns its path there.
func (g *goProgram) build(t *testing.T, root string) string {
	t.Helper()
	at := fmt.Sprintf("/opt/%s/%s", runtime.Version(), g.name)
	file := filepath.Join(root, at)
	if _, err := os.Stat(file); err == nil {
		return at
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	half := file + ".new"
	args := append([]string{g.args[0], "-o", half}, g.args[1:]...)
	if g.source != "" {
		source := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(source, script(t, g.source), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, source)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	if err := os.Rename(half, file); err != nil {
		t.Fatal(err)
	}
	return at
}

// Go programs, with several threads each, do in the simulator what they do on the host.
func TestGoPrograms(t *testing.T) {
	native(t)
	root := software(t)
	for i := range goPrograms {
		g := &goPrograms[i]
		t.Run(g.name, func(t *testing.T) {
			if g.long && !all() {
				t.Skip("long: set ZHUQUE_REAL_ALL=1")
			}
			r := run{name: "go-" + g.name, args: []string{g.build(t, root), "-test.short", "-test.skip=" + g.skip}}
			r.check(t, root)
		})
	}
}
