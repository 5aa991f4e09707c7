// Package det holds what makes a run repeatable: seeded random streams keyed by
// name, and digests of state. It is a leaf: no wall clock, no global random
// source, nothing that depends on the host.
package det

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math/rand/v2"
)

// Stream returns the random stream called name of a seed. Streams of different
// names are independent, so a new draw in one place shifts no other.
func Stream(seed uint64, name string) *rand.Rand {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	h := sha256.Sum256(append(b[:], name...))
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(h[0:]), binary.LittleEndian.Uint64(h[8:])))
}

// Digest accumulates state into a SHA-256 hash. Values are length- or
// width-delimited, so that different sequences never collide by concatenation.
type Digest struct{ h hash.Hash }

// NewDigest returns an empty digest.
func NewDigest() *Digest { return &Digest{h: sha256.New()} }

// U64 adds one number.
func (d *Digest) U64(v uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	d.h.Write(b[:])
}

// Bytes adds a byte string and its length.
func (d *Digest) Bytes(b []byte) {
	d.U64(uint64(len(b)))
	d.h.Write(b)
}

// String adds a string and its length.
func (d *Digest) String(s string) { d.Bytes([]byte(s)) }

// Sum returns the digest so far in hexadecimal.
func (d *Digest) Sum() string { return hex.EncodeToString(d.h.Sum(nil)) }
