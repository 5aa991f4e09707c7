// Servers and clients in one process: TCP, UNIX, datagrams, descriptors that travel,
// an edge-triggered loop, several messages a call.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS 3
#define ROUNDS 12

static int check(int n, const char *what)
{
	if (n < 0) {
		printf("%s: %s\n", what, strerror(errno));
		exit(1);
	}
	return n;
}

static void send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t m = check(send(fd, p, n, MSG_NOSIGNAL), "send");
		p += m;
		n -= m;
	}
}

// An echo server that serves each connection in a thread.
static void *echo(void *arg)
{
	int fd = (long)arg;
	char buf[512];
	ssize_t n;
	while ((n = check(read(fd, buf, sizeof buf), "read")) > 0)
		send_all(fd, buf, n);
	close(fd);
	return NULL;
}

static void *serve(void *arg)
{
	int fd = (long)arg;
	pthread_t t[CLIENTS];
	for (int i = 0; i < CLIENTS; i++)
		pthread_create(&t[i], NULL, echo, (void *)(long)check(accept4(fd, NULL, NULL, SOCK_CLOEXEC), "accept"));
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(t[i], NULL);
	close(fd);
	return NULL;
}

struct client {
	int number;
	struct sockaddr_storage to;
	socklen_t len;
	unsigned sum;
};

static void *client(void *arg)
{
	struct client *c = arg;
	int fd = check(socket(c->to.ss_family, SOCK_STREAM, 0), "socket");
	check(connect(fd, (struct sockaddr *)&c->to, c->len), "connect");
	for (int r = 0; r < ROUNDS; r++) {
		char out[700], in[700];
		int n = 1 + (r * 61 + c->number * 17) % 700;
		for (int i = 0; i < n; i++)
			out[i] = r + c->number + i;
		send_all(fd, out, n);
		if (check(recv(fd, in, n, MSG_WAITALL), "recv") != n || memcmp(in, out, n) != 0) {
			printf("client %d: the echo of round %d is wrong\n", c->number, r);
			exit(1);
		}
		for (int i = 0; i < n; i++)
			c->sum = c->sum * 31 + (unsigned char)in[i];
	}
	check(shutdown(fd, SHUT_WR), "shutdown");
	char b;
	if (check(recv(fd, &b, 1, 0), "recv") != 0)
		printf("client %d: more than was sent\n", c->number);
	close(fd);
	return NULL;
}

static void echoes(const char *name, struct sockaddr *addr, socklen_t len)
{
	int fd = check(socket(addr->sa_family, SOCK_STREAM, 0), "socket"), one = 1;
	if (addr->sa_family != AF_UNIX)
		check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), "setsockopt");
	check(bind(fd, addr, len), "bind");
	check(listen(fd, 1), "listen");
	struct client c[CLIENTS] = {0};
	pthread_t server, t[CLIENTS];
	pthread_create(&server, NULL, serve, (void *)(long)fd);
	for (int i = 0; i < CLIENTS; i++) {
		c[i].number = i;
		c[i].len = sizeof c[i].to;
		check(getsockname(fd, (struct sockaddr *)&c[i].to, &c[i].len), "getsockname");
		pthread_create(&t[i], NULL, client, &c[i]);
	}
	unsigned sum = 0;
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(t[i], NULL);
		sum = sum * 7 + c[i].sum;
	}
	pthread_join(server, NULL);
	printf("%s: %08x\n", name, sum);
}

static void *answer(void *arg)
{
	int fd = (long)arg;
	for (;;) {
		char buf[256];
		struct sockaddr_in from;
		socklen_t len = sizeof from;
		ssize_t n = check(recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &len), "recvfrom");
		if (n == 0)
			return NULL;
		for (int i = 0; i < n; i++)
			buf[i] ^= 0x20;
		check(sendto(fd, buf, n, 0, (struct sockaddr *)&from, len), "sendto");
	}
}

static void datagrams(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof addr;
	int s = check(socket(AF_INET, SOCK_DGRAM, 0), "socket"), c = check(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	check(bind(s, (struct sockaddr *)&addr, len), "bind");
	check(getsockname(s, (struct sockaddr *)&addr, &len), "getsockname");
	pthread_t t;
	pthread_create(&t, NULL, answer, (void *)(long)s);
	check(connect(c, (struct sockaddr *)&addr, len), "connect");
	for (int i = 0; i < 8; i++) {
		char buf[64], text[64];
		int n = sprintf(text, "datagram number %d", i);
		check(send(c, text, n, 0), "send");
		n = check(recv(c, buf, sizeof buf, 0), "recv");
		printf("%.*s\n", n, buf);
	}
	check(send(c, "", 0, 0), "send");
	pthread_join(t, NULL);
	close(s);
	close(c);
}

static void rights(void)
{
	int pair[2], p[2];
	check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), "socketpair");
	check(pipe(p), "pipe");
	union {
		struct cmsghdr h;
		char b[CMSG_SPACE(sizeof(int))];
	} u = {0};
	char x = 'x';
	struct iovec v = {&x, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof u};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &p[0], sizeof(int));
	check(sendmsg(pair[0], &m, 0), "sendmsg");
	close(p[0]); // it lives on in the message
	check(write(p[1], "through a pipe", 14), "write");
	memset(&u, 0, sizeof u);
	m.msg_controllen = sizeof u;
	check(recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC), "recvmsg");
	int fd;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	char buf[32];
	int n = check(read(fd, buf, sizeof buf), "read");
	printf("descriptor %s: %.*s\n", fcntl(fd, F_GETFD) == FD_CLOEXEC ? "closes on exec" : "stays", n, buf);
	close(fd);
	close(p[1]);
	close(pair[0]);
	close(pair[1]);
}

