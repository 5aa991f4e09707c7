package x86

// SSSE3. Like the functions in exec_sse_int.go these work on quadwords, so that
// the same one serves MMX and XMM registers.

// pshufb64 picks bytes of a by the low three bits of b's bytes.
func pshufb64(a, b uint64) (r uint64) {
	for sh := uint(0); sh < 64; sh += 8 {
		r |= a >> (b >> sh & 7 * 8) & 0xFF << sh
	}
	return r &^ fill(b&high8, 8)
}

func shuffleBytes(a, b x128, _ uint64) x128 {
	pick := func(b uint64) (r uint64) {
		for sh := uint(0); sh < 64; sh += 8 {
			i := b >> sh
			r |= a.quad(i>>3) >> (i & 7 * 8) & 0xFF << sh
		}
		return r &^ fill(b&high8, 8)
	}
	return x128{pick(b.lo), pick(b.hi)}
}

// even16 gathers the even words of lo and hi, odd16 the odd ones.
func even16(lo, hi uint64) uint64 {
	const m = 0x0000FFFF0000FFFF
	lo, hi = lo&m, hi&m
	return low32(lo|lo>>16) | (hi|hi>>16)<<32
}

func odd16(lo, hi uint64) uint64  { return even16(lo>>16, hi>>16) }
func even32(lo, hi uint64) uint64 { return low32(lo) | hi<<32 }
func odd32(lo, hi uint64) uint64  { return even32(lo>>32, hi>>32) }

// Neighbours of both operands combined: those of lo into the lower half.

func addPairs16(lo, hi uint64) uint64 { return addLanes(even16(lo, hi), odd16(lo, hi), high16) }
func subPairs16(lo, hi uint64) uint64 { return subLanes(even16(lo, hi), odd16(lo, hi), high16) }
func addPairs32(lo, hi uint64) uint64 { return addLanes(even32(lo, hi), odd32(lo, hi), high32) }
func subPairs32(lo, hi uint64) uint64 { return subLanes(even32(lo, hi), odd32(lo, hi), high32) }

func addPairsSat16(lo, hi uint64) uint64 {
	return addSignedSat(even16(lo, hi), odd16(lo, hi), high16, 16)
}

func subPairsSat16(lo, hi uint64) uint64 {
	return subSignedSat(even16(lo, hi), odd16(lo, hi), high16, 16)
}

// mulAdd8 multiplies unsigned bytes of a by signed ones of b and adds
// neighbouring products with saturation.
func mulAdd8(a, b uint64) (r uint64) {
	for sh := uint(0); sh < 64; sh += 16 {
		p := int32(a>>sh&0xFF) * int32(int8(b>>sh))
		q := int32(a>>(sh+8)&0xFF) * int32(int8(b>>(sh+8)))
		r |= uint64(uint16(min(max(p+q, -32768), 32767))) << sh
	}
	return r
}

// mulHighRound16 rounds the product of two Q15 fractions.
func mulHighRound16(a, b uint64) (r uint64) {
	for sh := uint(0); sh < 64; sh += 16 {
		p := int32(int16(a>>sh)) * int32(int16(b>>sh))
		r |= uint64(uint16((p>>14+1)>>1)) << sh
	}
	return r
}

// signLanes gives the elements of a the signs of b's: negated, zero or as they are.
func signLanes(a, b, high uint64, width uint) uint64 {
	neg := fill(b&high, width)
	return subLanes(a^neg, neg, high) &^ equalLanes(b, 0, high, width)
}

// absLanes returns the absolute values of b's elements.
func absLanes(_, b, high uint64, width uint) uint64 {
	neg := fill(b&high, width)
	return subLanes(b^neg, neg, high)
}

// alignRight shifts hi:lo right by n bytes and returns the lower half.
func alignRight(hi, lo, n uint64) uint64 {
	switch {
	case n >= 16:
		return 0
	case n >= 8:
		return hi >> (8 * (n - 8))
	}
	return lo>>(8*n) | hi<<(64-8*n)
}

func palignrMM(c *CPU, in *Inst) {
	b := c.sourceMM(in)
	c.setMM(in.reg, alignRight(c.mm(in.reg), b, in.imm&0xFF))
}

func alignBytes(a, b x128, imm uint64) x128 {
	q := [6]uint64{b.lo, b.hi, a.lo, a.hi}
	i, n := imm&0xFF>>3, imm&7
	if i > 3 {
		return x128{}
	}
	return x128{alignRight(q[i+1], q[i], n), alignRight(q[i+2], q[i+1], n)}
}
