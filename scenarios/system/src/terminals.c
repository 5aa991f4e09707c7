/* Pseudoterminals: the line discipline, settings, sessions and job control, and what the
 * end of one side does to the other. */
#include "system.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;

/* Prints n bytes with what cannot be printed as \x. */
static void shown(const char *what, const char *b, long n)
{
	char line[400] = "";
	int at = 0;
	for (long i = 0; i < n && at < 380; i++)
		at += snprintf(line + at, sizeof line - at, b[i] >= ' ' && b[i] < 127 ? "%c" : "\\%02x", (unsigned char)b[i]);
	say("%s: %s \"%s\"", what, told(n), line);
}

/* Linux carries characters from one end to the other beside the calls, or where poll
 * finds none. */
static void settle(void)
{
	struct timespec t = {0, 20000000};
	struct pollfd p[2] = {{slave, POLLIN, 0}, {master, POLLIN, 0}};
	nanosleep(&t, NULL);
	poll(p, 2, 0);
}

/* What one end has to read now. */
static void reads(const char *what, int fd)
{
	char b[8192];
	settle();
	int flags = fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	long n = read(fd, b, sizeof b);
	shown(what, b, n);
	fcntl(fd, F_SETFL, flags);
}

static void polled(struct pollfd *p)
{
	settle();
	int n = poll(p, 1, 0);
	say("poll: %d %#x", n, p->revents);
}

static void type(const char *text)
{
	if (write(master, text, strlen(text)) != (long)strlen(text))
		say("written short");
	settle();
}

/* Types, and shows what is echoed and what can be read. */
static void both(const char *what, const char *text)
{
	type(text);
	say("-- %s", what);
	reads("echo", master);
	reads("read", slave);
}

static void mode(tcflag_t set, tcflag_t clear)
{
	struct termios t;
	tcgetattr(slave, &t);
	t.c_lflag = (t.c_lflag | set) & ~clear;
	tcsetattr(slave, TCSANOW, &t);
}

static void lines(void)
{
	char b[10];
	int n = -1;
	struct termios t;
	tcgetattr(slave, &t);
	say("settings %#x %#x %#x %#x, line %d, erase %d", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag, t.c_line, t.c_cc[VERASE]);
	both("a line", "hello\n");
	both("no line yet", "abc");
	ioctl(slave, FIONREAD, &n);
	say("waiting %d", n);
	both("erased and entered", "de\x7f\x7fX\r");
	both("a word", "one two  three \x17\x17now\n");
	both("killed", "never this\x15this\n");
	both("controls", "a\x01" "b\x7f\x7f\x7f" "c\n");
	both("a tab", "\tab\tc\x7f\x7f\x7f\x7fz\n");
	both("literal", "\x16\x03\x16\x7f.\n");
	both("reprinted", "xy\x12z\n");
	both("nothing to erase", "\x7f\x17\x15\n");
	type("ab\x04");
	type("\x04");
	type("rest\n");
	reads("echo", master);
	reads("without a newline", slave);
	reads("the end", slave);
	reads("the rest", slave);
	type("one\ntwo\nthree\n");
	ioctl(slave, FIONREAD, &n);
	say("waiting %d", n);
	shown("in pieces", b, read(slave, b, 2));
	shown("in pieces", b, read(slave, b, 2));
	shown("in pieces", b, read(slave, b, 10));
	tcflush(slave, TCIFLUSH);
	reads("flushed", slave);
	reads("echo", master);
	mode(0, ECHO);
	both("no echo", "secret\n");
	mode(ECHONL, 0);
	both("but of the newline", "secret\n");
	mode(ECHO, ECHONL | ECHOE | ECHOCTL);
	both("plain echo", "ab\x7f\x01\x15" "c\n");
	mode(ECHOE | ECHOCTL, ECHOKE);
	both("kill by a new line", "ab\x15" "c\n");
	mode(ECHOKE, 0);
}

