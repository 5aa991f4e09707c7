// Package vfs is the guest's file tree: a private writable overlay in memory over
// a read-only view of a host directory.
//
// It models names, links, modes, sizes, virtual times, sparse contents, files
// that live on while open after their last name is gone, and the roll-back of a
// system call that a power cut made void. Who may do what it asks its kernel
// (Caller). It leaves out access times (as with noatime), quotas and extended
// attributes; directories always report one link, hard links of the host appear
// as separate files.
//
// A guest can neither change a host file nor see one outside Options.Root. Paths
// are resolved here, one component at a time, in guest terms; the host is asked
// only through an os.Root and only for names that were resolved. The host's
// /proc, /sys and /dev are replaced by synthetic nodes, kernel file systems
// mounted elsewhere appear as empty directories, and host devices, FIFOs and
// sockets are shown but never opened.
//
// It must not import the kernel, the processor or anything of a campaign.
// Sources: path_resolution(7), rename(2), unlink(2), proc(5), symlink(7).
package vfs

import (
	"cmp"
	"fmt"

	"zhuque/sim/phys"
)

// NodeID names a node for the life of the FS and in its durable form; it is also
// the inode number that the guest sees. IDs of untouched host files follow from
// their path alone, so they are the same in every run.
type NodeID uint64

// Root is the guest's root directory.
const Root NodeID = 1

// Limits that Linux has too.
const (
	MaxName  = 255                 // bytes in one component
	MaxPath  = 4096                // bytes in a path with its terminating NUL
	MaxLinks = 40                  // symbolic links followed in one resolution
	MaxFile  = phys.Bytes(1) << 36 // size that the guest may give a file
)

// File types and special bits of Stat.Mode.
const (
	ModeType   = 0o170000
	ModeSocket = 0o140000
	ModeLink   = 0o120000
	ModeFile   = 0o100000
	ModeBlock  = 0o060000
	ModeDir    = 0o040000
	ModeChar   = 0o020000
	ModeFIFO   = 0o010000
	ModePerm   = 0o007777
)

// Options describes the file tree of one machine.
type Options struct {
	// Root is the host directory shown read-only; "" means "/".
	Root string
	// Overlay is the host directory that Sync and Close write the changes to if Keep has
	// it, either empty or written by an earlier Sync; "" throws the changes away.
	Overlay string
	// Pools is the host directory whose files are in PMEMDir at the start and that
	// Sync and Close write PMEMDir back to if Keep has it; "" for none.
	Pools string
	// Keep is what may be written of the host; nil for nothing.
	Keep *Keep
	// MaxBytes bounds the contents held in the overlay, MaxNodes its nodes; zero
	// means 4 GiB and one million. Beyond either the guest gets ENOSPC.
	MaxBytes phys.Bytes
	MaxNodes int
	// Domain is what /sys/bus/nd/devices/region0/persistence_domain says:
	// "cpu_cache" (eADR, the default) or "memory_controller" (ADR).
	Domain string
	Hooks
}

// Hooks connects a file tree to its kernel. A fork starts with its parent's
// hooks: the kernel's fork must replace them (SetHooks).
type Hooks struct {
	// Now is the virtual time since the Unix epoch; nil means always zero.
	Now func() phys.Nanos
	// Synthetic gives the content of files below /proc and /sys, by absolute
	// path: /proc/cpuinfo, /proc/self/maps, … What is declared below /proc/self is in
	// the directory of each process and thread; the function gets whose is looked at,
	// for all others a zero Task. For /proc/self, /proc/thread-self, /proc/self/exe and
	// cwd it gives the target of a symbolic link. The set of paths is fixed by New;
	// SetHooks only replaces the functions.
	Synthetic map[string]func(Task) []byte
	// Accepts takes what is written to those of Synthetic that can be written; the rest
	// cannot. Which these are is fixed by New too.
	Accepts map[string]func(Task, []byte) error
	// Texts are files below /proc and /sys that never change. Only New looks at them.
	Texts map[string]string

	Processes func() []int32                      // all processes, ascending
	Threads   func(pid int32) []int32             // of a process, ascending
	Process   func(id int32) (pid int32, ok bool) // of the process or thread with a number
	FDs       func(Task) []FD                     // the open descriptors, ascending, for fd and fdinfo
	FDInfo    func(t Task, num int) []byte        // the content of fdinfo/num
	Terminal  func(n int) bool                    // whether there is a terminal /dev/pts/n
	Caller
}

