/* Job control: what stops and continues processes, and what their parent is told. */
#include "system.h"
#include <time.h>

static void tell(const char *what, pid_t got, pid_t pid, int status)
{
	if (got != pid)
		say("%s: %s", what, got == 0 ? "nothing" : told(got));
	else if (WIFSTOPPED(status))
		say("%s: stopped by %d", what, WSTOPSIG(status));
	else if (WIFCONTINUED(status))
		say("%s: goes on", what);
	else if (WIFSIGNALED(status))
		say("%s: killed by %d", what, WTERMSIG(status));
	else
		say("%s: ended with %d", what, WEXITSTATUS(status));
}

static void looks(const char *what, pid_t pid, int options)
{
	int status = -1;
	pid_t got = waitpid(pid, &status, options);
	tell(what, got, pid, status);
}

static void looks_id(const char *what, pid_t pid, int options)
{
	siginfo_t i;
	memset(&i, 0, sizeof i);
	int r = waitid(P_PID, pid, &i, options);
	say("%s: %s, signal %d, code %d, status %d, %s", what, told(r), i.si_signo, i.si_code, i.si_status, i.si_pid == pid ? "the child" : i.si_pid ? "another" : "nobody");
}

static int pipes[2];
static volatile sig_atomic_t handled;
static void on_signal(int sig) { handled = sig; }

static void sleeper(int arg)
{
	setpgid(0, 0);
	for (;;)
		pause();
}

static void worker(int arg)
{
	/* Reads bytes, and answers with a line each; stops by default. */
	char c;
	setpgid(0, 0);
	while (read(pipes[0], &c, 1) == 1)
		say("the worker read %c", c);
}

static void stops(void)
{
	pid_t pid = child(sleeper, 0);
	asleep(pid);
	static const int kinds[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };
	for (int i = 0; i < 4; i++) {
		kill(pid, kinds[i]);
		looks("waits for a stop", pid, WUNTRACED);
		say("state %c", state_of(pid));
		looks("again", pid, WUNTRACED | WNOHANG);
		kill(pid, SIGCONT);
		looks("waits for more", pid, WCONTINUED);
		looks("again", pid, WCONTINUED | WUNTRACED | WNOHANG);
		asleep(pid);
	}
	looks_id("no change", pid, WSTOPPED | WCONTINUED | WEXITED | WNOHANG);
	kill(pid, SIGTSTP);
	looks_id("left there", pid, WSTOPPED | WNOWAIT);
	looks_id("not asked for", pid, WCONTINUED | WNOHANG);
	looks_id("stopped", pid, WSTOPPED | WEXITED);
	kill(pid, SIGTERM);
	say("a stopped process gets no other signal: state %c", state_of(pid));
	kill(pid, SIGCONT);
	looks("then it does", pid, 0);
	looks_id("nobody there", pid, WSTOPPED);
	pid = child(sleeper, 0);
	asleep(pid);
	kill(pid, SIGSTOP);
	looks("stopped", pid, WUNTRACED);
	kill(pid, SIGKILL);
	looks("but this one", pid, WUNTRACED | WCONTINUED);
	/* A zombie is nothing to a wait that does not ask for ends. */
	pid = child(sleeper, 0);
	kill(pid, SIGKILL);
	while (state_of(pid) != 'Z')
		usleep(200);
	looks_id("a zombie", pid, WSTOPPED | WNOHANG);
	looks_id("a zombie", pid, WEXITED);
}

static void waiting_call(int restart)
{
	/* A wait goes on as it was when no handler ran. */
	struct timespec t = { 0, 30 * 1000 * 1000 };
	setpgid(0, 0);
	int r = restart == 0 ? nanosleep(&t, NULL) : restart == 1 ? poll(NULL, 0, 30) : epoll_wait(epoll_create1(0), (struct epoll_event[1]){}, 1, 30);
	say("the call gave %s", told(r));
}

static void interrupted(void)
{
	if (pipe(pipes))
		_exit(1);
	pid_t pid = child(worker, 0);
	asleep(pid);
	kill(pid, SIGSTOP);
	looks("the worker", pid, WUNTRACED);
	if (write(pipes[1], "ab", 2) != 2)
		_exit(1);
	usleep(2000);
	say("it has not read, state %c", state_of(pid));
	kill(pid, SIGCONT);
	asleep(pid); /* it has read all */
	looks("the worker", pid, WCONTINUED);
	kill(pid, SIGKILL);
	looks("the worker", pid, 0);
	for (int i = 0; i < 3; i++) {
		pid = child(waiting_call, i);
		asleep(pid);
		kill(pid, SIGSTOP);
		looks("the sleeper", pid, WUNTRACED);
		kill(pid, SIGCONT);
		looks("the sleeper", pid, 0);
	}
}

