// Writes more to a pipe than it holds, while a child reads: most of the time the
// writer waits in the middle of a call, with a part of its bytes gone.
#include "guest.h"

enum { SYS_pipe2 = 293, SYS_fork = 57, SYS_wait4 = 61, PIECE = 150000, ROUNDS = 2, TAKE = 30000 };

static u8 piece[PIECE], taken[TAKE];
static int ends[2];

static u64 receive(void)
{
	u64 sum = 1, n = 0;
	for (i64 k; (k = SYSCALL(SYS_read, ends[0], taken, TAKE)) != 0; n += k) {
		CHECK(k > 0);
		for (i64 i = 0; i < k; i += 8)
			sum = mix(sum, *(u64 *)(taken + i));
	}
	CHECK(n == (u64)PIECE * ROUNDS);
	return sum;
}

GUEST("bulk")
{
	CHECK(SYSCALL(SYS_pipe2, ends, 0, 0) == 0);
	i64 child = SYSCALL(SYS_fork, 0, 0, 0);
	if (child == 0) {
		SYSCALL(SYS_close, ends[1], 0, 0);
		print_hex("received", receive());
		return;
	}
	u64 seed = 7;
	for (int round = 0; round < ROUNDS; round++) {
		for (u64 i = 0; i + 8 <= PIECE; i += 8)
			*(u64 *)(piece + i) = next_random(&seed);
		CHECK(SYSCALL(SYS_write, ends[1], piece, PIECE) == PIECE);
	}
	SYSCALL(SYS_close, ends[1], 0, 0);
	int status = -1;
	CHECK(syscall6(SYS_wait4, child, (i64)&status, 0, 0, 0, 0) == child && status == 0);
	print_value("rounds", ROUNDS);
}
