// Four YMM registers live over a long loop, with all 256 bits in use, and a ring
// of 256-bit loads and stores. Scalar code computes the same, as a check of the
// first part and for all of them where the processor has no AVX2. (A kernel that
// knows these registers enables them unless it was told not to, so CPUID alone is
// asked.)
#include "guest.h"

enum { PARTS = 8, ROUNDS = 2000, SLOTS = 64 };

struct work {
	u32 v[4][8]; // the four registers
	u32 ring[SLOTS][8];
};

static int has_avx2(void)
{
	u32 a = 1, b, c = 0, d;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	u32 avx = c >> 28 & 1;
	a = 0;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	if (!avx || a < 7)
		return 0;
	a = 7, c = 0;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b >> 5 & 1;
}

static void start(struct work *w)
{
	u64 seed = 0x9E3779B97F4A7C15;
	for (int i = 0; i < 4; i++)
		for (int k = 0; k < 8; k++)
			w->v[i][k] = next_random(&seed);
	for (int i = 0; i < SLOTS; i++)
		for (int k = 0; k < 8; k++)
			w->ring[i][k] = next_random(&seed);
}

// A round adds, rotates bits, moves quadwords across the halves and exchanges one
// value with the ring.
static void vector(struct work *w, u64 rounds)
{
	u64 at = 0;
	__asm__ volatile("vmovdqu (%[w]), %%ymm0\n\t"
			 "vmovdqu 32(%[w]), %%ymm1\n\t"
			 "vmovdqu 64(%[w]), %%ymm2\n\t"
			 "vmovdqu 96(%[w]), %%ymm3\n"
			 "1:\n\t"
			 "vpaddd %%ymm1, %%ymm0, %%ymm0\n\t"
			 "vpslld $7, %%ymm2, %%ymm4\n\t"
			 "vpsrld $25, %%ymm2, %%ymm5\n\t"
			 "vpor %%ymm4, %%ymm5, %%ymm4\n\t"
			 "vpxor %%ymm4, %%ymm1, %%ymm1\n\t"
			 "vpermq $0x93, %%ymm2, %%ymm2\n\t"
			 "vpaddd %%ymm0, %%ymm2, %%ymm2\n\t"
			 "vpxor 128(%[w],%[at]), %%ymm3, %%ymm3\n\t"
			 "vmovdqu %%ymm0, 128(%[w],%[at])\n\t"
			 "vpaddd %%ymm2, %%ymm3, %%ymm3\n\t"
			 "vpmulld %%ymm3, %%ymm1, %%ymm1\n\t"
			 "add $32, %[at]\n\t"
			 "and %[mask], %[at]\n\t"
			 "dec %[n]\n\t"
			 "jnz 1b\n\t"
			 "vmovdqu %%ymm0, (%[w])\n\t"
			 "vmovdqu %%ymm1, 32(%[w])\n\t"
			 "vmovdqu %%ymm2, 64(%[w])\n\t"
			 "vmovdqu %%ymm3, 96(%[w])\n\t"
			 "vzeroupper\n"
			 : [n] "+r"(rounds), [at] "+r"(at)
			 : [w] "r"(w), [mask] "i"(SLOTS * 32 - 1)
			 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5");
}

static void scalar(struct work *w, u64 rounds)
{
	for (u64 at = 0; rounds; rounds--, at = (at + 1) % SLOTS) {
		u32 *v0 = w->v[0], *v1 = w->v[1], *v2 = w->v[2], *v3 = w->v[3], moved[8];
		for (int k = 0; k < 8; k++) {
			v0[k] += v1[k];
			v1[k] ^= v2[k] << 7 | v2[k] >> 25;
			moved[k] = v2[(k + 6) % 8];
		}
		for (int k = 0; k < 8; k++) {
			v2[k] = moved[k] + v0[k];
			v3[k] ^= w->ring[at][k];
			w->ring[at][k] = v0[k];
			v3[k] += v2[k];
			v1[k] *= v3[k];
		}
	}
}

static u64 digest(const struct work *w)
{
	u64 sum = 0;
	for (u64 i = 0; i < sizeof *w / sizeof(u32); i++)
		sum = mix(sum, ((const u32 *)w)[i]);
	return sum;
}

GUEST("ymm")
{
	static struct work one, other;
	int vectors = has_avx2();
	start(&one);
	start(&other);
	for (int part = 0; part < PARTS; part++) {
		u64 rounds = part == 0 ? ROUNDS / 10 : ROUNDS; // the scalar ones are slow
		if (!vectors || part == 0)
			scalar(&one, rounds);
		if (vectors)
			vector(&other, rounds);
		CHECK(!vectors || part > 0 || digest(&one) == digest(&other));
		print_hex("state", digest(vectors ? &other : &one));
	}
}
