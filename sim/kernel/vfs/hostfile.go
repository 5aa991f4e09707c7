package vfs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// hostKey identifies one version of a host file in the process.
type hostKey struct {
	root, path  string
	size, mtime int64
	dev, ino    uint64
}

// hostFile is the content of one version of a host file: immutable pages that
// every FS of the process shares, read when first needed.
type hostFile struct {
	key    hostKey
	mu     sync.Mutex
	chunks map[int64]chunk
	digest string
}

const (
	chunkPages = 64
	chunkSize  = chunkPages * phys.PageSize

	// keepDigested is the largest file whose pages stay cached only because its
	// digest was asked for.
	keepDigested = 64 << 20
)

// chunk is what one read of the host brings.
type chunk []mem.Page

var (
	zeroPage mem.Page // a hole; never written

	hostFiles struct {
		sync.Mutex
		m map[hostKey]*hostFile
	}
)

func openHostFile(k hostKey) *hostFile {
	hostFiles.Lock()
	defer hostFiles.Unlock()
	if f := hostFiles.m[k]; f != nil {
		return f
	}
	if hostFiles.m == nil {
		hostFiles.m = make(map[hostKey]*hostFile)
	}
	f := &hostFile{key: k, chunks: make(map[int64]chunk)}
	hostFiles.m[k] = f
	return f
}

// open opens the host file, provided that it still is the version of f.
func (f *hostFile) open(root *os.Root) (*os.File, error) {
	h, err := root.OpenFile(f.key.path, os.O_RDONLY|openSafely, 0)
	if err != nil {
		return nil, hostError("/"+f.key.path, err)
	}
	fi, err := h.Stat()
	if err == nil && hostKeyOf(f.key.root, f.key.path, fi) != f.key {
		err = &Changed{Path: "/" + f.key.path,
			Reason: "it is another file, or of another size or time, than when the guest first saw it"}
	}
	if err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

func hostKeyOf(root, path string, fi os.FileInfo) hostKey {
	k := hostKey{root: root, path: path, size: fi.Size(), mtime: fi.ModTime().UnixNano()}
	k.dev, k.ino = hostIdentity(fi)
	return k
}

// page returns page i, which begins before the end of the file.
func (f *hostFile) page(root *os.Root, i int64) (*mem.Page, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.chunks[i/chunkPages]
	if c == nil {
		h, err := f.open(root)
		if err != nil {
			return nil, err
		}
		defer h.Close()
		if c, err = f.readChunk(h, i/chunkPages); err != nil {
			return nil, err
		}
		f.chunks[i/chunkPages] = c
	}
	return &c[i%chunkPages], nil
}

func (f *hostFile) readChunk(h *os.File, i int64) (chunk, error) {
	left := min(f.key.size-i*chunkSize, chunkSize)
	c := make(chunk, (left+phys.PageMask)/phys.PageSize)
	for p := range c {
		want := min(left-int64(p)*phys.PageSize, phys.PageSize)
		n, err := h.ReadAt(c[p][:want], i*chunkSize+int64(p)*phys.PageSize)
		if int64(n) == want {
			continue
		}
		if err == io.EOF {
			return nil, &Changed{Path: "/" + f.key.path, Reason: "it became shorter while it was read"}
		}
		return nil, &HostError{Path: "/" + f.key.path, Err: err}
	}
	return c, nil
}

// sum returns the SHA-256 of the whole content in hexadecimal.
func (f *hostFile) sum(root *os.Root) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.digest != "" {
		return f.digest, nil
	}
	h, err := f.open(root)
	if err != nil {
		return "", err
	}
	defer h.Close()
	d := sha256.New()
	for i := int64(0); i*chunkSize < f.key.size; i++ {
		c := f.chunks[i]
		if c == nil {
			if c, err = f.readChunk(h, i); err != nil {
				return "", err
			}
			if f.key.size <= keepDigested {
				f.chunks[i] = c
			}
		}
		for p := range c {
			from := i*chunkSize + int64(p)*phys.PageSize
			d.Write(c[p][:min(f.key.size-from, phys.PageSize)])
		}
	}
	f.digest = hex.EncodeToString(d.Sum(nil))
	return f.digest, nil
}

// hostError turns a failure of the host into the guest's error where it is one.
func hostError(path string, err error) error {
	var e syscall.Errno
	switch {
	case errors.Is(err, os.ErrNotExist):
		return errno.ENOENT
	case errors.Is(err, os.ErrPermission):
		return errno.EACCES
	case errors.As(err, &e):
		switch e {
		case syscall.ENOTDIR:
			return errno.ENOENT
		case syscall.ENAMETOOLONG:
			return errno.ENAMETOOLONG
		case syscall.ELOOP:
			return &Changed{Path: path, Reason: "it became a symbolic link"}
		case syscall.EINVAL: // a name that this host cannot have
			return errno.ENOENT
		}
		return &HostError{Path: path, Err: err}
	}
	// What is left is os.Root refusing to leave the root, which a resolved path
	// only does when the host's tree was changed since.
	return &Changed{Path: path, Reason: err.Error()}
}
