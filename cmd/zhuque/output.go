package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"zhuque/crashinject/result"
)

// writeJSON writes one indented object and a newline.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// terminal reports whether somebody looks at f.
func terminal(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// colour reports whether f may get colours: see https://no-color.org.
func colour(f *os.File) bool { return os.Getenv("NO_COLOR") == "" && terminal(f) }

// special reports whether a path leads to a device or pipe, which is written to
// and never replaced.
func special(path string) bool {
	st, err := os.Stat(path)
	return err == nil && !st.Mode().IsRegular() && !st.IsDir()
}

// writeFile makes path hold what write writes, whole or not at all.
func writeFile(path string, write func(io.Writer) error) error {
	if !special(path) {
		return result.WriteFile(path, write)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// expectWritable says before a long run that what it gives could not be written
// to path.
func expectWritable(path string) error {
	if path == "" || special(path) {
		return nil
	}
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return fmt.Errorf("%s is a directory: expected the name of a file", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".zhuque.*.tmp")
	if err != nil {
		return fmt.Errorf("cannot write %s: expected a directory where a file can be made: %w", path, reason(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// expectFolder makes dir and checks that files can be made in it.
func expectFolder(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make the directory %s: %w", dir, reason(err))
	}
	return expectWritable(filepath.Join(dir, "results.json"))
}

// reason is an operating-system error without the name that it went wrong with.
func reason(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// command renders a command line that a shell reads back.
func command(args ...string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = a
		if a == "" || strings.Trim(a, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./:,@%") != "" {
			quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// thisCommand is the command line of this process.
func thisCommand() string { return command(append([]string{"zhuque"}, os.Args[1:]...)...) }
