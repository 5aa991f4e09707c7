// What a kernel takes for its work: each kind's nanoseconds, as the cost table of the simulated
// kernel lists them. The argument is how many rounds a figure is the mean of; without one it
// does everything a few times and prints names only. It runs natively and in the simulator, where
// what comes out is what the table says.
#define GUEST_ARGS
#include "guest.h"
#include "spawn.h"

enum {
	PAGE = 4096, STACK = 16384, TRIES = 5, MIB = 1 << 20,
	THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000,
	WAIT_PRIVATE = 128, WAKE_PRIVATE = 129,
};

static u64 rounds, measuring;
static u8 buffer[64 << 10] __attribute__((aligned(4096)));
static u8 stack[STACK] __attribute__((aligned(64)));
static volatile u32 tid, turn, signals;
static int file, pipes[2], pair[2], udp;
static char *self;

static u64 now(void)
{
	i64 t[2];
	SYSCALL(228, 1, t, 0);
	return t[0] * 1000000000 + t[1];
}

static i64 call(i64 n, i64 a, i64 b, i64 c, i64 d) { return syscall6(n, a, b, c, d, 0, 0); }

// Each of these does its work so often and returns the nanoseconds of all.
#define LOOP(...)                               \
	({                                      \
		u64 begin = now();              \
		for (u64 i = 0; i < n; i++) {   \
			__VA_ARGS__;            \
		}                               \
		now() - begin;                  \
	})

static u64 null(u64 n) { return LOOP(call(110, 0, 0, 0, 0)); }
static u64 clocks(u64 n) { i64 t[2]; return LOOP(call(228, 1, (i64)t, 0, 0)); }
static u64 reads(u64 n) { return LOOP(call(17, file, (i64)buffer, 1, 0)); }
static u64 writes(u64 n) { return LOOP(call(18, file, (i64)buffer, 1, 0)); }
static u64 copies(u64 n) { return LOOP(call(17, file, (i64)buffer, sizeof buffer, 0)); }
static u64 piped(u64 n) { return LOOP(call(1, pipes[1], (i64)buffer, 1, 0); call(0, pipes[0], (i64)buffer, 1, 0)); }
static u64 stats(u64 n) { return LOOP(call(4, (i64) "/tmp", (i64)buffer, 0, 0)); }
static u64 wakes(u64 n) { return LOOP(call(202, (i64)&turn, WAKE_PRIVATE, 1, 0)); }
static u64 actions(u64 n) { return LOOP(call(13, 10, 0, (i64)buffer, 8)); }
static u64 syncs(u64 n) { return LOOP(call(74, file, 0, 0, 0)); }
static u64 sockets(u64 n) { return LOOP(call(44, pair[1], (i64)buffer, 1, 0); call(45, pair[0], (i64)buffer, 1, 0)); }
static u64 packets(u64 n) { return LOOP(call(1, udp, (i64)buffer, 1, 0); call(0, udp, (i64)buffer, 1, 0)); }
static u64 protects(u64 n) { return LOOP(call(10, (i64)buffer, PAGE, 1, 0); call(10, (i64)buffer, PAGE, 3, 0)); }

static u64 polls(u64 n)
{
	struct { int fd; short events, revents; } p = {pipes[1], 4, 0};
	return LOOP(call(7, (i64)&p, 1, 0, 0));
}

static u64 opens(u64 n)
{
	u64 sum = 0;
	for (u64 i = 0; i < n; i++) {
		u64 begin = now();
		i64 fd = call(2, (i64) "/tmp", 0200000, 0, 0);
		sum += now() - begin;
		CHECK(fd >= 0);
		call(3, fd, 0, 0, 0);
	}
	return sum;
}

static u64 closes(u64 n)
{
	u64 sum = 0;
	for (u64 i = 0; i < n; i++) {
		i64 fd = call(32, file, 0, 0, 0);
		u64 begin = now();
		call(3, fd, 0, 0, 0);
		sum += now() - begin;
	}
	return sum;
}

