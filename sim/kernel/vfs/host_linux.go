package vfs

import (
	"os"
	"syscall"
)

// openSafely keeps an open from following a link that took the file's place and
// from waiting on a FIFO that did.
const openSafely = syscall.O_NONBLOCK | syscall.O_NOFOLLOW

// hostIdentity returns the device and inode numbers of a host file.
func hostIdentity(fi os.FileInfo) (dev, ino uint64) {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return st.Dev, st.Ino
	}
	return 0, 0
}

// hostBlocks returns how many bytes the host's file system holds of a file.
func hostBlocks(fi os.FileInfo) int64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return fi.Size()
}

// hostOwner returns a host file's user and group, 0 in the place of our own.
func hostOwner(fi os.FileInfo) (uid, gid uint32) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	if uid = st.Uid; int(uid) == os.Getuid() {
		uid = 0
	}
	if gid = st.Gid; int(gid) == os.Getgid() {
		gid = 0
	}
	return uid, gid
}

// hostRdev returns the device number of a host device.
func hostRdev(fi os.FileInfo) uint64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return st.Rdev
	}
	return 0
}

// kernelFS holds the magic numbers (statfs(2)) of file systems through which the
// host's kernel or processes could be seen or changed.
var kernelFS = map[uint32]bool{
	0x9fa0:     true, // proc
	0x62656572: true, // sysfs
	0x1cd1:     true, // devpts
	0x64626720: true, // debugfs
	0x74726163: true, // tracefs
	0x27e0eb:   true, // cgroup
	0x63677270: true, // cgroup2
	0xcafe4a11: true, // bpf
	0x73636673: true, // securityfs
	0x62656570: true, // configfs
	0xde5e81e4: true, // efivarfs
	0xf97cff8c: true, // selinuxfs
	0x6e736673: true, // nsfs
	0x42494e4d: true, // binfmt_misc
	0x19800202: true, // mqueue
	0x6165676c: true, // pstore
	0x65735543: true, // fusectl
}

// ofKernel reports whether f is on such a file system.
func ofKernel(f *os.File) bool {
	var st syscall.Statfs_t
	return syscall.Fstatfs(int(f.Fd()), &st) == nil && kernelFS[uint32(st.Type)]
}
