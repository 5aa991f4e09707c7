// One file under several mappings, shared and private, beside read, write and
// truncate: all show the same bytes, until a private page is written.
#include "guest.h"

enum {
	O_RDWR = 2, O_CREAT = 0100, PAGE = 4096, PROT_RW = 3, MAP_SHARED = 1, MAP_PRIVATE = 2,
	SYS_pread64 = 17, SYS_pwrite64 = 18, SYS_msync = 26,
};

#define NAME "/tmp/zhuque-shared"

static u64 buffer[PAGE / 8];
static i64 fd;

static i64 call4(i64 n, i64 a, const void *b, i64 c, i64 d) { return syscall6(n, a, (i64)b, c, d, 0, 0); }

static u64 *map(u64 pages, int prot, int kind, u64 first)
{
	i64 at = syscall6(SYS_mmap, 0, pages * PAGE, prot, kind, fd, first * PAGE);
	CHECK(at > 0);
	return (u64 *)at;
}

static u64 sum_of(const u64 *p, u64 words)
{
	u64 sum = words;
	for (u64 i = 0; i < words; i += 8)
		sum = mix(sum, p[i]);
	return sum;
}

GUEST("shared")
{
	u64 seed = 9, sum = 0;
	SYSCALL(SYS_unlink, NAME, 0, 0);
	for (u64 round = 0; round < 8; round++) {
		fd = SYSCALL(SYS_open, NAME, O_RDWR | O_CREAT, 0600);
		CHECK(fd >= 0);
		CHECK(SYSCALL(SYS_ftruncate, fd, 3 * PAGE, 0) == 0);
		u64 *all = map(3, PROT_RW, MAP_SHARED, 0), *rest = map(2, 1, MAP_SHARED, 1), *own = map(3, PROT_RW, MAP_PRIVATE, 0);
		for (u64 i = 0; i < 3 * PAGE / 8; i += 8)
			all[i] = next_random(&seed);
		CHECK(rest[0] == all[PAGE / 8] && own[PAGE / 8] == all[PAGE / 8]);

		// A private page that was written goes its own way; the one after it follows.
		own[PAGE / 8] = 1;
		CHECK(call4(SYS_pread64, fd, buffer, PAGE, PAGE) == PAGE && buffer[0] == rest[0]);
		buffer[8] = round;
		CHECK(call4(SYS_pwrite64, fd, buffer, PAGE, PAGE) == PAGE);
		CHECK(call4(SYS_pwrite64, fd, buffer, 8, 2 * PAGE) == 8);
		CHECK(all[PAGE / 8 + 8] == round && rest[8] == round && own[2 * PAGE / 8] == all[PAGE / 8]);
		CHECK(own[PAGE / 8] == 1);

		// The file over itself: moved down by one line, and by a read up by one.
		u64 second = all[16];
		CHECK(call4(SYS_pwrite64, fd, all + 8, 512, 0) == 512 && all[8] == second);
		CHECK(call4(SYS_pread64, fd, all + 8, 64, 0) == 64 && all[8] == all[0]);

		CHECK(SYSCALL(SYS_mprotect, rest, 2 * PAGE, PROT_RW) == 0);
		rest[16] = ~round;
		CHECK(SYSCALL(SYS_msync, all, 3 * PAGE, 4) == 0);
		CHECK(call4(SYS_pread64, fd, buffer, 8, PAGE + 128) == 8 && buffer[0] == ~round);

		// Cut in the middle of the second page, and grown again: zeros.
		CHECK(SYSCALL(SYS_ftruncate, fd, PAGE + 2048, 0) == 0);
		CHECK(SYSCALL(SYS_ftruncate, fd, 3 * PAGE, 0) == 0);
		CHECK(all[PAGE / 8 + 255] == rest[255] && all[PAGE / 8 + 256] == 0 && all[2 * PAGE / 8] == 0 && own[2 * PAGE / 8] == 0);
		all[2 * PAGE / 8] = round;
		sum = mix(sum, sum_of(all, 3 * PAGE / 8));
		sum = mix(sum, sum_of(own, 3 * PAGE / 8));

		CHECK(SYSCALL(SYS_munmap, all, 3 * PAGE, 0) == 0);
		CHECK(call4(SYS_pread64, fd, buffer, 8, 2 * PAGE) == 8 && buffer[0] == round);
		CHECK(SYSCALL(SYS_close, fd, 0, 0) == 0);
		CHECK(SYSCALL(SYS_unlink, NAME, 0, 0) == 0);
		CHECK(rest[PAGE / 8] == round && own[2 * PAGE / 8] == round);
		CHECK(SYSCALL(SYS_munmap, rest, 2 * PAGE, 0) == 0);
		CHECK(SYSCALL(SYS_munmap, own, 3 * PAGE, 0) == 0);
		if (round % 4 == 3)
			print_hex("sum", sum);
	}
}
