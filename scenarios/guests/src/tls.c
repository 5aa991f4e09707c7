// All data behind the FS base, which moves between two blocks: a matrix in each,
// multiplied in turn, and a GS base that stays.
#include "guest.h"

enum { N = 14, BLOCK = 8192, ARCH_SET_GS = 0x1001, ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003 };

struct data {
	u64 self, rounds;
	u32 a[N][N], b[N][N], c[N][N];
};

static u8 blocks[2][BLOCK] __attribute__((aligned(64))), gs_block[64];

#define TLS ((struct data __seg_fs *)0)
#define GS_COUNT (*(volatile u64 __seg_gs *)16)

static void use(int k)
{
	CHECK(SYSCALL(SYS_arch_prctl, ARCH_SET_FS, blocks[k], 0) == 0);
	CHECK(TLS->self == (u64)blocks[k]);
}

GUEST("tls")
{
	CHECK(SYSCALL(SYS_arch_prctl, ARCH_SET_GS, gs_block, 0) == 0);
	for (int k = 0; k < 2; k++) {
		struct data *d = (struct data *)blocks[k];
		d->self = (u64)d;
		for (int i = 0; i < N; i++)
			for (int j = 0; j < N; j++)
				d->a[i][j] = d->b[j][i] = (i + 2 * j + k) % 7;
	}
	for (int round = 0; round < 20; round++) {
		use(round & 1);
		for (int i = 0; i < N; i++)
			for (int j = 0; j < N; j++) {
				u32 sum = 0;
				for (int m = 0; m < N; m++)
					sum += TLS->a[i][m] * TLS->b[m][j];
				TLS->c[i][j] = sum;
			}
		for (int i = 0; i < N; i++)
			for (int j = 0; j < N; j++)
				TLS->a[i][j] = TLS->c[i][j] ^ TLS->b[i][j];
		TLS->rounds++;
		GS_COUNT++;
		u64 base = 0, sum = 0;
		CHECK(SYSCALL(SYS_arch_prctl, ARCH_GET_FS, &base, 0) == 0);
		CHECK(base == (u64)blocks[round & 1]);
		for (int i = 0; i < N; i++)
			for (int j = 0; j < N; j++)
				sum = mix(sum, TLS->a[i][j]);
		if (round >= 16)
			print_hex("matrix", sum);
	}
	CHECK(*(u64 *)(gs_block + 16) == 20);
	CHECK(((struct data *)blocks[0])->rounds == 10 && ((struct data *)blocks[1])->rounds == 10);
}
