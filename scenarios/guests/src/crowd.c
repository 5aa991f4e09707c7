// Any number of threads that count, alone and together, and never wait for each other
// but at the end. Argument: threads, 4 without.
#define GUEST_ARGS
#include "guest.h"
#include "spawn.h"

enum {
	MOST = 64, ROUNDS = 3000, STACK = 4096, SYS_futex = 202, FUTEX_WAIT = 0,
	THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000,
};

struct one {
	u64 id, sum;
	volatile u32 tid; // cleared by the kernel at the end
	u64 seen[32];
} __attribute__((aligned(64)));

static u8 stacks[MOST][STACK] __attribute__((aligned(64)));
static struct one ones[MOST];
static volatile u64 together;

__attribute__((used)) void work(struct one *o)
{
	u64 mine = o->id + 1;
	for (int i = 0; i < ROUNDS; i++) {
		mine = mine * 6364136223846793005 + 1442695040888963407;
		o->seen[mine >> 59]++;
		o->sum += mine >> 40;
		if (i % 16 == 0)
			__atomic_add_fetch(&together, 1, __ATOMIC_SEQ_CST);
	}
}

SPAWN_WITH("r9", work, struct one *)

GUEST("crowd")
{
	u64 threads = 4;
	if (guest_stack[0] > 1) {
		threads = 0;
		for (const char *c = (const char *)guest_stack[2]; *c >= '0' && *c <= '9'; c++)
			threads = 10 * threads + *c - '0';
	}
	CHECK(threads >= 1 && threads <= MOST);
	for (u64 i = 1; i < threads; i++) {
		ones[i].id = i;
		ones[i].tid = 1;
		CHECK(spawn(THREAD, stacks[i] + STACK, &ones[i].tid, &ones[i]) > 0);
	}
	work(&ones[0]);
	u64 sum = 0, seen = 0;
	for (u64 i = 0; i < threads; i++) {
		for (u32 tid; (tid = ones[i].tid) != 0;)
			syscall6(SYS_futex, (i64)&ones[i].tid, FUTEX_WAIT, tid, 0, 0, 0);
		sum += ones[i].sum;
		for (int k = 0; k < 32; k++)
			seen += ones[i].seen[k];
	}
	CHECK(seen == threads * ROUNDS && together == threads * ((ROUNDS + 15) / 16));
	print_value("sum", sum);
}
