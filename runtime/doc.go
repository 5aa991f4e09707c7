// Package runtime documents the Zhuque runtime; its code is runtime/wpp, so that
// nobody imports two packages called runtime.
//
// Whole-process persistence (Hodgkins, Xu, Swanson, Izraelevitz: "Zhuque: Failure
// is Not an Option, it's an Exception", USENIX ATC 2023): all memory of a process
// lies in persistent memory; a power failure saves every thread's registers and
// flushes the caches; after restart the address space and the kernel-resident
// state are rebuilt and every thread continues at its interrupted instruction.
//
// Where this implementation differs from the published one:
//
//   - It interposes at the system-call boundary, not in a C library, so that any
//     ELF program runs, static ones too.
//   - All of the processor's user state is saved, not the callee-saved registers.
//   - Every update of the persistent tables is failure-atomic: one redo record
//     per system call, published by one 8-byte store.
//   - The registers saved at kernel entry are restored from. A call that had not
//     committed is issued again; a committed one returns its recorded result.
//   - brk memory is persistent. A read-only file mapping is mapped again after a
//     check of the file's content.
//   - The complete mark and the dirty-shutdown count are checked: an image that a
//     power-fail sequence did not finish is refused.
//   - SIGPWR is sent after the process is whole again, to a program that handles
//     it and to no other; its si_code is the number of failures survived. One thread,
//     the first that does not block it, handles it before any other goes on; or,
//     with --sigpwr per-thread, all threads before any goes on. zhuque.h is for C programs.
package runtime
