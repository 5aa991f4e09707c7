/* Users, groups and capabilities: what each call answers, what is left of the rights, and
 * what files, signals and programs let another user do. */
#include "system.h"
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <grp.h>
#include <utime.h>

static void who(const char *what)
{
	uid_t u[3];
	gid_t g[3];
	gid_t groups[64];
	getresuid(&u[0], &u[1], &u[2]);
	getresgid(&g[0], &g[1], &g[2]);
	int fs = setfsuid(-1), fsg = setfsgid(-1), n = getgroups(64, groups);
	char text[200] = "";
	for (int i = 0; i < n; i++)
		sprintf(text + strlen(text), " %d", groups[i]);
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];
	syscall(SYS_capget, &h, d);
	/* of the capabilities those that are the same everywhere */
	unsigned low = 0xff | 1 << CAP_SYS_NICE | 1 << CAP_NET_BIND_SERVICE | 1 << CAP_IPC_LOCK;
	say("%s: users %d %d %d %d groups %d %d %d %d also%s capabilities %x %x %x dumpable %d keep %d", what, u[0], u[1], u[2], fs, g[0], g[1], g[2], fsg, text,
	    d[0].effective & low, d[0].permitted & low, d[0].inheritable & low, prctl(PR_GET_DUMPABLE), prctl(PR_GET_KEEPCAPS));
}

/* Every call with every identity of a few, from every start. */
static const int start[][3] = {{0, 0, 0}, {1000, 1000, 1000}, {1000, 0, 0}, {0, 1000, 0}, {1000, 1001, 1002}, {1000, 1000, 0}, {0, 0, 1000}};
static const int ids[] = {0, 1000, 1001, 1002, 7, -1};

static void user_calls(int from)
{
	for (int call = 0; call < 4; call++)
		for (int a = 0; a < 6; a++)
			for (int b = 0; b < (call ? 6 : 1); b++)
				for (int c = 0; c < (call == 2 ? 6 : 1); c += 2) {
					pid_t pid = fork();
					if (pid) {
						reap(pid);
						continue;
					}
					setresuid(start[from][0], start[from][1], start[from][2]);
					errno = 0;
					long r = call == 0 ? syscall(SYS_setuid, ids[a]) : call == 1 ? syscall(SYS_setreuid, ids[a], ids[b])
					       : call == 2 ? syscall(SYS_setresuid, ids[a], ids[b], ids[c]) : syscall(SYS_setfsuid, ids[a]);
					char text[99];
					sprintf(text, "%d: call %d of %d %d %d: %s", from, call, ids[a], ids[b], ids[c], told(r));
					who(text);
					_exit(0);
				}
}

static void group_calls(int from)
{
	for (int call = 0; call < 3; call++)
		for (int a = 0; a < 6; a++)
			for (int b = 0; b < (call ? 6 : 1); b += 2) {
				pid_t pid = fork();
				if (pid) {
					reap(pid);
					continue;
				}
				setresgid(start[from][0], start[from][1], start[from][2]);
				if (from & 1)
					setuid(1000);
				long r = call == 0 ? syscall(SYS_setgid, ids[a]) : call == 1 ? syscall(SYS_setregid, ids[a], ids[b]) : syscall(SYS_setresgid, ids[a], ids[b], 0);
				char text[99];
				sprintf(text, "%d: group call %d of %d %d: %s", from, call, ids[a], ids[b], told(r));
				who(text);
				_exit(0);
			}
}

static void group_lists(int unused)
{
	gid_t list[] = {9, 3, 5, 3}, got[8];
	(void)unused;
	say("setgroups: %s %s %s %s", told(syscall(SYS_setgroups, 4, list)), told(syscall(SYS_setgroups, -1, list)), told(syscall(SYS_setgroups, 65537, list)), told(syscall(SYS_setgroups, 2, NULL)));
	say("getgroups: %s %s %s %s", told(getgroups(0, NULL)), told(getgroups(3, got)), told(getgroups(-1, got)), told(syscall(SYS_getgroups, 4, NULL)));
	who("with groups");
	say("setuid: %s, setgroups after it: %s", told(setuid(1000)), told(syscall(SYS_setgroups, 0, NULL)));
	who("another user");
}

