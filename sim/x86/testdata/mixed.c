// Freestanding test program: SHA-256, an open-addressing hash map, sorting,
// 64- and 128-bit arithmetic. It exits with 0 when every answer is right, else
// with the number of the failed part.
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;
typedef __int128 i128;

#ifndef ROUNDS
#define ROUNDS 20
#endif
#ifndef ONLY // the number of the one part that is to run
#define ONLY 0
#endif
#define RUN(n) if (ONLY == 0 || ONLY == n)

static void exit_with(long code) {
	__asm__ volatile("syscall" : : "a"(60L), "D"(code) : "rcx", "r11", "memory");
	__builtin_unreachable();
}

void *memset(void *d, int c, u64 n) {
	void *r = d;
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
	return r;
}
void *memcpy(void *d, const void *s, u64 n) {
	void *r = d;
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
	return r;
}

static const u32 K[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

#define ROR(x, n) ((x) >> (n) | (x) << (32 - (n)))

static void sha_block(u32 *h, const u8 *p) {
	u32 w[64];
	for (int i = 0; i < 16; i++)
		w[i] = (u32)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		u32 s0 = ROR(w[i - 15], 7) ^ ROR(w[i - 15], 18) ^ w[i - 15] >> 3;
		u32 s1 = ROR(w[i - 2], 17) ^ ROR(w[i - 2], 19) ^ w[i - 2] >> 10;
		w[i] = w[i - 16] + s0 + w[i - 7] + s1;
	}
	u32 a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], x = h[7];
	for (int i = 0; i < 64; i++) {
		u32 t1 = x + (ROR(e, 6) ^ ROR(e, 11) ^ ROR(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i];
		u32 t2 = (ROR(a, 2) ^ ROR(a, 13) ^ ROR(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
		x = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
	}
	h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e, h[5] += f, h[6] += g, h[7] += x;
}

static u8 message[4096];

static u32 sha(u32 *h, u64 blocks) {
	static const u32 iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	for (int i = 0; i < 8; i++)
		h[i] = iv[i];
	for (u64 i = 0; i < blocks; i++)
		sha_block(h, message + 64 * (i & 63));
	return h[0];
}

#define SLOTS (1 << 16)
static struct { u64 key, value; } map[SLOTS];

static u64 *slot(u64 key) {
	u64 i = key * 0x9E3779B97F4A7C15ul >> 48;
	while (map[i].key && map[i].key != key)
		i = (i + 1) & (SLOTS - 1);
	map[i].key = key;
	return &map[i].value;
}

static u64 rng;
static u64 next(void) {
	rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
	return rng;
}

static u32 array[4096];

static void sort(u32 *a, long lo, long hi) {
	while (lo < hi) {
		u32 pivot = a[(lo + hi) / 2];
		long i = lo, j = hi;
		while (i <= j) {
			while (a[i] < pivot) i++;
			while (a[j] > pivot) j--;
			if (i <= j) {
				u32 t = a[i];
				a[i++] = a[j], a[j--] = t;
			}
		}
		if (j - lo < hi - i) {
			sort(a, lo, j);
			lo = i;
		} else {
			sort(a, i, hi);
			hi = j;
		}
	}
}

static u64 mulmod(u64 a, u64 b, u64 m) {
	u64 r = 0;
	for (; b; b >>= 1) {
		if (b & 1)
			r = r >= m - a ? r - (m - a) : r + a;
		a = a >= m - a ? a - (m - a) : a + a;
	}
	return r;
}

static i128 wide(u64 seed) {
	i128 x = seed;
	for (int i = 0; i < 40; i++)
		x = x * 6364136223846793005l + (x >> 61) - i;
	return x;
}

static void test_sha(void) {
	u32 h[8];
	// SHA-256 of the three bytes "abc".
	message[0] = 'a', message[1] = 'b', message[2] = 'c', message[3] = 0x80, message[63] = 24;
	sha(h, 1);
	if (h[0] != 0xba7816bf || h[7] != 0xf20015ad)
		exit_with(1);
	sha(h, ROUNDS * 16);
}

static void test_map(void) {
	u64 sum = 0;
	for (int i = 0; i < ROUNDS * 500; i++)
		*slot(next() % 5003 + 1) += i;
	for (u64 k = 1; k <= 5003; k++)
		sum += *slot(k);
	if (sum != (u64)(ROUNDS * 500) * (ROUNDS * 500 - 1) / 2)
		exit_with(2);
}

static void test_sort(void) {
	for (int n = 0; n <= ROUNDS / 20; n++) {
		for (int i = 0; i < 4096; i++)
			array[i] = next();
		sort(array, 0, 4095);
		for (int i = 1; i < 4096; i++)
			if (array[i - 1] > array[i])
				exit_with(3);
	}
}

static void test_wide(void) {
	for (int i = 0; i < 200; i++) {
		u64 m = next() | 1ul << 63, a = next() % m, b = next() % m, q, r;
		u64 hi, lo;
		__asm__("mulq %3" : "=a"(lo), "=d"(hi) : "a"(a), "rm"(b) : "cc");
		__asm__("divq %4" : "=a"(q), "=d"(r) : "a"(lo), "d"(hi), "rm"(m) : "cc");
		if (r != mulmod(a, b, m))
			exit_with(4);
	}
	i128 x = wide(12345);
	if ((u64)x != 0x2ce5895ee8a1ef5eul || (u64)(x >> 64) != 0xeb189d6ee6034ab1ul)
		exit_with(5);
}

static void test_copy(void) {
	static u8 copy[4096];
	memcpy(copy + 3, message, 4000);
	for (int i = 0; i < 4000; i++)
		if (copy[i + 3] != message[i])
			exit_with(6);
	memset(copy + 5, 0xA5, 1001);
	if (copy[4] != message[1] || copy[5] != 0xA5 || copy[1005] != 0xA5 || copy[1006] != message[1003])
		exit_with(7);
}

void _start(void) {
	rng = 88172645463325252ul;
	RUN(1) test_sha();
	RUN(2) test_map();
	RUN(3) test_sort();
	RUN(4) test_wide();
	RUN(5) test_copy();
	exit_with(0);
}
