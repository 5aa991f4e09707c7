package guests

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite testdata from native runs")

// TestInput is what the tests give the guests to read.
const TestInput = "the quick brown fox\njumps over the lazy dog, and then reads more than one chunk of the input at once\n"

// install writes a guest where it can be executed.
func install(t *testing.T, name string) string {
	t.Helper()
	data, err := Guest(name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// The output of every guest is known, and a real processor agrees with it.
func TestNativeOutput(t *testing.T) {
	native := runtime.GOOS == "linux" && runtime.GOARCH == "amd64"
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join("testdata", name+".out")
			if native {
				cmd := exec.Command(install(t, name))
				cmd.Env = []string{}
				cmd.Stdin = strings.NewReader(TestInput)
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%v: %s", err, err.(*exec.ExitError).Stderr)
				}
				if *rewrite {
					if err := os.WriteFile(golden, out, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(out, want) {
					t.Errorf("printed\n%swant\n%s", out, want)
				}
			}
			if native {
				cmd := exec.Command(install(t, name))
				cmd.Env = []string{}
				out, err := cmd.Output()
				if *rewrite && !bytes.Equal(out, Output(name)) {
					if err := os.WriteFile(filepath.Join("testdata", name+".empty"), out, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if err != nil || !*rewrite && !bytes.Equal(out, Output(name)) {
					t.Errorf("without input: %v, printed\n%swant\n%s", err, out, Output(name))
				}
			}
			if info, err := os.Stat(golden); err != nil || info.Size() == 0 {
				t.Errorf("%s is missing or empty: %v", golden, err)
			}
		})
	}
}

// The guests' SHA-256 is that of the standard library.
func TestShaDigest(t *testing.T) {
	buffer := make([]byte, 8192)
	seed := uint64(256)
	for i := range buffer {
		seed ^= seed << 13
		seed ^= seed >> 7
		seed ^= seed << 17
		buffer[i] = byte(seed)
	}
	for name, message := range map[string][]byte{"sha": buffer, "bench-sha256": bytes.Repeat(buffer[:4096], 4)} {
		sum := sha256.Sum256(message)
		out, err := os.ReadFile("testdata/" + name + ".out")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(string(out)); got != hex.EncodeToString(sum[:]) {
			t.Errorf("%s prints %s, the digest is %x", name, got, sum)
		}
	}
}

func TestGuestsAreSmallStaticPrograms(t *testing.T) {
	if !slices.IsSorted(Names()) {
		t.Errorf("%q is not sorted", Names())
	}
	for _, name := range Names() {
		data, err := Guest(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := elf.NewFile(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := elf.ET_EXEC
		if name == "hello" {
			want = elf.ET_DYN
		}
		if f.Type != want || f.Machine != elf.EM_X86_64 || len(data) > 12288 {
			t.Errorf("%s: %v for %v, %d bytes", name, f.Type, f.Machine, len(data))
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP {
				t.Errorf("%s needs an interpreter", name)
			}
		}
	}
	if _, err := Guest("../guests.go"); err == nil {
		t.Error("a path is a guest")
	}
}

// The committed programs are what the sources give. Another compiler may give
// other bytes; then the sources must still build and give the same output.
func TestBuildGivesTheCommittedPrograms(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil || runtime.GOARCH != "amd64" || runtime.GOOS != "linux" {
		if os.Getenv("CI") == "true" {
			t.Fatal("gcc for x86-64 Linux is needed to check the guests against their sources")
		}
		t.Skip("no gcc for x86-64 Linux here: the guests cannot be compared with their sources")
	}
	dir := t.TempDir()
	if out, err := exec.Command("./build", dir).CombinedOutput(); err != nil || len(out) != 0 {
		t.Fatalf("build: %v\n%s", err, out)
	}
	read := func(path string) []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	same := bytes.Equal(read(filepath.Join(dir, "COMPILER")), read("bin/COMPILER"))
	if !same {
		t.Logf("built by\n%snot by\n%s: comparing output instead of bytes",
			read(filepath.Join(dir, "COMPILER")), read("bin/COMPILER"))
	}
	for _, name := range Names() {
		built := filepath.Join(dir, name)
		if same {
			if !bytes.Equal(read(built), read(filepath.Join("bin", name))) {
				t.Errorf("bin/%s is not what its source gives: run scenarios/guests/build", name)
			}
			continue
		}
		cmd := exec.Command(built)
		cmd.Stdin = strings.NewReader(TestInput)
		if out, err := cmd.Output(); err != nil || !bytes.Equal(out, read(filepath.Join("testdata", name+".out"))) {
			t.Errorf("%s built here: %v, printed\n%s", name, err, out)
		}
	}
}

// A guest whose arithmetic goes wrong says so: its checks are alive.
func TestChecksFail(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("runs guests natively")
	}
	path := install(t, "sha")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	vector := binary.LittleEndian.AppendUint32(nil, 0xf20015ad)
	if n := bytes.Count(data, vector); n != 1 {
		t.Fatalf("the expected digest occurs %d times in the program", n)
	}
	if err := os.WriteFile(path, bytes.Replace(data, vector, []byte{1, 2, 3, 4}, 1), 0o755); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(path)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 ||
		len(out) != 0 || !strings.HasPrefix(stderr.String(), "sha: FAILED: line ") {
		t.Errorf("%v, printed %q and %q", err, out, stderr.String())
	}
}
