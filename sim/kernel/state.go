package kernel

import (
	"fmt"
	"hash/crc32"
	"slices"

	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// NSIG is one more than the highest signal number.
const NSIG = 65

// Action is a signal's disposition as the kernel keeps it (struct sigaction).
type Action struct {
	Handler  uint64 // 0: default, 1: ignore
	Flags    uint64
	Restorer uint64
	Mask     uint64
}

// Queued is a signal that was sent and not yet delivered.
type Queued struct {
	Signal int
	Code   int32  // si_code
	Value  uint64 // si_value, or si_addr of a fault
	PID    int32
	UID    uint32
}

// AltStack is the alternate signal stack (stack_t).
type AltStack struct {
	SP, Size uint64
	Flags    uint32
}

// FDKind tells what an open file description refers to. Its numbers are part of
// the persistent image.
type FDKind uint8

const (
	FDStdin FDKind = 1 + iota
	FDStdout
	FDStderr
	FDNode // a file, directory or synthetic device of the file tree
	FDPipeRead
	FDPipeWrite
	FDSocket    // a UNIX socket that is not connected
	FDEvent     // an eventfd; Offset is its value
	FDSemaphore // an eventfd that is a semaphore
	FDEpoll
)

// FD is one descriptor of the process. Descriptors with equal Desc share one
// open file description; Kind, Node, Offset and OpenFlags are then equal.
type FD struct {
	Num       int
	Desc      int // identity of the description
	Kind      FDKind
	Node      vfs.NodeID
	Offset    int64
	OpenFlags uint32 // access mode and status flags of open(2)
	CloExec   bool
	Pipe      int // identity of the pipe
	Socket    int // FDSocket: its type, as socket(2) has it
}

// Pipe is a pipe of the process. It lives as long as a descriptor of one of its ends.
type Pipe struct {
	ID      int
	Taken   uint64 // bytes ever read from it
	Content []byte // the unread bytes; not to be changed
}

// String tells pipes apart without showing all of their content.
func (p Pipe) String() string {
	return fmt.Sprintf("pipe %d: %d bytes unread, %d taken, checksum %08x", p.ID, len(p.Content), p.Taken, crc32.ChecksumIEEE(p.Content))
}

// Epoll is an epoll instance that waits for something.
type Epoll struct {
	Desc    int     // its description
	Watches []Watch // ascending by FD, then Desc; not to be changed
}

// ProcState is what the process can see of the kernel: what Zhuque makes
// persistent beside memory and registers.
type ProcState struct {
	FDs    []FD    // ascending by Num
	Pipes  []Pipe  // ascending by ID
	Epolls []Epoll // ascending by Desc
	NextID int

	Sig      [NSIG]Action // indexed by signal number
	SigMask  uint64       // bit n-1 is signal n
	Pending  []Queued     // in order of sending
	AltStack AltStack

	BrkStart, BrkEnd uint64
	ArgStart, ArgEnd uint64 // the argument strings, for /proc/self/cmdline
	Cwd, Exe         vfs.NodeID
	Umask            uint32
	PID, PPID, TID   int32
	ClearTID         uint64
	RobustHead       uint64
	RobustLen        uint64
	Comm             [16]byte
	Rlimits          [16][2]uint64 // soft, hard
	RandPos          uint64        // bytes drawn from the random stream
	Slept            phys.Nanos    // virtual time that passed without instructions
}

// Dirty tells what changed in the ProcState.
type Dirty struct {
	FDs     []int // descriptor numbers, opened, closed or changed; ascending
	Pipes   []int // identities of pipes, made, gone or changed; ascending
	Epolls  []int // descriptions of epoll instances, changed or gone; ascending
	Signals []int // signal numbers whose Action changed; ascending
	Misc    bool  // anything else
}

// Any reports whether anything changed.
func (d Dirty) Any() bool {
	return d.Misc || len(d.FDs) > 0 || len(d.Pipes) > 0 || len(d.Epolls) > 0 || len(d.Signals) > 0
}

func (d Dirty) clone() Dirty {
	return Dirty{FDs: slices.Clone(d.FDs), Pipes: slices.Clone(d.Pipes), Epolls: slices.Clone(d.Epolls), Signals: slices.Clone(d.Signals), Misc: d.Misc}
}

func insert(list []int, n int) []int {
	i, found := slices.BinarySearch(list, n)
	if found {
		return list
	}
	return slices.Insert(list, i, n)
}

// TakeDirty returns what changed since the last call.
func (k *Kernel) TakeDirty() Dirty {
	d := k.dirty
	k.dirty = Dirty{}
	return d
}
