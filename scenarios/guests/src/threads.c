// Threads without a C library: a mutex and a condition on futexes with requeueing, a
// recursive lock that knows its owner's thread id, a barrier, a robust lock whose owner
// dies, thread-local data behind the FS base, a pipe between threads, signals to one
// thread, sleeps, and joining by the word that the kernel clears.
#include "guest.h"
#include "spawn.h"

enum {
	WORKERS = 4, ROUNDS = 40, STACK = 16384, ARRAY = 4096,
	SYS_nanosleep = 35, SYS_gettid = 186, SYS_futex = 202, SYS_tgkill = 234, SYS_set_robust_list = 273,
	SYS_pipe = 22,
	FUTEX_WAIT = 0, FUTEX_WAKE = 1, FUTEX_CMP_REQUEUE = 4,
	THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x80000 | 0x100000 | 0x200000,
	OWNER_DIED = 1 << 30, SIGUSR1 = 10,
};

struct worker {
	struct worker *self;
	u64 rounds, sum;
	volatile u32 tid; // cleared by the kernel at the end
	u32 id;
	volatile u32 signals;
	u64 robust[3]; // head, offset, pending
	u64 entry;     // the robust lock's place in the list
	volatile u32 lock;
};

static u8 stacks[WORKERS][STACK] __attribute__((aligned(64)));
static struct worker workers[WORKERS] __attribute__((aligned(64)));
static volatile u64 array[ARRAY];

static volatile u32 mutex, sequence, turn;
static volatile u32 arrived, phase;
static struct {
	volatile u32 word, owner, depth;
} recursive;
static u64 shared_sum;
static int pipe_ends[2];

#define SELF ((struct worker __seg_fs *)0)

static i64 futex(volatile u32 *at, int op, u32 value, u64 more, volatile u32 *second, u32 third)
{
	return syscall6(SYS_futex, (i64)at, op, value, more, (i64)second, third);
}

static void lock(volatile u32 *m)
{
	u32 c = 0;
	if (__atomic_compare_exchange_n(m, &c, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(m, 2, __ATOMIC_ACQUIRE) != 0)
		futex(m, FUTEX_WAIT, 2, 0, 0, 0);
}

static void unlock(volatile u32 *m)
{
	if (__atomic_exchange_n(m, 0, __ATOMIC_RELEASE) == 2)
		futex(m, FUTEX_WAKE, 1, 0, 0, 0);
}

// The waiter of a condition that was requeued owns the mutex as a contended one.
static void wait(volatile u32 *seq, volatile u32 *m)
{
	u32 s = *seq;
	unlock(m);
	futex(seq, FUTEX_WAIT, s, 0, 0, 0);
	while (__atomic_exchange_n(m, 2, __ATOMIC_ACQUIRE) != 0)
		futex(m, FUTEX_WAIT, 2, 0, 0, 0);
}

static void broadcast(volatile u32 *seq, volatile u32 *m)
{
	u32 s = __atomic_add_fetch(seq, 1, __ATOMIC_SEQ_CST);
	while (futex(seq, FUTEX_CMP_REQUEUE, 1, WORKERS, m, s) == -11)
		s = *seq;
}

static void barrier(void)
{
	u32 p = phase;
	if (__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST) == WORKERS) {
		arrived = 0;
		__atomic_add_fetch(&phase, 1, __ATOMIC_SEQ_CST);
		futex(&phase, FUTEX_WAKE, WORKERS, 0, 0, 0);
		return;
	}
	while (phase == p)
		futex(&phase, FUTEX_WAIT, p, 0, 0, 0);
}

static void lock_recursive(u32 tid)
{
	if (recursive.owner != tid) {
		lock(&recursive.word);
		recursive.owner = tid;
	}
	recursive.depth++;
}

static void unlock_recursive(u32 tid)
{
	CHECK(recursive.owner == tid);
	if (--recursive.depth == 0) {
		recursive.owner = 0;
		unlock(&recursive.word);
	}
}

static void on_signal(int sig)
{
	CHECK(sig == SIGUSR1);
	workers[SELF->id].signals++;
}

__asm__(".text\nrestorer: mov $15, %eax\nsyscall\n");
void restorer(void);

__attribute__((used)) void work(struct worker *w)
{
	u32 tid = SYSCALL(SYS_gettid, 0, 0, 0);
	CHECK(SELF->self == w && w->tid == tid);
	w->robust[0] = (u64)&w->entry; // a list of one
	w->entry = (u64)&w->robust[0];
	w->robust[1] = (u64)&w->lock - (u64)&w->entry;
	CHECK(SYSCALL(SYS_set_robust_list, &w->robust, 24, 0) == 0);
	barrier();
	for (u32 round = 0; round < ROUNDS; round++) {
		lock(&mutex);
		u64 before = shared_sum;
		for (int i = 0; i < 8; i++)
			array[(w->id * 977 + round * 131 + i * 17) % ARRAY] += before & 0xff;
		shared_sum = before + w->id + 1;
		unlock(&mutex);
		lock_recursive(tid);
		lock_recursive(tid);
		CHECK((u32)SYSCALL(SYS_gettid, 0, 0, 0) == recursive.owner && recursive.depth == 2);
		unlock_recursive(tid);
		unlock_recursive(tid);
		if (round % 16 == w->id) {
			u64 t[2] = {0, 3000};
			CHECK(SYSCALL(SYS_nanosleep, t, 0, 0) == 0);
		}
		if (round % 10 == 9)
			CHECK(SYSCALL(SYS_tgkill, SYSCALL(SYS_getpid, 0, 0, 0), workers[w->id].tid, SIGUSR1) == 0);
		SELF->rounds++;
	}
	u32 mine = w->id;
	lock(&mutex);
	while (turn != mine)
		wait(&sequence, &mutex);
	turn++;
	put_bytes(pipe_ends[1], (char *)&mine, 4);
	broadcast(&sequence, &mutex);
	unlock(&mutex);
	w->lock = tid; // and dies with it
}

// A thread's FS base is its worker.
SPAWN_WITH("r8", work, struct worker *)

GUEST("threads")
{
	u64 act[4] = {(u64)on_signal, 0x04000000, (u64)restorer, 0};
	CHECK(syscall6(SYS_rt_sigaction, SIGUSR1, (i64)act, 0, 8, 0, 0) == 0);
	CHECK(SYSCALL(SYS_pipe, pipe_ends, 0, 0) == 0);
	for (u32 i = 0; i < WORKERS; i++) {
		workers[i].self = &workers[i];
		workers[i].id = i;
		CHECK(spawn(THREAD, stacks[i] + STACK, &workers[i].tid, &workers[i]) > 0);
	}
	for (u32 i = 0; i < WORKERS; i++) {
		u32 got = 0;
		CHECK(SYSCALL(SYS_read, pipe_ends[0], &got, 4) == 4);
		CHECK(got == i);
	}
	u64 rounds = 0, signals = 0, sum = 0;
	for (u32 i = 0; i < WORKERS; i++) {
		u32 tid;
		while ((tid = workers[i].tid) != 0)
			futex(&workers[i].tid, FUTEX_WAIT, tid, 0, 0, 0);
		CHECK(workers[i].lock == OWNER_DIED);
		rounds += workers[i].rounds;
		signals += workers[i].signals;
	}
	CHECK(shared_sum == ROUNDS * WORKERS * (WORKERS + 1) / 2);
	for (int i = 0; i < ARRAY; i++)
		sum += array[i] != 0;
	print_value("rounds", rounds);
	print_value("signals", signals);
	CHECK(sum > 0);
}
