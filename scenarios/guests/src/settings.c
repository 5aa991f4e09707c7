// What a program has told the kernel once and reads, or feels, much later: each round makes
// new objects, gives them settings, computes for a while, and then looks whether every
// setting is still in force. A cut falls between the two.
#include "guest.h"

enum {
	SYS_fstat = 5, SYS_poll = 7, SYS_ioctl = 16, SYS_dup2 = 33, SYS_socket = 41, SYS_connect = 42, SYS_accept = 43,
	SYS_sendto = 44, SYS_recvfrom = 45, SYS_shutdown = 48, SYS_bind = 49, SYS_listen = 50, SYS_setsockopt = 54, SYS_getsockopt = 55,
	SYS_fork = 57, SYS_wait4 = 61, SYS_fcntl = 72, SYS_flock = 73, SYS_chdir = 80, SYS_umask = 95, SYS_setsid = 112, SYS_getsid = 124,
	SYS_mknod = 133, SYS_getpriority = 140, SYS_setpriority = 141, SYS_prctl = 157, SYS_epoll_wait = 232, SYS_epoll_ctl = 233,
	SYS_inotify_add_watch = 254, SYS_utimensat = 280, SYS_eventfd2 = 290, SYS_epoll_create1 = 291, SYS_pipe2 = 293,
	SYS_inotify_init1 = 294, SYS_prlimit64 = 302,
};

#define ROUNDS 6
#define CALL4(n, a, b, c, d) syscall6(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), 0, 0)
#define CALL5(n, a, b, c, d, e) syscall6(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), (i64)(e), 0)

static const char dir[] = "/tmp/zhuque-guest-settings";
static u64 state = 12;

static u64 spin(u64 n)
{
	u64 sum = 0;
	for (u64 i = 0; i < n; i++)
		sum = mix(sum, next_random(&state));
	return sum;
}

struct action { u64 handler, flags, restorer, mask; };
static volatile u64 handled;
static void on_signal(int sig) { handled += sig; }
void restore(void);
__asm__("restore: mov $15, %eax\n	syscall\n");

static int open_new(const char *name)
{
	int fd = SYSCALL(SYS_open, name, 0102, 0666);
	CHECK(fd >= 0);
	return fd;
}

// Sockets: a listener in the abstract name space, one connection that waits and one that is
// half closed; a stream that has a time limit.
static struct { int listener, client, server, waits; } net;

static void set_sockets(int round)
{
	struct { u16 family; char path[12]; } name = {1, "\0zg-settings"};
	name.path[11] = 'a' + round;
	net.listener = SYSCALL(SYS_socket, 1, 1, 0);
	CHECK(SYSCALL(SYS_bind, net.listener, &name, sizeof name) == 0 && SYSCALL(SYS_listen, net.listener, 1, 0) == 0);
	net.client = SYSCALL(SYS_socket, 1, 1, 0);
	CHECK(SYSCALL(SYS_connect, net.client, &name, sizeof name) == 0);
	net.server = SYSCALL(SYS_accept, net.listener, 0, 0);
	net.waits = SYSCALL(SYS_socket, 1, 1, 0);
	CHECK(net.server >= 0 && SYSCALL(SYS_connect, net.waits, &name, sizeof name) == 0);
	i64 limit[2] = {7 + round, 0};
	CHECK(CALL5(SYS_setsockopt, net.server, 1, 20, limit, 16) == 0);
	int on = 1;
	CHECK(CALL5(SYS_setsockopt, net.client, 1, 16, &on, 4) == 0);
	CHECK(CALL4(SYS_sendto, net.client, "half", 4, 0) == 4);
	CHECK(SYSCALL(SYS_shutdown, net.client, 1, 0) == 0);
}

static void check_sockets(int round)
{
	i64 limit[2] = {0, 0};
	u32 size = 16, on = 0;
	CHECK(CALL5(SYS_getsockopt, net.server, 1, 20, limit, &size) == 0 && limit[0] == 7 + round);
	size = 4;
	CHECK(CALL5(SYS_getsockopt, net.client, 1, 16, &on, &size) == 0 && on == 1);
	char b[8];
	CHECK(CALL4(SYS_recvfrom, net.server, b, 8, 0) == 4 && b[3] == 'f');
	CHECK(CALL4(SYS_recvfrom, net.server, b, 8, 0) == 0);
	CHECK(CALL4(SYS_sendto, net.client, "x", 1, 0x4000) == -32);
	int got = SYSCALL(SYS_accept, net.listener, 0, 0);
	CHECK(got >= 0);
	SYSCALL(SYS_close, got, 0, 0);
	SYSCALL(SYS_close, net.waits, 0, 0);
	SYSCALL(SYS_close, net.server, 0, 0);
	SYSCALL(SYS_close, net.client, 0, 0);
	SYSCALL(SYS_close, net.listener, 0, 0);
}

