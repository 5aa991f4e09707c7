// Package eadr models what a platform does with its stored energy after the
// mains has gone: which stores, registers and dirty lines reach persistent
// memory, in which order, and what is left undone when the energy ends first.
//
// The sequence is a state machine (State, next). Every state costs time, and
// energy in proportion to time, and moves items one after the other: buffered
// stores, save-area lines, dirty lines, queued lines. Lines leave the caches
// first in, first out through the write-pending queues and the buffers of the
// DIMMs to the medium; a line counts as drained when it is on the medium.
//
// Under EADR all states run. Under ADR the caches are not flushed: the
// registers that the cores saved lie in the caches and are lost, and the
// complete mark is not reached unless Config.MarkProtected says so, or the handler
// flushes the caches itself (Config.SoftwareFlush).
//
// Left out: power that falls gradually, failing components, differences
// between DIMMs, the contents of anything. The sequence is computed on counts;
// which line is the nth to drain is the cache model's knowledge.
//
// The package is pure and imports sim/phys and the standard library only. It
// must not know x86, Linux, Zhuque, or the cache model.
//
// Sources: Narayanan and Hodson, "Whole-system persistence" (ASPLOS 2012), for
// the residual energy window; A. Rudoff on the pmem list, 2021-10-20, for the
// order of an eADR shutdown (cores flush the caches, then the ADR flow runs);
// the device figures named in Config.Params.
package eadr
