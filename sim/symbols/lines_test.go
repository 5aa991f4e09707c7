package symbols_test

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zhuque/sim/symbols"
)

// addr2line returns what addr2line prints: "function file:line", the innermost first.
func addr2line(t *testing.T, program string, addrs []uint64) (list [][]string) {
	t.Helper()
	var in strings.Builder
	for _, a := range addrs {
		fmt.Fprintf(&in, "%#x\n", a)
	}
	cmd := exec.Command("addr2line", "-a", "-f", "-i", "-e", program)
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i := 0; i < len(lines); i++ {
		if strings.HasPrefix(lines[i], "0x") {
			list = append(list, nil)
			continue
		}
		function := lines[i]
		i++
		where, _, _ := strings.Cut(lines[i], " ")
		n := len(list) - 1
		list[n] = append(list[n], function+" "+path.Base(where))
	}
	return list
}

// text returns the bytes of .text and where they are.
func text(t *testing.T, data []byte) (addr uint64, code []byte) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	s := f.Section(".text")
	code, err = s.Data()
	if err != nil {
		t.Fatal(err)
	}
	return s.Addr, code
}

// Line and innermost function of every byte of code are those of binutils.
func TestLinesAreThoseOfAddr2line(t *testing.T) {
	needs(t, "addr2line")
	for _, c := range []struct{ name, flags string }{
		{"DWARF 5, -O0", "-O0 -g"}, {"DWARF 5, -O2", "-O2 -g"}, {"DWARF 4, -O0", "-O0 -gdwarf-4"}, {"DWARF 4, -O2", "-O2 -gdwarf-4"},
		{"no PIE", "-O2 -g -no-pie"}, {"-O3 -flto", "-O3 -g -flto"}, {"sections", "-O2 -g -ffunction-sections -Wl,--gc-sections"},
		{"compressed", "-O2 -g -gz=zlib"}, {"DWARF64", "-O2 -g -gdwarf64"}, {"no rows in pairs", "-O2 -g -gno-statement-frontiers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			program := build(t, "gcc", "stack.c", strings.Fields(c.flags)...)
			data := read(t, program)
			addr, code := text(t, data)
			var addrs []uint64
			for i := range code {
				addrs = append(addrs, addr+uint64(i))
			}
			const base = 0x5555_5555_0000
			p := mapped(t, data, base, &symbols.Cache{}, nil)
			lines := 0
			oracle := program
			if c.name == "DWARF64" { // binutils find no lines in it; the code is the same without
				oracle = build(t, "gcc", "stack.c", "-O2", "-g")
			}
			for i, want := range addr2line(t, oracle, addrs) {
				l := p.At(base + addrs[i])
				got := fmt.Sprintf("%s %s:%d", l.Function, path.Base(l.File), l.Line)
				if strings.Contains(want[0], "<artificial>") { // binutils take the unit's name for that of the file with -flto
					want[0] = strings.ReplaceAll(want[0], "<artificial>", "stack.c")
				}
				if strings.HasSuffix(want[0], ":?") || strings.HasSuffix(want[0], ":0") {
					if l.HasLine() {
						t.Errorf("%#x: %s, expected no line (%s)", addrs[i], got, want[0])
					}
					continue
				}
				lines++
				if l.Function == "" && l.Symbol == "" {
					continue // between functions: addr2line names the one before
				}
				if got != want[0] {
					t.Errorf("%#x: %s, expected %s", addrs[i], got, want[0])
				}
			}
			if lines < 100 {
				t.Errorf("only %d of %d bytes have a line", lines, len(code))
			}
		})
	}
}

// Without debug information the symbols remain, and gdb agrees about them.
func TestSymbolsAreThoseOfGDB(t *testing.T) {
	needs(t, "gdb")
	program := build(t, "gcc", "stack.c", "-O1")
	data := read(t, program)
	addr, code := text(t, data)
	args := []string{"-nx", "-batch"}
	for i := 0; i < len(code); i += 3 {
		args = append(args, "-ex", fmt.Sprintf("info symbol %#x", addr+uint64(i)))
	}
	args = append(args, program)
	out, err := exec.Command("gdb", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	p := mapped(t, data, 0x10000, nil, nil)
	named := 0
	for i, want := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		a := addr + uint64(3*i)
		l := p.At(0x10000 + a)
		got := "No symbol"
		if l.Symbol != "" {
			got = l.Symbol
			if l.SymbolOffset > 0 {
				got += " + " + strconv.FormatUint(l.SymbolOffset, 10)
			}
			got += " in section .text"
			named++
		}
		// gdb names bytes between functions by the one before; here they have no name.
		if !strings.HasPrefix(want, "No symbol") && got != want && l.Symbol != "" {
			t.Errorf("%#x: %q, expected %q", a, got, want)
		}
	}
	if named < 100 {
		t.Errorf("only %d addresses have a name", named)
	}
}

// Debug information in a file of its own is found by build-id and by name, and only
// where it belongs to the program.
func TestSeparateDebugFiles(t *testing.T) {
	needs(t, "objcopy", "strip")
	program := build(t, "gcc", "stack.c", "-O1", "-g", "-Wl,--build-id")
	debug := filepath.Join(t.TempDir(), "program.debug")
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	whole := read(t, program)
	f, err := elf.NewFile(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	note, err := f.Section(".note.gnu.build-id").Data()
	if err != nil {
		t.Fatal(err)
	}
	id := fmt.Sprintf("%x", note[16:])
	run("objcopy", "--only-keep-debug", program, debug)
	run("strip", program)
	run("objcopy", "--add-gnu-debuglink="+debug, program)
	data, info := read(t, program), read(t, debug)
	other := bytes.Clone(info)
	other = append(other, 0)
	foreign := read(t, build(t, "gcc", "int main(void) {\n return 0; }\n", "-g", "-Wl,--build-id"))
	syms, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	var at uint64
	for _, s := range syms {
		if s.Name == "recurse" {
			at = s.Value + 20
		}
	}
	for _, c := range []struct {
		name  string
		files tree
		line  bool
	}{
		{"nowhere", tree{}, false},
		{"by build-id", tree{"/usr/lib/debug/.build-id/" + id[:2] + "/" + id[2:] + ".debug": info}, true},
		{"of another program by build-id", tree{"/usr/lib/debug/.build-id/" + id[:2] + "/" + id[2:] + ".debug": foreign}, false},
		{"beside it", tree{"/bin/program.debug": info}, true},
		{"below it", tree{"/bin/.debug/program.debug": info}, true},
		{"in the tree of debug files", tree{"/usr/lib/debug/bin/program.debug": info}, true},
		{"with another checksum", tree{"/usr/lib/debug/bin/program.debug": other}, false},
	} {
		l := mapped(t, data, 0x7000_0000, nil, c.files).At(0x7000_0000 + at)
		if l.HasLine() != c.line ||
			c.line && (l.Function != "recurse" || l.Symbol != "recurse" || path.Base(l.File) != "stack.c") {
			t.Errorf("debug file %s: %v, %+v", c.name, l, l)
		}
	}
}
