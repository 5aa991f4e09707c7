// Integer arithmetic in registers: carries, divisions, shifts, wide products;
// a line of output every so often.
#include "guest.h"

GUEST("counter")
{
	u64 seed = 1, lo = 0, hi = 0, quotients = 0, bits = 0;
	for (u64 i = 1; i <= 16000; i++) {
		u64 r = next_random(&seed), d = r % 1000 + 1;
		unsigned __int128 wide = (unsigned __int128)r * (r ^ i);
		lo += (u64)wide;
		hi += (u64)(wide >> 64) + (lo < (u64)wide);
		quotients += r / d - (u64)((i64)r / (i64)d);
		CHECK(r == r / d * d + r % d);
		bits += __builtin_clzl(r) + (r << (i & 63) >> 60) + (u32)((u32)r << 5 | (u32)r >> 27);
		if (i % 2000 == 0)
			print_hex("sum", mix(mix(lo, hi), mix(quotients, bits)));
	}
}
