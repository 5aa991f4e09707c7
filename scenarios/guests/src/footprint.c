// A large memory: one store to each page of argv[1] megabytes (16 if not given),
// then short rounds over a few scattered pages, so that the work after the first
// pass does not depend on the size.
#define GUEST_ARGS
#include "guest.h"

enum { PAGE = 4096, ROUNDS = 40, VISITS = 400 };

static u64 megabytes(void)
{
	u64 argc = guest_stack[0], n = 0;
	if (argc < 2)
		return 16;
	for (const char *s = (const char *)guest_stack[2]; *s; s++) {
		CHECK(*s >= '0' && *s <= '9' && n < 1 << 16);
		n = n * 10 + *s - '0';
	}
	CHECK(n > 0);
	return n;
}

static u64 pattern(u64 page)
{
	return (page + 1) * 0x9e3779b97f4a7c15;
}

GUEST("footprint")
{
	u64 pages = megabytes() * (1 << 20) / PAGE;
	i64 at = syscall6(SYS_mmap, 0, pages * PAGE, 3, 0x22, -1, 0);
	CHECK(at > 0);
	u64 *memory = (u64 *)at;
	for (u64 i = 0; i < pages; i++)
		memory[i * (PAGE / 8)] = pattern(i);
	print_value("pages", pages);
	u64 seed = 11, sum = 0;
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < VISITS; i++) {
			u64 page = next_random(&seed) % pages;
			u64 *p = memory + page * (PAGE / 8);
			CHECK(p[0] == pattern(page) && p[2] == p[1] * 3);
			p[1] += i;
			p[2] = p[1] * 3;
			sum = mix(sum, p[1] + page);
		}
		if (round % 10 == 9)
			print_hex("sum", sum);
	}
}
