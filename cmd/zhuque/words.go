package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// meant returns what a word that is not on a list may have been meant to be, as the end of
// a sentence; "" when nothing on it is near.
func meant(word string, list []string) string {
	best, at := "", 3 // differences that may be a slip
	for _, w := range list {
		if d := distance(word, w); d < at && d < len(w) {
			best, at = w, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// distance is how many bytes must be put in, left out or replaced to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := min(row[j], row[j+1]) + 1
			if a[i] == b[j] {
				next = min(next, diagonal)
			} else {
				next = min(next, diagonal+1)
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

// flagError is a parser's error with the flag that may have been meant.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var list []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			list = append(list, f.Name)
		}
	})
	name := unknown.GetSpecifiedName()
	hint := meant(name, list)
	if hint == "" && len(name) > 1 { // pmemdir, instructions
		for _, l := range list {
			if plain := strings.ReplaceAll(l, "-", ""); plain == strings.ReplaceAll(name, "-", "") ||
				strings.HasSuffix(l, "-"+name) {
				hint = fmt.Sprintf(" (did you mean %s?)", l)
			}
		}
	}
	return fmt.Errorf("%w%s", err, strings.Replace(hint, "mean ", "mean --", 1))
}

// sourceRevision asks git for the revision of the sources that this program was built of,
// where the build did not note it (go run); "" when it cannot be told.
func sourceRevision() string {
	self, err := os.Executable()
	if err != nil || !strings.Contains(filepath.ToSlash(self), "/go-build") {
		return "" // no program of go run: where it is may be far from what it was built of
	}
	dir := "."
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		dir = filepath.Dir(file)
	} else if mod, err := os.ReadFile("go.mod"); err != nil || !strings.HasPrefix(string(mod), "module zhuque\n") {
		return "" // built with -trimpath, and elsewhere
	}
	out, err := exec.Command("git", "-C", dir, "rev-parse", "HEAD").Output()
	if err != nil {
		return ""
	}
	revision := strings.TrimSpace(string(out))
	if out, err := exec.Command("git", "-C", dir, "status", "--porcelain").Output(); err != nil || len(out) > 0 {
		revision += dirty
	}
	return revision
}

// dirty follows a revision whose sources were changed.
const dirty = "+dirty"
