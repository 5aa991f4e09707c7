/* Locks of files that are waited for. */
#include "system.h"

static int own = -1; /* a description of this process's own */

static void reopen(void)
{
	if (own >= 0)
		close(own); /* inherited, it would keep the parent's locks */
	own = open("lock", O_RDWR | O_CREAT, 0600);
}

static void release(void)
{
	close(own);
	own = -1;
}

static int set(int fd, int cmd, int type, long start, long n)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = n };
	return fcntl(fd, cmd, &l);
}

static void takes_flock(int how)
{
	reopen();
	int r = flock(own, how & 7);
	say("%c takes a %s flock: %s", how >> 8, how & LOCK_EX ? "exclusive" : "shared", told(r));
}

static void takes_range(int what)
{
	reopen();
	int r = set(own, what & 0x100 ? F_OFD_SETLKW : F_SETLKW, F_WRLCK, what & 0xff, 1);
	say("byte %d: %s", what & 0xff, told(r));
}

static void in_order(void)
{
	/* Every waiter that conflicts with an earlier one is served after it. */
	pid_t pid[4];
	reopen();
	flock(own, LOCK_EX);
	for (int i = 0; i < 4; i++)
		asleep(pid[i] = child(takes_flock, LOCK_EX | ('a' + i) << 8));
	flock(own, LOCK_UN);
	for (int i = 0; i < 4; i++)
		reap(pid[i]);
	release();
}

static volatile sig_atomic_t alarms;
static void on_alarm(int sig) { alarms++; }

static void interrupted(int what)
{
	struct sigaction act = { .sa_handler = on_alarm, .sa_flags = what & 1 ? SA_RESTART : 0 };
	sigaction(SIGUSR1, &act, NULL);
	reopen();
	int r = what & 2 ? set(own, F_SETLKW, F_WRLCK, 0, 0) : flock(own, LOCK_EX);
	say("interrupted, %s: %s after %d signals", what & 1 ? "restarting" : "not restarting", told(r), (int)alarms);
}

static void interrupts(void)
{
	for (int what = 0; what < 4; what++) {
		reopen();
		what & 2 ? set(own, F_SETLKW, F_WRLCK, 0, 0) : flock(own, LOCK_EX);
		pid_t pid = child(interrupted, what);
		asleep(pid);
		kill(pid, SIGUSR1);
		if (what & 1) {
			asleep(pid);
			what & 2 ? set(own, F_SETLKW, F_UNLCK, 0, 0) : flock(own, LOCK_UN);
		}
		reap(pid);
		release();
	}
}

static int stage[2];

static void second(int n)
{
	reopen();
	set(own, F_SETLKW, F_WRLCK, 1, 1);
	if (write(stage[1], "x", 1) != 1)
		_exit(1);
	int r = set(own, F_SETLKW, F_WRLCK, 0, 1);
	say("the other process takes byte 0: %s", told(r));
}

static void deadlock(void)
{
	char c;
	if (pipe(stage))
		_exit(1);
	reopen();
	set(own, F_SETLKW, F_WRLCK, 0, 1);
	pid_t pid = child(second, 0);
	if (read(stage[0], &c, 1) != 1)
		_exit(1);
	asleep(pid);
	say("a deadlock: %s", told(set(own, F_SETLKW, F_WRLCK, 1, 1)));
	say("without waiting: %s", told(set(own, F_SETLK, F_WRLCK, 1, 1)));
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
	fcntl(own, F_GETLK, &l);
	say("in the way: type %d, from %ld, %ld bytes, %s", l.l_type, (long)l.l_start, (long)l.l_len, l.l_pid == pid ? "the child's" : "another's");
	set(own, F_SETLK, F_UNLCK, 0, 1);
	reap(pid);
	release();
}

static void given_up(void)
{
	/* By closing, and by the end of the process. */
	reopen();
	set(own, F_SETLK, F_WRLCK, 5, 1);
	pid_t pid = child(takes_range, 5);
	asleep(pid);
	close(open("lock", O_RDONLY)); /* any descriptor of the file does */
	reap(pid);
	set(own, F_OFD_SETLK, F_WRLCK, 6, 1);
	pid = child(takes_range, 0x106);
	asleep(pid);
	close(dup(own)); /* not this */
	usleep(2000);
	say("still waits: %c", state_of(pid));
	release();
	reap(pid);
	int hold[2];
	if (pipe(hold))
		_exit(1);
	pid_t holder = fork();
	if (holder == 0) {
		reopen();
		flock(own, LOCK_EX);
		if (write(hold[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	char c;
	if (read(hold[0], &c, 1) != 1)
		_exit(1);
	pid = child(takes_flock, LOCK_SH | 'e' << 8);
	asleep(pid);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	reap(pid);
}

static int counter;

static void *adds(void *arg)
{
	int fd = open("lock", O_RDWR);
	for (int i = 0; i < 20; i++) {
		flock(fd, LOCK_EX);
		int n = counter;
		sched_yield();
		counter = n + 1;
		flock(fd, LOCK_UN);
	}
	close(fd);
	return NULL;
}

static void threads(void)
{
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, adds, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	say("four threads counted to %d", counter);
}

int main(void)
{
	in_order();
	interrupts();
	deadlock();
	given_up();
	threads();
	unlink("lock");
	return 0;
}
