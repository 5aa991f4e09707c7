package hostdir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

var readOnly error = unix.EROFS

// Lock makes f this run's until it is closed.
func Lock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// exchangeable reports whether a directory may change places with one of its parent: it is
// no mount point, and not above where this process, and the shell behind it, stand.
func exchangeable(dir, parent string) bool {
	if dir == parent {
		return false
	}
	var a, b unix.Stat_t
	if unix.Lstat(dir, &a) != nil || unix.Lstat(parent, &b) != nil || a.Dev != b.Dev {
		return false
	}
	here, err := os.Getwd()
	if err == nil {
		here, err = filepath.EvalSymlinks(here)
	}
	return err == nil && here != dir && !strings.HasPrefix(here, dir+"/")
}

func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

// sameOwner gives a directory the owner that st has.
func sameOwner(st os.FileInfo, dir string) error {
	s, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("an owner cannot be told")
	}
	if now, err := os.Stat(dir); err != nil {
		return err
	} else if n, ok := now.Sys().(*syscall.Stat_t); ok && n.Uid == s.Uid && n.Gid == s.Gid {
		return nil
	}
	return os.Chown(dir, int(s.Uid), int(s.Gid))
}

// nextData returns the stretch of a file, at or behind at, that is no hole.
func nextData(f *os.File, at, size int64) (from, to int64, err error) {
	from, err = unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return size, size, nil
	case err != nil:
		return at, size, nil // a file system that does not tell: all is data
	}
	to, err = unix.Seek(int(f.Fd()), from, unix.SEEK_HOLE)
	if err != nil {
		to = size
	}
	return min(from, size), min(to, size), nil
}

// syncAll makes a whole file system durable.
func syncAll(dir string) (done bool, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return true, err
	}
	return true, errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
}
