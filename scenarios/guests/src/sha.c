// SHA-256 (FIPS 180-4) of a generated buffer of 8 KiB, after its test vector "abc".
#include "sha256.h"

static u8 buffer[8192 + 128];

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
