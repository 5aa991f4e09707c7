package crashinject

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/scenarios/guests"
)

// A case knows its inputs: whichever changes, it is stale and says which.
func TestStaleCasesAreSaidToBe(t *testing.T) {
	dir := t.TempDir()
	s := DefaultSetup()
	s.Root, s.Program = dir, "/prog"
	s.Stdin, s.PMEMDir = filepath.Join(dir, "in"), filepath.Join(dir, "pool")
	elf, err := guests.Guest("hello")
	must(err)
	must(os.Mkdir(s.PMEMDir, 0o700))
	files := map[string]string{"program": "prog", "stdin": "in", "pmem-dir": "pool/file"}
	for _, name := range files {
		must(os.WriteFile(filepath.Join(dir, name), elf, 0o700))
	}
	inputs, err := s.inputs()
	must(err)
	c, err := ParseCase("f.case", Case{Setup: s, Plan: At(5), Verdict: result.Pass, Inputs: inputs}.String())
	must(err)
	if err := c.Fresh(); err != nil || len(c.Inputs) != 4 {
		t.Fatalf("inputs %v: %v", c.Inputs, err)
	}
	for input, name := range files {
		path := filepath.Join(dir, name)
		must(os.WriteFile(path, append([]byte(nil), append(elf, 'x')...), 0o700))
		var stale *Stale
		if _, err := c.Judge(); !errors.As(err, &stale) || stale.Name != input {
			t.Errorf("another %s: %v", input, err)
		}
		must(os.WriteFile(path, elf, 0o700))
	}
	if p, err := c.Judge(); err != nil || p.Verdict != result.Pass {
		t.Errorf("as it was: %v, %v", p, err)
	}
	must(os.Remove(filepath.Join(dir, "prog")))
	if err := c.Fresh(); err == nil {
		t.Error("a case whose program is gone is not stale")
	}
	c.Setup.Preset = "clx-g1"
	if err := (&Case{Setup: c.Setup, Inputs: []Input{inputs[len(inputs)-1]}}).Fresh(); err == nil {
		t.Error("a case of another preset is not stale")
	}
}

// So is the directory with file changes that a run continues.
func TestOverlayIsAnInput(t *testing.T) {
	s := guestSetup(t, "hello")
	s.Overlay = t.TempDir()
	was, err := s.inputs()
	must(err)
	must(os.WriteFile(filepath.Join(s.Overlay, "file"), []byte("x"), 0o600))
	var stale *Stale
	if err := (&Case{Setup: s, Inputs: was}).Fresh(); !errors.As(err, &stale) || stale.Name != "overlay" {
		t.Errorf("another overlay: %v", err)
	}
}

// A program's shared libraries are its inputs: a real one's, under a root of its own.
func TestLibrariesAreInputs(t *testing.T) {
	const program = "/bin/cat" // some dynamic program of the host's
	if needed, _ := needs(program, program); len(needed) == 0 {
		t.Skipf("%s needs no shared library here", program)
	}
	root := t.TempDir()
	place := func(name string, data []byte) {
		must(os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o700))
		must(os.WriteFile(filepath.Join(root, name), data, 0o700))
	}
	code, err := os.ReadFile(program)
	must(err)
	place(program, code)
	bare, err := libraries(root, program)
	must(err)
	if bare != nil {
		t.Errorf("libraries that are not there: digest %x", bare)
	}
	needed, _ := needs(program, program)
	library := "/lib/x86_64-linux-gnu/" + needed[0]
	var digests [][]byte
	for _, text := range []string{"one", "two", "one"} {
		place(library, []byte(text))
		sum, err := libraries(root, program)
		must(err)
		digests = append(digests, sum)
	}
	if bytes.Equal(digests[0], digests[1]) || !bytes.Equal(digests[0], digests[2]) {
		t.Errorf("digests %x of three contents, the first and the last alike", digests)
	}
}

// Input without an end, and what is no file, is refused in words.
func TestEndlessInputIsRefused(t *testing.T) {
	huge := filepath.Join(t.TempDir(), "huge")
	f, err := os.Create(huge)
	must(err)
	must(f.Truncate(maxStdin + 1))
	must(f.Close())
	for name, want := range map[string]string{"/dev/zero": "regular file", huge: "at most", t.TempDir(): "regular file"} {
		s := guestSetup(t, "upper")
		s.Stdin = name
		if _, err := s.Config(nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("stdin %s: %v, expected %q", name, err, want)
		}
	}
	s := guestSetup(t, "upper")
	s.Stdin = os.DevNull
	if _, err := s.Config(nil); err != nil {
		t.Errorf("empty standard input: %v", err)
	}
}

// What a terminal would obey it shows instead.
func TestControlCharactersAreShown(t *testing.T) {
	for text, want := range map[string]string{
		"plain\ttext\n": "plain\ttext\n", "“né”": "“né”",
		"\x1b]0;x\a": `\x1b]0;x\x07`, "a\x00\r\x7f": `a\x00\x0d\x7f`, "\u009b2J": `\x9b2J`, "\xff\xc3": `\xff\xc3`,
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q is shown as %q, expected %q", text, got, want)
		}
	}
}
