package vfs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"zhuque/sim/hostdir"
)

// Keep is the host directories that a run may write, locked for it alone. Without one
// nothing of the host is written: what an image or a case names is not enough.
type Keep struct {
	pools, overlay *hostdir.Dir
	state          kept
}

// kept is what the host directories held when the run began, as hostdir.State tells;
// empty for none.
type kept struct{ pools, overlay string }

// OpenKeep locks the directories for Options.Pools and Options.Overlay, "" for none of
// either. Errors: *hostdir.InUse, and what is wrong with them.
func OpenKeep(pools, overlay string) (k *Keep, err error) {
	k = &Keep{}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.Close())
		}
	}()
	for _, d := range []struct {
		what, name string
		dir        **hostdir.Dir
		state      *string
	}{{"pool", pools, &k.pools, &k.state.pools}, {"overlay", overlay, &k.overlay, &k.state.overlay}} {
		if d.name == "" {
			continue
		}
		dir, err := hostdir.Open(d.name)
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("an existing directory was expected: %w", err)
		}
		if err == nil {
			*d.dir = dir
			*d.state, err = dir.State()
		}
		if err != nil {
			return k, fmt.Errorf("%s directory %s: %w", d.what, d.name, err)
		}
		if a, b := k.pools, k.overlay; a != nil && b != nil && (within(a.Path(), b.Path()) || within(b.Path(), a.Path())) {
			return k, fmt.Errorf("pool directory %s and overlay directory %s: one is within the other", pools, overlay)
		}
	}
	return k, checkOverlay(overlay)
}

// within reports whether a path lies in a directory or is it.
func within(dir, p string) bool {
	rel, err := filepath.Rel(dir, p)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// Close gives the directories to others.
func (k *Keep) Close() error {
	var errs []error
	for _, d := range []*hostdir.Dir{k.pools, k.overlay} {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	return errors.Join(errs...)
}

// Unkept says that the guest left something where only files and directories are kept.
type Unkept struct{ Path, Kind string }

func (e *Unkept) Error() string {
	return fmt.Sprintf("%q is a %s, and of what is in %s only files and directories can be kept: nothing was written, what was there stays", e.Path, e.Kind, PMEMDir)
}

// CheckKept says whether the host directories of a file tree out of an image hold what
// they held at the image's last checkpoint.
func (fs *FS) CheckKept() error {
	k := fs.opt.Keep
	if k == nil {
		return nil
	}
	for _, d := range []struct {
		what     string
		dir      *hostdir.Dir
		was, now string
	}{{"pool", k.pools, fs.kept.pools, k.state.pools}, {"overlay", k.overlay, fs.kept.overlay, k.state.overlay}} {
		switch {
		case d.dir == nil || expected(d.was) == d.now:
		case d.was == "":
			return fmt.Errorf("%s directory %s: the image was made without one, so an empty directory was expected",
				d.what, d.dir.Path())
		default:
			return fmt.Errorf("%s directory %s: its files were changed since the image's last checkpoint, and continuing the process would undo that: expected them as they were", d.what, d.dir.Path())
		}
	}
	return nil
}

// expected is the state that a directory is expected to have which was not there before.
func expected(was string) string {
	if was == "" {
		return hostdir.Empty
	}
	return was
}

// Sync writes PMEMDir back to Options.Pools and the changes into Options.Overlay, as far as
// Options.Keep has them; each is replaced as a whole or stays as it was. In the overlay are
// changed and new nodes under tree/, whole files each, and a list of all changes, removals
// too, in zhuque-changes. There hard links become copies; FIFOs and sockets appear in the
// list only. Errors: *Unkept, *hostdir.Changed, and those of the host.
func (fs *FS) Sync() error {
	k := fs.opt.Keep
	if k == nil {
		return nil
	}
	if k.pools != nil {
		at, err := fs.Walk(Root, PMEMDir, true)
		if err == nil {
			err = fs.checkPool(PMEMDir, at)
		}
		if err == nil {
			err = k.pools.Replace(expected(fs.kept.pools), func(r *os.Root) error { return fs.savePools(r, at) })
		}
		if err == nil {
			fs.kept.pools, err = k.pools.State()
		}
		if err != nil {
			return fmt.Errorf("pool directory %s: %w", k.pools.Path(), err)
		}
	}
	if k.overlay != nil {
		x, err := fs.newExport()
		if err == nil {
			err = k.overlay.Replace(expected(fs.kept.overlay), x.write)
		}
		if err == nil {
			fs.kept.overlay, err = k.overlay.State()
		}
		if err != nil {
			return fmt.Errorf("overlay directory %s: %w", k.overlay.Path(), err)
		}
	}
	return nil
}

// checkPool finds what cannot be kept.
func (fs *FS) checkPool(at string, dir NodeID) error {
	kids, err := fs.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, k := range kids {
		if k.Name == "." || k.Name == ".." {
			continue
		}
		name := path.Join(at, k.Name)
		n, err := fs.node(k.ID)
		switch {
		case err != nil:
			return err
		case n.isDir():
			if err := fs.checkPool(name, k.ID); err != nil {
				return err
			}
		case n.kind() == ModeLink:
			return &Unkept{name, "symbolic link"}
		case n.kind() != ModeFile:
			return &Unkept{name, kindName(n)}
		}
	}
	return nil
}
