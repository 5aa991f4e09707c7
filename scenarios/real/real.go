// Package real finds the programs of others, and our C programs built with other
// people's C libraries, that the tests run beside the guests: busybox,
// src/tour.c with musl and with glibc, src/jit.c, which changes code as it runs, and
// sim/testdata/faults.c, which raises every exception. They are not part of the repository; the
// script fetch puts them into .cache/real at its top.
//
// The package imports sim/det and the standard library only.
package real

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"zhuque/sim/det"
)

// Programs are the names that Path knows.
var Programs = []string{"busybox", "faults", "jit", "tour-glibc", "tour-musl"}

// Case is one run of a real program.
type Case struct {
	Name    string
	Program string
	Args    []string // "INPUT" stands for the path of the input file
	Stdin   bool     // the input file is standard input
	Exit    int
	Long    bool // more than 100 million instructions
}

// Cases are the runs that the tests make, natively and in the simulator.
var Cases = []Case{
	{Name: "echo", Program: "busybox", Args: []string{"echo", "-n", "one two"}},
	{Name: "false", Program: "busybox", Args: []string{"false"}, Exit: 1},
	{Name: "no-such-file", Program: "busybox", Args: []string{"cat", "/no/such/file"}, Exit: 1},
	{Name: "cat", Program: "busybox", Args: []string{"cat", "INPUT"}},
	{Name: "sha256sum", Program: "busybox", Args: []string{"sha256sum"}, Stdin: true},
	{Name: "md5sum", Program: "busybox", Args: []string{"md5sum"}, Stdin: true},
	{Name: "tr", Program: "busybox", Args: []string{"tr", "a-c", "x-z"}, Stdin: true},
	{Name: "wc", Program: "busybox", Args: []string{"wc"}, Stdin: true},
	{Name: "sort", Program: "busybox", Args: []string{"sort", "INPUT"}},
	{Name: "grep", Program: "busybox", Args: []string{"grep", "-c", "-E", "(ab|cd)+[ex]", "INPUT"}, Long: true},
	{Name: "sed", Program: "busybox", Args: []string{"sed", "-n", "s/\\([a-c]*\\) \\(.*\\)/\\2-\\1/p;5000q", "INPUT"}, Long: true},
	{Name: "awk", Program: "busybox", Args: []string{"awk", "{ n[length($1)] += NR / 3 } END { for (i = 1; i < 20; i++) printf \"%d %.10g\\n\", i, n[i] }", "INPUT"}, Long: true},
	{Name: "gzip", Program: "busybox", Args: []string{"gzip", "-c", "-n"}, Stdin: true, Long: true},
	{Name: "base64", Program: "busybox", Args: []string{"base64"}, Stdin: true},
	{Name: "dc", Program: "busybox", Args: []string{"dc", "-e", "200k 2v p 3 100^ p"}},
	{Name: "seq", Program: "busybox", Args: []string{"seq", "-w", "1", "7", "20000"}},
	{Name: "sh", Program: "busybox", Args: []string{"sh", "-c", "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); case $i in *00) echo $i ${#i};; esac; done; exit 3"}, Exit: 3},
	{Name: "tour-musl", Program: "tour-musl", Args: []string{"INPUT"}},
	{Name: "tour-glibc", Program: "tour-glibc", Args: []string{"INPUT"}},
	{Name: "jit", Program: "jit"},
}

// Missing is the error for a program that has not been fetched.
type Missing struct{ Name, Path string }

func (m *Missing) Error() string {
	return fmt.Sprintf("real program %s is missing (%s): run scenarios/real/fetch", m.Name, m.Path)
}

// Path returns where a real program lies. Errors: *Missing; an unknown name.
func Path(name string) (string, error) {
	if !slices.Contains(Programs, name) {
		return "", fmt.Errorf("no real program %q: expected one of %q", name, Programs)
	}
	dir, err := cache()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return "", &Missing{name, path}
	}
	return path, nil
}

// Root returns the directory that Debian's packages are unpacked in. Errors: *Missing.
func Root() (string, error) {
	dir, err := cache()
	if err != nil {
		return "", err
	}
	root := filepath.Join(dir, "root")
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return "", &Missing{"root", root}
	}
	return root, nil
}

// Input returns the path of the input file, which it makes when it is not there:
// a mebibyte of words, the same everywhere.
func Input() (string, error) {
	dir, err := cache()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "input.txt")
	text := inputText()
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(dir, "input")
	if err != nil {
		return "", err
	}
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	return path, err
}

func inputText() []byte {
	const size = 1 << 20
	r := det.Stream(1, "scenarios/real input")
	text := make([]byte, 0, size)
	for len(text) < size-1 {
		for range 1 + r.IntN(9) {
			text = append(text, byte('a'+r.IntN(6)))
		}
		end := byte(' ')
		if r.IntN(8) == 0 {
			end = '\n'
		}
		text = append(text, end)
	}
	return append(text[:size-1], '\n')
}

// cache is .cache/real at the top of the repository around the working directory.
func cache() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".cache", "real"), nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("real programs are kept in the repository, and the working directory is not in one")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}
