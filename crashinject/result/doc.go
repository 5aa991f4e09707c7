// Package result holds the plain records of what was run: crash points,
// campaigns, uncut runs, overhead curves, and the document that carries them
// from the campaign runner to the report. It decides nothing about a machine; it
// imports only the standard library and sim/phys, and must not import sim,
// runtime, eadr or crashinject, so that a report can be made where no simulator is.
//
// A campaign runner gives every judged Point to a Collector (one per worker,
// merged at the end), calls Fill and Seal on its Campaign, and Save on the
// Document:
//
//	c := result.NewCollector(from, to, result.Limits{})
//	c.Add(point) // in any order
//	c.Fill(&campaign)
//	campaign.Seal()
//
// # Verdicts
//
// A point has exactly one of seven verdicts, each with an exit status: pass 0,
// violation 10, detected 11, unsupported 12, simbug 13, timeout 14, unreached 15. The zero
// value is none of them and cannot be written, so a point that nobody judged
// never counts as a pass. A campaign reports its worst verdict (Counts.Worst).
//
// # What is kept
//
// Campaigns reach millions of points. Counts, Histogram, Peak and PointsDigest
// cover all of them. Samples is bounded: for each verdict the first point and
// the points whose index is a multiple of a power of two, the smallest that fits
// the limit. Below the limit (2000 by default) every point is kept.
//
// # Digests
//
// PointsDigest is the sum modulo 2^256 of the SHA-256 of all points, and so does
// not depend on the order in which workers finish. Digest hashes it with the
// campaign's header and totals. Wall time, rates, the number of workers and the
// replay command are left out: one seed gives one digest on any host. The
// digests find accidents; they are no protection against intent.
//
// # JSON
//
// A document is one JSON object. Keys are in snake_case and never change within
// a version. Numbers are whole unless said otherwise; sizes and times are in the
// unit that the key names and are never scaled. "seed" is a decimal string.
//
//	schema, version     "zhuque-sim-result", 1
//	title               text, optional
//	contents            which points the document has, in words, optional
//	environment[]       name, value: facts that the caller states
//	commands[]          command lines that made the document
//	campaigns[]
//	  name, program, args[], config{}, strategy, seed
//	  from, to          instruction counts at which cuts fall, both included
//	  mutant            planted bug, absent for the real runtime
//	  expect            verdict that every point must have on a platform that is
//	                    broken on purpose, absent otherwise
//	  instructions      length of the uncut run
//	  points            points judged
//	  counts            pass, violation, detected, unsupported, simbug, timeout, unreached
//	  histogram[]       from, to (both included), counts
//	  peak              largest dirty_lines, dirty_pmem, buffered_stores,
//	                    flush_nanos, energy_nj, recovery_steps of any point
//	  points_digest, digest   hexadecimal
//	  samples[]         index, at, kind, step, verdict, reason, plan,
//	                    dirty_lines, dirty_pmem, buffered_stores, flush_nanos,
//	                    energy_nj, recovery_steps, memory_pages_compared, tail
//	  wall_seconds, points_per_second   decimal numbers, host time
//	  workers, replay
//	runs[]
//	  name, program, args[], config{}, instructions, cycles, digest, exit_status
//	  wall_seconds, instructions_per_second   decimal numbers, host time
//	  counters          an object with the model's own names
//	overheads[]
//	  program
//	  points[]          system, pmem_latency_nanos, cycles, instructions,
//	                    relative_to_native, n, low, high
//	params[]            name, value, unit, status (cited, measured, assumed),
//	                    source, range
//
// kind is instruction, rep, runtime, powerfail or recovery. A reader refuses a
// higher version, an unknown key, and a document whose sums or digests disagree.
package result
