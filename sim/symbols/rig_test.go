package symbols_test

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/internal/testrig"
	"zhuque/sim/symbols"
)

// hostFile is a file's bytes.
type hostFile struct {
	*bytes.Reader
	key string
}

func (f hostFile) Key() string { return f.key }

func fileOf(data []byte) symbols.File {
	sum := sha256.Sum256(data)
	return hostFile{bytes.NewReader(data), string(sum[:])}
}

// tree is a file tree in memory.
type tree map[string][]byte

func (t tree) Open(path string) symbols.File {
	if data, ok := t[path]; ok {
		return fileOf(data)
	}
	return nil
}

// build compiles a source of testdata, or the text of one, and returns the program's path.
func build(t testing.TB, cc, source string, flags ...string) string {
	t.Helper()
	testrig.Compiler(t)
	dir := t.TempDir()
	if strings.Contains(source, "\n") {
		name := filepath.Join(dir, "program.c")
		if err := os.WriteFile(name, []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
		source = name
	} else {
		abs, err := filepath.Abs(filepath.Join("testdata", source))
		if err != nil {
			t.Fatal(err)
		}
		source = abs
	}
	out := filepath.Join(dir, "program")
	args := append([]string{"-o", out, source}, flags...)
	if text, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", cc, args, err, text)
	}
	return out
}

// needs skips the test where a tool is missing.
func needs(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
}

const pageMask = 4095

// mapped is a process that has nothing but a file mapped, at its own addresses plus base.
func mapped(t testing.TB, data []byte, base uint64, cache *symbols.Cache, files symbols.Files) *symbols.Process {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	p := &symbols.Process{Cache: cache, Files: files}
	for _, g := range f.Progs {
		if g.Type != elf.PT_LOAD {
			continue
		}
		start := g.Vaddr &^ pageMask
		p.Mappings = append(p.Mappings,
			symbols.Mapping{Start: base + start, End: base + (g.Vaddr+g.Filesz+pageMask)&^pageMask,
				Off: g.Off &^ pageMask, Exec: g.Flags&elf.PF_X != 0, Name: "/bin/program", File: fileOf(data)})
	}
	return p
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
