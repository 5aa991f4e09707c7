//go:build unix

package imagefile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock makes f this process's until it is closed.
func lock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// takeOver makes tmp the file called path, in place of old; without an old one there must
// be none of that name. There is no moment at which another process could lock a file of
// that name.
func takeOver(tmp, old *os.File, path string) (*os.File, error) {
	if old == nil {
		return tmp, appear(tmp.Name(), path)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return nil, err
	}
	_ = old.Close() // it has no name any more
	return tmp, nil
}

// appear gives a file a name that no other has: fs.ErrExist where one has.
func appear(tmp, path string) error {
	err := os.Link(tmp, path)
	switch {
	case err == nil:
		return os.Remove(tmp)
	case errors.Is(err, os.ErrExist):
		return err
	}
	// A file system without hard links.
	if _, err := os.Lstat(path); err == nil {
		return os.ErrExist
	}
	return os.Rename(tmp, path)
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// SinkOf tells which regular file h is, the zero Sink when it is something else.
func SinkOf(h *os.File) Sink {
	var st unix.Stat_t
	if err := unix.Fstat(int(h.Fd()), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return Sink{}
	}
	return Sink{uint64(st.Dev), st.Ino, uint64(st.Size)}
}
