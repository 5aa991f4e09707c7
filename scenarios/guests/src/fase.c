// The program that failure-atomic sections cannot handle: two threads and three locks
// that are not held in any two-phase order, a loop that ends by what the other thread
// does, output and input between the critical sections, and a large array of random
// numbers that nobody declared persistent.
#include "guest.h"
#include "spawn.h"

enum {
	SYS_pipe = 22, SYS_sched_yield = 24, SYS_futex = 202, FUTEX_WAIT = 0, FUTEX_WAKE = 1,
	THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000,
	PAGES = 256, PAGE = 4096, STACK = 16384, ENOUGH = 12,
};

static volatile u32 lock0, lock1, lock2; // 0 free, 1 held, 2 held and waited for
static volatile u32 cond1, cond2, turns;
static u64 *Q;
static volatile u64 x;
static volatile u32 second; // the other thread, 0 when it has ended
static int ends[2]; // of a pipe
static u8 stack[STACK] __attribute__((aligned(64)));

static i64 futex(volatile u32 *at, int op, u32 value)
{
	return syscall6(SYS_futex, (i64)at, op, value, 0, 0, 0);
}

static void lock(volatile u32 *m)
{
	u32 c = 0;
	if (__atomic_compare_exchange_n(m, &c, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(m, 2, __ATOMIC_ACQUIRE) != 0)
		futex(m, FUTEX_WAIT, 2);
}

static void unlock(volatile u32 *m)
{
	if (__atomic_exchange_n(m, 0, __ATOMIC_RELEASE) == 2)
		futex(m, FUTEX_WAKE, 1);
}

// f2 comes to rest, so that the number of turns does not show in the output.
static u64 f2(u64 v)
{
	return v < ENOUGH ? v + 1 : v;
}

static u64 f3(u64 v, u64 in)
{
	for (u64 i = 0; i < PAGES; i++)
		v = mix(v + in, Q[i * (PAGE / 8) + (v & 1)]);
	return v;
}

__attribute__((used)) void thread2(void)
{
	u64 s2, in = 0;
	for (int w = 1; w;) {
		lock(&lock1);
		if (cond1)
			w = 0;
		x = s2 = f2(x);
		turns++;
		unlock(&lock1);
	}
	print_value("x", s2);
	CHECK(SYSCALL(SYS_read, 0, &in, 1) >= 0);
	u64 s3 = f3(s2, in);
	lock(&lock2);
	x = s3;
	cond2 = 1;
	unlock(&lock2);
	lock(&lock0); // the other thread's outermost one
	unlock(&lock0);
}

static void thread1(void)
{
	lock(&lock0);
	for (int w = 1; w;) {
		lock(&lock1);
		if (x >= ENOUGH) {
			cond1 = 1;
			w = 0;
		}
		unlock(&lock1);
		SYSCALL(SYS_sched_yield, 0, 0, 0);
	}
	put_bytes(ends[1], "lock0 is held", 13);
	for (int w = 1; w;) {
		lock(&lock2);
		w = !cond2;
		unlock(&lock2);
		SYSCALL(SYS_sched_yield, 0, 0, 0);
	}
	unlock(&lock0);
}

SPAWN(thread2)

GUEST("fase")
{
	u64 seed = 11;
	char text[16];
	CHECK(SYSCALL(SYS_pipe, ends, 0, 0) == 0);
	Q = (u64 *)syscall6(SYS_mmap, 0, PAGES * PAGE, 3, 0x22, -1, 0);
	CHECK((i64)Q > 0);
	for (u64 i = 0; i < PAGES; i++)
		for (u64 k = 0; k < 2; k++)
			Q[i * (PAGE / 8) + k] = next_random(&seed);
	second = 1;
	CHECK(spawn(THREAD, stack + STACK, &second) > 0);
	thread1();
	for (u32 alive; (alive = second) != 0;)
		futex(&second, FUTEX_WAIT, alive);
	CHECK(cond1 && cond2 && turns >= ENOUGH && !lock0 && !lock1 && !lock2);
	CHECK(SYSCALL(SYS_read, ends[0], text, sizeof text) == 13 && text[12] == 'd');
	print_hex("x", x);
}
