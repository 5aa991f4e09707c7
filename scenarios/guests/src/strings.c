// The string instructions: every width, both directions, overlapping ranges,
// compared byte by byte with plain loops.
#include "guest.h"

enum { SIZE = 1 << 12 };

static u8 got[SIZE], want[SIZE];
static u64 seed = 99;

static void fill(void)
{
	for (u64 i = 0; i < SIZE; i += 8) {
		u64 r = next_random(&seed);
		for (u64 j = 0; j < 8; j++)
			got[i + j] = want[i + j] = r >> (8 * j);
	}
}

static void rep_movs(u64 to, u64 from, u64 n, int width, int down)
{
	u64 step = down ? -(u64)width : (u64)width, d = to, s = from;
	for (u64 i = 0; i < n; i++, d += step, s += step) {
		u8 item[8]; // one item is read before it is written
		for (int j = 0; j < width; j++)
			item[j] = want[s + j];
		for (int j = 0; j < width; j++)
			want[d + j] = item[j];
	}
	u8 *dst = got + to, *src = got + from;
	if (down)
		__asm__ volatile("std");
	switch (width) {
	case 1:
		__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
		break;
	case 2:
		__asm__ volatile("rep movsw" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
		break;
	case 4:
		__asm__ volatile("rep movsl" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
		break;
	default:
		__asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
	}
	__asm__ volatile("cld");
	CHECK(n == 0 && dst == got + d && src == got + s);
}

static void rep_stos(u64 to, u64 n, int width, u64 v)
{
	for (u64 i = 0; i < n * width; i++)
		want[to + i] = v >> (8 * (i % width));
	u8 *dst = got + to;
	switch (width) {
	case 1:
		__asm__ volatile("rep stosb" : "+D"(dst), "+c"(n) : "a"(v) : "memory");
		break;
	case 2:
		__asm__ volatile("rep stosw" : "+D"(dst), "+c"(n) : "a"(v) : "memory");
		break;
	case 4:
		__asm__ volatile("rep stosl" : "+D"(dst), "+c"(n) : "a"(v) : "memory");
		break;
	default:
		__asm__ volatile("rep stosq" : "+D"(dst), "+c"(n) : "a"(v) : "memory");
	}
	CHECK(n == 0);
}

// differs_at finds the first byte in which got and want differ with REPE CMPSB.
static u64 differs_at(void)
{
	u8 *a = got, *b = want;
	u64 n = SIZE;
	u8 differ;
	__asm__ volatile("cmp %%eax, %%eax\n\trepe cmpsb" : "+S"(a), "+D"(b), "+c"(n), "=@ccne"(differ) : : "memory");
	return differ ? SIZE - n - 1 : SIZE;
}

// find looks for a byte with REPNE SCASB.
static u64 find(u64 from, u8 v)
{
	u8 *p = got + from;
	u64 n = SIZE - from;
	u8 found;
	__asm__ volatile("cmp $1, %%rsp\n\trepne scasb" : "+D"(p), "+c"(n), "=@cce"(found) : "a"(v) : "memory");
	return found ? (u64)(p - got) - 1 : SIZE;
}

GUEST("strings")
{
	static const int widths[4] = { 1, 2, 4, 8 };
	u64 sum = 0;
	fill();
	for (u64 i = 0; i < 120; i++) {
		int width = widths[i & 3];
		u64 n = next_random(&seed) % (400 / width), span = n * width + 64;
		u64 to = next_random(&seed) % (SIZE - 2 * span) + span;
		u64 from = i % 3 ? to + next_random(&seed) % 33 - 16 : next_random(&seed) % (SIZE - 2 * span) + span;
		rep_movs(to, from, n, width, i & 4);
		if (i % 5 == 0)
			rep_stos(next_random(&seed) % (SIZE - span), n, width, next_random(&seed));
		if (i % 8 == 7) {
			CHECK(differs_at() == SIZE);
			u64 at = next_random(&seed) % SIZE;
			u8 keep = want[at];
			want[at] = ~keep;
			CHECK(differs_at() == at);
			want[at] = keep;
		}
		u64 at = find(to / 2, (u8)i), plain = to / 2;
		while (plain < SIZE && want[plain] != (u8)i)
			plain++;
		CHECK(at == plain);
		sum = mix(sum, at);
		if (i % 40 == 39)
			print_hex("found", sum);
	}
	for (u64 i = 0; i < SIZE; i++)
		sum = mix(sum, got[i]);
	print_hex("contents", sum);
}
