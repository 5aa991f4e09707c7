// Package hwtest executes single instructions on the processor of the host: the
// oracle for package x86. It puts an instruction into executable memory between
// a piece of code that loads every register and one that stores them all, and
// enters that through purego, without cgo. Faults of the instruction are caught
// by a signal handler in the same memory and reported with the exception's
// vector, error code and address.
//
// It exists on linux/amd64 only. It knows nothing of package x86 and must not
// import it. Instructions that leave the straight line (branches, system calls)
// or need a segment base are the caller's business to avoid.
package hwtest
