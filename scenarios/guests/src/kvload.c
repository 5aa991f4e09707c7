// A load on a key-value server that speaks memcached's text protocol, from inside the machine:
// starts the server, stores every key, and then has each of its threads send one request after
// the other on a connection of its own, between the marks 1 and 2. Arguments: the server's path,
// its threads, requests of each connection, the percentage of stores, and keys. Keys have 16
// bytes and values 256, as those of memaslap by default, roughly; which key is drawn uniformly.
#define GUEST_ARGS
#include "guest.h"
#include "spawn.h"

enum {
	SYS_socket = 41, SYS_connect = 42, SYS_setsockopt = 54, SYS_fork = 57, SYS_execve = 59, SYS_wait4 = 61, SYS_nanosleep = 35,
	AF_INET = 2, SOCK_STREAM = 1, IPPROTO_TCP = 6, TCP_NODELAY = 1, SIGTERM = 15, WNOHANG = 1,
	THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000,
	MOST = 32, STACK = 1 << 14, KEY = 16, VALUE = 256, PORT = 11211,
};

#define MARK(n) __asm__ volatile("nopl 0x7a687571(%0)" ::"r"((u64)(n)) : "memory")

static u8 stacks[MOST][STACK] __attribute__((aligned(64)));
static struct one { volatile u32 tid; u64 id; } __attribute__((aligned(64))) ones[MOST];
static u64 threads, requests, stores, keys;
static volatile u64 ready, done, go;

static u64 number(u64 i)
{
	u64 n = 0;
	for (const char *c = (const char *)guest_stack[1 + i]; *c >= '0' && *c <= '9'; c++)
		n = 10 * n + *c - '0';
	return n;
}

static void copy(char *to, const char *from, u64 n)
{
	for (u64 i = 0; i < n; i++)
		to[i] = from[i];
}

static int same(const char *a, const char *b, u64 n)
{
	for (u64 i = 0; i < n; i++)
		if (a[i] != b[i])
			return 0;
	return 1;
}

static void put_key(char *to, u64 k)
{
	copy(to, "key-000000000000", KEY);
	for (char *digit = to + KEY; k; k /= 10)
		*--digit = '0' + k % 10;
}

// A value says which key it is of, and by whom it was stored.
static void put_value(char *to, u64 k, u64 by)
{
	put_key(to, k);
	for (u64 i = KEY; i < VALUE; i++)
		to[i] = 'a' + (by + i) % 26;
}

static u64 receive(i64 fd, char *buffer, u64 room, const char *end)
{
	u64 n = 0, length_of_end = length(end);
	while (n < length_of_end || !same(buffer + n - length_of_end, end, length_of_end)) {
		CHECK(n < room);
		i64 k = SYSCALL(SYS_read, fd, buffer + n, room - n);
		CHECK(k > 0);
		n += k;
	}
	return n;
}

static void store(i64 fd, u64 k, u64 by)
{
	char text[4 + KEY + 10 + VALUE + 2], answer[16];
	copy(text, "set ", 4);
	put_key(text + 4, k);
	copy(text + 4 + KEY, " 0 0 256\r\n", 10);
	put_value(text + 4 + KEY + 10, k, by);
	copy(text + sizeof text - 2, "\r\n", 2);
	put_bytes(fd, text, sizeof text);
	CHECK(receive(fd, answer, sizeof answer, "\r\n") == 8 && same(answer, "STORED\r\n", 8));
}

static void look_up(i64 fd, u64 k)
{
	enum { HEAD = 6 + KEY + 8, ALL = HEAD + VALUE + 7 };
	char text[4 + KEY + 2], answer[ALL + 1];
	copy(text, "get ", 4);
	put_key(text + 4, k);
	copy(text + 4 + KEY, "\r\n", 2);
	put_bytes(fd, text, sizeof text);
	CHECK(receive(fd, answer, sizeof answer, "END\r\n") == ALL);
	CHECK(same(answer, "VALUE ", 6) && same(answer + 6, text + 4, KEY) && same(answer + 6 + KEY, " 0 256\r\n", 8));
	CHECK(same(answer + HEAD, text + 4, KEY)); // the value is this key's
}

static i64 connection(i64 server)
{
	struct { u16 family, port; u8 address[4], zero[8]; } to = {AF_INET, (u16)(PORT >> 8 | PORT << 8), {127, 0, 0, 1}, {0}};
	i64 fd = SYSCALL(SYS_socket, AF_INET, SOCK_STREAM, 0);
	CHECK(fd >= 0);
	int on = 1;
	CHECK(syscall6(SYS_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, (i64)&on, sizeof on, 0) == 0);
	while (SYSCALL(SYS_connect, fd, &to, sizeof to) != 0) {
		i64 pause[2] = {0, 1000000};
		CHECK(SYSCALL(SYS_wait4, server, 0, WNOHANG) == 0); // it has not ended
		SYSCALL(SYS_nanosleep, pause, 0, 0);
	}
	return fd;
}

static i64 server;

static void drive(u64 id)
{
	i64 fd = connection(server);
	for (u64 k = id; k < keys; k += threads)
		store(fd, k, 0);
	u64 random = 88172645463325252 + id * 7919;
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	if (id == 0) {
		while (ready != threads)
			__asm__ volatile("pause");
		MARK(1);
		go = 1;
	}
	while (!go)
		__asm__ volatile("pause");
	for (u64 i = 0; i < requests; i++) {
		u64 k = next_random(&random) % keys;
		if (next_random(&random) % 100 < stores)
			store(fd, k, i);
		else
			look_up(fd, k);
	}
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
	SYSCALL(SYS_close, fd, 0, 0);
}

__attribute__((used)) void work(struct one *o) { drive(o->id); }

SPAWN_WITH("r9", work, struct one *)

static i64 start_server(void)
{
	const char *path = (const char *)guest_stack[2], *workers = (const char *)guest_stack[3];
	const char *argv[] = {path, "-u", "root", "-l", "127.0.0.1", "-p", "11211", "-U", "0", "-t", workers, 0};
	const char *environment[] = {0};
	i64 pid = SYSCALL(SYS_fork, 0, 0, 0);
	CHECK(pid >= 0);
	if (pid == 0) {
		SYSCALL(SYS_execve, path, argv, environment);
		fail("the server does not start");
	}
	return pid;
}

GUEST("kvload")
{
	if (guest_stack[0] == 1) {
		print_value("connections at most", MOST);
		return;
	}
	CHECK(guest_stack[0] == 6);
	threads = number(2), requests = number(3), stores = number(4), keys = number(5);
	CHECK(threads >= 1 && threads <= MOST && requests >= 1 && stores <= 100 && keys >= 1 && keys <= 1000000);
	server = start_server();
	for (u64 i = 1; i < threads; i++) {
		ones[i].id = i;
		CHECK(spawn(THREAD, stacks[i] + STACK, &ones[i].tid, &ones[i]) > 0);
	}
	drive(0);
	while (done != threads)
		__asm__ volatile("pause");
	MARK(2);
	print_value("requests", threads * requests);
	int status;
	CHECK(SYSCALL(SYS_kill, server, SIGTERM, 0) == 0);
	CHECK(syscall6(SYS_wait4, server, (i64)&status, 0, 0, 0, 0) == server);
}
