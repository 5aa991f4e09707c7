// System V shared memory, semaphores and messages, and POSIX message queues, between a
// process and its children: each round makes new objects, so that there are some behind each
// restart, gives and takes through them while others wait, computes in between, and looks
// whether values, messages, owners and what is to be undone are still there.
#include "guest.h"

enum {
	SYS_poll = 7, SYS_nanosleep = 35, SYS_shmget = 29, SYS_shmat = 30, SYS_shmctl = 31, SYS_semget = 64, SYS_semop = 65, SYS_semctl = 66, SYS_shmdt = 67,
	SYS_msgget = 68, SYS_msgsnd = 69, SYS_msgrcv = 70, SYS_msgctl = 71, SYS_fork = 57, SYS_wait4 = 61,
	SYS_semtimedop = 220, SYS_mq_open = 240, SYS_mq_unlink = 241, SYS_mq_timedsend = 242, SYS_mq_timedreceive = 243,
	SYS_mq_notify = 244, SYS_mq_getsetattr = 245,
	IPC_CREAT = 01000, IPC_NOWAIT = 04000, SEM_UNDO = 010000, MSG_NOERROR = 010000,
	IPC_RMID = 0, IPC_STAT = 2, GETPID = 11, GETVAL = 12, GETALL = 13, GETNCNT = 14, GETZCNT = 15, SETVAL = 16, SETALL = 17,
	EAGAIN = -11, EIDRM = -43, EINVAL = -22, ENOMSG = -42,
};

#define ROUNDS 2
#define CALL4(n, a, b, c, d) syscall6(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), 0, 0)
#define CALL5(n, a, b, c, d, e) syscall6(n, (i64)(a), (i64)(b), (i64)(c), (i64)(d), (i64)(e), 0)

struct sembuf { u16 num; short op; short flags; };
struct letter { i64 type; char text[56]; };
struct shared { volatile u64 sum, turns, filled[2000]; };
struct perm { int key; u32 uid, gid, cuid, cgid, mode; u16 seq, pad; u32 pad2; u64 unused[2]; };
struct segment { struct perm perm; u64 size, atime, dtime, ctime; int cpid, lpid; u64 attached, unused[2]; };
struct queue { struct perm perm; u64 stime, rtime, ctime, bytes, count, most; int spid, rpid; u64 unused[2]; };
struct action { u64 handler, flags, restorer, mask; };

static u64 state = 77;
static volatile int told;
static int notified;
static void on_message(int sig) { told += sig; }
void restore(void);
__asm__("restore: mov $15, %eax\n	syscall\n");

static u64 spin(u64 n)
{
	u64 sum = 0;
	for (u64 i = 0; i < n; i++)
		sum = mix(sum, next_random(&state));
	return sum;
}

static i64 semop1(int set, int num, int op, int flags)
{
	struct sembuf o = {num, op, flags};
	return SYSCALL(SYS_semop, set, &o, 1);
}

static void join(i64 pid)
{
	int status = -1;
	CHECK(CALL4(SYS_wait4, pid, &status, 0, 0) == pid && status == 0);
}

// until waits until a question about semaphores has an answer.
static void until(int set, int num, int cmd, int want)
{
	i64 moment[2] = {0, 20000};
	while (CALL4(SYS_semctl, set, num, cmd, 0) != want)
		SYSCALL(SYS_nanosleep, moment, 0, 0);
}

// memory: two processes add to one sum in turns, which a pair of semaphores keeps.
static u64 memory(int key)
{
	int id = SYSCALL(SYS_shmget, key, sizeof(struct shared), IPC_CREAT | 0600);
	int set = SYSCALL(SYS_semget, key, 2, IPC_CREAT | 0600);
	CHECK(id >= 0 && set >= 0);
	struct shared *s = (void *)SYSCALL(SYS_shmat, id, 0, 0);
	u16 values[2] = {1, 0};
	CHECK((i64)s > 0 && CALL4(SYS_semctl, set, 0, SETALL, values) == 0);
	i64 child = SYSCALL(SYS_fork, 0, 0, 0);
	CHECK(child >= 0);
	for (int turn = 0; turn < 6; turn++) {
		int me = child == 0;
		CHECK(semop1(set, me, -1, 0) == 0);
		CHECK(s->turns == (u64)(2 * turn + me));
		s->turns++;
		s->sum = mix(s->sum, spin(50) + (key & 7) + me);
		s->filled[turn * 300 + me] = s->sum;
		CHECK(semop1(set, !me, 1, 0) == 0);
	}
	if (child == 0) {
		CHECK(SYSCALL(SYS_shmdt, s, 0, 0) == 0);
		SYSCALL(SYS_exit_group, 0, 0, 0);
	}
	join(child);
	struct segment st;
	CHECK(SYSCALL(SYS_shmctl, id, IPC_STAT, &st) == 0 && st.attached == 1 && st.size == sizeof(struct shared) && st.lpid == child && st.perm.key == key);
	CHECK(SYSCALL(SYS_shmctl, id, IPC_RMID, 0) == 0 && SYSCALL(SYS_shmget, key, 0, 0) < 0);
	u64 sum = s->sum + s->filled[1501];
	CHECK(SYSCALL(SYS_shmdt, s, 0, 0) == 0 && SYSCALL(SYS_shmctl, id, IPC_STAT, &st) == EINVAL);
	CHECK(CALL4(SYS_semctl, set, 1, GETVAL, 0) == 0 && CALL4(SYS_semctl, set, 0, GETVAL, 0) == 1 && CALL4(SYS_semctl, set, 0, GETPID, 0) == child);
	CHECK(CALL4(SYS_semctl, set, 0, IPC_RMID, 0) == 0);
	return sum;
}

