// Package symbols says what a guest's address means: symbol, source line, function,
// and who called. It reads the program's own files (symbol tables, DWARF 4 and 5, call
// frame information) and its memory, and changes neither.
//
// A [Process] is what is asked: mappings, memory, files. [Process.At] answers for one
// address, [Process.Unwind] for a thread's stack. Most stores of a persistent-memory
// program happen inside a library without lines, so that a report names the innermost
// frame that has one: [Stack.Line].
//
// A file is read when it is first asked about and remembered in a [Cache] by its
// content; each part of it (symbols, lines of a unit, frames) is built when first used.
// Files are the guest's and may lie: sizes, steps, depths and nesting have bounds, and
// what cannot be read is "no symbols", never an error of the caller's.
//
// The way of a caller is found, in this order, by call frame information (.eh_frame,
// .debug_frame), by the code of the kernel's signal return, by what a function without
// such information (musl's) pushed at its beginning, by the frame pointer. Where all fail
// the stack ends; nothing is guessed from words that happen to look like addresses.
//
// Left out: 32-bit programs, C++ and Rust names are not demangled, DWARF in separate
// .dwo files, names that dwz moved to a shared file (.gnu_debugaltlink), .gnu_debugdata,
// code that a program made at run time.
//
// The package knows no kernel and no file tree, and must not import them or os.
//
// Sources: System V ABI, AMD64 supplement, chapter 3.6.2 (register numbers), 4.2.4
// (.eh_frame); Linux Standard Base Core 5.0, chapter 10.6 (exception frames); DWARF
// Debugging Information Format 4 and 5, chapters 2.5 (expressions), 6.2, 6.4; gdb
// manual, "Debugging Information in Separate Files".
package symbols
