package x86

import (
	"encoding/binary"

	"zhuque/cachemodel"
)

// featureBit is where CPUID reports a feature: subleaf 1 of leaf 0Dh, 0 of the others.
type featureBit struct {
	leaf uint32
	reg  int // RAX, RBX, RCX, RDX
	bit  uint
}

// featureBits maps Row.Feature to CPUID. A feature is advertised when at least
// one row carries its name; rows are entered family by family, complete.
var featureBits = map[string]featureBit{
	"FPU": {1, RDX, 0}, "TSC": {1, RDX, 4}, "CX8": {1, RDX, 8}, "CMOV": {1, RDX, 15}, "CLFSH": {1, RDX, 19},
	"MMX": {1, RDX, 23}, "FXSR": {1, RDX, 24}, "SSE": {1, RDX, 25}, "SSE2": {1, RDX, 26},
	"SSE3": {1, RCX, 0}, "PCLMULQDQ": {1, RCX, 1}, "SSSE3": {1, RCX, 9}, "FMA": {1, RCX, 12}, "CX16": {1, RCX, 13},
	"SSE4.1": {1, RCX, 19}, "SSE4.2": {1, RCX, 20}, "MOVBE": {1, RCX, 22}, "POPCNT": {1, RCX, 23}, "AES": {1, RCX, 25},
	"XSAVE": {1, RCX, 26}, "OSXSAVE": {1, RCX, 27}, "AVX": {1, RCX, 28}, "F16C": {1, RCX, 29}, "RDRAND": {1, RCX, 30},
	"FSGSBASE": {7, RBX, 0}, "BMI1": {7, RBX, 3}, "AVX2": {7, RBX, 5}, "BMI2": {7, RBX, 8}, "ERMS": {7, RBX, 9}, "RDSEED": {7, RBX, 18},
	"ADX": {7, RBX, 19}, "CLFLUSHOPT": {7, RBX, 23}, "CLWB": {7, RBX, 24}, "SHA": {7, RBX, 29},
	"RDPID": {7, RCX, 22}, "FSRM": {7, RDX, 4},
	"XSAVEOPT": {0x0D, RAX, 0}, "XSAVEC": {0x0D, RAX, 1}, "XGETBV1": {0x0D, RAX, 2},
	"LAHF": {0x80000001, RCX, 0}, "LZCNT": {0x80000001, RCX, 5}, "PREFETCHW": {0x80000001, RCX, 8}, "SYSCALL": {0x80000001, RDX, 11},
	"NX": {0x80000001, RDX, 20}, "RDTSCP": {0x80000001, RDX, 27}, "LM": {0x80000001, RDX, 29},
}

// featureLevel is the lowest level of processor that has a feature, V2 for those
// not listed.
var featureLevel = map[string]Level{
	"AVX": V3, "AVX2": V3, "FMA": V3, "F16C": V3, "XSAVE": V3, "OSXSAVE": V3, "XSAVEOPT": V3, "XSAVEC": V3, "XGETBV1": V3,
}

// extraFeatures are advertised without rows of their own.
var extraFeatures = []string{"ERMS", "FSRM", "NX", "LM", "OSXSAVE", "XGETBV1"}

const brand = "Zhuque Sim x86-64 processor"

// cpuidLeaf is EAX, EBX, ECX and EDX of one leaf, indexed by RAX, RCX, RDX, RBX.
type cpuidLeaf [4]uint32

const (
	maxBasic    = 0x16
	maxExtended = 0x80000008
)

var featureLeaves = [levels]map[uint32]*cpuidLeaf{{1: {}, 7: {}, 0x0D: {}, 0x80000001: {}},
	{1: {}, 7: {}, 0x0D: {}, 0x80000001: {}}}

func init() {
	set := func(name string) {
		if b, ok := featureBits[name]; ok {
			for l := featureLevel[name]; l < levels; l++ {
				featureLeaves[l][b.leaf][b.reg] |= 1 << b.bit
			}
		}
	}
	for i := range rows {
		set(rows[i].Feature)
	}
	for _, f := range extraFeatures {
		set(f)
	}
}

// cpuidValues returns what CPUID gives for a leaf and subleaf; zeros where
// nothing is defined.
func (l Level) cpuidValues(leaf, sub uint32) (r cpuidLeaf) {
	word := func(s string) uint32 { return binary.LittleEndian.Uint32([]byte(s)) }
	switch {
	case leaf > maxExtended || leaf > maxBasic && leaf < 0x80000000:
		leaf = 0x0B // beyond the last leaf Intel returns the last basic one: all zero here
	case leaf == 7 && sub != 0:
		return r
	}
	if f := featureLeaves[l][leaf]; f != nil {
		r = *f
	}
	switch leaf {
	case 0:
		r = cpuidLeaf{RAX: maxBasic, RBX: word("Genu"), RDX: word("ineI"), RCX: word("ntel")}
	case 1:
		r[RAX] = 0x50657 // family 6, model 0x55, stepping 7: the first server that had PMEM
		r[RBX] = 8 << 8  // CLFLUSH line of 8 quadwords, APIC 0, one logical processor
	case 4:
		r = cacheLeaf(sub)
	case 0x0D:
		if r = stateLeaf(sub, r[RAX]); l < V3 {
			r = cpuidLeaf{}
		}
	case 0x80000000:
		r[RAX] = maxExtended
	case 0x80000002, 0x80000003, 0x80000004:
		var text [48]byte
		copy(text[:], brand)
		part := text[(leaf-0x80000002)*16:]
		for i, reg := range []int{RAX, RBX, RCX, RDX} {
			r[reg] = binary.LittleEndian.Uint32(part[4*i:])
		}
	case 0x80000006:
		r[RCX] = 1024<<16 | 8<<12 | 64 // L2: KiB, associativity code, line size
	case 0x80000008:
		r[RAX] = 48<<8 | 42
	}
	return r
}

// cacheLeaf is leaf 4: 32 KiB L1D and L1I, 1 MiB L2, 16 MiB L3. The C library
// chooses copy strategies by it; the modelled hierarchy may differ.
func cacheLeaf(sub uint32) (r cpuidLeaf) {
	caches := []struct{ kind, level, ways, sets uint32 }{{1, 1, 8, 64}, {2, 1, 8, 64}, {3, 2, 16, 1024}, {3, 3, 16, 16384}}
	if sub >= uint32(len(caches)) {
		return r
	}
	k := caches[sub]
	r[RAX] = k.kind | k.level<<5 | 1<<8
	r[RBX] = (k.ways-1)<<22 | 63
	r[RCX] = k.sets - 1
	return r
}

// stateLeaf is leaf 0Dh, the layout of the XSAVE area: the FXSAVE image, a header
// of 64 bytes, and the upper halves of the YMM registers. XCR0 enables all three.
func stateLeaf(sub, features uint32) (r cpuidLeaf) {
	switch sub {
	case 0:
		r[RAX], r[RBX], r[RCX] = xcr0, xsaveSize, xsaveSize
	case 1: // the compacted format is no shorter
		r[RAX], r[RBX] = features, xsaveSize
	case 2:
		r[RAX], r[RBX] = ymmSize, ymmOffset
	}
	return r
}

func cpuid(c *CPU, _ *Inst) {
	r := c.level.cpuidValues(uint32(c.R[RAX]), uint32(c.R[RCX]))
	c.Port.Fence(cachemodel.Serialize)
	for i, v := range r {
		c.R[i] = uint64(v)
	}
}
