// mmap, munmap, mprotect and mremap in a random mixture, with every page's
// contents checked against what was written to it.
#include "guest.h"

enum { REGIONS = 12, PAGE = 4096, MAX_PAGES = 12 };

static struct region {
	u64 at; // 0: not mapped
	u64 pages;
	u64 tag[MAX_PAGES]; // what each page holds, 0 for zeroes
	int read_only;
} regions[REGIONS];

static u64 seed = 7, tags;

static u64 word(u64 tag, u64 i)
{
	return tag ? mix(tag, i) : 0;
}

static void fill(struct region *r, u64 page)
{
	u64 *p = (u64 *)(r->at + page * PAGE);
	r->tag[page] = ++tags;
	for (u64 i = 0; i < PAGE / 8; i += 61)
		p[i] = word(tags, i);
}

static void verify(struct region *r)
{
	for (u64 page = 0; page < r->pages; page++) {
		u64 *p = (u64 *)(r->at + page * PAGE);
		for (u64 i = 0; i < PAGE / 8; i += 61)
			CHECK(p[i] == word(r->tag[page], i));
	}
}

static void map(struct region *r)
{
	r->pages = 1 + next_random(&seed) % 6;
	i64 at = syscall6(SYS_mmap, 0, r->pages * PAGE, 3, 0x22, -1, 0);
	CHECK(at > 0 && at % PAGE == 0);
	r->at = at;
	r->read_only = 0;
	for (u64 i = 0; i < r->pages; i++)
		r->tag[i] = 0;
}

static void unmap(struct region *r)
{
	// In two halves, the upper one first: the mapping is cut before it goes.
	u64 low = r->pages / 2;
	CHECK(SYSCALL(SYS_munmap, r->at + low * PAGE, (r->pages - low) * PAGE, 0) == 0);
	r->pages = low;
	verify(r);
	if (low)
		CHECK(SYSCALL(SYS_munmap, r->at, low * PAGE, 0) == 0);
	r->at = 0;
}

static void protect(struct region *r)
{
	// The first page alone, so that the mapping splits; then all of it.
	CHECK(SYSCALL(SYS_mprotect, r->at, PAGE, r->read_only ? 3 : 1) == 0);
	verify(r);
	CHECK(SYSCALL(SYS_mprotect, r->at, r->pages * PAGE, r->read_only ? 3 : 1) == 0);
	r->read_only = !r->read_only;
}

static void remap(struct region *r)
{
	if (r->read_only)
		return;
	u64 pages = 1 + next_random(&seed) % MAX_PAGES;
	i64 at = syscall6(SYS_mremap, r->at, r->pages * PAGE, pages * PAGE, 1, 0, 0);
	CHECK(at > 0 && at % PAGE == 0);
	for (u64 i = r->pages; i < pages; i++)
		r->tag[i] = 0;
	r->at = at;
	r->pages = pages;
}

GUEST("maps")
{
	for (u64 step = 1; step <= 1600; step++) {
		struct region *r = &regions[next_random(&seed) % REGIONS];
		if (!r->at) {
			map(r);
		} else {
			verify(r);
			switch (next_random(&seed) % 8) {
			case 0:
				unmap(r);
				break;
			case 1:
				protect(r);
				break;
			case 2:
			case 3:
				remap(r);
				break;
			default:
				if (!r->read_only)
					fill(r, next_random(&seed) % r->pages);
			}
		}
		if (step % 200 == 0) {
			u64 sum = 0;
			for (int i = 0; i < REGIONS; i++)
				if (regions[i].at) {
					verify(&regions[i]);
					for (u64 p = 0; p < regions[i].pages; p++)
						sum = mix(sum, regions[i].tag[p]);
				}
			print_hex("contents", sum);
		}
	}
}
