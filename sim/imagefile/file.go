package imagefile

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Write writes a file with one checkpoint, which pages completes with all pages of Memory
// and Files, to w. The output that the checkpoint has counts as shown when there is none.
func Write(w io.Writer, c *Checkpoint, tree []byte, pages func(*Pages)) error {
	var b bytes.Buffer
	b.Write(make([]byte, headerLen+checkLen))
	body, err := writeBody(&b, c, nil, tree, pages)
	if err != nil {
		return err
	}
	head, _ := checkHeader(max(c.Number, 1), true, body, [sha256.Size]byte{})
	copy(b.Bytes()[headerLen:], head)
	copy(b.Bytes(), header(max(c.Number, 1), uint64(b.Len()), flagsOf(c)))
	_, err = w.Write(b.Bytes())
	return err
}

func flagsOf(c *Checkpoint) uint64 {
	if len(c.Output) == 0 {
		return Shown
	}
	return 0
}

// File is an image file that is kept up to date. Its writer alone has it.
type File struct {
	// Sync makes each step wait until the host's medium has it.
	Sync bool

	path   string
	f      *os.File
	out    io.WriterAt // f, but for tests that watch
	number uint64
	end    int64
	whole  int64 // where the complete checkpoint ends
	flags  uint64
	sum    [sha256.Size]byte
	tree   []byte
	buf    bytes.Buffer
}

// InUse says that another process has a file open.
type InUse struct{ Path string }

func (e *InUse) Error() string { return e.Path + " is in use by another process" }

// Open opens a file and reads it. Its errors: fs.ErrNotExist, *InUse, *Refused. It
// changes nothing, but for removing what a writer left that was killed in Replace.
func Open(path string) (*File, *Contents, error) {
	h, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	f := &File{path: path, f: h, out: h}
	c, err := f.read()
	if err != nil {
		return nil, nil, errors.Join(err, h.Close())
	}
	if err := f.sweep(); err != nil {
		return nil, nil, errors.Join(err, h.Close())
	}
	return f, c, nil
}

// sweep removes what killed writers left: as this process has the file, no other is at it.
func (f *File) sweep() error {
	dir := filepath.Dir(f.path)
	all, err := os.ReadDir(dir)
	before, after, _ := strings.Cut(unfinished(f.path), "*")
	for _, e := range all {
		if strings.HasPrefix(e.Name(), before) && strings.HasSuffix(e.Name(), after) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

func (f *File) read() (*Contents, error) {
	if st, err := f.f.Stat(); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", f.path)
	}
	if err := lock(f.f); err != nil {
		return nil, &InUse{f.path}
	}
	c, err := Read(f.f)
	if err != nil {
		return nil, err
	}
	f.number, f.end, f.whole, f.flags, f.sum, f.tree = c.Number,
		c.end, c.Parts[1].Offset+c.Parts[1].Size, c.Flags, c.sum, c.Tree
	return c, nil
}

// Create makes a file that begins with a checkpoint, which pages completes with all
// pages of Memory and Files. It appears when it is complete. Where another of that name
// has appeared meanwhile, a second process makes the same one: *InUse.
func Create(path string, sync bool, c *Checkpoint, tree []byte, pages func(*Pages)) (*File, error) {
	f := &File{path: path, Sync: sync}
	return f, f.Replace(c, tree, pages)
}

// unfinished is the pattern of the names that files have before Replace gives them theirs.
func unfinished(path string) string { return "." + filepath.Base(path) + ".*.new" }

// Replace is Append with a complete checkpoint, in place of all that the file holds.
func (f *File) Replace(c *Checkpoint, tree []byte, pages func(*Pages)) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(f.path), unfinished(f.path))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close() // what went wrong first is what counts
			_ = os.Remove(tmp.Name())
		}
	}()
	if err := lock(tmp); err != nil {
		return err
	}
	c.Number = f.number + 1
	end, sum, err := writeWhole(tmp, c, tree, pages)
	if err != nil {
		return err
	}
	if f.Sync {
		if err := tmp.Sync(); err != nil {
			return err
		}
	}
	opened, err := takeOver(tmp, f.f, f.path)
	if errors.Is(err, os.ErrExist) {
		return &InUse{f.path}
	}
	if err != nil {
		return err
	}
	f.f, f.out, f.number, f.end, f.whole, f.flags, f.sum = opened, opened, c.Number, end, end, flagsOf(c), sum
	f.tree = tree
	if f.Sync {
		return syncFolder(filepath.Dir(f.path))
	}
	return nil
}

// writeWhole writes a file with one checkpoint.
func writeWhole(h *os.File, c *Checkpoint, tree []byte,
	pages func(*Pages)) (end int64, sum [sha256.Size]byte, err error) {
	w := bufio.NewWriterSize(h, 1<<20)
	_, _ = w.Write(make([]byte, headerLen+checkLen)) // its error stays until Flush
	body, err := writeBody(w, c, nil, tree, pages)
	if err != nil {
		return 0, sum, err
	}
	if err := w.Flush(); err != nil {
		return 0, sum, err
	}
	end = headerLen + checkLen + int64(body.n)
	head, sum := checkHeader(c.Number, true, body, sum)
	if _, err = h.WriteAt(append(header(c.Number, uint64(end), flagsOf(c)), head...), 0); err != nil {
		return 0, sum, err
	}
	return end, sum, h.Chmod(0o644)
}

// Append adds a checkpoint. pages puts what changed of Memory and Files since the last
// one. When it returns without an error the checkpoint is the image; with one, the
// image is as it was.
func (f *File) Append(c *Checkpoint, tree []byte, pages func(*Pages)) error {
	c.Number = f.number + 1
	f.buf.Reset()
	f.buf.Write(make([]byte, checkLen))
	body, err := writeBody(&f.buf, c, f.tree, tree, pages)
	if err != nil {
		return err
	}
	head, sum := checkHeader(c.Number, false, body, f.sum)
	copy(f.buf.Bytes(), head)
	if _, err := f.out.WriteAt(f.buf.Bytes(), f.end); err != nil {
		return err
	}
	if f.Sync {
		if err := f.f.Sync(); err != nil {
			return err
		}
	}
	end := f.end + int64(f.buf.Len())
	if f.buf.Cap() > 16<<20 {
		f.buf = bytes.Buffer{}
	}
	if err := f.commit(c.Number, end, flagsOf(c)); err != nil {
		return err
	}
	f.sum, f.tree = sum, tree
	return nil
}

// commit writes the header.
func (f *File) commit(number uint64, end int64, flags uint64) error {
	if _, err := f.out.WriteAt(header(number, uint64(end), flags), 0); err != nil {
		return err
	}
	f.number, f.end, f.flags = number, end, flags
	if f.Sync {
		return f.f.Sync()
	}
	return nil
}

// Mark adds flags to the header.
func (f *File) Mark(flags uint64) error {
	if f.flags&flags == flags {
		return nil
	}
	return f.commit(f.number, f.end, f.flags|flags)
}

// Grown reports whether the checkpoints behind the complete one have become so long
// that Replace makes the file much shorter.
func (f *File) Grown() bool { return f.end > 8<<20 && f.end > 4*f.whole }

// Size returns the length of the image in bytes.
func (f *File) Size() int64 { return f.end }

// Close ends the use of the file.
func (f *File) Close() error { return f.f.Close() }
