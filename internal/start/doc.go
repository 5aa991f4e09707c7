// Package start gives a process, and so the programs that it runs, a defined start,
// whatever it was started by (nohup, a daemon, a shell with limits): no signal ignored or
// blocked, umask 022, and the soft limits of a login. Test binaries that run programs
// natively import it for that; where something is otherwise the process starts over, with
// the same arguments, before any test runs. A simulated program's start is the simulator's
// and depends on nothing of the host.
//
// Environment, standard streams and session are given to each program by who runs it.
package start
