package result

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Limits bounds what a Collector keeps. Zero fields take the defaults.
type Limits struct {
	Passes   int // kept passes; default 2000
	Failures int // kept points of each other verdict; default 2000
	Bins     int // histogram bins; default 100
}

func (l Limits) orDefaults() Limits {
	if l.Passes <= 0 {
		l.Passes = 2000
	}
	if l.Failures <= 0 {
		l.Failures = 2000
	}
	if l.Bins <= 0 {
		l.Bins = 100
	}
	return l
}

// Collector turns points, in any order, into the summary of a campaign. What it
// yields depends only on the set of points: workers keep one each and merge.
// It is not safe for concurrent use.
type Collector struct {
	from, to uint64
	limits   Limits
	counts   Counts
	bins     []Bin
	peak     Peak
	redrawn  uint64
	expected expected
	sum      [4]uint64 // sum of the points' SHA-256 modulo 2^256, little-endian words
	samples  [len(verdictRows)]sampler
	buf      []byte
}

// NewCollector returns a collector for cuts at from..to instructions, both included.
func NewCollector(from, to uint64, limits Limits) *Collector {
	if from > to || to-from == math.MaxUint64 {
		panic(fmt.Sprintf("BUG: collector over instructions %d..%d", from, to))
	}
	c := &Collector{from: from, to: to, limits: limits.orDefaults()}
	c.bins = makeBins(from, to, c.limits.Bins)
	for _, v := range Verdicts() {
		c.samples[v] = sampler{limit: c.limits.Failures, stride: 1}
	}
	c.samples[Pass].limit = c.limits.Passes
	return c
}

// makeBins divides from..to into at most n bins of equal width; the last may be narrower.
func makeBins(from, to uint64, n int) []Bin {
	last := to - from
	width := last/uint64(n) + 1
	bins := make([]Bin, 0, n)
	for lo := uint64(0); ; lo += width {
		hi := last
		if last-lo >= width {
			hi = lo + width - 1
		}
		bins = append(bins, Bin{From: from + lo, To: from + hi})
		if hi == last {
			return bins
		}
	}
}

// Add counts one point. A point without a verdict, with an unknown kind, outside
// the collector's range, or failed without a reason, is a bug of the caller.
func (c *Collector) Add(p Point) {
	if err := p.check(c.from, c.to); err != nil {
		panic("BUG: " + err.Error())
	}
	c.counts.Add(p.Verdict, 1)
	width := c.bins[0].To - c.bins[0].From + 1
	c.bins[(p.At-c.from)/width].Counts.Add(p.Verdict, 1)
	c.peak.include(&p)
	if p.Redrawn {
		c.redrawn++
	}
	c.buf = p.appendTo(c.buf[:0])
	c.sum = addWords(c.sum, words(sha256.Sum256(c.buf)))
	c.samples[p.Verdict].add(p)
	c.expected.add(&p)
}

// Merge adds what o collected, which must cover the same range with the same limits.
func (c *Collector) Merge(o *Collector) {
	if c.from != o.from || c.to != o.to || c.limits != o.limits || len(c.expected.shares) != len(o.expected.shares) {
		panic("BUG: merged collectors differ in range, limits or what they expect")
	}
	c.counts = c.counts.Plus(o.counts)
	for i := range c.bins {
		c.bins[i].Counts = c.bins[i].Counts.Plus(o.bins[i].Counts)
	}
	c.peak.merge(o.peak)
	c.redrawn += o.redrawn
	c.expected.merge(&o.expected)
	c.sum = addWords(c.sum, o.sum)
	for _, v := range Verdicts() {
		c.samples[v].merge(&o.samples[v])
	}
}

// Counts returns the verdicts so far.
func (c *Collector) Counts() Counts { return c.counts }

// FirstFailure returns the point with the smallest index so far that failed.
func (c *Collector) FirstFailure() (Point, bool) {
	var first Point
	found := false
	for _, v := range Verdicts() {
		s := &c.samples[v]
		if v.Failed() && s.any && (!found || s.first.Index < first.Index) {
			first, found = s.first, true
		}
	}
	return first, found
}

