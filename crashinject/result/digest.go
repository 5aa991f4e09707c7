package result

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
)

// Seal computes Digest from the header, the range, the counts, the peak, the
// histogram and PointsDigest. Two runs of one campaign seal to the same value on
// any host and with any number of workers.
func (c *Campaign) Seal() { c.Digest = c.digest() }

func (c *Campaign) digest() string {
	b := appendStrings(nil, c.Name, c.Program, c.Strategy, c.Mutant, c.PointsDigest)
	b = appendNumbers(b, uint64(len(c.Args)))
	b = appendStrings(b, c.Args...)
	b = appendNumbers(b, uint64(len(c.Config)))
	for _, k := range slices.Sorted(maps.Keys(c.Config)) {
		b = appendStrings(b, k, c.Config[k])
	}
	b = appendNumbers(b, c.Seed, c.From, c.To, c.Instructions, c.Points, uint64(c.Expect))
	b = c.Counts.appendTo(b)
	p := &c.Peak
	b = appendNumbers(b, p.DirtyLines, p.DirtyPMEM, p.BufferedStores,
		uint64(p.FlushNanos), uint64(p.EnergyNJ), p.RecoverySteps)
	b = appendNumbers(b, uint64(len(c.Histogram)))
	for i := range c.Histogram {
		b = appendNumbers(b, c.Histogram[i].From, c.Histogram[i].To)
		b = c.Histogram[i].Counts.appendTo(b)
	}
	for _, s := range c.Expected { // records from before there was that keep their digests
		b = appendStrings(appendNumbers(b, uint64(s.Verdict), s.Least, s.Most, s.Points), s.Reason)
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func (c Counts) appendTo(b []byte) []byte {
	b = appendNumbers(b, c.Pass, c.Violation, c.Detected, c.Unsupported, c.SimBug, c.Timeout)
	if c.Unreached != 0 { // records from before there was that verdict keep their digests
		b = appendNumbers(b, c.Unreached)
	}
	return b
}

// appendTo appends all of p in a form in which different points never coincide.
func (p *Point) appendTo(b []byte) []byte {
	tail := uint64(0)
	if p.Tail {
		tail = 1
	}
	b = appendNumbers(b, p.Index, p.At, p.Step, uint64(p.Verdict), p.DirtyLines, p.DirtyPMEM, p.BufferedStores,
		uint64(p.FlushNanos), uint64(p.EnergyNJ), p.RecoverySteps, p.MemoryPagesCompared, tail)
	return appendStrings(b, string(p.Kind), p.Reason, p.Plan)
}

func appendNumbers(b []byte, v ...uint64) []byte {
	for _, n := range v {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return b
}

func appendStrings(b []byte, v ...string) []byte {
	for _, s := range v {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

func (p *Point) hash() [32]byte { return sha256.Sum256(p.appendTo(nil)) }