// FD is one entry of /proc/PID/fd.
type FD struct {
	Num    int
	Node   NodeID // what following the link leads to; 0 when it is no file of this tree
	Target string // the link's text when Node is 0, such as "pipe:[7]"
}

// Stat is what the guest can learn of a node.
type Stat struct {
	ID                  NodeID
	Mode                uint32 // type and permissions
	Nlink, UID, GID     uint32
	Rdev                uint64 // encoded as Linux's st_rdev
	Size                int64  // bytes
	Blocks              int64  // 512-byte units held
	Atime, Mtime, Ctime phys.Nanos
}

// Dir reports whether the node is a directory.
func (s Stat) Dir() bool { return s.Mode&ModeType == ModeDir }

// Regular reports whether the node is a regular file.
func (s Stat) Regular() bool { return s.Mode&ModeType == ModeFile }

// Link reports whether the node is a symbolic link.
func (s Stat) Link() bool { return s.Mode&ModeType == ModeLink }

// Dirent is one entry of a directory.
type Dirent struct {
	Name string
	ID   NodeID
	Type uint8 // DT_*: the file type bits of the mode, shifted right by 12
}

// Device names a synthetic character device; reading and writing it is up to
// the kernel.
type Device uint8

const (
	NoDevice Device = iota
	DevNull
	DevZero
	DevFull
	DevRandom
	DevURandom
	DevTTY
	DevPTMX // makes a pseudoterminal
	DevPTS  // the end of one, see Terminal
)

// Place is where a path leads.
type Place struct {
	Node    NodeID // 0 when only the last component does not exist
	Dir     NodeID // directory of the last component
	Name    string // last component: "", "." or ".." where the path ends so
	DirOnly bool   // the path ended in a slash: only a directory will do
}

// RenameFlags are those of renameat2(2).
type RenameFlags uint32

const (
	RenameNoReplace RenameFlags = 1
	RenameExchange  RenameFlags = 2
)

// Known returns the directory and the name by which a node is known: the first that it
// has, or, where named is false, the last that it had.
func (fs *FS) Known(id NodeID) (dir NodeID, name string, named bool) {
	n, err := fs.node(id)
	switch {
	case err != nil:
		return 0, "", false
	case len(n.names) > 0:
		return n.names[0].dir, n.names[0].name, true
	}
	return n.was.dir, n.was.name, id == Root
}

// Refs returns how many references a node has.
func (fs *FS) Refs(id NodeID) int {
	c, _ := fs.refs.get(uint64(id))
	return int(c)
}

// Space is the overlay's use, as statfs(2) shows it.
type Space struct {
	Bytes, MaxBytes phys.Bytes
	Nodes, MaxNodes int
}

// Changed reports that a host file is not what the durable form, or an earlier
// part of the run, saw. It is the user's to repair and never the guest's error.
type Changed struct {
	Path   string // guest path
	Reason string
}

func (e *Changed) Error() string {
	return "host file " + e.Path + " changed under the guest: " + e.Reason
}

// HostError reports that the host failed to deliver a file (an I/O error, not an
// absence). It stops a run.
type HostError struct {
	Path string
	Err  error
}

func (e *HostError) Error() string { return "host file " + e.Path + ": " + e.Err.Error() }
func (e *HostError) Unwrap() error { return e.Err }

const (
	defaultMaxBytes = phys.Bytes(4) << 30
	defaultMaxNodes = 1 << 20
)

// New opens the file tree that o describes. Its errors are about o.
func New(o Options) (*FS, error) {
	fs, err := open(o)
	if err != nil {
		return nil, err
	}
	if err := checkOverlay(o.Overlay); err != nil {
		return nil, err
	}
	if o.Keep != nil {
		fs.kept = o.Keep.state
	}
	return fs, fs.loadPools()
}

func open(o Options) (*FS, error) {
	o.MaxBytes = cmp.Or(o.MaxBytes, defaultMaxBytes)
	o.MaxNodes = cmp.Or(o.MaxNodes, defaultMaxNodes)
	switch o.Domain {
	case "", "cpu_cache", "memory_controller":
	default:
		return nil, fmt.Errorf("persistence domain %q: cpu_cache or memory_controller was expected", o.Domain)
	}
	tree, err := openLower(&o)
	if err != nil {
		return nil, err
	}
	return &FS{state: state{next: Root + 1}, epoch: epochs.Add(1), tree: tree, opt: o}, nil
}
