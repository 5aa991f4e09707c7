/* inotify: which events come of what is done to files and directories, in which order,
 * and how they are read. */
#include "system.h"
#include <dirent.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <utime.h>

static const struct {
	unsigned bit;
	const char *name;
} bits[] = {
	{IN_ACCESS, "access"}, {IN_MODIFY, "modify"}, {IN_ATTRIB, "attrib"}, {IN_CLOSE_WRITE, "close-write"}, {IN_CLOSE_NOWRITE, "close"},
	{IN_OPEN, "open"}, {IN_MOVED_FROM, "from"}, {IN_MOVED_TO, "to"}, {IN_CREATE, "create"}, {IN_DELETE, "delete"},
	{IN_DELETE_SELF, "delete-self"}, {IN_MOVE_SELF, "move-self"}, {IN_Q_OVERFLOW, "overflow"}, {IN_IGNORED, "ignored"}, {IN_ISDIR, "dir"},
};

static int in;

/* Prints all events that wait, on one line. */
static void events(const char *what)
{
	static char buf[70000] __attribute__((aligned(8)));
	char line[480];
	int n = 0, size, pending = 0;
	unsigned cookie = 0;
	ioctl(in, FIONREAD, &pending);
	size = read(in, buf, sizeof buf);
	if (size < 0)
		say("%s: %s, %d", what, told(size), pending);
	for (char *at = buf; at < buf + size;) {
		struct inotify_event *e = (void *)at;
		n += snprintf(line + n, sizeof line - n, " %d:", e->wd);
		for (unsigned i = 0; i < sizeof bits / sizeof *bits; i++)
			if (e->mask & bits[i].bit)
				n += snprintf(line + n, sizeof line - n, "%s,", bits[i].name);
		if (e->len)
			n += snprintf(line + n, sizeof line - n, "%s/%u", e->name, e->len);
		if (e->cookie)
			n += snprintf(line + n, sizeof line - n, "%s", cookie == 0 ? "+" : e->cookie == cookie ? "=" : "!");
		cookie = e->cookie;
		at += sizeof *e + e->len;
	}
	if (size >= 0)
		say("%s: %d%s", what, pending - size, line);
}

static void files(void)
{
	char b[100];
	int wd = inotify_add_watch(in, "d", IN_ALL_EVENTS);
	say("watch: %d, again %d", wd, inotify_add_watch(in, "d", IN_ALL_EVENTS));
	events("nothing");
	int fd = open("d/a", O_RDWR | O_CREAT, 0600);
	write(fd, "hello", 5);
	write(fd, "hello", 5);
	events("created");
	lseek(fd, 0, SEEK_SET);
	read(fd, b, 5);
	read(fd, b, 100);
	read(fd, b, 100);
	events("read");
	int file = inotify_add_watch(in, "d/a", IN_ALL_EVENTS);
	say("the file: %d", file);
	pwrite(fd, "x", 1, 3);
	events("modified");
	ftruncate(fd, 2);
	events("truncated");
	fchmod(fd, 0640);
	chmod("d/a", 0600);
	events("mode");
	futimens(fd, NULL);
	futimens(fd, (struct timespec[]){{5, 5}, {0, UTIME_OMIT}});
	futimens(fd, (struct timespec[]){{0, UTIME_OMIT}, {7, 7}});
	events("times");
	dup2(fd, 20);
	close(fd);
	events("not the last");
	close(20);
	events("closed");
	link("d/a", "d/b");
	events("link");
	unlink("d/b");
	events("unlink");
	rename("d/a", "d/longer-than-fifteen");
	events("rename");
	fd = open("d/longer-than-fifteen", O_RDONLY);
	unlink("d/longer-than-fifteen");
	events("unlinked while open");
	read(fd, b, 1);
	events("read without a name");
	close(fd);
	events("gone");
	say("no watch any more: %s", told(inotify_rm_watch(in, file)));
	close(open("d/p", O_RDONLY | O_PATH));
	symlink("nowhere", "d/s");
	mkfifo("d/f", 0600);
	events("names");
	unlink("d/s");
	unlink("d/f");
	events("no names");
}

