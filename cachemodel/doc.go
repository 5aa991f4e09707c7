// Package cachemodel models what stands between a processor and its memory: the
// store buffer, the write-combining buffers and a hierarchy of L1D, L2 and LLC,
// as far as timing and a power failure can tell. Each core has its own buffers,
// L1D and L2; the LLC is shared. An event of a core goes in (Load, a
// buffered store, NTStore, Flush, Fence), effects come out (stall cycles,
// counters, and at a power cut the bytes that are taken back).
//
// It keeps tags, states and take-backs, never current bytes: those are in the
// machine's memory, and a LineReader shows them where a take-back is made.
//
//   - A buffered store carries the bytes that it replaced.
//   - A write-combining entry carries the bytes under it.
//   - A dirty PMEM line carries its pre-image: the 64 bytes that the persistence
//     domain holds. It is taken when a clean line becomes dirty, moves with the
//     line from level to level and is dropped at write-back. DRAM lines need
//     none, since they are lost anyway; they count as dirty for timing.
//
// A crash image is the current bytes with the lost take-backs put back
// (Hierarchy.TakeBacks). Package refmodel carries real data through the same
// policies, and the tests compare crash images byte for byte.
//
// # Policies
//
// Store buffer: first in, first out, drained as late as TSO allows (when it is
// full, and at the barriers that drain it), which leaves the most to lose. Flushes
// take an entry, in order with the stores. A CLFLUSH acts when it leaves the
// buffer. A CLFLUSHOPT or CLWB of a dirty PMEM line only becomes pending then: the
// line stays at risk until SFENCE, MFENCE or a locked instruction, and what that
// barrier guarantees is the line as it was when the flush left the buffer. So a
// flush before the store does nothing for it, and a store after the flush is not
// covered. Serializing instructions and interrupts drain stores and
// write-combining buffers but complete no pending flush.
//
// Write-combining: a non-temporal store first lets older buffered stores to its
// line and older CLFLUSHes leave, then writes back and drops a cached copy. An
// entry leaves (and is then persistent) when all buffers are in use, oldest
// first, at every draining barrier, and before a later normal store or CLFLUSH of
// its line takes effect. A load of the line leaves the entry where it is.
//
// Hierarchy: a line that one core uses is in at most one of L1D, L2 and LLC. Memory
// fills the L1D, a victim moves one level out, a hit moves the line to the L1D. The LLC as a
// non-inclusive victim cache is what Skylake-SP and Ice Lake-SP have; that L1D and
// L2 are exclusive too is a simplification (there, L2 may keep a copy). True LRU
// in each set; the hardware's policies are not public and approximate it. CLWB
// evicts or retains the line as configured.
//
// Coherence: a dirty line in an L1D or L2 is the only copy of it. Another core's
// load moves it to the LLC, dirty as it is, with its pre-image and its pending
// flushes, and leaves clean copies with both cores; a clean line is copied from
// core to core. Another core's store moves it whole and invalidates all other
// copies; a store to a line that the core holds shared is an upgrade. A shared
// victim of an L2 goes to the LLC only when it is the last copy. A flush acts on
// the line, wherever it is and whoever stored to it; the guarantee of a CLFLUSHOPT
// or CLWB begins at the next barrier of the core that executed it, and is the line
// as it was when the flush left that core's buffer. Fences order their own core.
//
// # What cores see of each other
//
// A store changes the current bytes at once, so loads see one global order of all
// stores. Before a core loads or stores a line, or decodes instructions of a page,
// whatever another core has buffered for it becomes visible: its store buffer up
// to the youngest such store, oldest first, and its write-combining buffer of the
// line. So no core ever sees a value that a power cut takes back as if it had
// never been visible, and lines are written in the order that loads see.
//
// Of what TSO allows this produces all orders in which stores become visible and
// persistent late, each core's in program order: any crash image under eADR is a
// prefix of each core's stores, not shorter than what another core has seen of it.
// It does not produce late stores that loads can tell: in the store-buffering test
// (T1 x=1; read y. T2 y=1; read x) at least one core reads 1, where hardware may
// give 0 and 0. A program that is wrong only by that outcome is not caught. No
// outcome that TSO forbids is produced.
//
// Whoever changes current bytes without storing through a core (a device, the
// loader, the kernel handing out a zeroed frame) says so first with
// Hierarchy.DMA or Overwrite; otherwise a lost line could bring back what was there before.
//
// # Time
//
// A core's time is a cycle for each instruction it executed (Clock) and what it stalled, by
// cause. What drains in time (flushes, write-combining buffers that are full) is computed from
// stamps and never performed: state moves by events only, so it is the same whatever a device
// takes. Latencies of memory are load to use.
//
// With Config.Timing the devices have queues (package device) and misses overlap: a load waits
// for those that its address depends on (Access, from the registers of its block and those
// that an earlier block left), for a free line buffer, and for the oldest load when the core is
// a reorder window ahead of it. Store misses overlap up to a bound; a store of a whole line
// waits for ownership alone. Fences wait for what they order.
//
// # Left out
//
// Prefetching, speculation, branches, issue width, the mesh: an instruction is a cycle, and
// latencies are the same between any two cores. An address that depends on a load through
// memory, or through a register that a block in between copied, counts as independent; a run
// that was stopped in mid-block begins its knowledge anew there, so with Timing elapsed time may
// differ a little by where a run was stopped. The
// cycles of a store that another core's access pushes out of the buffer count for
// the core that stored.
// This package leaves one memory at a cut. Stores of a dirty line are not recorded one by
// one: a lost line returns to its last guaranteed content and a kept one has all its visible
// stores. Spontaneous write-back before a later event comes through the caches' own evictions
// and through Loss.CachesLost at the cut. Every memory that the architecture allows, the
// prefixes in between and write-backs at any moment, is package worlds' to give: zhuque
// explore uses that for programs that manage persistent memory themselves, campaigns of
// whole processes use this one.
//
// The rules, their numbers and the litmus tests are those of the project's
// persistence semantics: Intel SDM volumes 2 and 3; Px86 (Raad et al., POPL'20);
// PTSOsyn (Khyzha and Lahav, POPL'21). Imports: sim/phys, sim/det and the
// standard library; nothing here knows x86, Linux or Zhuque.
package cachemodel