static void keeping(int unused)
{
	(void)unused;
	say("keep: %s %s", told(prctl(PR_SET_KEEPCAPS, 2)), told(prctl(PR_SET_KEEPCAPS, 1)));
	setresuid(1000, 1000, 1000);
	who("kept");
	say("secure bits: %s %s", told(prctl(PR_GET_SECUREBITS)), told(prctl(PR_SET_SECUREBITS, 1)));
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {{0}};
	syscall(SYS_capget, &h, d);
	d[0].effective = d[0].permitted & 1 << CAP_SETUID;
	say("capset: %s", told(syscall(SYS_capset, &h, d)));
	who("one capability");
	d[0].permitted = 1 << CAP_SETUID, d[1].permitted = 0;
	say("fewer: %s", told(syscall(SYS_capset, &h, d)));
	d[0].permitted |= 1 << CAP_CHOWN;
	say("more: %s", told(syscall(SYS_capset, &h, d)));
	d[0].permitted = 1 << CAP_SETUID, d[0].inheritable = 1 << CAP_SETUID;
	say("inheritable: %s", told(syscall(SYS_capset, &h, d)));
	say("ambient: %s %s %s %s", told(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SETUID, 0, 0)), told(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_SETUID, 0, 0)),
	    told(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0)), told(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0)));
	h.pid = getppid();
	say("of another: %s %s", told(syscall(SYS_capset, &h, d)), told(syscall(SYS_capget, &h, d)));
	h.pid = -1;
	say("of nobody: %s", told(syscall(SYS_capget, &h, d)));
	h.pid = 0, h.version = 5;
	say("version: %s %s, now %x", told(syscall(SYS_capget, &h, NULL)), told(syscall(SYS_capget, &h, d)), h.version);
	h.version = 5;
	say("version: %s, now %x", told(syscall(SYS_capset, &h, d)), h.version);
	say("bounds: %s %s %s", told(prctl(PR_CAPBSET_READ, CAP_CHOWN)), told(prctl(PR_CAPBSET_READ, 64)), told(prctl(PR_CAPBSET_DROP, CAP_CHOWN)));
	say("no new privileges: %s %s %s %s", told(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0)), told(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0)), told(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)), told(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)));
	say("dumpable: %s %s %s", told(prctl(PR_SET_DUMPABLE, 2)), told(prctl(PR_SET_DUMPABLE, 1)), told(prctl(PR_GET_DUMPABLE)));
	say("slack: %s %s %s %s", told(prctl(PR_GET_TIMERSLACK)), told(prctl(PR_SET_TIMERSLACK, 7)), told(prctl(PR_GET_TIMERSLACK)), told(prctl(PR_SET_TIMERSLACK, 0)));
	say("bounds dropped by root only");
}

static void bounds(int unused)
{
	(void)unused;
	say("drop: %s, then %s", told(prctl(PR_CAPBSET_DROP, CAP_CHOWN)), told(prctl(PR_CAPBSET_READ, CAP_CHOWN)));
	say("secure: %s %s", told(prctl(PR_SET_SECUREBITS, 0x4)), told(prctl(PR_SET_SECUREBITS, 0x1000)));
	say("setuid: %s", told(setuid(1000)));
	who("without the fix of capabilities");
	say("locked: %s %s %s", told(prctl(PR_SET_SECUREBITS, 0x2f)), told(prctl(PR_SET_SECUREBITS, 0x0)), told(prctl(PR_SET_KEEPCAPS, 1)));
	say("secure bits %s", told(prctl(PR_GET_SECUREBITS)));
}

static int make(const char *name, int mode, int uid, int gid)
{
	int fd = open(name, O_CREAT | O_RDWR | O_EXCL, 0600);
	fchown(fd, uid, gid);
	fchmod(fd, mode);
	return close(fd);
}

static void look(const char *what, const char *name)
{
	struct stat s;
	if (lstat(name, &s))
		say("%s: %s", what, told(-1));
	else
		say("%s: mode %o of %d %d", what, s.st_mode, s.st_uid, s.st_gid);
}