// undone: a child takes what its end gives back, while others wait for more than there is,
// for nothing to be left, and with a limit of time.
static void undone(int key)
{
	int set = SYSCALL(SYS_semget, key, 3, IPC_CREAT | 0600);
	CHECK(set >= 0 && CALL4(SYS_semctl, set, 0, SETVAL, 2) == 0 && CALL4(SYS_semctl, set, 2, SETVAL, 1) == 0);
	i64 holder = SYSCALL(SYS_fork, 0, 0, 0);
	if (holder == 0) {
		struct sembuf both[2] = {{0, -2, SEM_UNDO}, {1, 3, SEM_UNDO}};
		CHECK(SYSCALL(SYS_semop, set, both, 2) == 0);
		CHECK(semop1(set, 2, -1, 0) == 0);
		CHECK(semop1(set, 2, -1, 0) == 0); // until the parent has seen it
		spin(200);
		SYSCALL(SYS_exit_group, 0, 0, 0);
	}
	until(set, 2, GETNCNT, 1);
	i64 taker = SYSCALL(SYS_fork, 0, 0, 0);
	if (taker == 0) {
		struct sembuf all[2] = {{0, -1, 0}, {1, 0, 0}}; // when the holder is gone
		CHECK(SYSCALL(SYS_semop, set, all, 2) == 0);
		CHECK(semop1(set, 0, -5, 0) == EIDRM);
		SYSCALL(SYS_exit_group, 0, 0, 0);
	}
	until(set, 0, GETNCNT, 1);
	i64 limit[2] = {0, 3000};
	struct sembuf one = {0, -1, SEM_UNDO};
	CHECK(CALL4(SYS_semtimedop, set, &one, 1, limit) == EAGAIN && semop1(set, 0, -1, IPC_NOWAIT) == EAGAIN);
	CHECK(CALL4(SYS_semctl, set, 1, GETVAL, 0) == 3);
	CHECK(semop1(set, 2, 1, 0) == 0);
	join(holder);
	until(set, 0, GETNCNT, 1); // the taker has had its one and wants five
	u16 values[3];
	CHECK(CALL4(SYS_semctl, set, 0, GETALL, values) == 0 && values[0] == 1 && values[1] == 0 && values[2] == 0);
	CHECK(CALL4(SYS_semctl, set, 0, IPC_RMID, 0) == 0);
	join(taker);
}

