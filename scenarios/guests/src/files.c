// Files under /tmp: written, read back at moving offsets, truncated, renamed,
// read after their name is gone, listed, removed.
#include "guest.h"

enum { O_RDWR = 2, O_CREAT = 0100, O_EXCL = 0200, O_APPEND = 02000, O_DIRECTORY = 0200000, ENOENT = -2 };

#define DIR "/tmp/zhuque-files"

static u8 block[512], back[512];

static void fill(u64 tag)
{
	for (u64 i = 0; i < sizeof block; i += 8)
		*(u64 *)(block + i) = mix(tag, i);
}

static void same_as(u64 tag)
{
	fill(tag);
	for (u64 i = 0; i < sizeof block; i += 8)
		CHECK(*(u64 *)(block + i) == *(u64 *)(back + i));
}

static i64 open_file(const char *name, int flags)
{
	i64 fd = SYSCALL(SYS_open, name, flags, 0644);
	CHECK(fd >= 0);
	return fd;
}

static int listed(void)
{
	char names[1024];
	i64 fd = open_file(DIR, O_DIRECTORY), n;
	int count = 0;
	while ((n = SYSCALL(SYS_getdents64, fd, names, sizeof names)) > 0)
		for (i64 at = 0; at < n; at += *(u16 *)(names + at + 16))
			count++;
	CHECK(n == 0);
	CHECK(SYSCALL(SYS_close, fd, 0, 0) == 0);
	return count;
}

GUEST("files")
{
	u64 seed = 5, sum = 0;
	SYSCALL(SYS_unlink, DIR "/a", 0, 0);
	SYSCALL(SYS_unlink, DIR "/b", 0, 0);
	SYSCALL(SYS_rmdir, DIR, 0, 0);
	CHECK(SYSCALL(SYS_mkdir, DIR, 0755, 0) == 0);
	for (u64 round = 0; round < 20; round++) {
		i64 fd = open_file(DIR "/a", O_RDWR | O_CREAT | O_EXCL);
		for (u64 i = 0; i < 16; i++) {
			fill(round * 100 + i);
			CHECK(SYSCALL(SYS_write, fd, block, sizeof block) == sizeof block);
		}
		for (u64 i = 0; i < 16; i++) {
			u64 k = next_random(&seed) % 16;
			CHECK(SYSCALL(SYS_lseek, fd, k * sizeof block, 0) == (i64)(k * sizeof block));
			CHECK(SYSCALL(SYS_read, fd, back, sizeof back) == sizeof back);
			same_as(round * 100 + k);
			sum = mix(sum, *(u64 *)back);
		}
		CHECK(SYSCALL(SYS_rename, DIR "/a", DIR "/b", 0) == 0);
		CHECK(SYSCALL(SYS_open, DIR "/a", 0, 0) == ENOENT);
		CHECK(listed() == 3);
		CHECK(SYSCALL(SYS_ftruncate, fd, 1000, 0) == 0);
		CHECK(SYSCALL(SYS_lseek, fd, 0, 2) == 1000);
		i64 log = open_file(DIR "/b", O_RDWR | O_APPEND);
		CHECK(SYSCALL(SYS_write, log, "end", 3) == 3);
		CHECK(SYSCALL(SYS_close, log, 0, 0) == 0);
		CHECK(SYSCALL(SYS_unlink, DIR "/b", 0, 0) == 0);
		// The name is gone, the file is not.
		CHECK(SYSCALL(SYS_read, fd, back, sizeof back) == 3 && back[0] == 'e' && back[2] == 'd');
		CHECK(SYSCALL(SYS_lseek, fd, 0, 0) == 0);
		CHECK(SYSCALL(SYS_read, fd, back, sizeof back) == sizeof back);
		same_as(round * 100);
		CHECK(SYSCALL(SYS_close, fd, 0, 0) == 0);
		if (round % 5 == 4)
			print_hex("read", sum);
	}
	CHECK(listed() == 2);
	CHECK(SYSCALL(SYS_rmdir, DIR, 0, 0) == 0);
}