static void raw(void)
{
	struct termios t, old;
	struct pollfd p = {slave, POLLIN, 0};
	char b[10];
	tcgetattr(slave, &old);
	t = old;
	cfmakeraw(&t);
	type("typed before");
	reads("echo", master);
	say("set: %s", told(tcsetattr(slave, TCSANOW, &t)));
	reads("what was typed", slave);
	both("raw", "a\x03\r\n\x7f\x04\x13");
	write(slave, "a\nb\tc\n", 6);
	reads("raw output", master);
	t.c_cc[VMIN] = 3;
	tcsetattr(slave, TCSANOW, &t);
	type("xy");
	polled(&p);
	type("z");
	polled(&p);
	shown("three", b, read(slave, b, 10));
	t.c_cc[VMIN] = 0;
	tcsetattr(slave, TCSANOW, &t);
	say("without waiting: %s", told(read(slave, b, 10)));
	t.c_cc[VTIME] = 1;
	tcsetattr(slave, TCSANOW, &t);
	say("after a while: %s", told(read(slave, b, 10)));
	type("left");
	tcsetattr(slave, TCSANOW, &old);
	reads("a line again", slave);
	type("gone");
	tcsetattr(slave, TCSAFLUSH, &old);
	both("only", "this\n");
	t = old;
	t.c_iflag = IXON | INLCR;
	t.c_oflag = OPOST | OCRNL | TAB3;
	t.c_lflag &= ~ICANON;
	tcsetattr(slave, TCSANOW, &t);
	both("echo of controls", "a\n\tb\x01");
	write(slave, "12\t3\r4\n5", 8);
	reads("output", master);
	type("\x13");
	fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
	say("stopped: %s", told(write(slave, "x", 1)));
	type("\x11");
	say("goes on: %s", told(write(slave, "y", 1)));
	fcntl(slave, F_SETFL, O_RDWR);
	reads("output", master);
	tcsetattr(slave, TCSANOW, &old);
}

static void sizes(void)
{
	struct winsize w = {0};
	int n = -1, locked = -1;
	say("size: %s %dx%d", told(ioctl(master, TIOCGWINSZ, &w)), w.ws_row, w.ws_col);
	w = (struct winsize){30, 90, 5, 6};
	say("set: %s", told(ioctl(master, TIOCSWINSZ, &w)));
	w = (struct winsize){0};
	ioctl(slave, TIOCGWINSZ, &w);
	say("size: %dx%d %d %d", w.ws_row, w.ws_col, w.ws_xpixel, w.ws_ypixel);
	say("terminals: %d %d, %d", isatty(master), isatty(slave), isatty(n));
	ioctl(master, TIOCGPTN, &n);
	ioctl(master, TIOCGPTLCK, &locked);
	char path[64], name[64];
	snprintf(path, sizeof path, "/dev/pts/%d", n);
	say("the name: %d, locked %d, %d", strcmp(path, ptsname(master)), locked, ttyname_r(slave, name, sizeof name) || strcmp(name, path));
	say("not here: %s %s", told(ioctl(slave, TIOCGPTN, &n)), told(ioctl(slave, TIOCGPGRP, &n)));
	say("of the master: %s %d, session %s", told(ioctl(master, TIOCGPGRP, &n)), n, told(ioctl(master, TIOCGSID, &n)));
	int other = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	say("still locked: %s", told(open(ptsname(other), O_RDWR | O_NOCTTY)));
	say("unlocked: %s", told(unlockpt(other)));
	int peer = ioctl(other, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	write(peer, "peer", 4);
	reads("the other", other);
	close(peer);
	reads("nobody there", other);
	struct pollfd p = {other, POLLIN | POLLOUT, 0};
	polled(&p);
	peer = open(ptsname(other), O_RDWR | O_NOCTTY);
	reads("somebody there", other);
	close(other);
	say("hung up: %s %s", told(read(peer, path, 10)), told(write(peer, path, 1)));
	p = (struct pollfd){peer, POLLIN | POLLOUT, 0};
	polled(&p);
	close(peer);
}

static volatile sig_atomic_t seen[65];
static void on_signal(int sig) { seen[sig]++; }

static void handle(int sig)
{
	struct sigaction a = {.sa_handler = on_signal};
	sigaction(sig, &a, NULL);
}

/* The terminal and its foreground, as /proc tells them of the caller. */
static void in_proc(void)
{
	int tty = -1, group = -1;
	struct stat st;
	FILE *f = fopen("/proc/self/stat", "r");
	fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %d %d", &tty, &group);
	fclose(f);
	fstat(slave, &st);
	say("in /proc: %d %d", tty == 0 ? 0 : (unsigned)tty == st.st_rdev ? 1 : 2, group == -1 ? 0 : group == getpid() ? 1 : 2);
}

/* Says so over a pipe, or waits until somebody did. */
static int ready[2];
static void done(void) { write(ready[1], "x", 1); }
static void await(void)
{
	char c;
	read(ready[0], &c, 1);
}

static void leader(int arg)
{
	int n = 0;
	char b[100];
	(void)arg;
	close(master);
	setsid();
	say("no terminal yet: %s %s", told(open("/dev/tty", O_RDWR) < 0 ? 0 : 1), told(tcgetpgrp(slave)));
	in_proc();
	say("mine: %s, again %s", told(ioctl(slave, TIOCSCTTY, 0)), told(ioctl(slave, TIOCSCTTY, 0)));
	say("the foreground is me: %d %d", tcgetpgrp(slave) == getpid(), tcgetsid(slave) == getpid());
	in_proc();
	int tty = open("/dev/tty", O_RDWR);
	write(tty, "by /dev/tty", 11);
	close(tty);
	settle();
	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGCHLD && sig != SIGPWR) /* a power failure would end waits */
			handle(sig);
	done();
	while (!seen[SIGINT])
		pause();
	say("interrupted");
	done();
	while (!seen[SIGQUIT] || !seen[SIGTSTP] || !seen[SIGWINCH])
		pause();
	say("quit, stopped and resized");

	handle(SIGTTOU);
	pid_t pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		signal(SIGTTIN, SIG_DFL);
		signal(SIGCONT, SIG_DFL);
		signal(SIGTTOU, SIG_DFL);
		n = read(slave, b, sizeof b); /* stops until it is in the foreground */
		shown("job reads", b, n);
		mode(TOSTOP, 0);
		_exit(7);
	}
	int status;
	waitpid(pid, &status, WUNTRACED);
	say("stopped by SIGTTIN: %d", WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
	say("foreground: %s", told(tcsetpgrp(slave, pid)));
	kill(-pid, SIGCONT);
	done();
	waitpid(pid, &status, WUNTRACED);
	say("ended: %d", WIFEXITED(status) && WEXITSTATUS(status) == 7);
	seen[SIGTTOU] = 0;
	say("in the background: %s, SIGTTOU %d", told(write(slave, "x", 1)), seen[SIGTTOU] > 0);
	signal(SIGTTOU, SIG_IGN);
	say("ignored: %s", told(tcsetpgrp(slave, getpid())));
	mode(0, TOSTOP);
	say("no such group: %s", told(tcsetpgrp(slave, 3999999)));
	done();
	while (!seen[SIGHUP])
		pause();
	say("hung up: %s %s", told(read(slave, b, 1)), told(write(slave, "x", 1)));
}

