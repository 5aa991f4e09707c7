// Pipes from the process to itself: bytes in odd sizes through several pipes at
// once, past the ends of their buffers, in vectors that lie over their own
// description, with both ends dup'ed and closed in turn. An eventfd counts the
// writes, an epoll instance watches the pipes. At the end, a socket that finds
// nobody.
#include "guest.h"

enum {
	SYS_poll = 7, SYS_ioctl = 16, SYS_readv = 19, SYS_writev = 20, SYS_select = 23, SYS_dup = 32, SYS_nanosleep = 35,
	SYS_socket = 41, SYS_connect = 42, SYS_epoll_wait = 232, SYS_epoll_ctl = 233, SYS_eventfd2 = 290,
	SYS_epoll_create1 = 291, SYS_pipe2 = 293, EPOLLIN = 1, EPOLL_CTL_ADD = 1,
	NONBLOCK = 04000, FIONREAD = 0x541b, EAGAIN = -11, EPIPE = -32, ENOENT = -2, SIGPIPE = 13,
	PIPES = 3, PAGE = 4096, CAPACITY = 65536,
};

struct iovec {
	void *base;
	u64 size;
};

static struct pipe {
	int fd[2]; // read, write
	u64 written, read; // bytes so far
	u64 tag;
} pipes[PIPES];

static u8 buffer[PAGE + 8], expected[PAGE + 8];
static u64 seed = 77, sum, puts;
static i64 watcher, counter; // epoll instance, eventfd

struct event {
	u32 events;
	struct pipe *pipe;
} __attribute__((packed));

// stream gives n bytes of a pipe's stream from byte i on.
static void stream(struct pipe *p, u64 i, u8 *to, u64 n)
{
	for (; n && i & 7; i++, n--)
		*to++ = mix(p->tag, i >> 3) >> (i & 7) * 8;
	for (; n >= 8; i += 8, n -= 8, to += 8)
		*(u64 *)to = mix(p->tag, i >> 3);
	for (; n; i++, n--)
		*to++ = mix(p->tag, i >> 3) >> (i & 7) * 8;
}

static void open_pipe(struct pipe *p, u64 tag)
{
	CHECK(SYSCALL(SYS_pipe2, p->fd, NONBLOCK, 0) == 0);
	p->written = p->read = 0;
	p->tag = tag;
	struct event e = {EPOLLIN, p};
	CHECK(syscall6(SYS_epoll_ctl, watcher, EPOLL_CTL_ADD, p->fd[0], (i64)&e, 0, 0) == 0);
}

static i64 unread(struct pipe *p)
{
	int n;
	CHECK(SYSCALL(SYS_ioctl, p->fd[0], FIONREAD, &n) == 0);
	return n;
}

static void check(struct pipe *p, u64 n)
{
	stream(p, p->read, expected, n);
	for (u64 i = 0; i < n; i += 8)
		CHECK(!((*(u64 *)(buffer + i) ^ *(u64 *)(expected + i)) << (n - i < 8 ? 64 - 8 * (n - i) : 0)));
	sum = mix(sum, n + buffer[n / 2]);
	p->read += n;
}

static void put(struct pipe *p, u64 n)
{
	stream(p, p->written, buffer, n);
	if (n % 3) {
		CHECK(SYSCALL(SYS_write, p->fd[1], buffer, n) == (i64)n);
	} else {
		struct iovec v[2] = {{buffer, n / 3}, {buffer + n / 3, n - n / 3}};
		CHECK(SYSCALL(SYS_writev, p->fd[1], v, 2) == (i64)n);
	}
	p->written += n;
	puts++;
	u64 one = 1;
	CHECK(SYSCALL(SYS_write, counter, &one, 8) == 8);
	CHECK(unread(p) == (i64)(p->written - p->read));
}

static void get(struct pipe *p, u64 n)
{
	CHECK(SYSCALL(SYS_read, p->fd[0], buffer, n) == (i64)n);
	check(p, n);
}

// get_over reads onto the array that says where to read to.
static void get_over(struct pipe *p)
{
	static union {
		struct iovec v[3];
		u8 bytes[96];
	} u;
	u.v[0] = (struct iovec){u.bytes + 4, 17};
	u.v[1] = (struct iovec){u.bytes + 60, 20};
	u.v[2] = (struct iovec){u.bytes + 21, 27};
	CHECK(SYSCALL(SYS_readv, p->fd[0], u.v, 3) == 64);
	for (u64 i = 0; i < 64; i++)
		buffer[i] = u.bytes[i < 17 ? 4 + i : i < 37 ? 60 + i - 17 : 21 + i - 37];
	check(p, 64);
}

