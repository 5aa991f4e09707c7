// Processes: copies of this one that talk to it through pipes and shared memory, a child
// that runs this program anew in vfork's way, one that is killed, one that stays a zombie
// for a while, signals to and from them, as interruptions and as data, and what reminds
// of time: an interval timer, a timer of its own and a timer descriptor. Beside all that, state
// that lasts from the beginning to the end: a file's offset behind two descriptors, a
// pending signal, a signal mask, an alternate stack, an epoll instance.
#define GUEST_ARGS
#include "guest.h"

enum {
	SYS_rt_sigsuspend = 130, SYS_dup2 = 33, SYS_setitimer = 38, SYS_fork = 57, SYS_execve = 59,
	SYS_wait4 = 61, SYS_pipe = 22, SYS_getppid = 110, SYS_timer_create = 222, SYS_timer_settime = 223, SYS_epoll_wait = 232,
	SYS_epoll_ctl = 233, SYS_timerfd_create = 283, SYS_timerfd_settime = 286, SYS_signalfd4 = 289, SYS_epoll_create1 = 291,
	SIGHUP = 1, SIGUSR1 = 10, SIGUSR2 = 12, SIGALRM = 14, SIGTERM = 15, SIGCHLD = 17,
	SA_RESTORER = 0x04000000, SA_RESTART = 0x10000000, SA_ONSTACK = 0x08000000,
	O_RDWR = 2, O_CREAT = 0100, O_TRUNC = 01000, EPOLLIN = 1, MESSAGES = 8, HIGH = 40,
};

#define FILE_NAME "/tmp/zhuque-processes"
#define BIT(sig) (1UL << ((sig)-1))

__asm__("restorer:\n\tmov $15, %eax\n\tsyscall\n");
void restorer(void);

static u8 alternate[8192] __attribute__((aligned(16)));
static volatile u64 alarms, children, hangups, on_alternate;
static u64 *shared;
static int down[2], up[2]; // pipes to a child and from it

static void count(int sig)
{
	u8 here;
	on_alternate += &here >= alternate && &here < alternate + sizeof alternate;
	if (sig == SIGALRM)
		alarms++;
	if (sig == SIGCHLD)
		children++;
	if (sig == SIGHUP)
		hangups++;
}

static void handle(int sig, u64 flags)
{
	u64 act[4] = {(u64)count, SA_RESTORER | flags, (u64)restorer, 0};
	CHECK(syscall6(SYS_rt_sigaction, sig, (i64)act, 0, 8, 0, 0) == 0);
}

// suspend waits until a counter has a value, with the signal let in only meanwhile.
static void suspend(int sig, volatile u64 *counter, u64 until)
{
	u64 block = BIT(sig), old, open;
	CHECK(syscall6(SYS_rt_sigprocmask, 0, (i64)&block, (i64)&old, 8, 0, 0) == 0);
	open = old & ~block;
	while (*counter < until)
		SYSCALL(SYS_rt_sigsuspend, &open, 8, 0);
	CHECK(syscall6(SYS_rt_sigprocmask, 2, (i64)&old, 0, 8, 0, 0) == 0);
}

static i64 wait_for(i64 child)
{
	int status = -1;
	CHECK(syscall6(SYS_wait4, child, (i64)&status, 0, 0, 0, 0) == child);
	return status;
}

static void close_both(int ends[2])
{
	CHECK(SYSCALL(SYS_close, ends[0], 0, 0) == 0 && SYSCALL(SYS_close, ends[1], 0, 0) == 0);
}

// echo is a child that answers each word, and counts them in shared memory.
static void echo(void)
{
	u64 v;
	SYSCALL(SYS_close, down[1], 0, 0);
	SYSCALL(SYS_close, up[0], 0, 0);
	while (SYSCALL(SYS_read, down[0], &v, 8) == 8) {
		shared[0]++;
		v = mix(v, shared[0]);
		put_bytes(up[1], (char *)&v, 8);
	}
	put_bytes(HIGH, "child", 5); // at the offset that all share
	SYSCALL(SYS_exit_group, 7, 0, 0);
}

static void talk(void)
{
	CHECK(SYSCALL(SYS_pipe, down, 0, 0) == 0 && SYSCALL(SYS_pipe, up, 0, 0) == 0);
	i64 child = SYSCALL(SYS_fork, 0, 0, 0);
	CHECK(child >= 0);
	if (child == 0)
		echo();
	u64 sum = 1;
	for (u64 i = 1; i <= MESSAGES; i++) {
		u64 v = sum;
		put_bytes(down[1], (char *)&v, 8);
		CHECK(SYSCALL(SYS_read, up[0], &v, 8) == 8);
		CHECK(v == mix(sum, i) && shared[0] == i);
		sum = v;
	}
	close_both(down);
	CHECK(wait_for(child) == 7 << 8);
	close_both(up);
	CHECK(children == 1);
	print_hex("talked", sum);
}

// again runs this program in a child that lives in this memory until then.
static i64 again(void)
{
	static char *argv[] = {"processes", "again", 0}, *envp[] = {0};
	i64 pid;
	__asm__ volatile("mov $58, %%eax\n\tsyscall\n\t"
			 "test %%rax, %%rax\n\tjnz 1f\n\t"
			 "mov $59, %%eax\n\tmov %1, %%rdi\n\tmov %2, %%rsi\n\tmov %3, %%rdx\n\tsyscall\n\t"
			 "mov $60, %%eax\n\tmov $99, %%edi\n\tsyscall\n1:"
			 : "=&a"(pid)
			 : "b"("/proc/self/exe"), "r"(argv), "r"(envp)
			 : "rcx", "rdx", "rdi", "rsi", "r11", "memory");
	return pid;
}