static void *talk(void *arg)
{
	int fd = (long)arg;
	char text[32];
	for (int i = 0; i < 20; i++)
		send_all(fd, text, sprintf(text, "message %d;", i));
	close(fd);
	return NULL;
}

static void edges(void)
{
	enum { N = 4 };
	int ep = check(epoll_create1(0), "epoll_create1"), outer = check(epoll_create1(0), "epoll_create1"), open = N;
	pthread_t t[N];
	unsigned sum[N] = {0}, bytes[N] = {0};
	int fd[N];
	for (int i = 0; i < N; i++) {
		int pair[2];
		check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
		fd[i] = pair[0];
		fcntl(fd[i], F_SETFL, O_NONBLOCK);
		struct epoll_event e = {.events = EPOLLIN | EPOLLET | EPOLLRDHUP, .data.u32 = i};
		check(epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &e), "epoll_ctl");
		pthread_create(&t[i], NULL, talk, (void *)(long)pair[1]);
	}
	struct epoll_event o = {.events = EPOLLIN};
	check(epoll_ctl(outer, EPOLL_CTL_ADD, ep, &o), "epoll_ctl");
	while (open > 0) {
		struct epoll_event e[2];
		check(epoll_wait(outer, e, 1, -1), "epoll_wait");
		int n = check(epoll_wait(ep, e, 2, 0), "epoll_wait");
		for (int j = 0; j < n; j++) {
			int i = e[j].data.u32;
			char buf[16];
			ssize_t m;
			while ((m = read(fd[i], buf, sizeof buf)) > 0) {
				bytes[i] += m;
				for (int k = 0; k < m; k++)
					sum[i] = sum[i] * 31 + buf[k];
			}
			if (m == 0) {
				close(fd[i]);
				open--;
			} else if (errno != EAGAIN)
				check(-1, "read");
		}
	}
	for (int i = 0; i < N; i++) {
		pthread_join(t[i], NULL);
		printf("edges of %d: %u bytes, %08x\n", i, bytes[i], sum[i]);
	}
	close(ep);
	close(outer);
}

enum { BATCH = 5, MESSAGE = 70000 };

static char out[BATCH][MESSAGE], in[BATCH][MESSAGE];

static void batch(struct mmsghdr *m, struct iovec *v, char (*buf)[MESSAGE], size_t size)
{
	memset(m, 0, BATCH * sizeof *m);
	for (int i = 0; i < BATCH; i++) {
		v[i] = (struct iovec){buf[i], size - i};
		m[i].msg_hdr.msg_iov = &v[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
}

static void *drain(void *arg)
{
	int fd = (long)arg, n;
	struct mmsghdr m[BATCH];
	struct iovec v[BATCH];
	unsigned sum = 0;
	do {
		batch(m, v, in, 30000);
		n = check(recvmmsg(fd, m, BATCH, MSG_WAITFORONE, NULL), "recvmmsg");
		for (int i = 0; i < n; i++)
			for (unsigned j = 0; j < m[i].msg_len; j++)
				sum = sum * 31 + (unsigned char)in[i][j];
	} while (n > 0 && m[0].msg_len > 0);
	return (void *)(long)sum;
}

// Several messages a call: as datagrams, and on a stream that is too small for one.
static void batches(void)
{
	struct mmsghdr m[BATCH];
	struct iovec v[BATCH];
	struct timespec soon = {0, 1000000};
	int pair[2];
	for (int i = 0; i < BATCH; i++)
		for (int j = 0; j < MESSAGE; j++)
			out[i][j] = i * 41 + j * 7 + j / 1000;

	check(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), "socketpair");
	batch(m, v, out, 100);
	printf("sent %d datagrams", check(sendmmsg(pair[0], m, BATCH, 0), "sendmmsg"));
	batch(m, v, in, 98);
	printf(", received %d", check(recvmmsg(pair[1], m, 3, 0, &soon), "recvmmsg"));
	printf(", then %d", check(recvmmsg(pair[1], m + 3, 2, MSG_DONTWAIT, NULL), "recvmmsg"));
	for (int i = 0; i < BATCH; i++)
		printf(" %u%s%s", m[i].msg_len, m[i].msg_hdr.msg_flags & MSG_TRUNC ? "t" : "",
		       memcmp(in[i], out[i], m[i].msg_len) ? " wrong" : "");
	printf(", then %d", recvmmsg(pair[1], m, 2, MSG_DONTWAIT, NULL));
	printf(" %s\n", strerror(errno));
	close(pair[0]);
	close(pair[1]);

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	int small = 4096;
	check(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), "setsockopt");
	pthread_t t;
	pthread_create(&t, NULL, drain, (void *)(long)pair[1]);
	batch(m, v, out, MESSAGE);
	printf("sent %d messages on a stream:", check(sendmmsg(pair[0], m, BATCH, 0), "sendmmsg"));
	unsigned want = 0;
	for (int i = 0; i < BATCH; i++) {
		printf(" %u", m[i].msg_len);
		for (unsigned j = 0; j < m[i].msg_len; j++)
			want = want * 31 + (unsigned char)out[i][j];
	}
	close(pair[0]);
	void *got;
	pthread_join(t, &got);
	printf(", received %s\n", (unsigned)(long)got == want ? "whole" : "something else");
	close(pair[1]);
}

int main(void)
{
	char path[64];
	sprintf(path, "/tmp/zhuque-sockets-%d", getpid());
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	strcpy(un.sun_path, path);
	echoes("TCP", (struct sockaddr *)&in, sizeof in);
	echoes("TCP over IPv6", (struct sockaddr *)&in6, sizeof in6);
	unlink(un.sun_path);
	echoes("UNIX", (struct sockaddr *)&un, sizeof un);
	unlink(un.sun_path);
	datagrams();
	rights();
	edges();
	batches();
	return 0;
}
