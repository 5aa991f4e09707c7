/* Scheduling policies and priorities, and what numbers name: threads and processes. */
#include "system.h"
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t least, most;
	uint64_t more;
};

#define CALL(name, ...) told(syscall(SYS_##name, __VA_ARGS__))

static void shows(const char *what)
{
	struct attributes a;
	struct sched_param p = { 77 };
	memset(&a, 0x55, sizeof a);
	const char *r = CALL(sched_getattr, 0, &a, 56, 0);
	int slice = a.policy == 0 || a.policy == 3 || a.policy == 5;
	say("%s: %s, size %u policy %u flags %lx nice %d priority %u, %lu %lu %lu, %u %u; %s %s %d", what, r, a.size, a.policy, a.flags, a.nice, a.priority,
		slice ? 0 : a.runtime, a.deadline, a.period, a.least, a.most, CALL(sched_getscheduler, 0), CALL(sched_getparam, 0, &p), p.sched_priority);
}

static void child_shows(int arg)
{
	shows("the child");
	say("its nice value: %d", getpriority(PRIO_PROCESS, 0));
}

static void normal(void)
{
	struct sched_param none = { 0 };
	syscall(SYS_sched_setscheduler, 0, 0, &none);
}

static void schedulers(void)
{
	static const int policies[] = { 0, 1, 2, 3, 4, 5, 6, 8, -1, 0x40000000, 0x40000001, 0x40000005 };
	static const int priorities[] = { -1, 0, 1, 50, 99, 100 };
	for (int i = 0; i < 12; i++)
		for (int j = 0; j < 6; j++) {
			struct sched_param p = { priorities[j] };
			const char *r = CALL(sched_setscheduler, 0, policies[i], &p);
			say("policy %x, priority %d: %s, then %s", policies[i], priorities[j], r, CALL(sched_getscheduler, 0));
			normal();
		}
	struct sched_param p = { 5 };
	say("setscheduler: %s %s %s %s", CALL(sched_setscheduler, 0, 1, 0), CALL(sched_setscheduler, 0, 1, 8), CALL(sched_setscheduler, -5, 1, &p), CALL(sched_setscheduler, 999999, 1, &p));
	say("getparam: %s %s %s %s", CALL(sched_getparam, 0, 0), CALL(sched_getparam, 0, 8), CALL(sched_getparam, -1, &p), CALL(sched_getparam, 999999, &p));
	say("getscheduler: %s %s", CALL(sched_getscheduler, -1), CALL(sched_getscheduler, 999999));
	say("setparam: %s %s %s %s", CALL(sched_setparam, 0, 0), CALL(sched_setparam, 0, 8), CALL(sched_setparam, -1, &p), CALL(sched_setparam, 999999, &p));
	p.sched_priority = 5;
	say("a priority for SCHED_OTHER: %s", CALL(sched_setparam, 0, &p));
	syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &p);
	p.sched_priority = 20;
	say("another for SCHED_FIFO: %s", CALL(sched_setparam, 0, &p));
	shows("SCHED_FIFO");
	struct timespec t = { 9, 9 };
	const char *r = CALL(sched_rr_get_interval, 0, &t);
	say("its interval: %s %ld %ld", r, t.tv_sec, t.tv_nsec);
	syscall(SYS_sched_setscheduler, 0, SCHED_RR | SCHED_RESET_ON_FORK, &p);
	r = CALL(sched_rr_get_interval, 0, &t);
	say("of SCHED_RR: %s %ld %ld; %s %s %s", r, t.tv_sec, t.tv_nsec, CALL(sched_rr_get_interval, -1, &t), CALL(sched_rr_get_interval, 999999, &t), CALL(sched_rr_get_interval, 0, 8));
	shows("reset at the next fork");
	reap(child(child_shows, 0));
	p.sched_priority = 4;
	say("the reset is kept: %s %s", CALL(sched_setparam, 0, &p), CALL(sched_getscheduler, 0));
	p.sched_priority = 3;
	syscall(SYS_sched_setscheduler, 0, SCHED_RR, &p);
	reap(child(child_shows, 0));
	normal();
	setpriority(PRIO_PROCESS, 0, -5);
	reap(child(child_shows, 0));
	p.sched_priority = 0;
	syscall(SYS_sched_setscheduler, 0, SCHED_RESET_ON_FORK, &p);
	reap(child(child_shows, 0));
	setpriority(PRIO_PROCESS, 0, 0);
	normal();
	for (int i = -2; i < 9; i++)
		say("bounds of %d: %s %s", i, CALL(sched_get_priority_max, i), CALL(sched_get_priority_min, i));
}

