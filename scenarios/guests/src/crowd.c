// Any number of threads that count, alone and together, and never wait for each other
// but at the end. Arguments: threads, 4 without; descriptors that they have open.
#define GUEST_ARGS
#include "guest.h"
#include "spawn.h"

enum {
	MOST = 64, ROUNDS = 3000, STACK = 4096, SYS_futex = 202, FUTEX_WAIT = 0,
	SYS_dup = 32, SYS_setrlimit = 160, RLIMIT_NOFILE = 7, SYS_eventfd = 284,
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

static u64 argument(u64 i, u64 otherwise)
{
	if (guest_stack[0] <= i)
		return otherwise;
	u64 n = 0;
	for (const char *c = (const char *)guest_stack[1 + i]; *c >= '0' && *c <= '9'; c++)
		n = 10 * n + *c - '0';
	return n;
}

// Every third is another number of one that is there, an event counter, a file.
static void open_descriptors(u64 n)
{
	u64 limit[2] = {n + 3, n + 3};
	CHECK(SYSCALL(SYS_setrlimit, RLIMIT_NOFILE, limit, 0) == 0);
	for (u64 fd = 3; fd < n + 3; fd++) {
		i64 got = fd % 3 == 0 ? SYSCALL(SYS_dup, 0, 0, 0)
			: fd % 3 == 1 ? SYSCALL(SYS_eventfd, 1, 0, 0)
				      : SYSCALL(SYS_open, "/tmp", 0, 0);
		CHECK((u64)got == fd);
	}
}

GUEST("crowd")
{
	u64 threads = argument(1, 4), descriptors = argument(2, 0);
	CHECK(threads >= 1 && threads <= MOST);
	if (descriptors)
		open_descriptors(descriptors);
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
