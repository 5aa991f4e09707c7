package x86

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/cpu"
)

// output runs a program that only writes and exits, and returns what it wrote.
func (m *machine) output(t *testing.T, limit uint64) string {
	t.Helper()
	var out strings.Builder
	for {
		s := m.Run(limit)
		if s.Reason != StopSyscall {
			t.Fatalf("after %d instructions at %#x: %v %v %v", m.Retired, m.RIP, s.Reason, s.Exc, s.Unsup)
		}
		switch m.R[RAX] {
		case 1:
			out.Write(m.read(m.R[RSI], int(m.R[RDX])))
			m.R[RAX] = m.R[RDX]
		case 60:
			return out.String()
		default:
			t.Fatalf("system call %d", m.R[RAX])
		}
	}
}

// What a compiler makes of loops with AVX2, FMA and F16C computes the same on the
// host's processor and in the model.
func TestVectorProgram(t *testing.T) {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasFMA || !hostFeatures(t)["f16c"] {
		t.Skip("the host lacks AVX2, FMA or F16C")
	}
	src, err := os.ReadFile("testdata/vector.c")
	if err != nil {
		t.Fatal(err)
	}
	path := compile(t, string(src), "-O3", "-ftree-vectorize",
		"-ffast-math", "-mavx2", "-mfma", "-mf16c", "-mtune=haswell")
	want, err := exec.Command(path).Output()
	if err != nil {
		t.Fatal(err)
	}
	m := loadELF(t, path, nil)
	m.SetLevel(V3)
	if got := m.output(t, 1<<30); got != string(want) || strings.Count(got, "\n") != 8 {
		t.Errorf("the model prints\n%sthe host\n%s", got, want)
	}
	t.Logf("%d instructions", m.Retired)

	m = loadELF(t, path, nil) // without AVX the first such instruction is refused
	if s := m.Run(1 << 30); s.Reason != StopException || s.Exc.Vector != UD {
		t.Errorf("on a v2 processor: %v %v", s.Reason, s.Exc)
	}
}
