// The classic two-thread tests of a memory model, over and over at fixed addresses,
// each thread on a core of its own where there are two. Values only grow, so that memory
// as a power failure leaves it tells which stores had come there. What an observer may
// see while it runs is checked here, what it may see after a failure by whoever cuts.
#include "guest.h"
#include "spawn.h"

enum {
	ROUNDS = 24, STACK = 16384, SYS_futex = 202, SYS_sched_setaffinity = 203, SYS_getcpu = 309,
	FUTEX_WAIT = 0,
	THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000,
};

// Each word has a cache line of its own. The order is known to the tests.
enum {
	DATA, FLAG, SEEN_FLAG, SEEN_DATA, // message passing, and what the reader found
	FLUSHED_DATA, FLUSHED_FLAG,       // the same with a flush between the stores
	X, Y, SEEN_Y, SEEN_X,             // store buffering: each thread stores one and reads the other's
	P, Q,                             // 2+2W: both store both, in opposite orders
	STARTED, FINISHED,
};

static volatile u64 (*const word)[8] = (volatile u64(*)[8])0x10000000;
static u8 stack[STACK] __attribute__((aligned(64)));
static volatile u32 other; // cleared by the kernel at the other thread's end

static void on_core(u64 n)
{
	u64 mask = 1ul << n;
	u32 core;
	if (SYSCALL(SYS_sched_setaffinity, 0, 8, &mask) != 0)
		return; // there is no such core, or it is not for us
	CHECK(SYSCALL(SYS_getcpu, &core, 0, 0) == 0 && core == n);
}

static void meet(void)
{
	__atomic_add_fetch(&word[STARTED][0], 1, __ATOMIC_SEQ_CST);
	while (word[STARTED][0] < 2)
		__asm__ volatile("pause");
}

__attribute__((used)) void reader(void)
{
	on_core(1);
	meet();
	for (u64 i = 1; i <= ROUNDS; i++) {
		u64 flag = word[FLAG][0], data = word[DATA][0];
		CHECK(data >= flag);
		word[SEEN_FLAG][0] = flag;
		word[SEEN_DATA][0] = data;
		word[Y][0] = i;
		word[SEEN_X][0] = i << 32 | word[X][0];
		word[Q][0] = 2 * i + 1;
		word[P][0] = 2 * i + 1;
	}
	word[FINISHED][0] = ROUNDS;
}

static void writer(void)
{
	on_core(0);
	meet();
	for (u64 i = 1; i <= ROUNDS; i++) {
		word[DATA][0] = i;
		word[FLAG][0] = i;
		word[X][0] = i;
		word[SEEN_Y][0] = i << 32 | word[Y][0];
		word[P][0] = 2 * i;
		word[Q][0] = 2 * i;
		if (i == ROUNDS / 2) { // visits the other thread's core
			on_core(1);
			on_core(0);
		}
		if (i % 4 == 0) {
			word[FLUSHED_DATA][0] = i;
			__asm__ volatile("clflush %0\n\tsfence" : "+m"(word[FLUSHED_DATA][0]));
			word[FLUSHED_FLAG][0] = i;
		}
	}
}

SPAWN(reader)

GUEST("litmus")
{
	CHECK(syscall6(SYS_mmap, (i64)word, 4096, 3, 0x32, -1, 0) == (i64)word);
	other = 1;
	CHECK(spawn(THREAD, stack + STACK, &other) > 0);
	writer();
	for (u32 tid; (tid = other) != 0;)
		syscall6(SYS_futex, (i64)&other, FUTEX_WAIT, tid, 0, 0, 0);
	CHECK(word[FINISHED][0] == ROUNDS && word[FLAG][0] == ROUNDS && word[X][0] == ROUNDS);
	CHECK(word[FLUSHED_FLAG][0] == ROUNDS && word[SEEN_DATA][0] >= word[SEEN_FLAG][0]);
	print_value("rounds", ROUNDS);
}
