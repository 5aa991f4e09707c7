// Threads that handle SIGPWR on stacks of their own. The handler looks for the other
// threads, and whether any of them goes on while it runs: they must all be there, and
// none may.
#include "guest.h"
#include "spawn.h"

enum {
	THREADS = 4, ROUNDS = 2500, STACK = 4096, ALT = 8192, SIGPWR = 30,
	SYS_clone = 56, SYS_futex = 202, SYS_tgkill = 234, SYS_gettid = 186,
	SA_SIGINFO = 4, SA_ONSTACK = 0x08000000, SA_RESTORER = 0x04000000,
	THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x100000 | 0x200000,
};

struct action {
	void (*handler)(int, int *, void *);
	u64 flags;
	void (*restorer)(void);
	u64 mask;
};

struct stack {
	void *at;
	int flags;
	u64 size;
};

struct one {
	u64 id, sum;
	volatile u64 rounds, ready;
	volatile u32 tid; // cleared by the kernel at the end
} __attribute__((aligned(64)));

static u8 stacks[THREADS][STACK] __attribute__((aligned(64)));
static u8 alts[THREADS][ALT] __attribute__((aligned(64)));
static struct one ones[THREADS];
static volatile u64 told, missing, moved, elsewhere, inside;
static i64 pid;

void restore(void);
__asm__(".text\nrestore:\n\tmov $15, %eax\n\tsyscall\n");

static void power_failed(int sig, int *info, void *context)
{
	u8 here = 0;
	u64 before[THREADS];
	(void)context;
	CHECK(sig == SIGPWR && info[2] > 0);
	__atomic_add_fetch(&told, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
	i64 self = SYSCALL(SYS_gettid, 0, 0, 0);
	u64 ready = 0;
	for (int i = 0; i < THREADS; i++)
		if (ones[i].tid == self)
			ready = ones[i].ready;
	if (ready && !(&here >= alts[0] && &here < alts[THREADS - 1] + ALT))
		elsewhere++;
	for (int i = 0; i < THREADS; i++)
		before[i] = ones[i].rounds;
	for (int i = 0; i < THREADS; i++)
		if (ones[i].tid && SYSCALL(SYS_tgkill, pid, ones[i].tid, 0) != 0)
			missing++;
	for (volatile int i = 0; i < 150; i++)
		;
	for (int i = 0; i < THREADS; i++)
		if (ones[i].rounds != before[i])
			moved++;
	__atomic_add_fetch(&inside, -1, __ATOMIC_SEQ_CST);
}

static void handle_here(u64 id)
{
	struct stack s = {alts[id], 0, ALT};
	CHECK(SYSCALL(SYS_sigaltstack, &s, 0, 0) == 0);
	ones[id].ready = 1;
}

__attribute__((used)) void work(struct one *o)
{
	handle_here(o->id);
	u64 mine = o->id + 1;
	for (int i = 0; i < ROUNDS; i++) {
		mine = mine * 6364136223846793005 + 1442695040888963407;
		o->sum += mine >> 40;
		o->rounds++;
	}
}

SPAWN_WITH("r9", work, struct one *)

GUEST("handlers")
{
	struct action a = {power_failed, SA_SIGINFO | SA_ONSTACK | SA_RESTORER, restore, 0};
	CHECK(syscall6(SYS_rt_sigaction, SIGPWR, (i64)&a, 0, 8, 0, 0) == 0);
	pid = SYSCALL(SYS_getpid, 0, 0, 0);
	for (u64 i = 0; i < THREADS; i++)
		ones[i].id = i;
	ones[0].tid = pid;
	for (u64 i = 1; i < THREADS; i++)
		CHECK(spawn(THREAD, stacks[i] + STACK, &ones[i].tid, &ones[i]) > 0);
	work(&ones[0]);
	u64 sum = ones[0].sum;
	for (u64 i = 1; i < THREADS; i++) {
		for (u32 tid; (tid = ones[i].tid) != 0;)
			syscall6(SYS_futex, (i64)&ones[i].tid, 0, tid, 0, 0, 0);
		sum = mix(sum, ones[i].sum);
	}
	CHECK(missing == 0 && moved == 0 && elsewhere == 0 && inside == 0);
	print_hex("sum", sum);
	print_value("told", told);
}
