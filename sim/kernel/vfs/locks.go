package vfs

import (
	"cmp"
	"math"
	"slices"
)

// Advisory locks are kept with the file tree, so that a call that a power cut made
// void has neither taken nor released one, and a process that survives finds its
// locks again. Nobody is waited for here: that is up to the kernel.
//
// Sources: flock(2), fcntl(2), fcntl_locking(2).

// LockKind is a family of locks. Whole-file locks meet only each other; the other
// two families meet each other.
type LockKind uint8

const (
	WholeFile   LockKind = 1 + iota // flock(2), owned by an open file description
	Process                         // F_SETLK, owned by a process
	Description                     // F_OFD_SETLK, owned by an open file description
)

// LockOwner is who holds a lock: a process's or a description's number.
type LockOwner struct {
	Kind LockKind
	ID   uint64
}

// Lock is an advisory lock of the bytes From to To, both included. A To of
// LockEnd is the end of the file, wherever it moves.
type Lock struct {
	Owner    LockOwner
	Write    bool // exclusive
	From, To int64
}

// LockEnd is behind every byte of a file.
const LockEnd int64 = math.MaxInt64

// Meets reports whether two locks cannot be held at once.
func (l Lock) Meets(o Lock) bool {
	return l.Owner != o.Owner && (l.Owner.Kind == WholeFile) == (o.Owner.Kind == WholeFile) &&
		(l.Write || o.Write) && l.From <= o.To && o.From <= l.To
}

// Obstacle returns the first lock that keeps l from being taken.
func (fs *FS) Obstacle(id NodeID, l Lock) (Lock, bool) {
	held, _ := fs.locks.get(uint64(id))
	if i := slices.IndexFunc(held, l.Meets); i >= 0 {
		return held[i], true
	}
	return Lock{}, false
}

// Lock takes l, in whose way nothing stands (Obstacle), in place of what its owner
// held of the same bytes.
func (fs *FS) Lock(id NodeID, l Lock) { fs.relock(id, l, true) }

// Unlock releases what an owner holds of the bytes from to to.
func (fs *FS) Unlock(id NodeID, owner LockOwner, from, to int64) {
	fs.relock(id, Lock{Owner: owner, From: from, To: to}, false)
}

// relock takes the bytes of l from its owner and gives them back as l if hold is set.
func (fs *FS) relock(id NodeID, l Lock, hold bool) {
	held, _ := fs.locks.get(uint64(id))
	if !hold && !slices.ContainsFunc(held, func(h Lock) bool { return h.Owner == l.Owner && h.From <= l.To && l.From <= h.To }) {
		return
	}
	now := make([]Lock, 0, len(held)+2)
	for _, h := range held {
		if h.Owner != l.Owner {
			now = append(now, h)
			continue
		}
		if hold && h.Write == l.Write && touch(h, l) {
			l.From, l.To = min(l.From, h.From), max(l.To, h.To)
			continue
		}
		if h.To < l.From || l.To < h.From {
			now = append(now, h)
			continue
		}
		if h.From < l.From {
			left := h
			left.To = l.From - 1
			now = append(now, left)
		}
		if h.To > l.To {
			h.From = l.To + 1
			now = append(now, h)
		}
	}
	if hold {
		now = append(now, l)
	}
	slices.SortFunc(now, func(a, b Lock) int {
		return cmp.Or(cmp.Compare(a.Owner.Kind, b.Owner.Kind),
			cmp.Compare(a.From, b.From), cmp.Compare(a.Owner.ID, b.Owner.ID))
	})
	fs.begin()
	if len(now) == 0 {
		fs.locks.del(fs.epoch, uint64(id))
	} else {
		fs.locks.set(fs.epoch, uint64(id), now)
	}
}

// touch reports whether two ranges overlap or follow one another.
func touch(a, b Lock) bool {
	return (a.To == LockEnd || b.From <= a.To+1) && (b.To == LockEnd || a.From <= b.To+1)
}

// DropLocks releases all that an owner holds of a file.
func (fs *FS) DropLocks(id NodeID, owner LockOwner) {
	if fs.locks.n > 0 {
		fs.Unlock(id, owner, 0, LockEnd)
	}
}

// Locks returns the locks of a file, by kind and place. The slice must not be changed.
func (fs *FS) Locks(id NodeID) []Lock {
	held, _ := fs.locks.get(uint64(id))
	return held
}

func (e *encoder) locks(s *state) {
	e.u(uint64(s.locks.n))
	s.locks.each(func(id uint64, held []Lock) bool {
		e.u(id)
		e.u(uint64(len(held)))
		for _, l := range held {
			e.u(uint64(l.Owner.Kind))
			e.u(l.Owner.ID)
			e.flag(l.Write)
			e.u(uint64(l.From))
			e.u(uint64(l.To))
		}
		return true
	})
}

func (d *decoder) locks(fs *FS, s *state) {
	for range d.count(2) {
		id := d.u()
		held := make([]Lock, d.count(5))
		for i := range held {
			l := Lock{Owner: LockOwner{LockKind(d.u()), d.u()}, Write: d.flag(), From: int64(d.u()), To: int64(d.u())}
			if l.Owner.Kind < WholeFile || l.Owner.Kind > Description || l.From < 0 || l.To < l.From {
				d.bad("a lock is impossible")
				return
			}
			held[i] = l
		}
		s.locks.set(fs.epoch, id, held)
	}
}