// ready asks select, whose sets and timeout are arguments and results.
static void ready(struct pipe *p)
{
	u64 in[16] = {0}, out[16] = {0}, timeout[2] = {1, 5}, any = p->written != p->read;
	in[0] = 1ul << p->fd[0];
	out[0] = 1ul << p->fd[1];
	CHECK(syscall6(SYS_select, p->fd[1] + 1, (i64)in, (i64)out, 0, (i64)timeout, 0) == (i64)(1 + any));
	CHECK(in[0] == any << p->fd[0] && out[0] == 1ul << p->fd[1]);
	CHECK(timeout[0] <= 1);
	u64 nap[2] = {0, 1000};
	CHECK(SYSCALL(SYS_nanosleep, nap, nap, 0) == 0);
}

// watched asks the epoll instance and the eventfd.
static void watched(void)
{
	struct event e[PIPES + 1];
	u64 n = 0, value;
	for (u64 i = 0; i < PIPES; i++)
		n += pipes[i].written != pipes[i].read;
	CHECK(syscall6(SYS_epoll_wait, watcher, (i64)e, PIPES + 1, 0, 0, 0) == (i64)n);
	for (u64 i = 0; i < n; i++)
		CHECK(e[i].events == EPOLLIN && e[i].pipe->written != e[i].pipe->read);
	CHECK(SYSCALL(SYS_read, counter, &value, 8) == (puts ? 8 : EAGAIN));
	CHECK(!puts || value == puts);
	puts = 0;
}

static void drain(struct pipe *p)
{
	while (p->read < p->written)
		get(p, p->written - p->read < PAGE ? p->written - p->read : PAGE);
}

static void close_both(struct pipe *p)
{
	int d = SYSCALL(SYS_dup, p->fd[1], 0, 0);
	CHECK(d > 0 && SYSCALL(SYS_close, p->fd[1], 0, 0) == 0);
	p->fd[1] = d;
	put(p, 5);
	CHECK(SYSCALL(SYS_close, d, 0, 0) == 0);
	drain(p);
	CHECK(SYSCALL(SYS_read, p->fd[0], buffer, 1) == 0);
	CHECK(SYSCALL(SYS_close, p->fd[0], 0, 0) == 0);
}

// full fills a pipe to the last byte.
static void full(struct pipe *p)
{
	drain(p);
	for (int i = 0; i < CAPACITY / PAGE; i++)
		put(p, PAGE);
	CHECK(SYSCALL(SYS_write, p->fd[1], buffer, 1) == EAGAIN);
	get(p, PAGE);
	put(p, PAGE);
	CHECK(unread(p) == CAPACITY);
	drain(p);
}

static void broken(void)
{
	struct pipe p;
	u64 ignore[4] = {1, 0, 0, 0};
	open_pipe(&p, 9);
	put(&p, 10);
	CHECK(syscall6(SYS_rt_sigaction, SIGPIPE, (i64)ignore, 0, 8, 0, 0) == 0);
	CHECK(SYSCALL(SYS_close, p.fd[0], 0, 0) == 0);
	CHECK(SYSCALL(SYS_write, p.fd[1], buffer, 1) == EPIPE);
	CHECK(SYSCALL(SYS_close, p.fd[1], 0, 0) == 0);
}

static void nobody(void)
{
	char address[] = "\1\0/tmp/zhuque-nobody";
	i64 s = SYSCALL(SYS_socket, 1, 1 | NONBLOCK, 0);
	CHECK(s > 2);
	CHECK(SYSCALL(SYS_connect, s, address, sizeof address) == ENOENT);
	CHECK(SYSCALL(SYS_close, s, 0, 0) == 0);
}

GUEST("pipes")
{
	watcher = SYSCALL(SYS_epoll_create1, 0, 0, 0);
	counter = SYSCALL(SYS_eventfd2, 0, NONBLOCK, 0);
	CHECK(watcher > 2 && counter > 2);
	for (u64 i = 0; i < PIPES; i++)
		open_pipe(&pipes[i], i);
	for (u64 round = 0; round < 240; round++) {
		struct pipe *p = &pipes[next_random(&seed) % PIPES];
		u64 have = p->written - p->read, n = next_random(&seed) % 900;
		if (have < 1500)
			put(p, n + 1);
		else
			get(p, have - n % 64);
		if (round % 8 == 0)
			ready(p), watched();
		if (p->written - p->read >= 64)
			get_over(p);
		if (round % 60 == 59) {
			close_both(p);
			open_pipe(p, round);
		}
	}
	full(&pipes[1]);
	for (u64 i = 0; i < PIPES; i++)
		close_both(&pipes[i]);
	broken();
	nobody();
	print_hex("sum", sum);
}