static void directories(void)
{
	mkdir("d/e", 0700);
	mkdir("d/e/inner", 0700);
	events("mkdir");
	int wd = inotify_add_watch(in, "d/e", IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
	say("watch %d", wd);
	close(open("d/x", O_WRONLY | O_CREAT, 0600));
	rename("d/x", "d/e/y");
	events("moved into");
	rename("d/e", "d/g");
	events("moved a directory");
	DIR *d = opendir("d/g");
	while (readdir(d))
		;
	closedir(d);
	events("listed");
	rmdir("d/g/inner");
	close(open("d/z", O_WRONLY | O_CREAT, 0600));
	rename("d/g/y", "d/z");
	events("replaced");
	rmdir("d/g");
	events("removed");
	close(open("d/1", O_WRONLY | O_CREAT, 0600));
	close(open("d/2", O_WRONLY | O_CREAT, 0600));
	renameat2(AT_FDCWD, "d/1", AT_FDCWD, "d/2", RENAME_EXCHANGE);
	events("exchanged");
	close(open("d/w", O_WRONLY | O_CREAT, 0600));
	say("watch %d", inotify_add_watch(in, "d/w", IN_ALL_EVENTS));
	unlink("d/w");
	events("nobody had it open");
}

static void flags(void)
{
	char b[100];
	int wd = inotify_add_watch(in, "d/1", IN_ATTRIB | IN_ONESHOT);
	chmod("d/1", 0600);
	chmod("d/1", 0600);
	events("once");
	say("errors: %s %s %s %s", told(inotify_add_watch(in, "d/1", IN_ATTRIB | IN_ONLYDIR)), told(inotify_add_watch(in, "d/none", IN_ATTRIB)),
		told(inotify_add_watch(in, "d", 0)), told(inotify_add_watch(0, "d", IN_ATTRIB)));
	say("and: %s %s %s", told(inotify_rm_watch(in, wd)), told(inotify_add_watch(77, "d", IN_ATTRIB)), told(inotify_init1(3)));
	wd = inotify_add_watch(in, "d", IN_DELETE);
	say("another mask: %d", wd);
	say("there already: %s", told(inotify_add_watch(in, "d", IN_MASK_CREATE | IN_CREATE)));
	close(open("d/3", O_WRONLY | O_CREAT, 0600));
	unlink("d/3");
	events("only deletions");
	inotify_add_watch(in, "d", IN_CREATE | IN_MASK_ADD);
	close(open("d/3", O_WRONLY | O_CREAT, 0600));
	unlink("d/3");
	events("added creations");
	unlink("d/1");
	say("too small: %s, small enough: %s", told(read(in, b, 15)), told(read(in, b, 40)));
	int fd = open("d/2", O_RDONLY);
	inotify_add_watch(in, "d", IN_ACCESS | IN_EXCL_UNLINK);
	unlink("d/2");
	read(fd, b, 1);
	close(fd);
	events("unlinked children are silent");
	say("removed: %s", told(inotify_rm_watch(in, wd)));
	events("ignored");
	symlink("d", "l");
	wd = inotify_add_watch(in, "l", IN_ALL_EVENTS | IN_DONT_FOLLOW);
	close(open("l/4", O_WRONLY | O_CREAT, 0600));
	unlink("l/4");
	unlink("l");
	events("a link");
}

static void late(int arg)
{
	struct timespec t = {0, 20000000};
	(void)arg;
	nanosleep(&t, NULL);
	close(open("d/late", O_WRONLY | O_CREAT, 0600));
}

static void waits(void)
{
	struct pollfd p = {in, POLLIN, 0};
	inotify_add_watch(in, "d", IN_CREATE);
	say("poll: %d", poll(&p, 1, 0));
	pid_t pid = child(late, 0);
	int n = poll(&p, 1, -1);
	say("poll: %d %#x", n, p.revents);
	waitpid(pid, NULL, 0);
	events("late");
	fcntl(in, F_SETFL, 0);
	unlink("d/late");
	pid = child(late, 0);
	events("blocked");
	waitpid(pid, NULL, 0);
	int ep = epoll_create1(0);
	struct epoll_event e = {EPOLLIN | EPOLLET, {0}};
	epoll_ctl(ep, EPOLL_CTL_ADD, in, &e);
	say("epoll: %d", epoll_wait(ep, &e, 1, 0));
	close(open("d/5", O_WRONLY | O_CREAT, 0600));
	say("epoll: %d", epoll_wait(ep, &e, 1, 0));
	say("epoll: %d", epoll_wait(ep, &e, 1, 0));
	close(ep);
}

static void mappings(void)
{
	int fd = open("d/5", O_RDWR), out = open("d/6", O_RDWR | O_CREAT, 0600);
	write(fd, "0123456789", 10);
	char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	inotify_add_watch(in, "d", IN_ALL_EVENTS);
	fcntl(in, F_SETFL, O_NONBLOCK);
	events("opened before");
	m[0] = 'x';
	msync(m, 4096, MS_SYNC);
	events("stores are silent");
	off_t from = 0;
	sendfile(out, fd, &from, 5);
	events("sendfile");
	copy_file_range(fd, &from, out, NULL, 3, 0);
	events("copy_file_range");
	fallocate(out, 0, 0, 8192);
	events("fallocate");
	munmap(m, 4096);
	close(fd);
	close(out);
	events("closed");
}

int main(void)
{
	mkdir("d", 0700);
	in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	say("flags %#x %d", fcntl(in, F_GETFL), fcntl(in, F_GETFD));
	files();
	directories();
	flags();
	waits();
	mappings();
	int other = inotify_init();
	say("its own numbers: %d", inotify_add_watch(other, "d", IN_ALL_EVENTS));
	close(in);
	in = other;
	fcntl(in, F_SETFL, O_NONBLOCK);
	unlink("d/5");
	unlink("d/6");
	unlink("d/late");
	unlink("d/z");
	rmdir("d");
	events("all gone");
	return 0;
}
