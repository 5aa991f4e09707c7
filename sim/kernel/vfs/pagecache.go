package vfs

import (
	"fmt"
	"maps"
	"math"
	"path"
	"slices"

	"zhuque/sim/phys"
)

// By default what a call has done to files is durable when the call is over. With a
// page cache it is not, until something is synchronized. The model is a journal as
// ext4 keeps it (data=ordered, delayed allocation), at its strictest:
//
//   - A synchronization of any file (fsync, fdatasync, msync, a write with O_SYNC or
//     O_DSYNC), of a directory or of everything (sync, syncfs) makes all names and
//     attributes durable, as they are then.
//   - It makes the content of that file durable, sync and syncfs that of all files.
//   - A power cut leaves the names and attributes of the last synchronization, and
//     each file with the content of its own last one: none, if there was none.
//   - In PMEMDir no content is cached; names and sizes are.
//
// Nothing is ever written back by itself.

// cache is what would be left of a file tree with a page cache.
type cache struct {
	disk   state        // names and attributes at the last synchronization
	synced trie[*inode] // content at each file's last one
}

// CacheWrites makes the file tree one with a page cache; what it holds is durable.
func (fs *FS) CacheWrites() {
	fs.cache = &cache{}
	fs.SyncAll()
}

// SyncAll makes everything durable.
func (fs *FS) SyncAll() {
	fs.WriteBackAll()
	if fs.cache == nil {
		return
	}
	var files []*inode
	fs.nodes.each(func(_ uint64, n *inode) bool {
		if n.kind() == ModeFile {
			files = append(files, n)
		}
		return true
	})
	fs.sync(files...)
}

// SyncNode makes the content of a node and all names durable.
func (fs *FS) SyncNode(id NodeID) { fs.SyncPages(id, 0, math.MaxUint64) }

// SyncPages is SyncNode for what mappings stored to the pages [first, last) only; with a
// page cache the content is made durable whole.
func (fs *FS) SyncPages(id NodeID, first, last uint64) {
	fs.WriteBack(id, first, last)
	if fs.cache == nil {
		return
	}
	if n, ok := fs.nodes.get(uint64(id)); ok && n.kind() == ModeFile {
		fs.sync(n)
		return
	}
	fs.sync()
}

func (fs *FS) sync(files ...*inode) {
	c := *fs.cache // forks share the old one
	fs.epoch = epochs.Add(1)
	for _, n := range files {
		kept := *n
		n.pages.each(func(i uint64, s slot) bool {
			if s.frame != 0 {
				p := *fs.content(s)
				kept.pages.set(fs.epoch, i, slot{p: &p, handed: true})
			}
			return true
		})
		c.synced.set(fs.epoch, uint64(n.id), &kept)
	}
	c.disk = fs.state
	fs.epoch = epochs.Add(1) // what is kept must not be changed in place
	fs.cache = &c
}

// LoseUnsynced leaves what a power cut leaves and says, in order of paths, what is
// lost. Nobody holds a file afterwards.
func (fs *FS) LoseUnsynced() (lost []string) {
	if fs.cache == nil {
		return nil
	}
	before, c := *fs, fs.cache
	fs.state = c.disk
	fs.refs, fs.locks = trie[int32]{}, trie[[]Lock]{}
	fs.call, fs.dead = call{}, nil
	fs.epoch = epochs.Add(1)
	var files []*inode
	fs.nodes.each(func(_ uint64, n *inode) bool {
		if n.kind() == ModeFile && !n.dead {
			files = append(files, n)
		}
		return true
	})
	for _, n := range files {
		from, _ := c.synced.get(uint64(n.id))
		if now, ok := before.nodes.get(uint64(n.id)); ok && fs.Mount(n.id) == PMEMMount {
			from = now
		}
		fs.recontent(fs.own(n.id), from)
	}
	fs.bytes, fs.framed = 0, 0
	fs.nodes.each(func(_ uint64, n *inode) bool {
		n.pages.each(func(_ uint64, s slot) bool {
			fs.bytes += phys.PageSize
			if s.frame != 0 {
				fs.framed++
			}
			return true
		})
		return true
	})
	fs.frames = before.frames
	fs.Sweep()
	was, is := before.holdings(), fs.holdings()
	for _, at := range slices.Sorted(maps.Keys(was)) {
		switch kept, ok := is[at]; {
		case !ok && was[at] == removed:
			lost = append(lost, at+": that it was removed or renamed")
		case !ok:
			lost = append(lost, at+": its name")
		case kept != was[at]:
			lost = append(lost, fmt.Sprintf("%s: %s instead of %s", at, kept, was[at]))
		}
	}
	for _, at := range slices.Sorted(maps.Keys(is)) {
		if _, ok := was[at]; !ok {
			lost = append(lost, at+": that it was removed or renamed")
		}
	}
	return lost
}

// recontent gives n, owned by fs, the content of from: where that is nil, the
// host's or none.
func (fs *FS) recontent(n, from *inode) {
	n.digest = ""
	switch {
	case from != nil:
		n.pages, n.size, n.base, n.mtime = from.pages, from.size, from.base, from.mtime
	case n.low != nil:
		n.pages, n.size, n.base = trie[slot]{}, n.low.proto.size, n.low.proto.base
	default:
		n.pages, n.size, n.base = trie[slot]{}, 0, 0
	}
}

// removed is what holdings says of a name of the host that the guest took away.
const removed = "nothing"

// holdings describes the content behind every path that the overlay knows.
func (fs *FS) holdings() map[string]string {
	all := map[string]string{}
	fs.nodes.each(func(_ uint64, n *inode) bool {
		for _, l := range n.names {
			dir, ok := fs.Path(l.dir)
			if !ok {
				continue
			}
			what := kindName(n)
			if n.kind() == ModeFile {
				sum, err := fs.Identity(n.id)
				if err != nil {
					sum = err.Error()
				}
				what = fmt.Sprintf("%d bytes (%.8s)", n.size, sum)
			}
			all[path.Join(dir, l.name)] = what
		}
		if dir, ok := fs.Path(n.id); ok && n.isDir() {
			n.ents.each(func(_ uint64, bucket []entry) bool {
				for _, e := range bucket {
					if e.id == 0 {
						all[path.Join(dir, e.name)] = removed
					}
				}
				return true
			})
		}
		return true
	})
	return all
}