// Fill sets From, To, Points, Counts, Histogram, Peak, PointsDigest and Samples
// of rec. The caller sets the other fields and then calls Seal.
func (c *Collector) Fill(rec *Campaign) {
	rec.From, rec.To = c.from, c.to
	rec.Points = c.counts.Total()
	rec.Counts = c.counts
	rec.Histogram = slices.Clone(c.bins)
	rec.Peak, rec.Redrawn = c.peak, c.redrawn
	rec.PointsDigest = hexWords(c.sum)
	rec.Expected, rec.Unexpected, rec.Odd = slices.Clone(c.expected.shares), c.expected.other, c.expected.odd
	rec.Samples = []Point{}
	for _, v := range Verdicts() {
		rec.Samples = append(rec.Samples, c.samples[v].points()...)
	}
	slices.SortFunc(rec.Samples, byIndex)
}

func (p *Peak) include(q *Point) {
	p.merge(Peak{q.DirtyLines, q.DirtyPMEM, q.BufferedStores, q.FlushNanos, q.EnergyNJ, q.RecoverySteps})
}

func (p *Peak) merge(q Peak) {
	p.DirtyLines = max(p.DirtyLines, q.DirtyLines)
	p.DirtyPMEM = max(p.DirtyPMEM, q.DirtyPMEM)
	p.BufferedStores = max(p.BufferedStores, q.BufferedStores)
	p.FlushNanos = max(p.FlushNanos, q.FlushNanos)
	p.EnergyNJ = max(p.EnergyNJ, q.EnergyNJ)
	p.RecoverySteps = max(p.RecoverySteps, q.RecoverySteps)
}

// sampler keeps the points whose index is a multiple of stride, a power of two
// that doubles when more than limit are kept, and always the first point. The
// final stride is the smallest that fits the whole set, so order does not matter.
type sampler struct {
	limit  int
	stride uint64
	kept   []Point
	any    bool
	first  Point
}

func (s *sampler) add(p Point) {
	if !s.any || p.Index < s.first.Index {
		s.any, s.first = true, p
	}
	if p.Index%s.stride == 0 {
		s.kept = append(s.kept, p)
		s.thin()
	}
}

func (s *sampler) merge(o *sampler) {
	if o.any && (!s.any || o.first.Index < s.first.Index) {
		s.any, s.first = true, o.first
	}
	s.stride = max(s.stride, o.stride)
	s.kept = append(s.drop(s.kept), s.drop(slices.Clone(o.kept))...)
	s.thin()
}

func (s *sampler) thin() {
	for len(s.kept) > s.limit && s.stride < 1<<63 {
		s.stride *= 2
		s.kept = s.drop(s.kept)
	}
}

func (s *sampler) drop(points []Point) []Point {
	return slices.DeleteFunc(points, func(p Point) bool { return p.Index%s.stride != 0 })
}

func (s *sampler) points() []Point {
	if s.any && s.first.Index%s.stride != 0 {
		return append([]Point{s.first}, s.kept...)
	}
	return s.kept
}

func byIndex(a, b Point) int {
	switch {
	case a.Index < b.Index:
		return -1
	case a.Index > b.Index:
		return 1
	}
	return 0
}

func words(h [32]byte) (w [4]uint64) {
	for i := range w {
		w[i] = binary.LittleEndian.Uint64(h[8*i:])
	}
	return w
}

func addWords(a, b [4]uint64) (s [4]uint64) {
	var carry uint64
	for i := range a {
		s[i], carry = bits.Add64(a[i], b[i], carry)
	}
	return s
}

func hexWords(w [4]uint64) string {
	var b [32]byte
	for i, v := range w {
		binary.LittleEndian.PutUint64(b[8*i:], v)
	}
	return hex.EncodeToString(b[:])
}
