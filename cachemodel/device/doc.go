// Package device models memory devices that have a now: a request has a time at which it comes
// and one at which it is served. DRAM has channels, banks and open rows. Persistent memory has
// DIMMs, interleaved by 4 KiB, and each of them a 256-byte buffer (XPBuffer), an
// address-translation buffer, and a medium with one server for reads and one for writes.
//
// Times are picoseconds. Requests may come out of order, because the cores of a machine take
// turns: a server's calendar (Calendar) finds room for a late one before what is booked already.
//
// # Mechanisms and what they were fitted to
//
// Two servers of a DIMM, 39 ns for a read and 113 ns for a write of 256 bytes, give the
// bandwidth of one DIMM for both block sizes (LENS; FAST'20 figure 4). The XPBuffer replaces the
// older of two random lines; a line that is rewritten after all its pieces were written goes to the
// medium (FAST'20, XPBuffer capacity probe). A line whose pieces are read in order, as a stream
// does, is not kept (LENS, 256-byte blocks). A core's write-combining buffers and flushes
// reach the DIMM out of order, within a window (effective write ratio of sequential stores by
// one and four threads). What the LLC evicts comes out of order within a much larger window, as
// it does from hashed slices that are not LRU (effective write ratio of unflushed stores).
// A channel that was waited for by a fence is busy for a while: LENS and the fence-interval
// curves need twice as long for a non-temporal store and a fence as the idle latency says.
//
// That window and that replacement also let one DIMM's write bandwidth fall to a third with 24
// threads: streams mix in the buffer, and lines leave it before they are whole.
//
// Left out: the read queue, refresh and power throttling. LENS's writes of 64 bytes over regions
// of 8 to 16 KiB take up to twice what this gives; no mechanism was found for it.
//
// Imports: sim/det, sim/phys and the standard library; nothing here knows x86 or Linux.
package device
