// Package worlds is the exploration engine: it records, while a machine runs, what
// a power cut may leave of its persistent memory, and after a cut lets the machine
// run on without knowing which of these memories it has. Only where a load would
// tell two of them apart does the machine fork. A world is one of the machines
// that come out.
//
// The engine knows loads, stores, flushes and fences of cores to lines, and the
// rules of the project's persistence semantics (numbers below are theirs; sources:
// Intel SDM, Px86, PTSOsyn). It knows no instruction set, no operating system, no
// program. It has no bytes but those that are open: all others are the machine's,
// which shows them as a Source. It imports sim/phys and the standard library.
//
// # The life of one store
//
// A program keeps a count and a flag, in different lines, both 0:
//
//	count = 7      // Store(0, count, 7, s1)
//	clwb count     // Flush(0, line(count), CLWB, s2)
//	count = 8      // Store(0, count, 8, s3)
//	flag = 1       // Store(0, flag, 1, s4)
//	sfence         // Fence(0, SFENCE, s5)
//
// Store s1 opens the line of count: the engine asks the Source for its 64 bytes
// (the base) before the machine changes them, and appends the store to the line's
// list. A cut now leaves one of two contents, the base or the base with s1: any
// prefix of the list (rules 2 and 3), here 0 or 1 stores long. Flush s2 notes that
// one store was visible at the earliest instant at which it may act (rule 6). Store
// s3 makes the list two long, s4 opens the line of flag. Before the fence guarantees
// anything, the engine calls Memory.Look, since states are about to vanish that no
// look has seen: count 0, 7 or 8, flag 0 or 1. That is six memories; nobody makes
// any of them. Then s1 is guaranteed and becomes part of the base; the interval of
// count is 7 or 8. A line of which everything is guaranteed is forgotten.
//
// The machine cuts the power: Cut gives the Memory of the next generation. Count
// and flag are open. The recovery is
//
//	if flag == 1 { use(count) }
//
// Its load of flag is Read, which answers with two choices: 1 and 0. The machine
// forks, each side takes one with Narrow and retries. Where flag is 0 the recovery
// ends: one world, although count may be two things. Where it is 1, Read of count
// answers with two choices again: three worlds for what were six memories at the
// look and four at the end. In the world where count is 7, Decisions and Cause say
// that the store s3 was lost, flushed before it was made (s2), and by which load it
// was missed.
//
// If the recovery stores to count without having read it, the store starts a list
// of the new generation on top of the open line. A second cut leaves a prefix of
// that; a load that the prefix does not cover falls through to the interval below.
//
// # What the machine does
//
//   - Running: Store, NTStore, Flush and Fence as the instructions retire, each
//     before the machine's own bytes change. With several cores Access before each
//     access of a line, loads included. Write for what goes past the cores.
//   - Looks: Memory.Look is called before a lower bound moves up and there is a
//     store that no look has seen. The machine calls Looked itself before a file
//     changes its name, size or content, before an acknowledgement and at the end.
//     Every state that a cut may leave between two looks is contained in one of
//     them. Digest tells looks apart. A look is: Cut.
//   - After the cut: OpenLines are out of the fast tables. Each access of one of
//     them asks Read; on choices fork, Narrow, retry. Open tells when a line is not
//     open any more; then, and only then, Read gives all its 64 bytes at once, and
//     the machine writes them to its own memory.
//   - The same calls as before record the next generation.
//
// A fork costs the same whatever was stored: all state is in tries whose nodes are
// copied when one side changes them. A record costs memory while its line is open.
//
// # Store buffers and write-combining buffers
//
// Config.StoreBuffer is how many retired stores and CLFLUSHes of a core may be
// invisible. At a cut all numbers of them that can have become visible are open, as
// one number a core: resolving it for one line decides about the others that the
// buffer holds (under eADR all of its stores; under ADR only how many CLFLUSHes
// have left, as a store that is visible and not written back is the same as one that
// is invisible). A store wider than 8 aligned bytes becomes visible in pieces in
// whatever order (rule 4): so one store adds not one candidate but one for each set
// of its pieces. Non-temporal stores are in a buffer for each line and leave it
// together or by pieces of 8 aligned bytes, each a prefix of what was stored to it;
// the buffer itself is not bounded, as more room only adds states.
//
// A litmus test that wants every outcome of loads as well sets a large store buffer,
// takes Commit, LeavePiece and FenceBuffered as steps of their own, and cuts with
// Lost. Config.Keep spares it a Source that changes.
//
// # Left out
//
// What the order in which stores retire decides: in a machine whose loads see
// retired stores at once, a core that touches a line first makes the other cores'
// stores and CLFLUSHes of it visible (Access). Other orders of visibility are other
// schedules. Whether a buffered CLFLUSH of another core may still wait then is such
// a choice too.
package worlds
