// Floating point whose state stays live over long loops: seven values on the
// x87 stack, sums in XMM registers, rounding and precision control away from
// their defaults. Results are printed bit by bit; only operations that are
// exactly defined are used.
#include "guest.h"

static void set_fcw(u16 w)
{
	__asm__ volatile("fldcw %0" : : "m"(w));
}

static void set_mxcsr(u32 w)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(w) : "memory");
}

static u16 get_fcw(void)
{
	u16 w;
	__asm__ volatile("fnstcw %0" : "=m"(w));
	return w;
}

static u32 get_mxcsr(void)
{
	u32 w;
	__asm__ volatile("stmxcsr %0" : "=m"(w));
	return w;
}

// stack_full keeps seven values on the x87 stack over the whole loop, the eighth
// register comes and goes, and returns a checksum of the ten bytes of each.
static u64 stack_full(u64 rounds)
{
	static const double start[7] = { 1.5, 3.0, 0.1, 7.25, 1e-3, 2.0, 0.7 };
	struct __attribute__((packed)) {
		u64 mant;
		u16 se;
	} left[7];
	u64 sum = 0;
	__asm__ volatile("fldl 48(%[s])\n\tfldl 40(%[s])\n\tfldl 32(%[s])\n\tfldl 24(%[s])\n\t"
			 "fldl 16(%[s])\n\tfldl 8(%[s])\n\tfldl (%[s])\n"
			 "1:\n\t"
			 "fld %%st\n\t"
			 "fmul %%st(3), %%st\n\t"
			 "fadd %%st(6), %%st\n\t"
			 "fsqrt\n\t"
			 "fxch %%st(7)\n\t"
			 "fdivr %%st(1), %%st\n\t"
			 "faddp %%st, %%st(1)\n\t"
			 "fxch %%st(2)\n\t"
			 "fxch %%st(5)\n\t"
			 "fxch %%st(6)\n\t"
			 "fxch %%st(1)\n\t"
			 "dec %[n]\n\t"
			 "jnz 1b\n\t"
			 "fstpt (%[l])\n\tfstpt 10(%[l])\n\tfstpt 20(%[l])\n\tfstpt 30(%[l])\n\t"
			 "fstpt 40(%[l])\n\tfstpt 50(%[l])\n\tfstpt 60(%[l])\n"
			 : [n] "+r"(rounds)
			 : [s] "r"(start), [l] "r"(left)
			 : "memory", "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
	for (int i = 0; i < 7; i++) {
		CHECK((left[i].se & 0x7fff) > 0x3ff0 && (left[i].se & 0x7fff) < 0x4010);
		sum = mix(mix(sum, left[i].mant), left[i].se);
	}
	return sum;
}

// packed_sums keeps four XMM accumulators in registers over the whole loop.
static u64 packed_sums(u64 rounds)
{
	static const double step[2] __attribute__((aligned(16))) = { 0.1, 1.0 / 3 };
	static const double one[2] __attribute__((aligned(16))) = { 1.0, 1.0 };
	static const double tiny[2] __attribute__((aligned(16))) = { 3e-308, 4e-308 };
	u64 left[10] __attribute__((aligned(16))), sum = 0;
	__asm__ volatile("movapd (%[s]), %%xmm0\n\t"
			 "movapd (%[o]), %%xmm1\n\t"
			 "movapd %%xmm1, %%xmm2\n\t"
			 "movapd %%xmm0, %%xmm3\n\t"
			 "xorpd %%xmm7, %%xmm7\n"
			 "1:\n\t"
			 "addpd (%[s]), %%xmm0\n\t"
			 "movapd %%xmm0, %%xmm4\n\t"
			 "divpd %%xmm0, %%xmm1\n\t"
			 "addpd (%[o]), %%xmm1\n\t"
			 "sqrtpd %%xmm4, %%xmm4\n\t"
			 "mulpd %%xmm1, %%xmm4\n\t"
			 "addpd %%xmm4, %%xmm2\n\t"
			 "cvtpd2ps %%xmm4, %%xmm5\n\t"
			 "cvtps2pd %%xmm5, %%xmm5\n\t"
			 "subpd %%xmm5, %%xmm3\n\t"
			 "movapd (%[t]), %%xmm6\n\t" // becomes denormal, unless flushed to zero
			 "divpd %%xmm0, %%xmm6\n\t"
			 "addpd %%xmm6, %%xmm7\n\t"
			 "dec %[n]\n\t"
			 "jnz 1b\n\t"
			 "movapd %%xmm0, (%[l])\n\t"
			 "movapd %%xmm1, 16(%[l])\n\t"
			 "movapd %%xmm2, 32(%[l])\n\t"
			 "movapd %%xmm3, 48(%[l])\n\t"
			 "movapd %%xmm7, 64(%[l])\n"
			 : [n] "+r"(rounds)
			 : [s] "r"(step), [o] "r"(one), [t] "r"(tiny), [l] "r"(left)
			 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
	for (int i = 0; i < 10; i++)
		sum = mix(sum, left[i]);
	return sum;
}

static long double harmonic(u64 n)
{
	volatile long double one = 1.0L;
	long double sum = 0;
	for (u64 i = 1; i <= n; i++)
		sum += one / (long double)(i64)i;
	return sum;
}

GUEST("fpu")
{
	CHECK(get_fcw() == 0x37f);
	CHECK(get_mxcsr() == 0x1f80);
	for (u32 mode = 0; mode < 8; mode++) {
		u32 round = mode & 3;
		// Precision is 53 bits in the first four modes and 64 in the others.
		u16 fcw = 0x7f | (mode < 4 ? 0x200 : 0x300) | round << 10;
		u32 mxcsr = 0x1f80 | round << 13 | (mode & 4 ? 0x8040 : 0);
		set_fcw(fcw);
		set_mxcsr(mxcsr);
		print_hex("x87 stack", stack_full(2500));
		print_hex("packed", packed_sums(2500));
		union {
			long double v;
			u64 w[2];
		} h = { .w = { 0, 0 } };
		h.v = harmonic(1000);
		print_hex("harmonic", h.w[0]);
		CHECK(get_fcw() == fcw);
		CHECK((get_mxcsr() & 0xffc0) == (mxcsr & 0xffc0));
		print_hex("control", (u64)get_fcw() << 32 | get_mxcsr());
	}
}
