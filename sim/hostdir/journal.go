package hostdir

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// The journal is a symbolic link at the top of the directory whose text is its state.
const (
	journalText = "zhuque write-back 1: "
	building    = journalText + "the new state is being built"
	complete    = journalText + "the new state is complete, the old one makes way"
	placing     = journalText + "the new state takes its place"

	journalName = ".zhuque-write-back-"
)

// journal is a Replace within the directory.
type journal struct {
	link  string // its name
	state string
}

// box is the directory where the states stand.
func (j *journal) box() string { return j.link + ".new" }

// findJournal returns the journal in a directory, nil for none.
func findJournal(root *os.Root) (*journal, error) {
	all, err := names(root, ".")
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if e.Type()&os.ModeSymlink == 0 || !strings.HasPrefix(e.Name(), journalName) {
			continue
		}
		if text, err := root.Readlink(e.Name()); err == nil && strings.HasPrefix(text, journalText) {
			return &journal{e.Name(), text}, nil
		}
	}
	return nil, nil
}

// inside builds the new state within the directory and moves it into place.
func (w *writer) inside() error {
	root, err := os.OpenRoot(w.d.path)
	if err != nil {
		return err
	}
	defer root.Close()
	j := &journal{link: fmt.Sprintf("%s%d", journalName, rand.Uint64())}
	if err := root.Symlink(building, j.link); err != nil {
		return fmt.Errorf("a journal cannot be made: %w", err)
	}
	done, err := w.stage(root, j)
	if done || err != nil {
		return errors.Join(err, j.remove(root))
	}
	if err := j.become(root, complete); err != nil {
		return errors.Join(err, j.remove(root))
	}
	if err := j.finish(root); err != nil {
		return fmt.Errorf("the new state is complete, but not in its place, which the next run with this directory does: %w",
			err)
	}
	return syncDir(w.d.path)
}

// stage builds the new state in the journal's box.
func (w *writer) stage(root *os.Root, j *journal) (done bool, err error) {
	for _, dir := range []string{"", oldName, newName} {
		if err := root.Mkdir(path.Join(j.box(), dir), 0o700); err != nil {
			return false, err
		}
	}
	done, err = w.build(filepath.Join(w.d.path, j.box(), newName))
	if done || err != nil {
		return done, err
	}
	fresh, err := names(root, path.Join(j.box(), newName))
	for _, e := range fresh {
		if e.Name() == j.link || e.Name() == j.box() {
			return false, fmt.Errorf("%s: the name is that of the journal", e.Name())
		}
	}
	return false, err
}

// become makes a state that of the journal, at once.
func (j *journal) become(root *os.Root, state string) error {
	next := path.Join(j.box(), "link")
	if err := root.Symlink(state, next); err != nil {
		return err
	}
	if err := root.Rename(next, j.link); err != nil {
		return err
	}
	j.state = state
	return syncDir(root.Name())
}

// finish moves the old state away and the new one into place, from wherever an earlier
// attempt ended.
func (j *journal) finish(root *os.Root) error {
	if j.state == complete {
		if err := moveAll(root, ".", path.Join(j.box(), oldName), j.link, j.box()); err != nil {
			return err
		}
		if err := j.become(root, placing); err != nil {
			return err
		}
	}
	if err := moveAll(root, path.Join(j.box(), newName), "."); err != nil {
		return err
	}
	if err := syncDir(root.Name()); err != nil {
		return err
	}
	return j.remove(root)
}

// remove ends the journal: the box first, as the link is what it is known by.
func (j *journal) remove(root *os.Root) error {
	if err := removeAll(filepath.Join(root.Name(), j.box())); err != nil {
		return err
	}
	return root.Remove(j.link)
}

// moveAll moves what is in one directory to another, but for some names.
func moveAll(root *os.Root, from, to string, but ...string) error {
	all, err := names(root, from)
	if err != nil {
		return err
	}
next:
	for _, e := range all {
		for _, n := range but {
			if e.Name() == n {
				continue next
			}
		}
		old := path.Join(from, e.Name())
		err := root.Rename(old, path.Join(to, e.Name()))
		if errors.Is(err, os.ErrPermission) && e.IsDir() {
			// A directory that may not be written cannot change its parent.
			if err = root.Chmod(old, 0o700); err == nil {
				err = root.Rename(old, path.Join(to, e.Name()))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settle completes or undoes the journal that a killed run left.
func (d *Dir) settle() error {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return err
	}
	defer root.Close()
	j, err := findJournal(root)
	if err != nil || j == nil {
		return err
	}
	switch j.state {
	case building:
		return j.remove(root)
	case complete, placing:
		return j.finish(root)
	}
	return fmt.Errorf("%s: %s was left by another version of this program", d.name, j.link)
}
