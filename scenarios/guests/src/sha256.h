// The constants of SHA-256 (FIPS 180-4), computed.
#ifndef SHA256_H
#define SHA256_H

#include "guest.h"

static u32 k[64], state[8];

static u32 rotr(u32 v, int n)
{
	return v >> n | v << (32 - n);
}

// fraction returns the first 32 bits of the fraction of the square (power 2) or
// cube root of p: the standard's constants, found by bisection.
static u32 fraction(u64 p, int power)
{
	u64 root = 0; // fixed point, 32 bits after the point
	for (int bit = 36; bit >= 0; bit--) {
		u64 t = root | 1UL << bit;
		unsigned __int128 v = (unsigned __int128)t * t, limit = (unsigned __int128)p << 64;
		if (power == 3)
			v *= t, limit <<= 32; // 108 bits at most
		if (v < limit)
			root = t;
	}
	return root;
}

static void constants(void)
{
	int n = 0;
	for (u64 p = 2; n < 64; p++) {
		int prime = 1;
		for (u64 d = 2; d * d <= p; d++)
			prime &= p % d != 0;
		if (!prime)
			continue;
		if (n < 8)
			state[n] = fraction(p, 2);
		k[n++] = fraction(p, 3);
	}
}

#endif
