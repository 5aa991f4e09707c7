// Standard input in capitals to standard output, and a count at the end.
#include "guest.h"

GUEST("upper")
{
	char chunk[64];
	u64 total = 0;
	i64 n;
	while ((n = SYSCALL(SYS_read, 0, chunk, sizeof chunk)) > 0) {
		for (i64 i = 0; i < n; i++)
			if (chunk[i] >= 'a' && chunk[i] <= 'z')
				chunk[i] -= 'a' - 'A';
		put_bytes(1, chunk, n);
		total += n;
	}
	CHECK(n == 0);
	print_value("bytes", total);
}
