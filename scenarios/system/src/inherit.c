/* Locks with priority inheritance: between threads and processes, with time limits, with
 * owners that die, and the conditions whose waiters are moved to them. */
#include "system.h"
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

static int word, other, *shared_word;
static pthread_mutex_t *mutex;
static volatile pid_t waiter;
static volatile int may_die;

static long futex(int *at, int op, long value, const struct timespec *limit, int *second, int third)
{
	return syscall(SYS_futex, at, op, value, limit, second, third);
}

static int owner(int w) { return w & FUTEX_TID_MASK; }

static void errors(void)
{
	struct timespec past = { 0, 0 }, big = { 0, 1000000000 }, negative = { -1, 0 };
	word = 0;
	say("unlock what is free: %s", told(futex(&word, FUTEX_UNLOCK_PI, 0, 0, 0, 0)));
	say("try: %s", told(futex(&word, FUTEX_TRYLOCK_PI, 0, 0, 0, 0)));
	say("again: %s", told(futex(&word, FUTEX_TRYLOCK_PI, 0, 0, 0, 0)));
	say("unlock: %s", told(futex(&word, FUTEX_UNLOCK_PI, 0, 0, 0, 0)));
	say("the word is %d", word);
	say("lock: %s", told(futex(&word, FUTEX_LOCK_PI, 0, 0, 0, 0)));
	say("again: %s", told(futex(&word, FUTEX_LOCK_PI, 0, 0, 0, 0)));
	say("unlock: %s", told(futex(&word, FUTEX_UNLOCK_PI, 0, 0, 0, 0)));
	say("the word is %d", word);
	say("lock by another clock: %s", told(futex(&word, FUTEX_LOCK_PI2, 0, 0, 0, 0)));
	futex(&word, FUTEX_UNLOCK_PI, 0, 0, 0, 0);
	word = 999999;
	say("an owner that is not there: %s %s %s", told(futex(&word, FUTEX_LOCK_PI, 0, 0, 0, 0)), told(futex(&word, FUTEX_TRYLOCK_PI, 0, 0, 0, 0)), told(futex(&word, FUTEX_UNLOCK_PI, 0, 0, 0, 0)));
	word = FUTEX_OWNER_DIED;
	long r = futex(&word, FUTEX_TRYLOCK_PI, 0, 0, 0, 0);
	say("an owner that died: %s, %#x, mine %d", told(r), word & ~FUTEX_TID_MASK, owner(word) == gettid());
	word = 0;
	say("times: %s %s %s", told(futex(&word, FUTEX_LOCK_PI, 0, &big, 0, 0)), told(futex(&word, FUTEX_LOCK_PI, 0, &negative, 0, 0)), told(futex(&word, FUTEX_LOCK_PI, 0, (void *)8, 0, 0)));
	say("addresses: %s %s", told(futex((int *)8, FUTEX_LOCK_PI, 0, 0, 0, 0)), told(futex((int *)1, FUTEX_LOCK_PI, 0, 0, 0, 0)));
	say("wait for a condition: %s %s %s", told(futex(&word, FUTEX_WAIT_REQUEUE_PI, 1, &past, &other, 0)), told(futex(&word, FUTEX_WAIT_REQUEUE_PI, 0, &past, &other, 0)),
		told(futex(&word, FUTEX_WAIT_REQUEUE_PI, 0, &past, &word, 0)));
	say("move: %s %s %s %s %s", told(futex(&word, FUTEX_CMP_REQUEUE_PI, 1, 0, &other, 0)), told(futex(&word, FUTEX_CMP_REQUEUE_PI, 2, 0, &other, 0)), told(futex(&word, FUTEX_CMP_REQUEUE_PI, 1, 0, &word, 0)),
		told(futex(&word, FUTEX_CMP_REQUEUE_PI, 1, 0, &other, 1)), told(futex(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)-1, &other, 0)));
	say("another clock: %s %s %s", told(futex(&word, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, 0, 0, 0)), told(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, 0, 0, 0)), told(futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, &past, 0, 0)));
	word = 0;
}

static void *locks(void *name)
{
	waiter = gettid();
	int r = pthread_mutex_lock(mutex);
	say("%s has it: %d", (char *)name, r);
	if (r == EOWNERDEAD)
		say("consistent: %d", pthread_mutex_consistent(mutex));
	pthread_mutex_unlock(mutex);
	return 0;
}

static pthread_t waits(const char *name)
{
	pthread_t t;
	waiter = 0;
	pthread_create(&t, 0, locks, (void *)name);
	while (waiter == 0)
		usleep(100);
	asleep(waiter);
	return t;
}

