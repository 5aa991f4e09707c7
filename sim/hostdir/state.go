package hostdir

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// names lists a directory, sorted.
func names(root *os.Root, dir string) ([]os.DirEntry, error) {
	f, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := f.ReadDir(-1)
	slices.SortFunc(all, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, err
}

// Entry is something in a tree.
type Entry struct {
	Path string // without a leading slash
	os.FileInfo
}

// Walk calls visit for all that is below dir, what is in a directory behind the directory,
// sorted by name. Names are bytes: they need not be UTF-8.
func Walk(root *os.Root, dir string, visit func(Entry) error) error {
	all, err := names(root, dir)
	if err != nil {
		return err
	}
	for _, e := range all {
		name := path.Join(dir, e.Name())
		st, err := root.Lstat(name)
		if err == nil {
			err = visit(Entry{name, st})
		}
		if err == nil && st.IsDir() {
			err = Walk(root, name, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// State returns the digest of all that is in the directory.
func (d *Dir) State() (string, error) {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return "", err
	}
	defer root.Close()
	return stateOf(root)
}

// Empty is the State of a directory with nothing in it.
var Empty = hex.EncodeToString(sha256.New().Sum(nil))

func stateOf(root *os.Root) (string, error) {
	h := sha256.New()
	err := Walk(root, ".", func(e Entry) error {
		fmt.Fprintf(h, "%q %v %d\n", e.Path, e.Mode()&(os.ModeType|os.ModePerm), sizeOf(e))
		switch {
		case e.Mode().IsRegular():
			return hashFile(h, root, e)
		case e.Mode()&os.ModeSymlink != 0:
			text, err := root.Readlink(e.Path)
			fmt.Fprintf(h, "%q\n", text)
			return err
		}
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

// sizeOf is a file's size; those of directories tell nothing.
func sizeOf(e Entry) int64 {
	if !e.Mode().IsRegular() {
		return 0
	}
	return e.Size()
}

const block = 4096

// hashFile adds the blocks of a file that hold anything but zeros.
func hashFile(h hash.Hash, root *os.Root, e Entry) error {
	f, err := root.Open(e.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	var zero [block]byte
	return Blocks(f, e.Size(), func(off int64, b []byte) error {
		if [block]byte(b[:block]) != zero {
			_ = binary.Write(h, binary.LittleEndian, off) // a hash never fails
			h.Write(b[:block])
		}
		return nil
	})
}

// Blocks calls use for each 4 KiB block of a file of a size that is no hole, filled up with
// zeros, in ascending order. b is valid during the call.
func Blocks(f *os.File, size int64, use func(off int64, b []byte) error) error {
	buf := make([]byte, 256*block)
	for at := int64(0); at < size; {
		from, to, err := nextData(f, at, size)
		if err != nil {
			return err
		}
		for off := from &^ (block - 1); off < to; off += int64(len(buf)) {
			n, err := f.ReadAt(buf[:min(int64(len(buf)), size-off)], off)
			if err != nil && (!errors.Is(err, io.EOF) || int64(n) < min(int64(len(buf)), size-off)) {
				return fmt.Errorf("%s: it became shorter, or cannot be read: %w", f.Name(), err)
			}
			clear(buf[n:])
			for i := 0; i < n && off+int64(i) < to; i += block {
				if err := use(off+int64(i), buf[i:i+block]); err != nil {
					return err
				}
			}
		}
		at = (to + block - 1) &^ (block - 1)
	}
	return nil
}

// SetTime gives something the time of its last change, in nanoseconds since 1970.
func SetTime(root *os.Root, name string, nanos int64) error {
	when := time.Unix(0, nanos)
	return root.Chtimes(name, when, when)
}

// many is above how many entries a tree is synchronized with all of its file system.
const many = 64

// syncTree makes a tree durable.
func syncTree(root *os.Root) error {
	var list []Entry
	err := Walk(root, ".", func(e Entry) error {
		if e.IsDir() || e.Mode().IsRegular() {
			list = append(list, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(list) > many {
		if done, err := syncAll(root.Name()); done {
			return err
		}
	}
	for _, e := range append(list, Entry{Path: "."}) {
		f, err := root.Open(e.Path)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