static int children, stopped, continued, ended;
static void on_child(int sig, siginfo_t *i, void *context)
{
	children++;
	stopped += i->si_code == CLD_STOPPED && i->si_status == SIGTSTP;
	continued += i->si_code == CLD_CONTINUED && i->si_status == SIGCONT;
	ended += i->si_code == CLD_KILLED && i->si_status == SIGKILL;
}

static void told_by_signal(int flags)
{
	struct sigaction act = { .sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART | flags };
	sigaction(SIGCHLD, &act, NULL);
	children = stopped = continued = ended = 0;
	pid_t pid = child(sleeper, 0);
	asleep(pid);
	kill(pid, SIGTSTP);
	looks("stops", pid, WUNTRACED);
	kill(pid, SIGCONT);
	looks("goes on", pid, WCONTINUED);
	while (!flags && !continued)
		usleep(100);
	kill(pid, SIGKILL);
	looks("ends", pid, 0);
	say("%d signals, flags %#x: %d stopped, %d goes on, %d ended", children, flags, stopped, continued, ended);
	signal(SIGCHLD, SIG_DFL);
}

static void handlers(int arg)
{
	setpgid(0, 0);
	signal(SIGTSTP, on_signal);
	signal(SIGCONT, on_signal);
	pause();
	say("signal %d is handled", (int)handled);
	signal(SIGTSTP, SIG_DFL);
	raise(SIGTSTP);
	say("and then stops and goes on: %d", (int)handled);
	sigset_t set, old;
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGCONT);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGTSTP);
	sigpending(&set);
	int before = sigismember(&set, SIGTSTP);
	raise(SIGCONT);
	sigpending(&set);
	say("pending %d, after SIGCONT %d and %d", before, sigismember(&set, SIGTSTP), sigismember(&set, SIGCONT));
	raise(SIGTSTP);
	sigpending(&set);
	say("after SIGTSTP %d and %d", sigismember(&set, SIGTSTP), sigismember(&set, SIGCONT));
	raise(SIGCONT);
	handled = 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
	say("at last %d", (int)handled);
}

static void *spins(void *arg)
{
	volatile long *n = arg;
	while (*n >= 0)
		++*n, sched_yield();
	return NULL;
}

static void many(int arg)
{
	/* A signal stops all threads. */
	static long counts[3];
	pthread_t t[3];
	setpgid(0, 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, spins, &counts[i]);
	while (!counts[0] || !counts[1] || !counts[2])
		sched_yield();
	if (write(pipes[1], "x", 1) != 1)
		_exit(1);
	raise(SIGSTOP);
	for (int i = 0; i < 3; i++)
		counts[i] = -100;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

static int start[2];

static void orphan(int arg)
{
	char c;
	/* The middle process ends: its stopped child is alone, and is woken with SIGHUP. */
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGHUP, on_signal);
		setpgid(0, 0);
		while (!handled)
			pause();
		if (read(start[0], &c, 1) != 1)
			_exit(1);
		say("the orphan got %d", (int)handled);
		raise(SIGTSTP);
		say("and is not stopped by SIGTSTP");
		close(pipes[1]);
		_exit(0);
	}
	close(pipes[1]);
	asleep(pid);
	kill(pid, SIGSTOP);
	int status;
	waitpid(pid, &status, WUNTRACED);
	say("the orphan-to-be is stopped: %d", WIFSTOPPED(status));
}

int main(void)
{
	char c;
	stops();
	interrupted();
	told_by_signal(0);
	told_by_signal(SA_NOCLDSTOP);
	pid_t pid = child(handlers, 0);
	asleep(pid);
	kill(pid, SIGTSTP);
	looks("after the handler", pid, WUNTRACED);
	kill(pid, SIGCONT);
	looks("handlers", pid, 0);
	pid = child(many, 0);
	if (read(pipes[0], &c, 1) != 1)
		_exit(1);
	looks("many threads", pid, WUNTRACED);
	say("state %c", state_of(pid));
	kill(pid, SIGCONT);
	looks("many threads", pid, 0);
	if (pipe(pipes) || pipe(start))
		_exit(1);
	pid = child(orphan, 0);
	close(pipes[1]);
	looks("the middle", pid, 0);
	if (write(start[1], "x", 1) != 1)
		_exit(1);
	while (read(pipes[0], &c, 1) > 0)
		;
	return 0;
}
