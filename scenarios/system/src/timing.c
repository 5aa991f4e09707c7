/* Time and waiting: timers that nobody reads, sleepers that are stopped, intervals of a
 * nanosecond, timers whose signal is blocked or ignored, nests of epoll instances. */
#include "system.h"
#include <limits.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

static const struct timespec now_or_never = { 0, 0 };

static void sleeps(int us)
{
	usleep(us);
	_exit(3);
}

static void ended(const char *what, pid_t pid)
{
	int status = 0;
	pid_t got = waitpid(pid, &status, 0);
	say("%s: %s, %d", what, got == pid ? "ended" : told(got), WEXITSTATUS(status));
}

/* The only thread waits for something else while a timer of a descriptor is due, or becomes it. */
static void timerfds(void)
{
	struct itimerspec it = { { 0, 0 }, { 0, 1000000 } };
	int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	timerfd_settime(t, 0, &it, 0);
	ended("an unread timer", child(sleeps, 10000));
	it.it_interval.tv_nsec = 1;
	timerfd_settime(t, 0, &it, 0);
	ended("an unread timer of 1 ns", child(sleeps, 10000));
	uint64_t n = 0;
	long r = read(t, &n, 8);
	say("it has expired often: %d", r == 8 && n > 1000);

	it.it_interval.tv_nsec = 0;
	timerfd_settime(t, 0, &it, 0);
	struct pollfd p = { t, POLLIN, 0 };
	say("poll: %d %#x", poll(&p, 1, 5000), p.revents);
	say("poll of what is due: %d", poll(&p, 1, 0));
	timerfd_settime(t, 0, &it, 0);
	fd_set set;
	FD_ZERO(&set);
	FD_SET(t, &set);
	struct timeval tv = { 5, 0 };
	say("select: %d", select(t + 1, &set, 0, 0, &tv));
	struct epoll_event ev = { EPOLLIN | EPOLLET };
	int inner = epoll_create1(0), outer = epoll_create1(0);
	epoll_ctl(inner, EPOLL_CTL_ADD, t, &ev);
	ev.events = EPOLLIN;
	epoll_ctl(outer, EPOLL_CTL_ADD, inner, &ev);
	timerfd_settime(t, 0, &it, 0);
	say("epoll of epoll: %d", epoll_wait(outer, &ev, 1, 5000));
	say("inside: %d", epoll_wait(inner, &ev, 1, 0));
	say("again: %d", epoll_wait(inner, &ev, 1, 3));
	timerfd_settime(t, 0, &it, 0);
	say("armed anew: %d", epoll_wait(inner, &ev, 1, 5000));
	close(inner), close(outer), close(t);
}

/* The child is stopped in a sleep that would end before its parent's. */
static void stopped(void)
{
	int status;
	pid_t c = child(sleeps, 2000);
	usleep(200);
	kill(c, SIGSTOP);
	waitpid(c, &status, WUNTRACED);
	say("stopped: %d", WIFSTOPPED(status));
	usleep(20000);
	kill(c, SIGCONT);
	ended("a stopped sleeper", c);
}

static void ignored_children(void)
{
	signal(SIGCHLD, SIG_IGN);
	pid_t c = child(sleeps, 20000);
	say("wait for a child that nobody hears of: %s", told(wait(0)));
	c = child(sleeps, 20000);
	say("waitpid: %s", told(waitpid(c, 0, 0)));
	siginfo_t i;
	child(sleeps, 20000);
	say("waitid: %s", told(waitid(P_ALL, 0, &i, WEXITED)));
	signal(SIGCHLD, SIG_DFL);
	say("nobody: %s, the lowest: %s", told(waitpid(-1, 0, 0)), told(waitpid(INT_MIN, 0, 0)));
}

static int taken(const sigset_t *set, siginfo_t *i)
{
	memset(i, 0, sizeof *i);
	return sigtimedwait(set, i, &now_or_never);
}

/* A timer whose signal is pending rests until that is taken. */
static void signals(void)
{
	sigset_t set;
	siginfo_t i;
	timer_t a, b;
	struct itimerspec fast = { { 0, 1 }, { 0, 1 } }, once = { { 0, 0 }, { 0, 1 } }, off = { { 0, 0 }, { 0, 0 } }, left;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, 0);
	say("create: %d %d", timer_create(CLOCK_MONOTONIC, 0, &a), timer_create(CLOCK_REALTIME, 0, &b));
	timer_settime(a, 0, &fast, 0);
	usleep(5000);
	say("overruns before the signal is taken: %d", timer_getoverrun(a));
	say("taken: %d, code %d, overruns %d", taken(&set, &i), i.si_code, i.si_overrun > 1000);
	say("overruns: %d", timer_getoverrun(a) == i.si_overrun);
	timer_settime(a, 0, &off, &left);
	say("interval %ld", left.it_interval.tv_nsec);
	say("disarmed: %s, overruns %d", told(taken(&set, &i)), timer_getoverrun(a));
	timer_settime(a, 0, &once, 0);
	timer_settime(b, 0, &once, 0);
	usleep(1000);
	say("two timers, one signal: %d", taken(&set, &i) + taken(&set, &i));
	say("no third: %s", told(taken(&set, &i)));
	timer_settime(a, 0, &once, 0);
	usleep(1000);
	timer_delete(a);
	say("deleted: %s", told(taken(&set, &i)));

	/* a signal that is ignored, until it is not */
	signal(SIGALRM, SIG_IGN);
	sigprocmask(SIG_UNBLOCK, &set, 0);
	timer_settime(b, 0, &fast, 0);
	usleep(3000);
	say("ignored: overruns %d", timer_getoverrun(b));
	sigprocmask(SIG_BLOCK, &set, 0);
	signal(SIGALRM, SIG_DFL);
	say("not ignored any more: %d, overruns %d", taken(&set, &i), i.si_overrun > 100);
	timer_delete(b);

	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	timer_create(CLOCK_MONOTONIC, &none, &a);
	timer_settime(a, 0, &fast, 0);
	ended("a timer of 1 ns that tells nobody", child(sleeps, 20000));
	timer_settime(a, 0, &once, 0);
	usleep(1000);
	timer_gettime(a, &left);
	say("it has expired: %ld", left.it_value.tv_nsec);
	timer_delete(a);
}

