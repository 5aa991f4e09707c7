/* What the programs share: they print to standard output through one write per line,
 * so that the lines of several processes do not mix, and order what they do by pipes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *format, ...)
{
	char line[512];
	va_list list;
	va_start(list, format);
	int n = vsnprintf(line, sizeof line - 1, format, list);
	va_end(list);
	line[n++] = '\n';
	if (write(1, line, n) != n)
		_exit(99);
}

/* The result of a call: its value, or the name of its error. */
static const char *told(long r)
{
	static char text[8][32];
	static int next;
	char *t = text[next++ % 8];
	snprintf(t, 32, "%ld", r);
	return r < 0 ? strerrorname_np(errno) : t;
}

/* Runs f in a process of its own. */
static pid_t child(void (*f)(int), int arg)
{
	pid_t pid = fork();
	if (pid == 0) {
		f(arg);
		_exit(0);
	}
	return pid;
}

/* The state of a process or thread that /proc tells, a letter. */
static char state_of(pid_t pid)
{
	char path[64], text[512];
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return '-';
	int n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	char *end = strrchr(text, ')');
	return end ? end[2] : '-';
}

/* Waits until a process waits, which it does nowhere but where it is meant to. */
static void asleep(pid_t pid)
{
	while (state_of(pid) != 'S')
		usleep(500);
}

__attribute__((unused)) static void reap(pid_t pid)
{
	int status;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		say("a child ended with status %#x", status);
}