// A terminal: its size and settings.
static int pty;

static void set_terminal(int round)
{
	pty = SYSCALL(SYS_open, "/dev/ptmx", 0402, 0);
	CHECK(pty >= 0);
	u16 size[4] = {24 + round, 80 + round, 0, 0};
	u32 set[16] = {0};
	CHECK(SYSCALL(SYS_ioctl, pty, 0x5414, size) == 0 && SYSCALL(SYS_ioctl, pty, 0x5401, set) == 0);
	set[3] &= ~8u; // ECHO
	set[0] ^= 040; // ISTRIP
	CHECK(SYSCALL(SYS_ioctl, pty, 0x5402, set) == 0);
}

static void check_terminal(int round)
{
	u16 size[4] = {0};
	u32 set[16] = {0};
	CHECK(SYSCALL(SYS_ioctl, pty, 0x5413, size) == 0 && size[0] == 24 + round && size[1] == 80 + round);
	CHECK(SYSCALL(SYS_ioctl, pty, 0x5401, set) == 0 && (set[3] & 8) == 0 && (set[0] & 040) != 0);
	SYSCALL(SYS_close, pty, 0, 0);
}

// Descriptors: flags, an eventfd that is a semaphore, epoll instances that tell once, a
// FIFO, inotify, a lock.
static struct { int pipe[2], event, epoll, fifo, watch, locked, times; } fds;

static void set_descriptors(int round)
{
	struct { u32 events; u64 data; } __attribute__((packed)) once = {1u | 1u << 31, 40 + round};
	CHECK(SYSCALL(SYS_pipe2, fds.pipe, 0, 0) == 0);
	CHECK(SYSCALL(SYS_fcntl, fds.pipe[0], 4, 04000) == 0 && SYSCALL(SYS_fcntl, fds.pipe[1], 2, 1) == 0);
	fds.event = SYSCALL(SYS_eventfd2, 3, 1, 0);
	fds.epoll = SYSCALL(SYS_epoll_create1, 0, 0, 0);
	CHECK(CALL4(SYS_epoll_ctl, fds.epoll, 1, fds.event, &once) == 0);
	CHECK(CALL4(SYS_epoll_wait, fds.epoll, &once, 1, 0) == 1);
	CHECK(SYSCALL(SYS_mknod, "fifo", 010600, 0) == 0);
	fds.fifo = SYSCALL(SYS_open, "fifo", 04002, 0);
	CHECK(fds.fifo >= 0 && SYSCALL(SYS_write, fds.fifo, "fifo", 4) == 4);
	fds.watch = SYSCALL(SYS_inotify_init1, 04000, 0, 0);
	CHECK(SYSCALL(SYS_inotify_add_watch, fds.watch, ".", 0x100) == 1);
	fds.locked = open_new("locked");
	CHECK(SYSCALL(SYS_flock, fds.locked, 2, 0) == 0);
	i64 times[4] = {1000 + round, 1, 2000 + round, 2};
	fds.times = open_new("times");
	CHECK(CALL4(SYS_utimensat, fds.times, 0, times, 0) == 0);
}

static void check_descriptors(int round)
{
	struct { u32 events; u64 data; } __attribute__((packed)) told;
	u64 n, stat[18];
	char b[64];
	CHECK(SYSCALL(SYS_read, fds.pipe[0], b, 1) == -11 && SYSCALL(SYS_fcntl, fds.pipe[1], 1, 0) == 1);
	CHECK(CALL4(SYS_epoll_wait, fds.epoll, &told, 1, 0) == 0);
	CHECK(SYSCALL(SYS_read, fds.event, &n, 8) == 8 && n == 1);
	n = 1;
	CHECK(SYSCALL(SYS_write, fds.event, &n, 8) == 8);
	CHECK(CALL4(SYS_epoll_wait, fds.epoll, &told, 1, 0) == 1 && told.data == 40u + round);
	CHECK(SYSCALL(SYS_read, fds.fifo, b, 8) == 4 && SYSCALL(SYS_read, fds.fifo, b, 8) == -11);
	CHECK(SYSCALL(SYS_read, fds.watch, b, 64) == 64 && *(u32 *)(b + 4) == 0x100); // "locked" and "times"
	int other = SYSCALL(SYS_open, "locked", 2, 0);
	CHECK(SYSCALL(SYS_flock, other, 6, 0) == -11);
	CHECK(SYSCALL(SYS_fstat, fds.times, stat, 0) == 0 && stat[9] == 1000u + round && stat[11] == 2000u + round);
	int all[] = {fds.pipe[0], fds.pipe[1], fds.event, fds.epoll, fds.fifo, fds.watch, fds.locked, other, fds.times};
	for (u64 i = 0; i < sizeof all / sizeof *all; i++)
		SYSCALL(SYS_close, all[i], 0, 0);
	CHECK(SYSCALL(SYS_unlink, "fifo", 0, 0) == 0 && SYSCALL(SYS_unlink, "locked", 0, 0) == 0 && SYSCALL(SYS_unlink, "times", 0, 0) == 0);
}