static void itimers(void)
{
	sigset_t set;
	siginfo_t i;
	struct itimerval often = { { 0, 1 }, { 0, 1 } }, off = { { 0, 0 }, { 0, 0 } }, left;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	signal(SIGALRM, SIG_IGN);
	sigprocmask(SIG_UNBLOCK, &set, 0);
	setitimer(ITIMER_REAL, &often, 0);
	ended("an ignored timer of 1 us", child(sleeps, 20000));
	getitimer(ITIMER_REAL, &left);
	say("it rests: %ld of %ld", left.it_value.tv_usec, left.it_interval.tv_usec);
	signal(SIGALRM, SIG_DFL);
	sigprocmask(SIG_BLOCK, &set, 0);
	usleep(1000);
	say("and goes on resting: %s", told(taken(&set, &i)));
	setitimer(ITIMER_REAL, &often, 0);
	usleep(1000);
	getitimer(ITIMER_REAL, &left);
	say("blocked: %ld of %ld", left.it_value.tv_usec, left.it_interval.tv_usec);
	say("taken: %d, code %#x", taken(&set, &i), i.si_code);
	usleep(1000);
	say("again: %d", taken(&set, &i));
	setitimer(ITIMER_REAL, &off, 0);
	taken(&set, &i);

	alarm(10);
	say("alarm: %d", alarm(3));
	usleep(10000);
	say("alarm: %d", alarm(0));
	ualarm(300000, 0);
	say("less than a second: %d, none: %d", alarm(0), alarm(0));
	often = (struct itimerval){ { 0, 0 }, { 9, 400000 } };
	setitimer(ITIMER_REAL, &often, 0);
	say("rounded: %d", alarm(0));
	setitimer(ITIMER_PROF, &often, 0);
	setitimer(ITIMER_VIRTUAL, &often, 0);
	ended("timers of processor time", child(sleeps, 20000));
	getitimer(ITIMER_VIRTUAL, &left);
	say("still %ld s", left.it_value.tv_sec);
	setitimer(ITIMER_PROF, &off, 0);
	setitimer(ITIMER_VIRTUAL, &off, 0);
}

enum { depth = 5, width = 12 };

/* Linux refuses most watches of a wide nest, and a long one. */
static void nests(int file)
{
	int ep[depth + 2][width];
	struct epoll_event ev = { EPOLLIN };
	for (int d = 0; d < depth; d++) {
		int bad = 0, ok = 0, why = 0;
		for (int i = 0; i < width; i++) {
			ep[d][i] = epoll_create1(0);
			if (d == 0 && file >= 0)
				epoll_ctl(ep[d][i], EPOLL_CTL_ADD, file, &ev);
			for (int j = 0; d > 0 && j < width; j++)
				if (epoll_ctl(ep[d][i], EPOLL_CTL_ADD, ep[d - 1][j], &ev) == 0)
					ok++;
				else
					bad++, why = errno;
		}
		say("level %d: %d watches, %d refused, %s", d, ok, bad, why ? strerrorname_np(why) : "none");
	}
	say("wait: %d", epoll_wait(ep[depth - 1][0], &ev, 1, 1));
	int more = epoll_create1(0);
	say("one more above: %s", told(epoll_ctl(more, EPOLL_CTL_ADD, ep[depth - 1][0], &ev)));
	say("one more below: %s", told(epoll_ctl(ep[0][0], EPOLL_CTL_ADD, more, &ev)));
	say("a ring: %s", told(epoll_ctl(more, EPOLL_CTL_ADD, ep[0][0], &ev)));
	if (file >= 0) {
		uint64_t one = 1;
		if (write(file, &one, 8) != 8)
			say("no event");
		say("wait for an event: %d", epoll_wait(ep[depth - 1][0], &ev, 1, 1000));
	}
	for (int d = 0; d < depth; d++)
		for (int i = 0; i < width; i++)
			close(ep[d][i]);
	close(more);
}

int main(void)
{
	timerfds();
	stopped();
	ignored_children();
	signals();
	itimers();
	int e = eventfd(0, 0);
	nests(e);
	nests(-1);
	close(e);
	return 0;
}
