// How a C program learns of the power failures that it survives. It need not: a program
// that does not handle SIGPWR goes on as if nothing had been. One that does is told before
// it goes on, by the signal, like any other.
//
// Which thread: the first that does not block SIGPWR, which is the main thread if that
// does not. Block it where it is not wanted (zhuque_not_here), before the other threads
// are made. Under --sigpwr per-thread every thread that does not block it is told.
//
// The handler runs on the stack that was interrupted, or with SA_ONSTACK on the alternate
// one; until it returns the other threads stand where the power failed. It may be
// interrupted by the next failure, and is called again for that when it has returned.
// What waits in a system call gets EINTR, without SA_RESTART.
#ifndef ZHUQUE_H
#define ZHUQUE_H

#include <signal.h>
#include <string.h>

typedef void zhuque_handler(int signal, siginfo_t *info, void *context);

// zhuque_on_power_failure sets the handler; flags are those of sigaction(2).
static inline int zhuque_on_power_failure(zhuque_handler *handler, int flags)
{
	struct sigaction a;
	memset(&a, 0, sizeof a);
	a.sa_sigaction = handler;
	a.sa_flags = flags | SA_SIGINFO;
	return sigaction(SIGPWR, &a, 0);
}

// zhuque_failures is how often the power has failed since the program was started, in
// the handler's words: 0 when somebody else has sent the signal.
static inline int zhuque_failures(const siginfo_t *info)
{
	return info->si_code > 0 ? info->si_code : 0;
}

// zhuque_not_here leaves the handler to other threads than the calling one.
static inline int zhuque_not_here(void)
{
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGPWR);
	return sigprocmask(SIG_BLOCK, &s, 0);
}

// zhuque_mark acknowledges an operation to zhuque explore, as a line on standard output
// does: what came before must survive a power cut from here on. Crash points are
// counted from the first mark on. It is a long NOP, and does nothing anywhere else.
#define zhuque_mark(n) __asm__ volatile("nopl 0x7a687571(%0)" : : "r"((unsigned long)(n)) : "memory")

#endif
