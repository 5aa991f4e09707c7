/* O_ASYNC: who is told of what happens to a pipe and of a socket, and when. */
#include "system.h"
#include <sys/ioctl.h>
#include <sys/socket.h>

static volatile int got;

static void on_io(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (sig != SIGIO || info->si_code != SI_KERNEL)
		_exit(98);
	got++;
}

/* How many signals have come since it was last asked. */
static int signals(void)
{
	int n = got;
	got = 0;
	return n;
}

static void pipes(void)
{
	int p[2];
	char b[100];
	pipe(p);
	say("owner of a new pipe: %s", told(fcntl(p[0], F_GETOWN)));
	write(p[1], "a", 1);
	say("without O_ASYNC: %d", signals());
	say("set: %s %s", told(fcntl(p[0], F_SETOWN, getpid())), told(fcntl(p[0], F_SETFL, O_ASYNC | O_NONBLOCK)));
	say("flags: %#x, owner is me: %d", fcntl(p[0], F_GETFL), fcntl(p[0], F_GETOWN) == getpid());
	write(p[1], "b", 1);
	say("a byte comes: %d", signals());
	write(p[1], "c", 1);
	say("one more: %d", signals());
	int copy = dup(p[0]);
	close(p[0]);
	write(p[1], "d", 1);
	say("the description lives: %d", signals());
	say("cleared: %s", told(ioctl(copy, FIOASYNC, &(int){0})));
	write(p[1], "e", 1);
	say("nothing: %d, flags %#x, read %s", signals(), fcntl(copy, F_GETFL), told(read(copy, b, sizeof b)));
	say("set again: %s", told(ioctl(copy, FIOASYNC, &(int){1})));
	close(p[1]);
	say("the writer leaves: %d", signals());
	close(copy);
}

static void groups(void)
{
	int p[2], file = open("/dev/null", O_RDONLY);
	pipe(p);
	say("no such process: %s", told(fcntl(p[0], F_SETOWN, 3999999)));
	say("no such group: %s", told(fcntl(p[0], F_SETOWN, -3999999)));
	setpgid(0, 0);
	say("a group: %s", told(fcntl(p[0], F_SETOWN, -getpgrp())));
	fcntl(p[0], F_SETFL, O_ASYNC);
	write(p[1], "a", 1);
	say("one of the group: %d", signals());
	fcntl(p[0], F_SETOWN, 0);
	write(p[1], "a", 1);
	say("nobody: %d", signals());
	say("a device without: %s, flags %#x", told(ioctl(file, FIOASYNC, &(int){1})), fcntl(file, F_GETFL) & O_ASYNC);
	say("silently: %s, flags %#x", told(fcntl(file, F_SETFL, O_ASYNC)), fcntl(file, F_GETFL) & O_ASYNC);
	close(p[0]);
	close(p[1]);
	close(file);
}

static void late(int fd)
{
	struct timespec t = {0, 20000000};
	nanosleep(&t, NULL);
	write(fd, "x", 1);
}

static void sockets(void)
{
	int s[2];
	sigset_t io, old;
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	fcntl(s[0], F_SETOWN, getpid());
	ioctl(s[0], FIOASYNC, &(int){1});
	write(s[1], "a", 1);
	say("a socket: %d", signals());
	sigemptyset(&io);
	sigaddset(&io, SIGIO);
	sigprocmask(SIG_BLOCK, &io, &old);
	pid_t pid = child(late, s[1]);
	while (!got)
		sigsuspend(&old);
	say("a wait ends: %d", signals());
	waitpid(pid, NULL, 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(s[1]);
	say("the peer leaves: %d", signals() > 0);
	close(s[0]);
}

int main(void)
{
	struct sigaction a = {.sa_sigaction = on_io, .sa_flags = SA_SIGINFO | SA_RESTART};
	sigaction(SIGIO, &a, NULL);
	pipes();
	groups();
	sockets();
	return 0;
}
