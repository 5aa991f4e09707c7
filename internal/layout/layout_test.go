// Package layout holds the table of who may import whom and the test that fails
// on any other edge. It looks at the source files alone, test files left out, so
// that it holds for every operating system at once.
package layout

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "zhuque"

// row says what a folder may import of this module and of others.
type row struct {
	own     []string // folders; "*" for all
	foreign []string // modules, by the beginning of the import path
	host    []string // packages of the standard library that tell of the host
}

// Packages of the standard library through which the host's state, clock or
// chance could reach a simulated machine: allowed where the table says so only.
var hostPackages = []string{"os", "os/exec", "os/signal", "time", "math/rand", "math/rand/v2", "crypto/rand", "hash/maphash", "net", "net/http", "syscall", "unsafe"}

var table = map[string]row{
	"cmd/zhuque": {own: []string{"*"}, foreign: []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/sys"}, host: []string{"os", "os/exec", "os/signal", "syscall", "time"}},

	"scenarios":          {own: []string{"crashinject", "crashinject/result", "scenarios/calls", "scenarios/guests", "scenarios/systems", "sim", "sim/kernel"}, foreign: []string{"github.com/goccy/go-yaml"}, host: []string{"os"}},
	"scenarios/calls":    {own: []string{"sim/kernel"}},
	"scenarios/bench":    {own: []string{"crashinject", "scenarios/guests", "sim", "sim/kernel", "sim/outside"}, host: []string{"net", "os", "os/exec", "syscall", "time"}},
	"scenarios/figures":  {own: []string{"crashinject", "crashinject/result", "eadr", "internal/reference", "runtime/wpp", "scenarios/region", "scenarios/systems", "sim", "sim/kernel", "sim/phys"}},
	"scenarios/guests":   {},
	"scenarios/real":     {own: []string{"sim/det"}, host: []string{"os"}},
	"scenarios/region":   {own: []string{"cachemodel", "crashinject", "sim", "sim/kernel", "sim/phys"}},
	"scenarios/systems":  {own: []string{"crashinject", "scenarios/region"}},
	"scenarios/validate": {own: []string{"cachemodel", "crashinject", "internal/reference", "scenarios/guests", "sim", "sim/phys"}},

	"scenarios/persistent":   {},
	"scenarios/system":       {},
	"scenarios/sockets":      {},
	"scenarios/sockets/talk": {host: []string{"net", "net/http", "os"}},

	"crashinject": {own: []string{"cachemodel", "crashinject/check", "crashinject/result", "eadr", "runtime/wpp", "sim", "sim/det", "sim/imagefile", "sim/kernel", "sim/kernel/vfs", "sim/phys", "sim/x86"},
		foreign: []string{"github.com/google/gofuzz", "github.com/google/shlex"}, host: []string{"os", "time"}},
	"crashinject/explore": {own: []string{"cachemodel", "cachemodel/worlds", "cachemodel/worlds/brute", "crashinject", "crashinject/result", "sim", "sim/det", "sim/kernel", "sim/kernel/vfs", "sim/phys", "sim/symbols"}},
	"crashinject/check":   {own: []string{"sim", "sim/kernel", "sim/kernel/mm", "sim/kernel/vfs", "sim/mem", "sim/phys", "sim/x86"}},
	"crashinject/result":  {own: []string{"sim/phys"}, host: []string{"os"}},
	"crashinject/ledger":  {own: []string{"crashinject", "crashinject/result", "sim/hostdir"}, foreign: []string{"modernc.org/sqlite"}, host: []string{"os"}},

	"report":        {own: []string{"crashinject/result", "report/figure", "sim/phys"}, host: []string{"os"}},
	"report/figure": {own: []string{"crashinject/result"}, foreign: []string{"gonum.org/v1/plot", "codeberg.org/go-pdf/fpdf", "golang.org/x/image"}, host: []string{"time"}},

	"runtime":     {},
	"runtime/wpp": {own: []string{"cachemodel", "eadr", "sim", "sim/kernel", "sim/mem", "sim/phys", "sim/x86"}},

	"sim":                 {own: []string{"cachemodel", "cachemodel/worlds", "eadr", "sim/det", "sim/imagefile", "sim/kernel", "sim/kernel/mm", "sim/kernel/vfs", "sim/mem", "sim/phys", "sim/symbols", "sim/x86"}},
	"sim/hostdir":         {foreign: []string{"golang.org/x/sys"}, host: []string{"math/rand/v2", "os", "syscall", "time"}},
	"sim/imagefile":       {own: []string{"sim/mem", "sim/phys"}, foreign: []string{"golang.org/x/sys"}, host: []string{"os"}},
	"sim/kernel":          {own: []string{"sim/det", "sim/kernel/balanced", "sim/kernel/errno", "sim/kernel/mm", "sim/kernel/vfs", "sim/loader", "sim/mem", "sim/phys", "sim/same", "sim/x86"}},
	"sim/kernel/balanced": {},
	"sim/same":            {host: []string{"unsafe"}},
	"sim/kernel/errno":    {},
	"sim/symbols":         {own: []string{"sim/x86"}},
	"sim/outside":         {own: []string{"sim/kernel", "sim/phys"}, host: []string{"net", "time"}},
	"sim/kernel/mm":       {own: []string{"sim/kernel/balanced", "sim/kernel/errno", "sim/kernel/vfs", "sim/mem", "sim/phys"}},
	"sim/kernel/vfs":      {own: []string{"sim/hostdir", "sim/kernel/errno", "sim/mem", "sim/phys", "sim/same"}, foreign: []string{"github.com/zeebo/xxh3"}, host: []string{"os", "syscall"}},
	"sim/loader":          {},
	"sim/mem":             {own: []string{"cachemodel", "sim/phys"}, host: []string{"unsafe"}},
	"sim/x86":             {own: []string{"cachemodel", "sim/mem", "sim/phys"}},
	"sim/lockstep":        {own: []string{"sim", "sim/kernel/mm", "sim/mem", "sim/phys", "sim/x86"}, foreign: []string{"golang.org/x/sys"}, host: []string{"os", "syscall", "unsafe"}},
	"sim/x86/hwtest": {foreign: []string{"github.com/ebitengine/purego", "golang.org/x/sys"},
		host: []string{"os", "unsafe"}},

	"cachemodel":              {own: []string{"cachemodel/device", "sim/det", "sim/phys"}},
	"cachemodel/device":       {own: []string{"sim/det", "sim/phys"}},
	"cachemodel/refmodel":     {own: []string{"cachemodel", "sim/phys"}},
	"cachemodel/litmus":       {own: []string{"cachemodel/worlds", "sim/phys"}},
	"cachemodel/worlds":       {own: []string{"sim/phys"}},
	"cachemodel/worlds/brute": {},
	"eadr":                    {own: []string{"sim/phys"}},
	"sim/phys":                {},
	"sim/det":                 {host: []string{"math/rand/v2"}},

	"internal/plant":       {host: []string{"math/rand/v2", "os", "os/exec", "os/signal", "time"}},
	"internal/plant/judge": {own: []string{"crashinject", "scenarios", "scenarios/guests"}, host: []string{"os"}},
	"internal/reference":   {},
	"internal/start":       {foreign: []string{"golang.org/x/sys"}, host: []string{"os", "os/signal", "syscall"}},
	"internal/testrig":     {own: []string{"cachemodel", "eadr", "internal/start", "scenarios/guests", "sim", "sim/kernel", "sim/kernel/vfs"}, host: []string{"os", "os/exec", "time"}},
}

// imports collects, for each folder with Go files that are no tests, what they import.
func imports(t *testing.T, root string) map[string]map[string]bool {
	t.Helper()
	found := map[string]map[string]bool{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(rel)
		if found[folder] == nil {
			found[folder] = map[string]bool{}
		}
		for _, spec := range file.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[folder][p] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// allowed reports whether the row permits an import.
func (r row) allowed(p string) bool {
	if own, ok := strings.CutPrefix(p, module+"/"); ok {
		return slices.Contains(r.own, "*") || slices.Contains(r.own, own)
	}
	if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") {
		return slices.ContainsFunc(r.foreign, func(m string) bool { return p == m || strings.HasPrefix(p, m+"/") })
	}
	return p != "C" && (!slices.Contains(hostPackages, p) || slices.Contains(r.host, p))
}

func TestImportTable(t *testing.T) {
	found := imports(t, filepath.Join("..", ".."))
	if len(found) < len(table) {
		t.Errorf("%d folders with Go files, the table has %d: rows without a folder?", len(found), len(table))
	}
	for _, folder := range slices.Sorted(maps.Keys(found)) {
		r, ok := table[folder]
		if !ok {
			t.Errorf("%s has no row in the table", folder)
			continue
		}
		for _, p := range slices.Sorted(maps.Keys(found[folder])) {
			if !r.allowed(p) {
				t.Errorf("%s imports %s: not in its row", folder, p)
			}
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(table)) {
		if found[folder] == nil {
			t.Errorf("the table has a row for %s, where there is no Go file", folder)
			continue
		}
		for _, unused := range table[folder].unused(found[folder]) {
			t.Errorf("%s may import %s and does not: take it out of its row", folder, unused)
		}
	}
}

// unused lists what the row permits and nobody imports.
func (r row) unused(imports map[string]bool) (list []string) {
	for _, own := range r.own {
		if own != "*" && !imports[module+"/"+own] {
			list = append(list, own)
		}
	}
	for _, m := range r.foreign {
		used := false
		for p := range imports {
			used = used || p == m || strings.HasPrefix(p, m+"/")
		}
		if !used {
			list = append(list, m)
		}
	}
	for _, p := range r.host {
		if !imports[p] {
			list = append(list, p)
		}
	}
	return list
}

// The root holds what a repository needs and nothing else, and no file is empty.
func TestNoStrayFiles(t *testing.T) {
	root := filepath.Join("..", "..")
	expected := []string{".ci", ".gitignore", "CONTRIBUTING.md", "LICENSE", "README.md", "cachemodel", "check", "cmd", "crashinject", "eadr",
		"go.mod", "go.sum", "internal", "report", "runtime", "scenarios", "sim"}
	tracked, err := exec.Command("git", "-C", root, "ls-files", "-z").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	for _, name := range strings.Split(strings.Trim(string(tracked), "\x00"), "\x00") {
		if top, _, _ := strings.Cut(name, "/"); !slices.Contains(expected, top) {
			t.Errorf("%s: %s is not expected in the root", name, top)
		}
		st, err := os.Lstat(filepath.Join(root, name))
		if err == nil && st.Mode().IsRegular() && st.Size() == 0 {
			t.Errorf("%s is empty", name)
		}
	}
}

// The rules behind the table, which no edit of a row may break: what lies below
// never reaches up, by any way round.
func TestNobodyReachesUp(t *testing.T) {
	reach := map[string]map[string]bool{}
	var visit func(folder string) map[string]bool
	visit = func(folder string) map[string]bool {
		if seen, ok := reach[folder]; ok {
			return seen
		}
		seen := map[string]bool{}
		reach[folder] = seen
		for _, next := range table[folder].own {
			seen[next] = true
			maps.Copy(seen, visit(next))
		}
		return seen
	}
	for _, rule := range []struct{ from, never string }{
		{"sim*", "crashinject*"}, {"sim*", "runtime*"}, {"sim*", "scenarios*"}, {"sim*", "report*"},
		{"cachemodel*", "sim/x86"}, {"cachemodel*", "sim/kernel*"}, {"cachemodel*", "sim/mem"}, {"cachemodel*", "runtime*"}, {"cachemodel*", "eadr"},
		{"eadr", "sim/x86"}, {"eadr", "sim/kernel*"}, {"eadr", "sim/mem"}, {"eadr", "cachemodel*"}, {"eadr", "runtime*"},
		{"runtime*", "crashinject*"}, {"report*", "sim"}, {"report*", "crashinject"}, {"report*", "runtime*"}, {"crashinject/result", "sim"},
		{"sim/x86", "sim/kernel*"}, {"sim/kernel*", "eadr"}, {"sim/mem", "sim/x86"},
	} {
		for _, folder := range slices.Sorted(maps.Keys(table)) {
			if !matches(rule.from, folder) {
				continue
			}
			for _, to := range slices.Sorted(maps.Keys(visit(folder))) {
				if matches(rule.never, to) {
					t.Errorf("by the table %s reaches %s", folder, to)
				}
			}
		}
	}
}

// matches compares a folder with a name; a star at its end takes in what lies below.
func matches(pattern, folder string) bool {
	if top, ok := strings.CutSuffix(pattern, "*"); ok {
		return folder == top || strings.HasPrefix(folder, top+"/")
	}
	return path.Clean(pattern) == folder
}
