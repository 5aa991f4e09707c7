//go:build !linux

package vfs

import "os"

const openSafely = 0

// hostIdentity has nothing portable to return: size, time and digest decide.
func hostIdentity(os.FileInfo) (dev, ino uint64) { return 0, 0 }

func hostRdev(os.FileInfo) uint64 { return 0 }

// ofKernel is false: the file systems in question exist on Linux only.
func ofKernel(*os.File) bool { return false }

// hostBlocks is a file's size: holes cannot be told here.
func hostBlocks(fi os.FileInfo) int64 { return fi.Size() }

func hostOwner(os.FileInfo) (uid, gid uint32) { return 0, 0 }
