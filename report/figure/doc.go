// Package figure draws the report's figures from CSV text: verdicts over the
// instruction axis, dirty lines and flush time at the cut, overhead over PMEM
// read latency, and overhead per program. Each figure is a function of one CSV
// and of nothing else, so the CSV kept beside a figure is all that it shows.
//
// It wraps gonum/plot and adds what that lacks: hatched fills, bars that stand
// on a logarithmic axis, and strips. Series differ in grey level, hatch, dash and
// glyph, never in colour alone; violation is dark red, which stays the darkest
// fill in grey. SVG and PNG are byte-stable on one architecture: fixed sizes, no
// dates, no map order, the fonts are compiled in.
//
// It may import the standard library, gonum.org/v1/plot and crashinject/result
// (for the verdicts' names and order); it must not import the simulator.
package figure
