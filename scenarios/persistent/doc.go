// Package persistent holds programs that manage persistent memory by themselves, without a
// library: each right, and with planted faults, which zhuque explore must find with the line to blame.
// The sources are in src; pm.h says what they share. They are compiled by the tests, with lines.
// Those in pmdk/src, with common.h, are the same on the libraries of the PMDK as Debian has them.
package persistent
