// Package imagefile is the file in which a machine's durable half stands between two
// lives: what crash --save writes and what run --image keeps up to date. It knows
// checkpoints, pages and output; what they mean to a process is runtime/wpp's to say.
//
// A file is a header and a chain of checkpoints. The first is complete; each of the
// others holds the cache lines that differ from the one before. A checkpoint is written
// behind the last one and becomes part of the image by the rewriting of the header, one
// write of 64 bytes inside one disk sector. A writer that is killed before leaves the
// image as it was, with the beginning of a checkpoint behind its end, which the next
// writer overwrites. Where fsync is asked for, checkpoint and header are each on the
// medium before the next step; else the image survives the death of the writer's
// process, not that of its host.
//
// All numbers are little-endian words of 64 bits.
//
// # Header, at offset 0
//
//	 0  8  "ZHUQUEIM"
//	 8  8  version: 2
//	16  8  number of the last checkpoint, from 1
//	24  8  file offset of its end
//	32  8  flags: 1 its output has been shown, 2 the files of a program that ended have been delivered
//	40  8  zero
//	48  8  zero
//	56  8  CRC-32C of the bytes 0 to 55
//
// Version 1 was one compressed body; its file begins with "ZHUQUE-IMAGE-1".
//
// # Checkpoint, the first at offset 64
//
//	 0  8  "CHECKPT\n"
//	 8  8  number: one more than that of the checkpoint before
//	16  8  1 when it is complete, as the first is; else 0
//	24  8  length of the body
//	32 32  SHA-256 of the body, the bytes 0 to 31, and the SHA-256 of the checkpoint before (the first: 32 zeros)
//	64     body
//
// # Body of a checkpoint
//
//	  0  8  instructions retired since the program's first
//	  8  8  wall-clock time spent without power, in nanoseconds
//	 16  8  dirty shutdowns that the DIMMs counted
//	 24  8  power cycles; this checkpoint is one
//	 32  8  bytes of standard input that the process has read
//	 40  8  the program: 0 runs, 1 exited, 2 was killed by a signal
//	 48  8  its exit status, or the signal
//	 56  8  bytes of standard output that earlier checkpoints showed
//	 64  8  the same of standard error
//	 72 24  the regular file that standard output was: device, inode, size before this checkpoint's output; zeros for anything else
//	 96 24  the same of standard error
//	120  8  length of the note
//	128  8  number of pieces of output
//	136  8  length of the file tree
//	144     note: the run's settings as a case file; then the pieces of output that became visible
//	        with this checkpoint, in order; then up to the end of the body the pages that changed,
//	        ascending by their first word
//
// # Piece of output
//
//	 0  8  1 for standard output, 2 for standard error
//	 8  8  length
//	16     bytes
//
// # Page
//
//	 0  8  space << 56 | index; space 1: physical memory, index: frame from address 0; space 2:
//	       contents of files, index: the number by which the file tree names the page; space 3:
//	       the file tree (see sim/kernel/vfs), index: its page
//	 8  8  a bit for each of the 64 cache lines of the page, the lowest for the first: its new bytes
//	       follow; the others are as they were, zero on a page that was not there
//	16  8  CRC-32C of the page as it is now; 1 << 32 for a page that is gone, which has no lines
//	24     64 bytes for each line
//
// What lies behind the offset that the header names is no part of the image and must be
// the beginning of a checkpoint.
package imagefile
