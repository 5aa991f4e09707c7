// Package sockets has programs that talk through sockets, and tests that run them: in
// the simulator as natively, through power failures, and with clients on the host.
//
// The programs are src/sockets.c, built with the host's C compiler, and talk, a Go
// program. It must import nothing but the standard library.
package sockets
