package crashinject

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// readBounded reads a regular file of at most limit bytes: devices and pipes may have no
// end, and what a case names may be anything.
func readBounded(name string, limit int64) ([]byte, error) {
	st, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%q: expected a regular file", name)
	case st.Size() > limit:
		return nil, fmt.Errorf("%q has %d bytes: expected at most %d", name, st.Size(), limit)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%q grows while it is read: expected at most %d bytes", name, limit)
	}
	return data, err
}

// ReadInput reads a regular file that a run is given, of at most 256 MiB.
func ReadInput(name string) ([]byte, error) { return readBounded(name, maxStdin) }

// Bounds of what a run is given: an input that has no end is refused, and so is one that
// would take all memory or hours.
const (
	maxStdin   = 256 << 20 // bytes
	maxHashed  = 64 << 30  // bytes of an executable, or of all files of a directory
	maxEntries = 1 << 20   // names in a directory
)

// readStdin reads the file that is the guest's standard input.
func readStdin(name string) ([]byte, error) {
	if name == os.DevNull {
		return nil, nil
	}
	return readBounded(name, maxStdin)
}

// Input is something outside a case that its verdict depends on.
type Input struct {
	Name   string // program, interpreter, libraries, stdin, pmem-dir, overlay, preset; restart or check and one of the first three
	Digest string // of its content
}

// Stale is a case whose inputs are not what they were when it was judged.
type Stale struct{ Name, Was, Is string }

func (e *Stale) Error() string {
	if e.Is == "" {
		return fmt.Sprintf("the case is stale: its input %q is gone since it was judged (digest %.12s)", e.Name, e.Was)
	}
	return fmt.Sprintf("the case is stale: its input %q has changed since it was judged (digest %.12s, now %.12s)", e.Name, e.Was, e.Is)
}

// inputs digests what a run of the setup depends on beside the setup. Files that a program
// opens by itself below --root are left out: they may be a whole system's.
func (s *Setup) inputs() (list []Input, err error) {
	add := func(name string, digest []byte) { list = append(list, Input{name, hex.EncodeToString(digest)}) }
	if name, ok := strings.CutPrefix(s.Program, GuestPrefix); ok {
		if s.Guest != nil {
			code, err := s.Guest(name)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrNoGuest, err)
			}
			sum := sha256.Sum256(code)
			add("program", sum[:])
		}
	} else if sum, err := fileDigest(filepath.Join(s.Root, s.Program)); err == nil { // otherwise the start says what is wrong
		add("program", sum)
		if sum, err := fileDigest(filepath.Join(s.Root, interpreter(filepath.Join(s.Root, s.Program)))); err == nil {
			add("interpreter", sum)
		}
		if sum, err = libraries(s.Root, s.Program); err != nil {
			return nil, err
		}
		if sum != nil {
			add("libraries", sum)
		}
	}
	if s.Stdin != "" {
		text, err := readStdin(s.Stdin)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		sum := sha256.Sum256(text)
		add("stdin", sum[:])
	}
	for _, dir := range []struct{ name, path string }{{"pmem-dir", s.PMEMDir}, {"overlay", s.Overlay}} {
		if dir.path == "" {
			continue
		}
		sum, err := treeDigest(dir.path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir.name, err)
		}
		add(dir.name, sum)
	}
	rows, err := usual(s.Preset, s.Domain)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	for i := range rows {
		if !strings.HasPrefix(rows[i].Name, "kernel.") { // what the kernel's work costs changes no verdict
			fmt.Fprintln(h, rows[i].Name, rows[i].Get())
		}
	}
	add("preset", h.Sum(nil))
	return list, nil
}

// command digests a command that a case runs beside the program.
func (s *Setup) command(name string, r *Restart) (list []Input, err error) {
	if r == nil {
		return nil, nil
	}
	all, err := (&Setup{Program: r.Program, Root: s.Root, Guest: s.Guest, Preset: s.Preset, Domain: s.Domain}).inputs()
	for _, in := range all {
		if in.Name != "preset" {
			list = append(list, Input{name + "-" + in.Name, in.Digest})
		}
	}
	return list, err
}

// Digested returns the case with the digests of what its verdict depends on.
func (c Case) Digested() (Case, error) {
	list, err := c.Setup.inputs()
	if err != nil {
		return c, err
	}
	restart, err := c.Setup.command("restart", c.Restart)
	if err != nil {
		return c, err
	}
	check, err := c.Setup.command("check", c.Check)
	c.Inputs = append(append(list, restart...), check...)
	return c, err
}

// Fresh compares what the verdict depends on with what it was judged with. Errors: *Stale,
// or what keeps an input from being read.
func (c *Case) Fresh() error {
	if len(c.Inputs) == 0 {
		return nil // a case of version 1, or one that somebody wrote
	}
	of, err := c.Digested()
	if err != nil {
		return err
	}
	is := map[string]string{}
	for _, in := range of.Inputs {
		is[in.Name] = in.Digest
	}
	for _, in := range c.Inputs {
		if is[in.Name] != in.Digest {
			return &Stale{in.Name, in.Digest, is[in.Name]}
		}
	}
	return nil
}

// fileDigest digests a regular file.
func fileDigest(name string) ([]byte, error) {
	st, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular() || st.Size() > maxHashed:
		return nil, fmt.Errorf("%q: expected a regular file of at most %d bytes", name, int64(maxHashed))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, io.LimitReader(f, maxHashed))
	return h.Sum(nil), err
}

// interpreter is the path of an executable's program interpreter, "/" for none.
func interpreter(name string) string {
	f, err := elf.Open(name)
	if err != nil {
		return "/"
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP && p.Filesz < 4096 {
			text, err := io.ReadAll(p.Open())
			if err == nil {
				return strings.TrimRight(string(text), "\x00")
			}
		}
	}
	return "/"
}

// treeDigest digests a directory: names, kinds and the content of its files.
func treeDigest(dir string) ([]byte, error) {
	h := sha256.New()
	var total int64
	entries := 0
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			if name == dir && errors.Is(err, fs.ErrNotExist) {
				return filepath.SkipAll // it is made by the run
			}
			return err
		}
		if entries++; entries > maxEntries {
			return fmt.Errorf("%q has more than %d names", dir, maxEntries)
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q %v\n", rel, d.Type())
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if total += info.Size(); total > maxHashed {
			return fmt.Errorf("%q has more than %d bytes", dir, int64(maxHashed))
		}
		sum, err := fileDigest(name)
		fmt.Fprintf(h, "%x\n", sum)
		return err
	})
	return h.Sum(nil), err
}

// Printable is text with every control character but tabs and newlines written as an
// escape, so that a terminal shows what it would obey.
func Printable(text string) string {
	if !strings.ContainsFunc(text, control) && strings.ToValidUTF8(text, "") == text {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == '\uFFFD':
			fmt.Fprintf(&b, "\\x%02x", text[i])
		case control(r):
			fmt.Fprintf(&b, "\\x%02x", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func control(r rune) bool { return r != '\t' && r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0) }
