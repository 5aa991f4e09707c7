/* FIFOs: who waits for whom in open, what is polled, and how they end. */
#include "system.h"

static void writes(int n)
{
	int fd = open("fifo", O_WRONLY);
	say("the writer has it open: %s", fd >= 0 ? "yes" : told(fd));
	for (int i = 0; i < n; i++)
		if (write(fd, "line\n", 5) != 5)
			say("write: %s", told(-1));
}

static void reads(int arg)
{
	char text[100];
	int fd = open("fifo", O_RDONLY), n, all = 0;
	while ((n = read(fd, text, sizeof text)) > 0)
		all += n;
	say("the reader got %d bytes, then %s", all, told(n));
}

static int events(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM, 0 };
	poll(&p, 1, 0);
	return p.revents;
}

static void nobody(void)
{
	char c;
	say("a writer that does not wait: %s", told(open("fifo", O_WRONLY | O_NONBLOCK)));
	int r = open("fifo", O_RDONLY | O_NONBLOCK);
	say("a reader that does not wait: %s, events %#x, read %s", r >= 0 ? "open" : told(r), events(r), told(read(r, &c, 1)));
	int w = open("fifo", O_WRONLY | O_NONBLOCK);
	say("then a writer: events %#x and %#x, read %s", events(r), events(w), told(read(r, &c, 1)));
	say("write: %s, events %#x", told(write(w, "x", 1)), events(r));
	close(w);
	int e = events(r);
	say("without it: events %#x, read %s", e, told(read(r, &c, 1)));
	e = events(r);
	say("and then: events %#x, read %s", e, told(read(r, &c, 1)));
	w = open("fifo", O_WRONLY);
	say("again a writer: events %#x", events(r));
	close(r);
	signal(SIGPIPE, SIG_IGN);
	say("no reader: events %#x, write %s", events(w), told(write(w, "x", 1)));
	close(w);
	int both = open("fifo", O_RDWR);
	e = events(both);
	say("both: events %#x, write %s", e, told(write(both, "abc", 3)));
	e = events(both);
	say("both: events %#x, read %s", e, told(read(both, &c, 1)));
	struct stat st, st2;
	fstat(both, &st);
	stat("fifo", &st2);
	say("mode %o, the same file: %d, lseek %s, mode 3: %s", st.st_mode, st.st_ino == st2.st_ino, told(lseek(both, 0, SEEK_CUR)), told(open("fifo", 3)));
	fchmod(both, 0640);
	stat("fifo", &st2);
	say("mode %o, truncate %s, directory %s", st2.st_mode, told(ftruncate(both, 0)), told(open("fifo", O_RDONLY | O_DIRECTORY)));
	close(both);
	r = open("fifo", O_RDONLY | O_NONBLOCK);
	say("what was in it is gone: read %s", told(read(r, &c, 1)));
	close(r);
}

static volatile sig_atomic_t signals;
static void on_signal(int sig) { signals++; }

static void opens(int flags)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = flags };
	sigaction(SIGUSR1, &act, NULL);
	int fd = open("fifo", O_RDONLY);
	say("open with flags %d: %s after %d signals", flags != 0, fd >= 0 ? "open" : told(fd), (int)signals);
}

static void waits(void)
{
	pid_t r = child(reads, 0);
	asleep(r);
	pid_t w = child(writes, 100);
	reap(w);
	reap(r);
	w = child(writes, 3);
	asleep(w);
	r = child(reads, 0);
	reap(w);
	reap(r);
	/* A reader that waits is there for a writer that does not, and is let in by one
	 * that has gone again. */
	r = child(reads, 0);
	asleep(r);
	int fd = open("fifo", O_WRONLY | O_NONBLOCK);
	say("a reader waits: %s", fd >= 0 ? "open" : told(fd));
	close(fd);
	reap(r);
	/* The name may go meanwhile. */
	r = child(reads, 0);
	asleep(r);
	rename("fifo", "other");
	fd = open("other", O_WRONLY);
	unlink("other");
	say("write: %s", told(write(fd, "1234567", 7)));
	close(fd);
	reap(r);
	mkfifo("fifo", 0600);
	r = child(opens, 0);
	asleep(r);
	kill(r, SIGUSR1);
	reap(r);
	say("nobody waits any more: %s", told(open("fifo", O_WRONLY | O_NONBLOCK)));
	r = child(opens, SA_RESTART);
	asleep(r);
	kill(r, SIGUSR1);
	asleep(r);
	fd = open("fifo", O_WRONLY);
	reap(r);
	close(fd);
	r = child(opens, 0);
	asleep(r);
	kill(r, SIGKILL);
	waitpid(r, NULL, 0);
	say("nobody waits any more: %s", told(open("fifo", O_WRONLY | O_NONBLOCK)));
}

static void *writer(void *arg)
{
	int fd = open("fifo", O_WRONLY);
	for (int i = 0; i < 3; i++) {
		usleep(1000);
		if (write(fd, "xyz", 3) != 3)
			say("write: %s", told(-1));
	}
	close(fd);
	return NULL;
}

static void epolls(void)
{
	pthread_t t;
	pthread_create(&t, NULL, writer, NULL);
	int fd = open("fifo", O_RDONLY), ep = epoll_create1(0), got = 0;
	struct epoll_event e = { EPOLLIN | EPOLLET, { .fd = fd } };
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
	for (;;) {
		char text[100];
		if (epoll_wait(ep, &e, 1, -1) != 1)
			say("epoll_wait: %s", told(-1));
		if (e.events & EPOLLIN)
			got += read(fd, text, sizeof text);
		if (e.events & EPOLLHUP && got == 9)
			break;
	}
	pthread_join(t, NULL);
	say("epoll: %d bytes, events %#x", got, e.events & ~EPOLLIN);
	close(fd);
	close(ep);
}

int main(void)
{
	unlink("fifo");
	say("mkfifo: %s", told(mkfifo("fifo", 0600)));
	nobody();
	waits();
	epolls();
	unlink("fifo");
	return 0;
}