// The process itself.
static void set_process(int round)
{
	SYSCALL(SYS_umask, 7 * round, 0, 0);
	u64 limit[2] = {40 + round, 0}, old[2];
	CHECK(CALL4(SYS_prlimit64, 0, 7, 0, old) == 0);
	limit[1] = old[1];
	CHECK(CALL4(SYS_prlimit64, 0, 7, limit, 0) == 0);
	CHECK(SYSCALL(SYS_setpriority, 0, 0, round) == 0);
	char name[16] = "settings-";
	name[9] = 'a' + round;
	CHECK(SYSCALL(SYS_prctl, 15, name, 0) == 0);
	struct action a = {(u64)on_signal, 0x84000000, (u64)restore, 1u << 11}; // SA_RESETHAND, SA_RESTORER
	CHECK(CALL4(SYS_rt_sigaction, 10, &a, 0, 8) == 0);
	u64 set = 1u << 11;
	CHECK(CALL4(SYS_rt_sigprocmask, 0, &set, 0, 8) == 0);
	a.flags = 0x4000000;
	CHECK(CALL4(SYS_rt_sigaction, 12, &a, 0, 8) == 0);
	CHECK(SYSCALL(SYS_kill, SYSCALL(SYS_getpid, 0, 0, 0), 10, 0) == 0 && handled % 100 == 10);
	CHECK(SYSCALL(SYS_kill, SYSCALL(SYS_getpid, 0, 0, 0), 12, 0) == 0 && handled % 100 == 10);
}

static void check_process(int round)
{
	u64 stat[18], limit[2] = {0, 0}, set = 1u << 11;
	int fd = open_new("mode");
	CHECK(SYSCALL(SYS_fstat, fd, stat, 0) == 0 && ((u32)stat[3] & 0777) == (0666u & ~(7u * round)));
	CHECK(SYSCALL(SYS_close, fd, 0, 0) == 0 && SYSCALL(SYS_unlink, "mode", 0, 0) == 0);
	CHECK(CALL4(SYS_prlimit64, 0, 7, 0, limit) == 0 && limit[0] == 40u + round && SYSCALL(SYS_dup2, 1, 40 + round, 0) == -9);
	CHECK(SYSCALL(SYS_getpriority, 0, 0, 0) == 20 - round);
	char name[16] = {0};
	CHECK(SYSCALL(SYS_prctl, 16, name, 0) == 0 && name[8] == '-' && name[9] == 'a' + round);
	struct action a = {1, 1, 1, 1};
	CHECK(CALL4(SYS_rt_sigaction, 10, 0, &a, 8) == 0 && a.handler == 0);
	CHECK(CALL4(SYS_rt_sigaction, 12, 0, &a, 8) == 0 && a.handler == (u64)on_signal && a.mask == 1u << 11);
	CHECK(CALL4(SYS_rt_sigprocmask, 1, &set, 0, 8) == 0 && handled % 100 == 22);
	handled = 0;
}

GUEST("settings")
{
	CHECK(SYSCALL(SYS_mkdir, dir, 0755, 0) == 0 && SYSCALL(SYS_chdir, dir, 0, 0) == 0);
	u64 sum = 0;
	for (int round = 0; round < ROUNDS; round++) {
		set_process(round);
		set_sockets(round);
		set_terminal(round);
		set_descriptors(round);
		int child = SYSCALL(SYS_fork, 0, 0, 0), status = 1;
		if (child == 0) { // a session of its own
			i64 sid = SYSCALL(SYS_setsid, 0, 0, 0);
			spin(300);
			SYSCALL(SYS_exit_group, sid != SYSCALL(SYS_getsid, 0, 0, 0) || sid != SYSCALL(SYS_getpid, 0, 0, 0), 0, 0);
		}
		sum = mix(sum, spin(2000));
		CHECK(CALL4(SYS_wait4, child, &status, 0, 0) == child && status == 0);
		check_descriptors(round);
		check_terminal(round);
		check_sockets(round);
		check_process(round);
	}
	CHECK(SYSCALL(SYS_rmdir, dir, 0, 0) == 0);
	print_hex("sum", sum);
}
