package imagefile

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
)

func newSum() hash.Hash { return sha256.New() }

// sumOf is the checksum of a header, as eight bytes.
func sumOf(b []byte) []byte {
	return binary.LittleEndian.AppendUint64(nil, uint64(crc32.Checksum(b[:hdSum], crcTable)))
}
