// Package litmus reads small tests of persistency, in a text form in the manner of
// herd, runs them in all ways that the processor may, and compares what a power cut
// may leave with what the tests expect. The tests are in cachemodel/testdata; what
// they expect comes from the rules and the literature that each names, not from here.
//
// A state of a test is a record of package worlds, the threads' places and
// registers. From each state every next step is tried: an instruction of a thread,
// the oldest entry of a store buffer becoming visible, a piece of a write-combining
// buffer leaving, the power cut. Write-backs and the completion of flushes are not
// steps: worlds keeps them as intervals, and a state's memories come out when the
// conditions' locations are read after the cut. States are equal when their
// candidates, buffers, pending flushes, places and registers are; each is visited
// once, shortest ways first, so that a witness is one of the shortest.
//
// Memory is TSO: loads see the core's own buffers and then what is visible, in
// program order; stores wider than 8 aligned bytes become visible in pieces in every
// order. An SFENCE waits in the store buffer, which loads pass and nothing else
// (rule 7). The forms are documented by "zhuque litmus --help".
//
// Imports: cachemodel/worlds, sim/phys and the standard library.
package litmus
