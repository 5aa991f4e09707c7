package vfs

import "zhuque/sim/phys"

// maxHollow is the largest size in bytes of a file that Hollow makes: user mode's addresses.
const maxHollow = 1 << 47

// Hollow makes a regular file that has no name and reads as zero, of size bytes, and takes a
// reference: memory of which a program reserves more than it touches.
func (fs *FS) Hollow(size int64) (NodeID, error) { return fs.Memory("memory", size) }

// Memory is Hollow with what the file's path shows.
func (fs *FS) Memory(label string, size int64) (NodeID, error) {
	id, err := fs.Anonymous(label, 0)
	if err != nil {
		return 0, err
	}
	n := fs.own(id)
	n.size, n.linkable = size, false
	return id, nil
}

// Widen makes a file that Hollow made at least size bytes large.
func (fs *FS) Widen(id NodeID, size int64) {
	if n, err := fs.node(id); err == nil && n.size < size {
		fs.begin()
		fs.own(id).size = size
	}
}

// Twin makes a file that holds what a file made by Hollow does, and takes a reference.
func (fs *FS) Twin(id NodeID) (NodeID, error) {
	from, err := fs.file(id)
	if err != nil {
		return 0, err
	}
	to, err := fs.Hollow(from.size)
	if err != nil {
		return 0, err
	}
	n := fs.own(to)
	from.pages.each(func(i uint64, s slot) bool {
		p := *fs.content(s)
		n.pages.set(fs.epoch, i, slot{p: &p, epoch: fs.epoch})
		fs.bytes += phys.PageSize
		return true
	})
	return to, nil
}
