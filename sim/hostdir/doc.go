// Package hostdir replaces what a directory of the host holds, as a whole.
//
// A run has a directory for itself from Open to Close (flock): a second one is told so.
// Replace builds the whole new state beside the old one, makes it durable, and then
// switches:
//
//   - Where the directory can be exchanged with another of its parent (renameat2 with
//     RENAME_EXCHANGE: the same file system, a parent that may be written, not the place
//     where this process stands), the new state is built in the parent, in
//     .NAME.zhuque-DIGITS/new, and the switch is that one call. A reader sees the old
//     state or the new one. What a kill leaves is either the new state, unfinished, or the
//     old one, no longer wanted: the next Open removes it. It knows its own by the file
//     mark beside it.
//   - Elsewhere (a mount point, the working directory) the new state is built in the
//     directory itself, in .zhuque-write-back-DIGITS.new. A symbolic link beside that,
//     whose text is the state of the journal, is replaced by one rename when the new state
//     is complete: before that the next Open undoes, behind it completes. A reader that
//     holds no lock sees names come and go for as long as the moves of the top level
//     take. The link is how the journal is known: nothing that a Replace writes holds a
//     symbolic link at its top, so that no name of a guest's is mistaken for it.
//
// A full disk, a missing permission and a kill therefore leave the old state or the new
// one. The directory's mode and owner are kept; its inode is not where it was exchanged.
//
// State is a digest of all names, permissions and contents, holes not read, by which a
// change from outside is noticed.
//
// It must not import anything of the machine. Sources: rename(2), Lock(2), syncfs(2).
package hostdir
