package vfs

import (
	"crypto/sha256"
	"encoding/hex"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// Stat describes a node.
func (fs *FS) Stat(id NodeID) (Stat, error) {
	n, err := fs.node(id)
	if err != nil {
		return Stat{}, err
	}
	s := Stat{ID: id, Mode: n.mode, Nlink: uint32(len(n.names)), UID: n.uid, GID: n.gid, Rdev: n.rdev,
		Size: n.size, Atime: n.atime, Mtime: n.mtime, Ctime: n.ctime}
	if id == Root {
		s.Nlink = 1
	}
	if n.kind() == ModeFile {
		const block = 512
		s.Blocks = (n.base + block - 1) / block
		if b := int64(n.pages.n) * (phys.PageSize / block); b > s.Blocks {
			s.Blocks = b
		}
	}
	return s, nil
}

// Open checks that the node can be opened, for writing if write is set, and takes
// a reference (see Unref). Symbolic links give ELOOP, devices and FIFOs of the
// host and all sockets ENXIO.
func (fs *FS) Open(id NodeID, write bool) error {
	n, err := fs.node(id)
	if err != nil {
		return err
	}
	switch k := n.kind(); {
	case isFDLink(id, fs), k == ModeSocket, k == ModeBlock:
		return errno.ENXIO
	case k == ModeLink:
		return errno.ELOOP
	case k == ModeDir && write:
		return errno.EISDIR
	case k == ModeChar && n.dev == NoDevice, k == ModeFIFO && n.low != nil:
		return errno.ENXIO
	case n.fixed() && write && !n.accepts(), fs.guarded(n):
		return errno.EACCES
	case k == ModeFile && n.base > 0:
		if err := fs.tree.readable(n.low); err != nil {
			return err
		}
	}
	fs.Ref(id)
	return nil
}

// changeable finds a node whose attributes may be changed.
func (fs *FS) changeable(id NodeID) (*inode, error) {
	n, err := fs.node(id)
	if err == nil && n.fixed() {
		err = errno.EPERM
	}
	return n, err
}

// Chmod sets the permission bits.
func (fs *FS) Chmod(id NodeID, mode uint32) error {
	n, err := fs.changeable(id)
	if err != nil {
		return err
	}
	if n.kind() == ModeLink {
		return errno.EOPNOTSUPP
	}
	fs.begin()
	n = fs.own(id)
	n.mode = n.kind() | mode&ModePerm
	n.ctime = fs.now()
	return nil
}

// Chown sets owner and group; ^0 leaves one as it is.
func (fs *FS) Chown(id NodeID, uid, gid uint32) error {
	if _, err := fs.changeable(id); err != nil {
		return err
	}
	fs.begin()
	n := fs.own(id)
	if uid != ^uint32(0) {
		n.uid = uid
	}
	if gid != ^uint32(0) {
		n.gid = gid
	}
	n.ctime = fs.now()
	return nil
}

// Utimes sets the times that are not nil.
func (fs *FS) Utimes(id NodeID, atime, mtime *phys.Nanos) error {
	if _, err := fs.changeable(id); err != nil {
		return err
	}
	fs.begin()
	n := fs.own(id)
	if atime != nil {
		n.atime = *atime
	}
	if mtime != nil {
		n.mtime = *mtime
	}
	n.ctime = fs.now()
	return nil
}

// file finds a regular file that may be written.
func (fs *FS) file(id NodeID) (*inode, error) {
	n, err := fs.changeable(id)
	switch {
	case err != nil:
	case n.isDir():
		err = errno.EISDIR
	case n.kind() != ModeFile:
		err = errno.EINVAL
	}
	return n, err
}

// peek returns page i of a regular file's content for reading.
func (fs *FS) peek(n *inode, i int64) (*mem.Page, error) { return fs.peekPart(n, i, 0, phys.PageSize) }

// peekPart is peek for who looks at count bytes from off alone.
func (fs *FS) peekPart(n *inode, i int64, off, count int) (*mem.Page, error) {
	if s, ok := n.pages.get(uint64(i)); ok {
		return fs.part(s, off, count), nil
	}
	if i < (n.base+phys.PageMask)/phys.PageSize {
		return fs.tree.page(n.low, i)
	}
	return &zeroPage, nil
}

// peekBeside is peek for who writes a part of the page.
func (fs *FS) peekBeside(n *inode, i int64) (*mem.Page, error) {
	if s, ok := n.pages.get(uint64(i)); ok {
		return fs.beside(s), nil
	}
	return fs.peek(n, i)
}

// poke returns page i of n, owned by fs, for writing; old is what peek gave.
func (fs *FS) poke(n *inode, i int64, old *mem.Page) *mem.Page {
	s, ok := n.pages.get(uint64(i))
	if ok && s.epoch == fs.epoch && !s.handed {
		return s.p
	}
	p := new(mem.Page)
	*p = *old
	fs.unpin(s)
	if !ok {
		fs.bytes += phys.PageSize
	}
	n.pages.set(fs.epoch, uint64(i), slot{p: p, epoch: fs.epoch})
	return p
}

// ReadAt reads from a regular or synthetic file at off; fewer bytes than asked
// for, and no error, mean its end. Devices, FIFOs and sockets give EINVAL: they
// are the kernel's.
func (fs *FS) ReadAt(id NodeID, buf []byte, off int64) (int, error) {
	n, err := fs.node(id)
	switch {
	case err != nil:
		return 0, err
	case n.isDir():
		return 0, errno.EISDIR
	case n.kind() != ModeFile || off < 0:
		return 0, errno.EINVAL
	case n.synthetic():
		text, err := fs.synthesize(n)
		if err != nil || off >= int64(len(text)) {
			return 0, err
		}
		return copy(buf, text[off:]), nil
	case off >= n.size:
		return 0, nil
	}
	buf = buf[:min(int64(len(buf)), n.size-off)]
	for done := 0; done < len(buf); {
		at := off + int64(done)
		off := int(at & phys.PageMask)
		p, err := fs.peekPart(n, at/phys.PageSize, off, min(len(buf)-done, phys.PageSize-off))
		if err != nil {
			return 0, err
		}
		done += copy(buf[done:], p[off:])
	}
	return len(buf), nil
}

// WriteAt writes to a regular file at off, as much as there is space for; ENOSPC
// and EFBIG come only when nothing was written.
func (fs *FS) WriteAt(id NodeID, data []byte, off int64) (int, error) {
	if n, err := fs.node(id); err == nil && n.accepts() {
		return fs.accept(n, data)
	}
	n, err := fs.file(id)
	switch {
	case err != nil:
		return 0, err
	case off < 0:
		return 0, errno.EINVAL
	case len(data) == 0:
		return 0, nil
	case off >= int64(MaxFile):
		return 0, errno.EFBIG
	}
	data = data[:min(int64(len(data)), int64(MaxFile)-off)]
	pages, err := fs.gather(n, off, len(data))
	if err != nil {
		return 0, err
	}
	fs.change()
	fs.writes++
	n = fs.own(id)
	if off+int64(len(data)) > n.size {
		fs.clearTail(n)
		if i := int(n.size/phys.PageSize - off/phys.PageSize); i >= 0 && i < len(pages) {
			if pages[i], err = fs.peekBeside(n, n.size/phys.PageSize); err != nil {
				return 0, err
			}
		}
	}
	done := 0
	for i, old := range pages {
		at := off + int64(done)
		part := data[done:min(len(data), done+int(phys.PageSize-at&phys.PageMask))]
		fs.put(n, off/phys.PageSize+int64(i), old, at&phys.PageMask, part)
		done += len(part)
	}
	n.size = max(n.size, off+int64(done))
	n.digest = ""
	n.mtime = fs.now()
	n.ctime = n.mtime
	return done, nil
}

// gather returns the present content of the pages that a write of count bytes at
// off touches, as far as the space for new ones goes.
func (fs *FS) gather(n *inode, off int64, count int) ([]*mem.Page, error) {
	first, last := off/phys.PageSize, (off+int64(count)-1)/phys.PageSize
	room := fs.opt.MaxBytes - min(fs.bytes, fs.opt.MaxBytes)
	pages := make([]*mem.Page, 0, last-first+1)
	for i := first; i <= last; i++ {
		if _, ok := n.pages.get(uint64(i)); !ok {
			if room < phys.PageSize {
				break
			}
			room -= phys.PageSize
		}
		p, err := fs.peekBeside(n, i)
		if err != nil {
			return nil, err
		}
		pages = append(pages, p)
	}
	if len(pages) == 0 {
		return nil, errno.ENOSPC
	}
	return pages, nil
}

// Truncate sets the size in bytes of a regular file. Growing adds a hole.
func (fs *FS) Truncate(id NodeID, size int64) error {
	n, err := fs.file(id)
	switch {
	case err != nil:
		return err
	case size < 0:
		return errno.EINVAL
	case size > int64(MaxFile):
		return errno.EFBIG
	}
	edge, cut := size/phys.PageSize, size&phys.PageMask
	old := &zeroPage
	if cut != 0 && size < n.size {
		if old, err = fs.peek(n, edge); err != nil {
			return err
		}
	}
	if size != n.size {
		fs.change()
	}
	fs.begin()
	n = fs.own(id)
	if size < n.size {
		if old != &zeroPage {
			fs.put(n, edge, old, cut, zeroPage[cut:])
		}
		fs.discard(n, (size+phys.PageMask)/phys.PageSize)
		n.base = min(n.base, size)
	} else {
		fs.clearTail(n)
	}
	n.size = size
	n.digest = ""
	n.mtime = fs.now()
	n.ctime = n.mtime
	return nil
}

// Zero makes the bytes off to off+count of a regular file zero, as far as the file
// goes: a punched hole.
func (fs *FS) Zero(id NodeID, off, count int64) error {
	n, err := fs.file(id)
	if err != nil {
		return err
	}
	if off < 0 || count <= 0 {
		return errno.EINVAL
	}
	end := min(n.size, off+min(count, n.size-min(off, n.size)))
	if off >= end {
		return nil
	}
	first, last := (off+phys.PageMask)/phys.PageSize, end/phys.PageSize
	if end == n.size {
		last = int64(pagesOf(n.size))
	}
	var edges [2][2]int64
	switch {
	case first > last: // within one page
		edges[0] = [2]int64{off, end}
	default:
		edges[0], edges[1] = [2]int64{off, first * phys.PageSize}, [2]int64{last * phys.PageSize, end}
	}
	var old [2]*mem.Page
	for i, e := range edges {
		if e[0] < e[1] {
			if old[i], err = fs.peek(n, e[0]/phys.PageSize); err != nil {
				return err
			}
		}
	}
	fs.change()
	n = fs.own(id)
	for i, e := range edges {
		if old[i] != nil && old[i] != &zeroPage {
			fs.put(n, e[0]/phys.PageSize, old[i], e[0]&phys.PageMask, zeroPage[:e[1]-e[0]])
		}
	}
	fs.hollow(n, first, last)
	n.digest = ""
	n.mtime = fs.now()
	n.ctime = n.mtime
	return nil
}

// hollow makes the pages first to last-1 of n, owned by fs, holes: where the host's
// file has pages, zeros hide them.
func (fs *FS) hollow(n *inode, first, last int64) {
	var held []uint64
	n.pages.each(func(i uint64, _ slot) bool {
		if i >= uint64(first) && i < uint64(last) {
			held = append(held, i)
		}
		return true
	})
	for _, i := range held {
		s, _ := n.pages.get(i)
		fs.unpin(s)
		n.pages.del(fs.epoch, i)
		fs.bytes -= phys.PageSize
	}
	for i := first; i < min(last, int64(pagesOf(n.base))); i++ {
		fs.bytes += phys.PageSize
		n.pages.set(fs.epoch, uint64(i), slot{p: &zeroPage, handed: true})
	}
}

// discard removes the overlay's pages from first on.
func (fs *FS) discard(n *inode, first int64) {
	var past []uint64
	n.pages.each(func(i uint64, _ slot) bool {
		if i >= uint64(first) {
			past = append(past, i)
		}
		return true
	})
	for _, i := range past {
		s, _ := n.pages.get(i)
		fs.unpin(s)
		n.pages.del(fs.epoch, i)
		fs.bytes -= phys.PageSize
	}
}

// Page returns page index of a regular file for mapping, false beyond its end;
// bytes after the end are zero. The page is immutable, and the same pointer as
// long as the content is unchanged, unless it lies in a frame: then it is valid
// until the next store to it. Its error is a *Changed or *HostError, or
// ENODEV for what cannot be mapped.
func (fs *FS) Page(id NodeID, index uint64) (*mem.Page, bool, error) {
	n, err := fs.node(id)
	switch {
	case err != nil:
		return nil, false, err
	case n.kind() != ModeFile || n.synthetic():
		return nil, false, errno.ENODEV
	case index >= uint64(n.size+phys.PageMask)/phys.PageSize:
		return nil, false, nil
	}
	if s, ok := n.pages.get(index); ok && s.frame == 0 && s.epoch == fs.epoch && !s.handed {
		s.handed = true
		n = fs.own(id)
		n.pages.set(fs.epoch, index, s)
	}
	p, err := fs.peek(n, int64(index))
	return p, err == nil, err
}

// Identity returns the SHA-256 of a regular file's content in hexadecimal.
func (fs *FS) Identity(id NodeID) (string, error) {
	n, err := fs.node(id)
	switch {
	case err != nil:
		return "", err
	case n.kind() != ModeFile || n.synthetic():
		return "", errno.EINVAL
	case n.digest != "":
		return n.digest, nil
	case n.low != nil && n.pages.n == 0 && n.base == n.size && n.base == n.low.proto.size:
		return fs.tree.sum(n.low)
	}
	h := sha256.New()
	for at := int64(0); at < n.size; at += phys.PageSize {
		p, err := fs.peek(n, at/phys.PageSize)
		if err != nil {
			return "", err
		}
		h.Write(p[:min(n.size-at, phys.PageSize)])
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if fs.framed == 0 { // stores through a mapping tell nobody
		fs.own(id).digest = sum
	}
	return sum, nil
}
