// Package hwtest executes single instructions on the processor of the host: the
// oracle for package x86. It puts an instruction into executable memory between
// a piece of code that loads every register and one that stores them all, and
// enters that through purego, without cgo. Faults of the instruction are caught
// by a signal handler in the same memory and reported with the exception's
// vector, error code and address. Run executes instructions that go on behind
// themselves; Step executes any, wherever it lies and leads, under the trap flag
// and with segment bases of its own.
//
// It exists on linux/amd64 only. It knows nothing of package x86 and must not
// import it. The caller avoids system calls and whatever else enters the kernel
// other than by a fault, and addresses of memory that is not the harness's.
package hwtest
