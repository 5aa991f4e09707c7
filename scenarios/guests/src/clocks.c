// What two threads see of each other's time, between the marks 1 and 2. Arguments: the
// workload, operations. "count": one thread flushes lines, the other counts until it is done.
// "lock": two threads take a lock in turn. "work": one thread, no memory. "sleep": naps, by its own clock.
#define GUEST_ARGS
#include "guest.h"
#include "spawn.h"

enum { STACK = 8192, LINES = 512, THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000 };

#define MARK(n) __asm__ volatile("nopl 0x7a687571(%0)" ::"r"((u64)(n)) : "memory")

static u8 lines[LINES * 64] __attribute__((aligned(4096)));
static u8 stack[STACK] __attribute__((aligned(64)));
static volatile u32 tid = 1;
static volatile u64 over __attribute__((aligned(64)));
static volatile u64 counted __attribute__((aligned(64)));
static volatile u32 lock __attribute__((aligned(64)));
static volatile u64 sum __attribute__((aligned(64)));
static u64 count, locks;

static void flush_lines(void)
{
	for (u64 i = 0; i < count; i++) {
		volatile u8 *p = lines + i % LINES * 64;
		*p = i;
		__asm__ volatile("clflush (%0)\nmfence" ::"r"(p) : "memory");
		sum += *p; // read from the medium again
	}
	over = 1;
}

static void take_locks(void)
{
	for (u64 i = 0; i < count; i++) {
		while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
			__asm__ volatile("pause");
		sum++;
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
		for (volatile int k = 0; k < 20; k++)
			;
	}
}

void second(void)
{
	if (locks)
		take_locks();
	else
		flush_lines();
}

SPAWN(second)

static u64 now(void)
{
	i64 t[2];
	SYSCALL(228, 1, t, 0);
	return t[0] * 1000000000 + t[1];
}

static void nap(void)
{
	i64 t[2] = {0, 1000000};
	u64 begin = now();
	for (u64 i = 0; i < count; i++)
		SYSCALL(35, t, 0, 0);
	u64 took = now() - begin;
	CHECK(took >= count * 1000000 && took < count * 1100000);
}

GUEST("clocks")
{
	char *what = guest_stack[0] > 1 ? (char *)guest_stack[2] : "count";
	count = 0;
	for (char *s = guest_stack[0] > 2 ? (char *)guest_stack[3] : "200"; *s; s++)
		count = count * 10 + *s - '0';
	locks = what[0] == 'l';
	if (what[0] == 's') {
		nap();
		return;
	}
	MARK(1);
	CHECK(spawn(THREAD, stack + STACK, &tid) > 0);
	if (locks)
		take_locks();
	while (!locks && !over)
		counted++;
	for (u32 t = tid; t != 0; t = tid)
		SYSCALL(202, &tid, 0, t);
	MARK(2);
	CHECK(!locks || sum == 2 * count);
	if (guest_stack[0] > 1 && !locks)
		print_value("counted", counted);
	else
		print_value("operations", count);
}