// letters: messages by type, one that finds who waits for it, one that waits for room.
static u64 letters(int key)
{
	int q = SYSCALL(SYS_msgget, key, IPC_CREAT | 0600, 0);
	CHECK(q >= 0);
	struct letter m = {.type = 4};
	for (int i = 0; i < 5; i++) {
		m.type = 4 - i % 3;
		m.text[0] = 'a' + i;
		CHECK(CALL4(SYS_msgsnd, q, &m, 1 + i, 0) == 0);
		spin(40);
	}
	i64 child = SYSCALL(SYS_fork, 0, 0, 0);
	if (child == 0) {
		static struct letter got;
		CHECK(CALL5(SYS_msgrcv, q, &got, sizeof got.text, 9, 0) == 3 && got.type == 9 && got.text[2] == 'z');
		static char large[8 + 8192];
		*(i64 *)large = 10;
		CHECK(CALL4(SYS_msgsnd, q, large, 8192, 0) == 0 && CALL4(SYS_msgsnd, q, large, 8190, 0) == 0); // the second waits
		SYSCALL(SYS_exit_group, 0, 0, 0);
	}
	spin(400);
	struct letter nine = {9, "xyz"};
	CHECK(CALL4(SYS_msgsnd, q, &nine, 3, 0) == 0);
	u64 sum = 0;
	i64 moment[2] = {0, 50000};
	struct queue st;
	do
		SYSCALL(SYS_nanosleep, moment, 0, 0);
	while (SYSCALL(SYS_msgctl, q, IPC_STAT, &st) == 0 && st.count < 6);
	for (int i = 0; i < 5; i++) { // the lowest types first
		i64 n = CALL5(SYS_msgrcv, q, &m, sizeof m.text, -5, IPC_NOWAIT);
		CHECK(n > 0);
		sum = mix(sum, n + m.type + m.text[0]);
	}
	CHECK(CALL5(SYS_msgrcv, q, &m, sizeof m.text, -5, IPC_NOWAIT) == ENOMSG);
	CHECK(CALL5(SYS_msgrcv, q, &m, 4, 10, MSG_NOERROR) == 4 && CALL5(SYS_msgrcv, q, &m, 5, 0, MSG_NOERROR) == 5);
	join(child);
	CHECK(SYSCALL(SYS_msgctl, q, IPC_STAT, &st) == 0 && st.count == 0 && st.spid == child);
	CHECK(SYSCALL(SYS_msgctl, q, IPC_RMID, 0) == 0);
	return sum;
}

// queues: POSIX ones, by priority; a signal tells of the first message.
static u64 queues(int round)
{
	char name[] = "zhuque-guest-ipc-a";
	name[sizeof name - 2] += round;
	SYSCALL(SYS_mq_unlink, name, 0, 0);
	i64 attr[8] = {0, 3, 32};
	int q = CALL4(SYS_mq_open, name, 0102, 0600, attr);
	CHECK(q >= 0);
	u64 event[8] = {5, 10};
	CHECK(SYSCALL(SYS_mq_notify, q, event, 0) == 0);
	spin(60);
	for (int i = 0; i < 3; i++)
		CHECK(CALL5(SYS_mq_timedsend, q, &"onetwothr"[3 * i], 3, i == 1 ? 7 : 2, 0) == 0);
	notified += 10;
	CHECK(told == notified);
	i64 child = SYSCALL(SYS_fork, 0, 0, 0);
	if (child == 0) {
		char got[32];
		u32 priority;
		CHECK(CALL5(SYS_mq_timedsend, q, "wait", 4, 5, 0) == 0); // for room
		CHECK(SYSCALL(SYS_mq_unlink, name, 0, 0) == 0);
		do
			CHECK(CALL5(SYS_mq_timedreceive, q, got, 32, &priority, 0) > 0);
		while (priority != 31);
		SYSCALL(SYS_exit_group, 0, 0, 0);
	}
	spin(300);
	u64 sum = 0;
	char got[32];
	u32 priority = 0;
	i64 n = CALL5(SYS_mq_timedreceive, q, got, 32, &priority, 0);
	CHECK(n == 3 && priority == 7);
	sum = mix(sum, got[0] + got[1]);
	struct { int fd; short want, found; } polled = {q, 4, 0};
	CHECK(SYSCALL(SYS_poll, &polled, 1, -1) == 1 && polled.found == 4);
	i64 moment[2] = {0, 20000};
	for (int other; (other = CALL4(SYS_mq_open, name, 0, 0, 0)) >= 0; SYSCALL(SYS_nanosleep, moment, 0, 0)) // the child has been served?
		SYSCALL(SYS_close, other, 0, 0);
	CHECK(CALL5(SYS_mq_timedsend, q, "end", 3, 31, 0) == 0);
	join(child);
	CHECK(SYSCALL(SYS_mq_getsetattr, q, 0, attr) == 0 && attr[1] == 3 && attr[2] == 32);
	CHECK(SYSCALL(SYS_close, q, 0, 0) == 0);
	return sum;
}

GUEST("ipc")
{
	struct action act = {(u64)on_message, 0x04000000, (u64)restore, 0};
	CHECK(CALL4(SYS_rt_sigaction, 10, &act, 0, 8) == 0);
	int keys = 0x7a400000 + (SYSCALL(SYS_getpid, 0, 0, 0) << 3); // natively there are others
	u64 sum = 0;
	for (int round = 0; round < ROUNDS; round++) {
		sum = mix(sum, memory(keys + round));
		undone(keys + round);
		sum = mix(sum, letters(keys + round));
		sum = mix(sum, queues(round));
	}
	print_hex("sum", sum);
}
