package hostdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Dir is a directory that this run has for itself.
type Dir struct {
	name string // as the user says it
	path string // without symbolic links
	lock *os.File
}

// InUse says that another run has a directory.
type InUse struct{ Path string }

func (e *InUse) Error() string { return e.Path + " is in use by another run" }

// Changed says that a directory holds something else than a run saw in it.
type Changed struct{ Path string }

func (e *Changed) Error() string {
	return e.Path + " was changed by somebody else since this run, or its last checkpoint, saw it: nothing was written, what is there stays"
}

// Open locks an existing directory, and completes or undoes what a killed run left of a
// Replace. Errors: *InUse, and those of the host.
func Open(name string) (*Dir, error) {
	for range 10 {
		d, err := lockDir(name)
		if d == nil && err == nil {
			continue // it was exchanged meanwhile
		}
		if err != nil {
			return nil, err
		}
		if err := errors.Join(d.sweepBeside(), d.settle()); err != nil {
			return nil, errors.Join(err, d.Close())
		}
		return d, nil
	}
	return nil, &InUse{name}
}

// lockDir opens and locks; nil without an error means that name leads elsewhere now.
func lockDir(name string) (*Dir, error) {
	path, err := filepath.Abs(name)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.IsDir() {
		err = fmt.Errorf("%s is no directory", name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := Lock(f); err != nil {
		_ = f.Close() // it was only looked at
		return nil, &InUse{name}
	}
	if now, err := os.Stat(path); err != nil || !os.SameFile(st, now) {
		return nil, f.Close()
	}
	return &Dir{name: name, path: path, lock: f}, nil
}

// Path returns the directory without symbolic links in its name.
func (d *Dir) Path() string { return d.path }

// Close gives the directory to others.
func (d *Dir) Close() error { return d.lock.Close() }

// Pending reports whether a killed run left a Replace half done in the directory called
// name, which only an Open completes.
func Pending(name string) bool {
	root, err := os.OpenRoot(name)
	if err != nil {
		return false
	}
	defer root.Close()
	j, err := findJournal(root)
	return err == nil && j != nil
}

// Replace makes the directory hold what fill puts into an empty one, all or nothing. was
// is the State that it is expected to have: with another one the answer is *Changed,
// unless that is the new state already. fill may be called twice.
func (d *Dir) Replace(was string, fill func(*os.Root) error) error {
	now, err := d.State()
	if err != nil {
		return err
	}
	w := &writer{d: d, fill: fill, changed: now != was, now: now}
	err = w.beside()
	if errors.Is(err, errElsewhere) {
		err = w.inside()
	}
	return err
}

// errElsewhere means that a directory cannot be exchanged.
var errElsewhere = errors.New("the directory cannot be exchanged")

// writer is one Replace.
type writer struct {
	d       *Dir
	fill    func(*os.Root) error
	changed bool   // the directory is not as it was expected
	now     string // its State
}

// build fills dir, which is empty, and makes it durable. done means that the directory
// holds just this already.
func (w *writer) build(dir string) (done bool, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, err
	}
	defer root.Close()
	if err := w.fill(root); err != nil {
		return false, err
	}
	if w.changed {
		state, err := stateOf(root)
		if err == nil && state != w.now {
			err = &Changed{w.d.name}
		}
		return err == nil, err
	}
	return false, syncTree(root)
}

const (
	markName = "mark"
	newName  = "new"
	oldName  = "old"
)

// prefix begins the names of what stands beside the directory.
func (d *Dir) prefix() string {
	base := filepath.Base(d.path)
	return "." + base[:min(len(base), 100)] + ".zhuque-"
}

func (d *Dir) mark() string {
	return fmt.Sprintf("zhuque write-back 1 of %q\n", filepath.Base(d.path))
}

// beside builds the new state in the parent and exchanges the two.
func (w *writer) beside() error {
	d := w.d
	parent := filepath.Dir(d.path)
	if !exchangeable(d.path, parent) {
		return errElsewhere
	}
	box, err := os.MkdirTemp(parent, d.prefix()+"*")
	if errors.Is(err, os.ErrPermission) || errors.Is(err, readOnly) {
		return errElsewhere
	}
	if err != nil {
		return err
	}
	defer removeAll(box) // what stays is swept by the next Open
	if err := os.WriteFile(filepath.Join(box, markName), []byte(d.mark()), 0o600); err != nil {
		return err
	}
	fresh := filepath.Join(box, newName)
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return err
	}
	if done, err := w.build(fresh); done || err != nil {
		return err
	}
	lock, err := os.Open(fresh)
	if err == nil {
		err = Lock(lock)
	}
	if err != nil {
		return err
	}
	if likeness(d.path, fresh) != nil {
		_ = lock.Close() // nobody knows it
		return errElsewhere
	}
	if err := exchange(fresh, d.path); err != nil {
		_ = lock.Close() // nobody knows it
		return errElsewhere
	}
	_ = d.lock.Close() // of the old state
	d.lock = lock
	return syncDir(parent)
}

// sweepBeside removes what a killed Replace left in the parent.
func (d *Dir) sweepBeside() error {
	parent := filepath.Dir(d.path)
	all, err := os.ReadDir(parent)
	if err != nil {
		return nil // a parent that cannot be read is one where nothing was made
	}
	for _, e := range all {
		digits, ok := strings.CutPrefix(e.Name(), d.prefix())
		if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" || !e.IsDir() {
			continue
		}
		box := filepath.Join(parent, e.Name())
		if text, err := os.ReadFile(filepath.Join(box, markName)); err == nil && string(text) == d.mark() {
			if err := removeAll(box); err != nil {
				return err
			}
		} else {
			_ = os.Remove(box) // succeeds only where it is empty
		}
	}
	return nil
}

// likeness gives a directory the mode and the owner of another.
func likeness(of, to string) error {
	st, err := os.Stat(of)
	if err != nil {
		return err
	}
	if err := sameOwner(st, to); err != nil {
		return err
	}
	return os.Chmod(to, st.Mode()&(os.ModePerm|os.ModeSetgid|os.ModeSticky))
}

// removeAll removes a tree, directories that may not be written too.
func removeAll(path string) error {
	err := os.RemoveAll(path)
	if err == nil || !errors.Is(err, os.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(path, func(name string, e os.DirEntry, err error) error {
		if e != nil && e.IsDir() {
			_ = os.Chmod(name, 0o700) // RemoveAll says what could not be done
		}
		return nil
	})
	return os.RemoveAll(path)
}
