// Package errno holds the error numbers a guest can see, with Linux's names and
// x86-64 values. It is a leaf. Source: the errno(3) manual page and the generic
// errno tables of the Linux user ABI.
package errno

import "strconv"

// Errno is a Linux error number; a system call returns its negative. The zero
// Errno is no error and is never returned as one.
type Errno uint16

// Error returns the name and the usual text, such as "ENOENT (no such file or
// directory)".
func (e Errno) Error() string {
	if int(e) < len(table) && table[e].name != "" {
		return table[e].name + " (" + table[e].text + ")"
	}
	return "errno " + strconv.Itoa(int(e))
}

// Name returns the symbolic name, or the number when it has none here.
func (e Errno) Name() string {
	if int(e) < len(table) && table[e].name != "" {
		return table[e].name
	}
	return strconv.Itoa(int(e))
}

// Result returns what a system call leaves in RAX for this error.
func (e Errno) Result() uint64 { return -uint64(e) }
