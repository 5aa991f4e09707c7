// A ring of records written as a program for persistent memory writes it: the
// record with non-temporal stores, a fence, then the index with a flush and a
// fence. A reader follows and checks every record.
#include "guest.h"

enum { SLOTS = 64 };

struct record {
	u64 number, payload[6], sum;
};

static struct record ring[SLOTS] __attribute__((aligned(64)));
static struct {
	volatile u64 written __attribute__((aligned(64)));
	volatile u64 read __attribute__((aligned(64)));
} at __attribute__((aligned(64)));

static int has_clwb, has_clflushopt;

static void detect(void)
{
	u32 a = 7, b, c = 0, d;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	has_clwb = b >> 24 & 1;
	has_clflushopt = b >> 23 & 1;
}

static void fence(void)
{
	__asm__ volatile("sfence" : : : "memory");
}

static void flush(volatile void *p, int keep)
{
	if (keep && has_clwb)
		__asm__ volatile("clwb %0" : "+m"(*(volatile char *)p));
	else if (has_clflushopt)
		__asm__ volatile("clflushopt %0" : "+m"(*(volatile char *)p));
	else
		__asm__ volatile("clflush %0" : "+m"(*(volatile char *)p));
}

static u64 sum_of(const struct record *r)
{
	u64 sum = r->number;
	for (int i = 0; i < 6; i++)
		sum = mix(sum, r->payload[i]);
	return sum;
}

static void append(const struct record *r)
{
	struct record *to = &ring[r->number % SLOTS];
	if (r->number & 1) {
		const u64 *from = (const u64 *)r;
		for (int i = 0; i < 8; i++)
			__asm__ volatile("movnti %1, %0" : "=m"(((u64 *)to)[i]) : "r"(from[i]));
	} else {
		for (int i = 0; i < 64; i += 16)
			__asm__ volatile("movdqa (%0), %%xmm0\n\tmovntdq %%xmm0, (%1)"
					 : : "r"((const char *)r + i), "r"((char *)to + i) : "xmm0", "memory");
	}
	fence();
	at.written = r->number + 1;
	flush(&at.written, 1);
	fence();
}

GUEST("nt")
{
	u64 seed = 3, total = 0;
	detect();
	for (u64 n = 0; n < 1500; n++) {
		struct record r __attribute__((aligned(16)));
		r.number = n;
		for (int i = 0; i < 6; i++)
			r.payload[i] = next_random(&seed);
		r.sum = sum_of(&r);
		append(&r);
		while (at.read + n % 5 < at.written) {
			const struct record *got = &ring[at.read % SLOTS];
			CHECK(got->number == at.read && got->sum == sum_of(got));
			total = mix(total, got->sum);
			at.read++;
			flush(&at.read, 0);
			fence();
		}
		if (n % 300 == 299)
			print_hex("read", total);
	}
	print_value("records", at.written);
}