static void files(int unused)
{
	(void)unused;
	char name[40];
	umask(022);
	mkdir("open", 0777), chmod("open", 0777);
	mkdir("sticky", 01777), chmod("sticky", 01777);
	mkdir("closed", 0700);
	mkdir("group", 02775), chown("group", 0, 50), chmod("group", 02775);
	static const int modes[] = {0, 0400, 0040, 0004, 0600, 0060, 0006, 0644, 0755, 0001, 04755, 02755, 06777};
	for (int i = 0; i < 13; i++)
		for (int owner = 0; owner < 3; owner++) {
			sprintf(name, "open/%d-%d", i, owner);
			make(name, modes[i], owner == 1 ? 1000 : 7, owner == 2 ? 50 : 7);
		}
	make("sticky/of-root", 0666, 0, 0), make("sticky/mine", 0600, 1000, 1000), make("closed/file", 0666, 1000, 1000);
	gid_t groups[] = {50};
	setgroups(1, groups), setgid(1000), setuid(1000);
	for (int i = 0; i < 13; i++)
		for (int owner = 0; owner < 3; owner++) {
			sprintf(name, "open/%d-%d", i, owner);
			char *argv[] = {name, NULL}, *none[] = {NULL};
			int a = open(name, O_RDONLY), b = open(name, O_WRONLY);
			say("%s: read %s write %s both %s truncated %s access %s %s %s chmod %s chown %s %s %s times %s %s run %s", name, told(a < 0 ? -1 : 0), told(b < 0 ? (errno = EACCES, -1) : 0),
			    told(open(name, O_RDWR) < 0 ? -1 : 0), told(truncate(name, 5)), told(access(name, R_OK)), told(access(name, W_OK)), told(access(name, X_OK)), told(chmod(name, modes[i])),
			    told(chown(name, 1000, -1)), told(chown(name, -1, 50)), told(chown(name, -1, 7)), told(utime(name, NULL)), told(utime(name, &(struct utimbuf){5, 5})), told(execve(name, argv, none)));
			look(name, name);
			sprintf(name, "open/link-%d-%d", i, owner);
			char from[40];
			sprintf(from, "open/%d-%d", i, owner);
			say("a second name: %s", told(link(from, name)));
			if (a >= 0)
				close(a);
			if (b >= 0)
				write(b, "x", 1), close(b);
			look("written", from);
		}
	say("closed: %s %s %s %s", told(open("closed/file", O_RDONLY)), told(chdir("closed")), told(open("closed/new", O_CREAT | O_RDWR, 0600)), told(open("closed", O_RDONLY)));
	say("sticky: %s %s %s", told(unlink("sticky/of-root")), told(rename("sticky/of-root", "sticky/a")), told(unlink("sticky/mine")));
	say("not mine: %s %s %s %s %s", told(mkdir("d", 0700)), told(symlink("a", "l")), told(unlink("open")), told(rmdir("open")), told(mkfifo("f", 0600)));
	say("mine: %s %s %s", told(mkdir("open/d", 0700)), told(symlink("a", "open/l")), told(mkfifo("open/f", 0622)));
	look("a directory", "open/d"), look("a link", "open/l"), look("a FIFO", "open/f");
	say("of the group: %s", told(mkdir("group/d", 0755)));
	look("it", "group/d");
	close(open("group/d/f", O_CREAT | O_RDWR, 0666));
	look("in it", "group/d/f");
	say("a device: %s", told(mknod("open/dev", S_IFCHR | 0666, 0x103)));
	say("flags: %s", told(open("open/7-0", O_RDONLY | O_NOATIME)));
	say("a set-group-ID bit of another group: %s", told(chmod("open/d", 02755)));
	look("the directory", "open/d");
	say("access as who one is: %s %s", told(faccessat(AT_FDCWD, "closed", R_OK, AT_EACCESS)), told(faccessat(AT_FDCWD, "closed", R_OK, 0)));
}

static void sockets(int unused)
{
	(void)unused;
	struct sockaddr_un a = {AF_UNIX, "sock"}, b = {AF_UNIX, "closed2/sock"}, c = {AF_UNIX, "open/sock"};
	mkdir("closed2", 0700), mkdir("open", 0777), chmod("open", 0777);
	int l = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(l, (void *)&a, sizeof a), chmod("sock", 0600), listen(l, 5);
	setgid(1000), setuid(1000);
	int s = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_UNIX, SOCK_STREAM, 0), pair[2];
	say("connect: %s, bind: %s %s", told(connect(s, (void *)&a, sizeof a)), told(bind(s, (void *)&b, sizeof b)), told(bind(t, (void *)&c, sizeof c)));
	look("the socket", "open/sock");
	struct { int pid, uid, gid; } peer;
	socklen_t n = sizeof peer;
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &n);
	say("peer %d %d", peer.uid, peer.gid);
}

static volatile int from = -1;
static void on_signal(int sig, siginfo_t *i, void *c)
{
	(void)sig, (void)c;
	from = i->si_uid;
}

static void signals(int unused)
{
	int to[2], back[2];
	char x;
	(void)unused;
	pipe(to), pipe(back);
	static const int user[] = {0, 1000, 1001};
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
			sigaction(SIGUSR1, &a, NULL);
			setresuid(user[i], user[i], user[i]);
			write(back[1], "r", 1);
			while (read(to[0], &x, 1) < 0)
				;
			say("user %d was sent a signal by %d", user[i], from);
			_exit(0);
		}
		read(back[0], &x, 1);
		pid_t other = fork();
		if (other == 0) {
			setresuid(1000, 1000, 1000);
			say("from 1000 to %d: %s %s %s, priority %s, process group %s", user[i], told(kill(pid, 0)), told(kill(pid, SIGUSR1)), told(kill(pid, SIGCONT)), told(setpriority(PRIO_PROCESS, pid, 5)), told(getpgid(pid) > 0));
			_exit(0);
		}
		reap(other);
		write(to[1], "x", 1);
		reap(pid);
	}
	setuid(1000);
	say("limits: %s", told(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0})));
	say("more: %s", told(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 5})));
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		who(argv[1]);
		return 0;
	}
	setgroups(0, NULL), setpriority(PRIO_PROCESS, 0, 0); /* whoever started this may be nice */
	prctl(PR_SET_DUMPABLE, 1);
	who("at the start");
	say("umask: %o %o", umask(0777777), umask(022));
	for (int i = 0; i < 7; i++)
		reap(child(user_calls, i)), reap(child(group_calls, i));
	reap(child(group_lists, 0)), reap(child(keeping, 0)), reap(child(bounds, 0)), reap(child(files, 0)), reap(child(sockets, 0)), reap(child(signals, 0));
	say("the end");
	return 0;
}