static u64 map(u64 bytes) { return syscall6(9, 0, bytes, 3, 0x22, -1, 0); }

static u64 maps(u64 n)
{
	u64 sum = 0;
	for (u64 i = 0; i < n; i++) {
		u64 begin = now(), at = map(64 << 10);
		sum += now() - begin;
		call(11, at, 64 << 10, 0, 0);
	}
	return sum;
}

static u64 unmaps(u64 n)
{
	u64 sum = 0;
	for (u64 i = 0; i < n; i++) {
		u64 at = map(64 << 10), begin = now();
		call(11, at, 64 << 10, 0, 0);
		sum += now() - begin;
	}
	return sum;
}

static u64 faults(u64 n)
{
	u64 bytes = n * PAGE;
	volatile u8 *at = (u8 *)map(bytes);
	call(28, (i64)at, bytes, 15, 0); // MADV_NOHUGEPAGE
	u64 sum = LOOP(at[i * PAGE] = 1);
	call(11, (i64)at, bytes, 0, 0);
	return sum;
}

static void pin(u64 cpu)
{
	u64 set = 1ul << cpu;
	call(203, 0, 8, (i64)&set, 0);
}

static u64 allowed(void)
{
	u64 set[16] = {0};
	call(204, 0, sizeof set, (i64)set, 0);
	return set[0];
}

static u64 first(u64 set) { return __builtin_ctzl(set ? set : 1); }

static u64 yields(u64 n)
{
	u64 set = allowed();
	pin(first(set));
	i64 child = call(57, 0, 0, 0, 0);
	u64 sum = LOOP(call(24, 0, 0, 0, 0));
	if (child == 0)
		call(231, 0, 0, 0, 0);
	call(61, child, 0, 0, 0);
	call(203, 0, 8, (i64)&set, 0);
	return sum;
}

static volatile u64 part; // what the thread is for: turns to take
static u64 other;

void second(void)
{
	if (part)
		pin(other);
	for (u64 i = 0; i < part; i++) {
		while (turn == 0)
			call(202, (i64)&turn, WAIT_PRIVATE, 0, 0);
		turn = 0;
		call(202, (i64)&turn, WAKE_PRIVATE, 1, 0);
	}
}

SPAWN(second)

static void start(u64 turns)
{
	part = turns;
	tid = 1;
	CHECK(spawn(THREAD, stack + STACK, &tid) > 0);
}

static void join(void)
{
	for (u32 t = tid; t != 0; t = tid)
		call(202, (i64)&tid, 0, t, 0);
}

static u64 handovers(u64 n)
{
	u64 set = allowed();
	pin(first(set));
	other = set & (set - 1) ? first(set & (set - 1)) : first(set);
	start(n);
	u64 sum = LOOP(turn = 1; call(202, (i64)&turn, WAKE_PRIVATE, 1, 0); while (turn == 1) call(202, (i64)&turn, WAIT_PRIVATE, 1, 0));
	join();
	call(203, 0, 8, (i64)&set, 0);
	return sum;
}

static u64 clones(u64 n)
{
	u64 set = allowed();
	pin(first(set));
	u64 sum = LOOP(start(0); join());
	call(203, 0, 8, (i64)&set, 0);
	return sum;
}

static u64 forks(u64 n)
{
	return LOOP(i64 child = call(57, 0, 0, 0, 0); if (child == 0) call(231, 0, 0, 0, 0); call(61, child, 0, 0, 0));
}

static u64 execs(u64 n)
{
	char *argv[] = {self, "end", 0};
	return LOOP(i64 child = call(57, 0, 0, 0, 0); if (child == 0) { call(59, (i64)self, (i64)argv, 0, 0); call(231, 1, 0, 0, 0); } call(61, child, 0, 0, 0));
}

__asm__("restore: mov $15, %eax\nsyscall\n");
void restore(void);
static void handler(int s) { (void)s; signals++; }