static void make(int robust, int shared)
{
	pthread_mutexattr_t a;
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutexattr_setrobust(&a, robust ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED);
	pthread_mutexattr_setpshared(&a, shared ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
	say("init: %d", pthread_mutex_init(mutex, &a));
}

static void *dies(void *unused)
{
	pthread_mutex_lock(mutex);
	waiter = gettid();
	while (!may_die)
		usleep(1000);
	return 0;
}

static void threads(void)
{
	make(0, 0);
	say("lock: %d", pthread_mutex_lock(mutex));
	say("again: %d", pthread_mutex_lock(mutex));
	pthread_t a = waits("the first"), b = waits("the second"), c = waits("the third");
	struct timespec t;
	pthread_mutex_unlock(mutex);
	pthread_join(a, 0), pthread_join(b, 0), pthread_join(c, 0);

	make(1, 0);
	waiter = 0;
	pthread_create(&a, 0, dies, 0);
	while (waiter == 0)
		usleep(100);
	say("try: %d", pthread_mutex_trylock(mutex));
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += 1000000, t.tv_sec += t.tv_nsec / 1000000000, t.tv_nsec %= 1000000000;
	say("a limit: %d", pthread_mutex_timedlock(mutex, &t));
	b = waits("who waited for the dead");
	may_die = 1;
	pthread_join(a, 0), pthread_join(b, 0);
	say("later: %d", pthread_mutex_trylock(mutex));
	say("unlock: %d", pthread_mutex_unlock(mutex));
}

static void holds(int how)
{
	say("a child has it: %d", pthread_mutex_lock(mutex));
	*shared_word = 1;
	while (*(volatile int *)shared_word == 1)
		usleep(100);
	asleep(getppid());
	if (how == 0)
		pthread_mutex_unlock(mutex);
	_exit(0);
}

static void processes(void)
{
	make(1, 1);
	for (int how = 0; how < 2; how++) {
		*shared_word = 0;
		pid_t pid = child(holds, how);
		while (*(volatile int *)shared_word == 0)
			usleep(100);
		say("busy: %d", pthread_mutex_trylock(mutex));
		*shared_word = 2;
		int r = pthread_mutex_lock(mutex);
		say("mine: %d", r);
		if (r == EOWNERDEAD)
			say("consistent: %d", pthread_mutex_consistent(mutex));
		pthread_mutex_unlock(mutex);
		reap(pid);
	}
}

/* A wait for a lock goes on behind the handler of a signal. */
static void on_signal(int sig) { say("signal %d", sig); }

static void interrupted(void)
{
	struct sigaction a = { .sa_handler = on_signal };
	sigaction(SIGUSR1, &a, 0);
	make(0, 0);
	pthread_mutex_lock(mutex);
	pthread_t t = waits("who was interrupted");
	pthread_kill(t, SIGUSR1);
	usleep(5000);
	asleep(waiter);
	pthread_mutex_unlock(mutex);
	pthread_join(t, 0);
}

static void *moved(void *unused)
{
	waiter = gettid();
	long r = futex(&word, FUTEX_WAIT_REQUEUE_PI, 0, 0, &other, 0);
	say("moved: %s, mine %d", told(r), owner(other) == gettid());
	futex(&other, FUTEX_UNLOCK_PI, 0, 0, 0, 0);
	return 0;
}

static pthread_t waits_for_condition(void)
{
	pthread_t t;
	waiter = 0;
	pthread_create(&t, 0, moved, 0);
	while (waiter == 0)
		usleep(100);
	asleep(waiter);
	return t;
}

static void conditions(void)
{
	word = other = 0;
	pthread_t a = waits_for_condition();
	say("woken plainly: %s", told(futex(&word, FUTEX_WAKE, 1, 0, 0, 0)));
	long r = futex(&word, FUTEX_CMP_REQUEUE_PI, 1, 0, &other, 0);
	pthread_join(a, 0);
	say("moved to a free lock: %s", told(r));
	other = 0;
	futex(&other, FUTEX_LOCK_PI, 0, 0, 0, 0);
	a = waits_for_condition();
	pthread_t b = waits_for_condition();
	say("moved to a lock that is held: %s", told(futex(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)10, &other, 0)));
	say("the word: %#x", other & ~FUTEX_TID_MASK);
	r = futex(&other, FUTEX_UNLOCK_PI, 0, 0, 0, 0);
	pthread_join(a, 0), pthread_join(b, 0);
	say("unlocked: %s", told(r));
}

int main(void)
{
	mutex = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared_word = (int *)(mutex + 1);
	errors();
	threads();
	processes();
	interrupted();
	conditions();
	return 0;
}
