// SHA-256 of a message of argv[1] pieces of 4 KiB, in the form of the textbooks:
// what the processor does with rotations, logic and additions in registers.
#include "rounds.h"
#include "sha256.h"

enum { PIECE = 4096 };

static u8 piece[PIECE];

static void block(const u8 *p)
{
	u32 w[64];
	for (int i = 0; i < 16; i++)
		w[i] = (u32)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		u32 x = w[i - 15], y = w[i - 2];
		w[i] = w[i - 16] + (rotr(x, 7) ^ rotr(x, 18) ^ x >> 3) + w[i - 7] + (rotr(y, 17) ^ rotr(y, 19) ^ y >> 10);
	}
	u32 a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
	for (int i = 0; i < 64; i++) {
		u32 t1 = h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i];
		u32 t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
		h = g, g = f, f = e, e = d + t1;
		d = c, c = b, b = a, a = t1 + t2;
	}
	state[0] += a, state[1] += b, state[2] += c, state[3] += d;
	state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

GUEST("bench-sha256")
{
	u64 n = rounds(4), seed = 256;
	constants();
	for (int i = 0; i < PIECE; i++)
		piece[i] = next_random(&seed);
	for (u64 i = 0; i < n; i++)
		for (int at = 0; at < PIECE; at += 64)
			block(piece + at);
	u8 last[64] = {0x80};
	for (int i = 0; i < 8; i++)
		last[63 - i] = n * PIECE * 8 >> (8 * i);
	block(last);
	for (int i = 0; i < 8; i++)
		say_number(state[i], 16, 8);
	say_end();
}