static void attributes(void)
{
	static const struct attributes all[] = {
		{ 56, 0, 0, 5 }, { 48, 0, 0, -30 }, { 0, 0, 0, 30 }, { 47, 0 }, { 4097, 0 }, { 64, 0 }, { 64, .more = 1 }, { 56, 1, 0, 0, 10 }, { 56, 1, 0, 7, 0 },
		{ 56, 3, 0, 7, 0 }, { 56, 3, 0, 7, 1 }, { 56, 5, 0, 9, 0 }, { 56, 2, 1, 9, 7 }, { 56, 2, 0x80, 9, 7 }, { 56, 2, 8, 9, 8 }, { 56, 0, 16, 3, 0 },
		{ 56, 9, 16, 3, 0 }, { 56, 0x80000000, 0, 3, 0 }, { 56, 0, 8, 3, 0 }, { 56, 0, 0, 2, 0 }, { 56, 6, 0, 0, 0, 1000000, 2000000, 2000000 }, { 56, 0 },
		{ 56, 6, 0, 0, 0, 3000000, 2000000, 2000000 }, { 56, 6, 0, 0, 0, 100, 2000000, 2000000 }, { 56, 6, 0, 0, 0, 1000000, 3000000, 2000000 },
		{ 56, 6, 0, 0, 1, 1000000, 2000000, 0 }, { 56, 6, 0, 0, 0, 0, 0, 0 }, { 48, 0, 0x20 },
	};
	struct attributes a;
	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
		char what[32];
		a = all[i];
		const char *r = CALL(sched_setattr, 0, &a, 0);
		snprintf(what, sizeof what, "%u: %s, size %u", i, r, a.size);
		shows(what);
	}
	normal();
	a = all[0];
	say("setattr: %s %s %s %s %s", CALL(sched_setattr, 0, 0, 0), CALL(sched_setattr, 0, 8, 0), CALL(sched_setattr, -1, &a, 0), CALL(sched_setattr, 999999, &a, 0), CALL(sched_setattr, 0, &a, 1));
	static const int sizes[] = { 0, 47, 48, 52, 56, 60, 64, 4096, 4097 };
	for (int i = 0; i < 9; i++) {
		static char b[5000];
		memset(b, 0x55, sizeof b);
		const char *r = CALL(sched_getattr, 0, b, sizes[i], 0);
		say("getattr of %d: %s, size %u, %x %x", sizes[i], r, *(unsigned *)b, b[56], b[60]);
	}
	say("getattr: %s %s %s %s %s", CALL(sched_getattr, 0, 0, 48, 0), CALL(sched_getattr, 0, 8, 48, 0), CALL(sched_getattr, -1, &a, 48, 0), CALL(sched_getattr, 999999, &a, 48, 0), CALL(sched_getattr, 0, &a, 48, 1));
	say("priority: %s %s %s", CALL(getpriority, 3, 0), CALL(getpriority, -1, 0), CALL(getpriority, 0, 999999));
	unsigned long cores;
	say("affinity: %s %s %s %s", CALL(sched_getaffinity, -1, 8, &cores), CALL(sched_getaffinity, 0, 7, &cores), CALL(sched_getaffinity, 0, 12, &cores), CALL(sched_getaffinity, 0, 8, 4));
	say("affinity: %s %s %s", CALL(sched_setaffinity, -1, 8, &cores), CALL(sched_setaffinity, 0, 0, &cores), CALL(sched_setaffinity, 0, 8, 4));
}

/* What names a process takes the number of any of its threads, what names a thread takes only that one. */
static void *numbers(void *main_id)
{
	pid_t me = gettid();
	struct sched_param p = { 7 };
	setpriority(PRIO_PROCESS, 0, 0);
	say("nice: %s, own %d, the first thread's %d", told(setpriority(PRIO_PROCESS, me, 7)), getpriority(PRIO_PROCESS, 0), getpriority(PRIO_PROCESS, getpid()));
	say("policy: %s, own %s, the first thread's %s", CALL(sched_setscheduler, me, SCHED_FIFO, &p), CALL(sched_getscheduler, 0), CALL(sched_getscheduler, getpid()));
	say("group and session: %d %d", getpgid(me) == getpgid(0), getsid(me) == getsid(0));
	say("setpgid: %s", told(setpgid(me, 0)));
	say("kill: %s, nobody: %s", told(kill(me, 0)), told(kill(999999, 0)));
	say("waitpid: %s", told(waitpid(me, 0, WNOHANG)));
	struct rlimit l;
	say("prlimit: %s", told(prlimit(me, RLIMIT_NOFILE, 0, &l)));
	siginfo_t i = { .si_code = SI_QUEUE };
	say("sigqueue: %s", CALL(rt_sigqueueinfo, me, 0, &i));
	say("tgkill: %s %s", CALL(tgkill, getpid(), me, 0), CALL(tgkill, me, me, 0));
	return 0;
}

int main(void)
{
	setpriority(PRIO_PROCESS, 0, 0);
	normal();
	shows("at the start");
	schedulers();
	attributes();
	pthread_t t;
	pthread_create(&t, 0, numbers, 0);
	pthread_join(t, 0);
	shows("at the end");
	return 0;
}
