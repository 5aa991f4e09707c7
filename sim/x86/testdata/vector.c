// Freestanding test program for AVX2, FMA and F16C: loops for the compiler to
// vectorize over integers and floating-point numbers, with gathers, conversions,
// selections and shuffles. It prints a checksum for each kind.
#include <immintrin.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

enum { N = 1000 };

static double a[N], b[N], c[N];
static float f[N], g[N], h[N];
static int index_of[N];
static u8 bytes[N], others[N];
static u16 halves[N + 8];
static u32 words[N];

void *memset(void *d, int x, u64 n) {
	void *r = d;
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(x) : "memory");
	return r;
}

void *memcpy(void *d, const void *s, u64 n) {
	void *r = d;
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
	return r;
}

static long call(long nr, long x, const void *y, long z) {
	long r;
	__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(x), "S"(y), "d"(z) : "rcx", "r11", "memory");
	return r;
}

static u64 seed = 88172645463325252;
static u64 random64(void) {
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void print(const char *name, const void *data, u64 n) {
	const u8 *p = data;
	u64 sum = 14695981039346656037u;
	for (u64 i = 0; i < n; i++)
		sum = (sum ^ p[i]) * 1099511628211u;
	char line[40];
	int k = 0;
	while (*name)
		line[k++] = *name++;
	line[k++] = ' ';
	for (int i = 60; i >= 0; i -= 4)
		line[k++] = "0123456789abcdef"[sum >> i & 15];
	line[k++] = '\n';
	call(1, 1, line, k);
}

static void fill(void) {
	for (int i = 0; i < N; i++) {
		a[i] = (double)(long)random64() * 0x1p-60;
		b[i] = (double)(long)random64() * 0x1p-62;
		f[i] = (float)(int)random64() * 0x1p-24f;
		g[i] = (float)(int)random64() * 0x1p-28f;
		index_of[i] = random64() % N;
		bytes[i] = random64();
		others[i] = random64();
		words[i] = random64();
	}
}

__attribute__((noinline)) static void doubles(int rounds) {
	for (int r = 0; r < rounds; r++)
		for (int i = 0; i < N; i++)
			c[i] = a[i] * b[i] + c[i] / (1.5 + b[i] * b[i]) - __builtin_sqrt(a[i] * a[i] + 1);
}

__attribute__((noinline)) static double gathered(void) {
	double s = 0;
	for (int i = 0; i < N; i++)
		s += c[index_of[i]] * a[i];
	return s;
}

__attribute__((noinline)) static void singles(void) {
	for (int i = 0; i < N; i++) {
		float x = f[i] * g[i] - h[i];
		h[i] = x > 0 ? x * 0.5f + f[index_of[i]] : g[i] - x;
	}
}

__attribute__((noinline)) static void integers(void) {
	for (int i = 0; i < N; i++) {
		u32 x = words[i] * 2654435761u;
		words[i] = x >> (words[i] & 31) ^ (u32)((int)x >> 3) ^ (bytes[i] > others[i] ? bytes[i] : others[i] + 1);
	}
	for (int i = 0; i < N; i++)
		bytes[i] = (bytes[i] + others[i] + 1) >> 1;
}

__attribute__((noinline)) static void conversions(void) {
	for (int i = 0; i < N; i++)
		words[i] ^= (u32)(int)(f[i] * 100.0f) + (u32)(int)c[i];
	for (int i = 0; i < N; i++)
		f[i] = (float)(int)words[i] + (float)b[i];
	for (int i = 0; i < N; i += 8)
		_mm_storeu_si128((__m128i *)&halves[i], _mm256_cvtps_ph(_mm256_loadu_ps(&g[i]), 0));
	for (int i = 0; i < N; i += 8)
		_mm256_storeu_ps(&g[i], _mm256_cvtph_ps(_mm_loadu_si128((__m128i *)&halves[i])));
}

__attribute__((noinline)) static void shuffles(void) {
	__m256i mask = _mm256_setr_epi32(-1, 0, -1, -1, 0, 0, -1, 0), order = _mm256_setr_epi32(7, 2, 5, 0, 1, 6, 3, 4);
	for (int i = 0; i + 8 <= N; i += 8) {
		__m256i v = _mm256_maskload_epi32((int *)&words[i], mask);
		v = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(v, _mm256_loadu_si256((__m256i *)&bytes[i])), order);
		v = _mm256_alignr_epi8(v, _mm256_permute2x128_si256(v, v, 1), 5);
		_mm256_maskstore_epi32((int *)&words[i], _mm256_cmpgt_epi32(v, order), v);
	}
}

void _start(void) {
	__asm__ volatile("and $-32, %rsp");
	fill();
	doubles(20);
	print("doubles", c, sizeof c);
	double s = gathered();
	print("gathered", &s, sizeof s);
	for (int i = 0; i < 20; i++)
		singles();
	print("singles", h, sizeof h);
	for (int i = 0; i < 20; i++)
		integers();
	print("integers", words, sizeof words);
	print("bytes", bytes, sizeof bytes);
	conversions();
	print("conversions", f, sizeof f);
	print("halves", halves, sizeof halves);
	shuffles();
	print("shuffles", words, sizeof words);
	call(60, 0, 0, 0);
	__builtin_unreachable();
}