static void sessions(void)
{
	int n = -1;
	pid_t pid = child(leader, 0);
	await();
	reads("output", master);
	type("lost\x03");
	await();
	reads("echo", master);
	ioctl(master, TIOCGSID, &n);
	say("the session's: %d", n == pid);
	type("\x1c\x1a");
	ioctl(master, TIOCSWINSZ, &(struct winsize){5, 5, 0, 0});
	await();
	type("for the job\n");
	await();
	close(master);
	waitpid(pid, NULL, 0);
}

static void ends(int fd)
{
	close(master);
	setsid();
	close(open(ptsname(fd), O_RDWR)); /* becomes its terminal */
	pid_t pid = fork();
	if (pid == 0) {
		handle(SIGHUP);
		done();
		while (!seen[SIGHUP])
			pause();
		say("the leader has ended: %s", told(open("/dev/tty", O_RDWR) < 0 ? 0 : 1));
		done();
		_exit(0);
	}
	close(fd);
	await();
	_exit(0);
}

int main(void)
{
	pipe(ready);
	signal(SIGTTOU, SIG_IGN);
	say("opened: %d", openpty(&master, &slave, NULL, NULL, NULL));
	lines();
	raw();
	sizes();
	sessions();
	close(slave);
	openpty(&master, &slave, NULL, NULL, NULL);
	int copy = dup(master);
	pid_t pid = child(ends, copy);
	waitpid(pid, NULL, 0);
	await();
	char b[100];
	pid = forkpty(&master, NULL, NULL, NULL);
	if (pid == 0) {
		await();
		say("a shell's start: %d %d %d", getpid() == getsid(0), tcgetpgrp(0) == getpid(), isatty(2));
		fgets(b, sizeof b, stdin);
		printf("got %s", b);
		fflush(stdout);
		_exit(3);
	}
	type("hello\n");
	done();
	int status, n = 0;
	waitpid(pid, &status, 0);
	for (long r; (r = read(master, b + n, sizeof b - n)) > 0;)
		n += r;
	shown("forkpty", b, n);
	say("status %d", WEXITSTATUS(status));
	return 0;
}