static u64 signalled(u64 n)
{
	i64 pid = call(39, 0, 0, 0, 0), me = call(186, 0, 0, 0, 0);
	return LOOP(call(234, pid, me, 10, 0));
}

static u64 least(u64 (*work)(u64), u64 n)
{
	u64 best = ~0ul;
	for (int i = 0; i < (measuring ? TRIES : 1); i++) {
		u64 t = work(n);
		best = t < best ? t : best;
	}
	return best / n;
}

static u64 less(u64 a, u64 b) { return a > b ? a - b : 0; }

static void figure(const char *name, u64 nanos)
{
	say(name);
	if (measuring) {
		say(" ");
		say_number(nanos, 10, 1);
	}
	say_end();
}

static void prepare(void)
{
	file = call(319, (i64) "hostcost", 0, 0, 0);
	CHECK(file >= 0 && call(1, file, (i64)buffer, sizeof buffer, 0) == sizeof buffer);
	CHECK(call(22, (i64)pipes, 0, 0, 0) == 0 && call(53, 1, 1, 0, (i64)pair) == 0);
	u16 name[8] = {2, 0, 0x007f, 0x0100};
	u32 size = sizeof name;
	udp = call(41, 2, 2, 0, 0);
	CHECK(udp >= 0 && call(49, udp, (i64)name, size, 0) == 0 && call(51, udp, (i64)name, (i64)&size, 0) == 0);
	CHECK(call(42, udp, (i64)name, size, 0) == 0);
	u64 act[4] = {(u64)handler, 0x04000000, (u64)restore, 0};
	CHECK(call(13, 10, (i64)act, 0, 8) == 0);
}

static u64 number(const char *s)
{
	u64 v = 0;
	for (; *s >= '0' && *s <= '9'; s++)
		v = v * 10 + *s - '0';
	return v;
}

GUEST("hostcost")
{
	u64 argc = guest_stack[0];
	self = "/proc/self/exe";
	char *arg = argc > 1 ? (char *)guest_stack[2] : "";
	if (arg[0] == 'e')
		return;
	measuring = arg[0] != 0;
	rounds = measuring ? number(arg) : 2;
	CHECK(rounds > 0);
	prepare();
	u64 few = rounds / 50 + 1, clock = least(clocks, rounds), none = least(null, rounds), read = least(reads, rounds);
	u64 socket = least(sockets, rounds) / 2, wake = least(wakes, rounds), yield = less(least(yields, rounds) / 2, none);
	figure("call.null", none);
	figure("call.clock", clock);
	figure("call.read", read);
	figure("call.write", least(writes, rounds));
	figure("call.pipe", least(piped, rounds) / 2);
	figure("call.open", less(least(opens, rounds), clock));
	figure("call.close", less(least(closes, rounds), clock));
	figure("call.stat", least(stats, rounds));
	figure("call.mmap", less(least(maps, rounds), clock));
	figure("call.munmap", less(least(unmaps, rounds), clock));
	figure("call.mprotect", least(protects, rounds) / 2);
	figure("call.futex_wake", wake);
	figure("call.poll", least(polls, rounds));
	figure("call.socket", socket);
	figure("call.sigaction", least(actions, rounds));
	figure("call.sigreturn", none);
	figure("call.clone", less(less(least(clones, few), 2 * yield), wake));
	u64 fork = least(forks, few);
	figure("call.fork", less(fork, 2 * yield));
	figure("call.exec", less(least(execs, few), fork));
	figure("call.fsync", least(syncs, rounds));
	figure("call.other", least(stats, rounds));
	figure("copy", less(least(copies, rounds / 4 + 1), read) / 15);
	figure("page_fault", least(faults, rounds < 1024 ? rounds : 1024));
	figure("context_switch", yield);
	figure("wakeup", less(least(handovers, rounds) / 2, 2 * wake));
	figure("signal", less(least(signalled, rounds), 2 * none));
	figure("loopback_packet", less(least(packets, rounds), 2 * socket));
	CHECK(signals > 0);
}