// kill_one has a child that reports itself with a signal and waits to be killed.
static void kill_one(void)
{
	u64 set = BIT(SIGUSR1), info[16];
	CHECK(SYSCALL(SYS_pipe, down, 0, 0) == 0);
	i64 fd = syscall6(SYS_signalfd4, -1, (i64)&set, 8, 0, 0, 0), child = SYSCALL(SYS_fork, 0, 0, 0);
	CHECK(fd >= 0 && child >= 0);
	if (child == 0) {
		SYSCALL(SYS_kill, SYSCALL(SYS_getppid, 0, 0, 0), SIGUSR1, 0);
		SYSCALL(SYS_read, down[0], info, 1);
		SYSCALL(SYS_exit_group, 1, 0, 0);
	}
	CHECK(SYSCALL(SYS_read, fd, info, sizeof info) == 128);
	CHECK((u32)info[0] == SIGUSR1 && info[1] >> 32 == (u64)child);
	CHECK(SYSCALL(SYS_kill, child, SIGTERM, 0) == 0);
	suspend(SIGCHLD, &children, 3); // a zombie by now
	u64 sum = 3;
	for (u64 i = 0; i < 200; i++)
		sum = mix(sum, i);
	CHECK(wait_for(child) == SIGTERM);
	CHECK(SYSCALL(SYS_close, fd, 0, 0) == 0);
	close_both(down);
	print_hex("killed", sum);
}

static void times(i64 watcher)
{
	u64 interval[4] = {0, 500, 0, 500}, stop[4] = {0}, expired = 0, spec[4] = {0, 300000, 0, 400000};
	struct {
		u32 events;
		u64 data;
	} __attribute__((packed)) event = {EPOLLIN, 77};
	i64 fd = SYSCALL(SYS_timerfd_create, 1, 0, 0);
	CHECK(fd >= 0 && syscall6(SYS_epoll_ctl, watcher, 1, fd, (i64)&event, 0, 0) == 0);
	CHECK(SYSCALL(SYS_setitimer, 0, interval, 0) == 0);
	suspend(SIGALRM, &alarms, 4);
	CHECK(SYSCALL(SYS_setitimer, 0, stop, 0) == 0);
	CHECK(syscall6(SYS_timerfd_settime, fd, 0, (i64)spec, 0, 0, 0) == 0);
	event.data = 0;
	i64 n;
	while ((n = syscall6(SYS_epoll_wait, watcher, (i64)&event, 1, -1, 0, 0)) == -4)
		;
	CHECK(n == 1 && event.data == 77);
	CHECK(SYSCALL(SYS_read, fd, &expired, 8) == 8 && expired >= 1);
	CHECK(SYSCALL(SYS_close, fd, 0, 0) == 0);

	int timer = -1;
	u64 how[8] = {0, SIGHUP, 0, 0, 0, 0, 0, 0}; // SIGEV_SIGNAL
	CHECK(SYSCALL(SYS_timer_create, 1, how, &timer) == 0);
	CHECK(syscall6(SYS_timer_settime, timer, 0, (i64)spec, 0, 0, 0) == 0);
	suspend(SIGHUP, &hangups, 3);
	CHECK(on_alternate >= 3);
	spec[0] = spec[1] = spec[2] = spec[3] = 0;
	CHECK(syscall6(SYS_timer_settime, timer, 0, (i64)spec, 0, 0, 0) == 0);
	print_value("times", 4 + 3);
}

GUEST("processes")
{
	if (guest_stack[0] > 1) {
		print_value("again", guest_stack[0]);
		SYSCALL(SYS_exit_group, 5, 0, 0);
	}
	u64 stack[3] = {(u64)alternate, 0, sizeof alternate}, blocked = BIT(SIGUSR1) | BIT(SIGUSR2), pending = 0;
	CHECK(SYSCALL(SYS_sigaltstack, stack, 0, 0) == 0);
	CHECK(syscall6(SYS_rt_sigprocmask, 0, (i64)&blocked, 0, 8, 0, 0) == 0);
	handle(SIGALRM, 0);
	handle(SIGCHLD, SA_RESTART);
	handle(SIGHUP, SA_ONSTACK);
	i64 watcher = SYSCALL(SYS_epoll_create1, 0, 0, 0), file = SYSCALL(SYS_open, FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(watcher >= 0 && file >= 0);
	CHECK(SYSCALL(SYS_dup2, file, HIGH, 0) == HIGH);
	CHECK(SYSCALL(SYS_unlink, FILE_NAME, 0, 0) == 0);
	put_bytes(HIGH, "parent", 6);
	CHECK(SYSCALL(SYS_kill, SYSCALL(SYS_getpid, 0, 0, 0), SIGUSR2, 0) == 0); // stays pending
	shared = (u64 *)syscall6(SYS_mmap, 0, 4096, 3, 0x21, -1, 0);
	CHECK((i64)shared > 0);

	talk();
	i64 child = again();
	CHECK(child > 0 && wait_for(child) == 5 << 8 && children == 2);
	kill_one();
	times(watcher);

	CHECK(SYSCALL(SYS_rt_sigpending, &pending, 8, 0) == 0 && pending == BIT(SIGUSR2));
	put_bytes(file, "end", 3);
	CHECK(SYSCALL(SYS_lseek, HIGH, 0, 1) == 14);
	char text[16];
	CHECK(SYSCALL(SYS_lseek, HIGH, 0, 0) == 0 && SYSCALL(SYS_read, file, text, 16) == 14);
	CHECK(text[0] == 'p' && text[6] == 'c' && text[11] == 'e');
	print_value("children", children);
}
