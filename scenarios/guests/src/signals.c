// Signals that the program sends itself or causes: handlers with siginfo on the
// normal and on the alternate stack, masks and pending signals, a one-shot
// handler, a fault that the handler repairs, one whose instruction it skips.
#include "guest.h"

enum { SIGFPE = 8, SIGUSR1 = 10, SIGSEGV = 11, SIGUSR2 = 12 };
enum { SA_SIGINFO = 4, SA_RESTORER = 0x04000000, SA_ONSTACK = 0x08000000, SA_NODEFER = 0x40000000 };
#define SA_RESETHAND 0x80000000UL

struct action {
	void *handler;
	u64 flags;
	void (*restorer)(void);
	u64 mask;
};

struct stack {
	void *sp;
	int flags;
	u64 size;
};

__asm__("restorer:\n\tmov $15, %eax\n\tsyscall\n");
void restorer(void);

static u8 alternate[16384] __attribute__((aligned(16)));
static u8 *guarded;
static volatile u64 usr1, usr2, faults, divisions, depth, deepest, on_alternate;

static void handle(int sig, void *handler, u64 flags)
{
	struct action a = { handler, flags | SA_SIGINFO | SA_RESTORER, restorer, 0 };
	CHECK(syscall6(SYS_rt_sigaction, sig, (i64)&a, 0, 8, 0, 0) == 0);
}

static void send(int sig)
{
	CHECK(SYSCALL(SYS_kill, SYSCALL(SYS_getpid, 0, 0, 0), sig, 0) == 0);
}

static u64 set_mask(u64 mask)
{
	u64 old;
	CHECK(syscall6(SYS_rt_sigprocmask, 2, (i64)&mask, (i64)&old, 8, 0, 0) == 0);
	return old;
}

static void on_usr1(int sig, int *info, u64 *context)
{
	u8 here;
	CHECK(sig == SIGUSR1 && info[0] == SIGUSR1 && context != 0);
	on_alternate += &here >= alternate && &here < alternate + sizeof alternate;
	usr1++;
}

static void on_usr2(int sig, int *info, u64 *context)
{
	CHECK(sig == SIGUSR2 && info[0] == SIGUSR2 && context != 0);
	usr2++;
	if (++depth > deepest)
		deepest = depth;
	if (depth < 4)
		send(SIGUSR2); // SA_NODEFER: arrives inside this handler
	depth--;
}

static void on_fault(int sig, int *info, u64 *context)
{
	CHECK(sig == SIGSEGV && context != 0);
	CHECK(*(u8 **)(info + 4) == guarded + 8);
	faults++;
	CHECK(SYSCALL(SYS_mprotect, guarded, 4096, 3) == 0);
}

static void on_division(int sig, int *info, u64 *context)
{
	enum { RIP = 5 + 16 }; // in the ucontext, after five words and the registers r8 to rsp
	CHECK(sig == SIGFPE && info[0] == SIGFPE);
	divisions++;
	context[RIP] += 3; // over the 64-bit div
}

GUEST("signals")
{
	struct stack alt = { alternate, 0, sizeof alternate };
	CHECK(SYSCALL(SYS_sigaltstack, &alt, 0, 0) == 0);
	guarded = (u8 *)syscall6(SYS_mmap, 0, 4096, 3, 0x22, -1, 0);
	handle(SIGUSR2, on_usr2, SA_NODEFER);
	handle(SIGSEGV, on_fault, 0);
	handle(SIGFPE, on_division, SA_ONSTACK);
	for (u64 i = 1; i <= 150; i++) {
		// Live values that a handler must not disturb.
		u64 a = mix(i, 1), b = mix(i, 2);
		double f = (double)i / 3;
		handle(SIGUSR1, on_usr1, i & 1 ? SA_ONSTACK : 0);
		__asm__ volatile("" : "+r"(a), "+r"(b), "+x"(f));
		send(SIGUSR1);
		__asm__ volatile("" : "+r"(a), "+r"(b), "+x"(f));
		CHECK(a == mix(i, 1) && b == mix(i, 2) && f == (double)i / 3);

		u64 old = set_mask(1UL << (SIGUSR1 - 1)), pending = 0;
		send(SIGUSR1);
		send(SIGUSR1); // pending signals of one number are one
		CHECK(SYSCALL(SYS_rt_sigpending, &pending, 8, 0) == 0);
		CHECK(pending == 1UL << (SIGUSR1 - 1) && usr1 == 2 * i - 1);
		set_mask(old);
		CHECK(usr1 == 2 * i);

		send(SIGUSR2);
		CHECK(usr2 == 4 * i && deepest == 4);

		CHECK(SYSCALL(SYS_mprotect, guarded, 4096, 0) == 0);
		*(volatile u64 *)(guarded + 8) = i;
		CHECK(faults == i && *(volatile u64 *)(guarded + 8) == i);

		u64 rax = i, rdx = 0, zero = 0;
		__asm__ volatile("divq %[z]" : "+a"(rax), "+d"(rdx) : [z] "c"(zero) : "cc", "memory");
		CHECK(divisions == i && rax == i && rdx == 0);
		if (i % 50 == 0)
			print_value("rounds", i);
	}
	handle(SIGUSR1, on_usr1, SA_RESETHAND);
	send(SIGUSR1);
	struct action now;
	CHECK(syscall6(SYS_rt_sigaction, SIGUSR1, 0, (i64)&now, 8, 0, 0) == 0);
	CHECK(now.handler == 0 && on_alternate == 150);
	print_value("handled", usr1 + usr2 + faults + divisions);
}
