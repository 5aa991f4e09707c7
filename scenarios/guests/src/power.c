// Handles SIGPWR: counts the power failures that it is told of, and goes on with
// its work where it stopped.
#include "guest.h"

struct action {
	void (*handler)(int, int *, void *);
	u64 flags;
	void (*restorer)(void);
	u64 mask;
};

enum { SIGPWR = 30, SA_SIGINFO = 4, SA_RESTORER = 0x04000000 };

static volatile u64 told, last;

void restore(void);
__asm__(".text\nrestore:\n\tmov $15, %eax\n\tsyscall\n");

static void power_failed(int sig, int *info, void *context)
{
	(void)context;
	CHECK(sig == SIGPWR);
	told++;
	last = (u64)info[2]; // si_code: failures survived
}

GUEST("power")
{
	struct action a = {power_failed, SA_SIGINFO | SA_RESTORER, restore, 0};
	CHECK(syscall6(SYS_rt_sigaction, SIGPWR, (i64)&a, 0, 8, 0, 0) == 0);
	u64 sum = 1;
	for (u64 i = 0; i < 40000; i++)
		sum = sum * 6364136223846793005UL + i;
	print_hex("sum", sum);
	CHECK(told == 0 || last >= told);
	print_value("failures", told);
}
