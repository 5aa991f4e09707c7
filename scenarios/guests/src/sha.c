// SHA-256 (FIPS 180-4) of a generated buffer of 8 KiB, after its test vector "abc".
#include "guest.h"

static u32 k[64], state[8];
static u8 buffer[8192 + 128];

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

static void block(const u8 *p)
{
	u32 w[64], v[8];
	for (int i = 0; i < 16; i++)
		w[i] = (u32)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		u32 a = w[i - 15], b = w[i - 2];
		w[i] = w[i - 16] + (rotr(a, 7) ^ rotr(a, 18) ^ a >> 3) + w[i - 7] + (rotr(b, 17) ^ rotr(b, 19) ^ b >> 10);
	}
	for (int i = 0; i < 8; i++)
		v[i] = state[i];
	for (int i = 0; i < 64; i++) {
		u32 e = v[4], a = v[0];
		u32 t1 = v[7] + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & v[5]) ^ (~e & v[6])) + k[i] + w[i];
		u32 t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
		for (int j = 7; j > 0; j--)
			v[j] = v[j - 1];
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		state[i] += v[i];
}

static void digest(u8 *p, u64 n)
{
	u64 padded = (n + 9 + 63) / 64 * 64;
	constants();
	p[n] = 0x80;
	for (u64 i = n + 1; i < padded; i++)
		p[i] = 0;
	for (int i = 0; i < 8; i++)
		p[padded - 1 - i] = n * 8 >> (8 * i);
	for (u64 i = 0; i < padded; i += 64)
		block(p + i);
}

GUEST("sha")
{
	u64 seed = 256;
	buffer[0] = 'a', buffer[1] = 'b', buffer[2] = 'c';
	digest(buffer, 3);
	CHECK(state[0] == 0xba7816bf && state[7] == 0xf20015ad);
	for (u64 i = 0; i < 8192; i++)
		buffer[i] = next_random(&seed);
	digest(buffer, 8192);
	for (int i = 0; i < 8; i++)
		say_number(state[i], 16, 8);
	say_end();
}
