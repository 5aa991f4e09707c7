package real

import (
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// goProgram is a program that the Go toolchain builds for the guest: the tests of a
// package of the standard library, or a script of one file.
type goProgram struct {
	name    string
	pkg     string
	source  string   // the script, when there is no package, by its path from scripts/
	trees   []string // folders of the Go distribution that the tests read
	few     string   // what runs unless everything is asked for, as -test.run takes it
	without string   // what does not run, as -test.skip takes it
}

var goPrograms = []goProgram{
	{name: "hello", source: "hello.go.txt"},
	{name: "net-http", source: "../../sockets/talk/main.go"},
	{name: "sort", pkg: "sort", few: "^(TestSearch.*|TestSort.*Slice|TestStable|TestHeapsortBM|Example.*)$"},
	{name: "strings", pkg: "strings", few: "^(TestSplit|TestMap|TestReplace|TestBuilder.*|TestFinder.*|Example.*)$"},
	{name: "math-big", pkg: "math/big", few: "^(TestMulUnbalanced|TestGcd|TestFloatSqrt64|TestSqrt|TestModInverse|TestRat.*|Example.*)$"},
	{name: "encoding-json", pkg: "encoding/json", few: "^(TestUnmarshal.*|TestMarshal.*|TestDecoder.*|TestIndent.*|Example.*)$"},
	{name: "compress-flate", pkg: "compress/flate", trees: []string{"src/compress/flate/testdata", "src/compress/testdata", "src/testdata"}, few: "^(TestWriteBlock.*|TestReset.*|TestTruncated.*|Example.*)$"},
	{name: "sync", pkg: "sync", few: "^(TestPool.*|TestOnce.*|TestWaitGroup.*|TestCond.*|TestRWMutex|TestMap.*)$", without: "^ExampleOnceValues$"},
	{name: "time", pkg: "time", trees: []string{"src/time/testdata", "lib/time"}, few: "^(TestFormat.*|TestParse.*|TestTruncate.*|TestAfterStop|TestTicker|TestSleep|TestReset|TestLoadLocation.*)$"},
}

// build puts the program into the tree, unless this version of Go has already, and
// returns its path there.
func (g *goProgram) build(t *testing.T, root string) string {
	t.Helper()
	at := fmt.Sprintf("/opt/%s/%s", runtime.Version(), g.name)
	if g.source != "" {
		at += fmt.Sprintf("-%x", crc32.ChecksumIEEE(script(t, g.source))) // another text is another program
	}
	file := filepath.Join(root, at)
	if _, err := os.Stat(file); err == nil {
		return at
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	half := file + ".new"
	args := []string{"test", "-c", "-tags", "timetzdata", "-o", half, g.pkg}
	if g.source != "" {
		source := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(source, script(t, g.source), 0o644); err != nil {
			t.Fatal(err)
		}
		args = []string{"build", "-o", half, source}
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

// run is the program's row: a package's tests run where they would lie in GOROOT, whole
// or a few of them.
func (g *goProgram) run(t *testing.T, root string, whole bool) run {
	t.Helper()
	r := run{name: "go-" + g.name, args: []string{g.build(t, root)}}
	if g.source != "" {
		return r
	}
	r.args = []string{"/usr/bin/env", "GOROOT=/work/" + r.name, r.args[0], "-test.v", "-test.timeout=0", "-test.skip=" + g.without}
	if !whole {
		r.args = append(r.args, "-test.short", "-test.run="+g.few)
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	r.inside, r.shows, r.copies = "src/"+g.pkg, testResults, map[string]string{}
	for _, tree := range g.trees {
		from := filepath.Join(strings.TrimSpace(string(goroot)), tree)
		list, err := os.ReadDir(from)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			if f.Type().IsRegular() {
				r.copies[tree+"/"+f.Name()] = filepath.Join(from, f.Name())
			}
		}
	}
	return r
}

var testResult = regexp.MustCompile(`(?m)^ *--- (?:PASS|FAIL|SKIP): [^ ]+|^(?:PASS|FAIL)$`)

// testResults lists how each test ended, without times and in one order: tests may run
// side by side.
func testResults(stdout string) string {
	list := testResult.FindAllString(stdout, -1)
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// Go programs, with several threads each, do in the simulator what they do on the host.
func TestGoPrograms(t *testing.T) {
	native(t)
	root := software(t)
	for i := range goPrograms {
		g := &goPrograms[i]
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			r := g.run(t, root, all())
			r.check(t, root)
		})
	}
}
