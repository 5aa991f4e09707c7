package real

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// goProgram is a program that the Go toolchain builds for the guest.
type goProgram struct {
	name string
	args []string // of the go command, without the output
}

var goPrograms = []goProgram{
	{name: "hello", args: []string{"build", "./src/hello.go"}},
	{name: "sort", args: []string{"test", "-c", "sort"}},
	{name: "strings", args: []string{"test", "-c", "strings"}},
	{name: "math-big", args: []string{"test", "-c", "math/big"}},
	{name: "encoding-json", args: []string{"test", "-c", "encoding/json"}},
	{name: "compress-flate", args: []string{"test", "-c", "compress/flate"}},
	{name: "sync", args: []string{"test", "-c", "sync"}},
	{name: "time", args: []string{"test", "-c", "time"}},
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
	cmd := exec.Command("go", append([]string{g.args[0], "-o", half}, g.args[1:]...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	if err := os.Rename(half, file); err != nil {
		t.Fatal(err)
	}
	return at
}

// Go's runtime starts a thread before main; until there are threads, that and
// nothing else is what every Go program lacks. When this fails, the programs run:
// then their output is to be compared with the native one's.
func TestGoProgramsLackThreads(t *testing.T) {
	native(t)
	root := software(t)
	for i := range goPrograms {
		g := &goPrograms[i]
		if i > 1 && !all() {
			continue // building all of them takes a minute, and they stop at the same place
		}
		t.Run(g.name, func(t *testing.T) {
			r := run{name: "go-" + g.name, args: []string{g.build(t, root), "-test.short"}}
			_, stop, n := r.simulated(t, root, r.prepare(t, root))
			if stop.Ended() || !strings.Contains(stop.String(), "system call clone") {
				t.Errorf("%v after %d instructions, expected to be stopped by clone", stop, n)
			}
		})
	}
}
