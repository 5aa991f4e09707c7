// A record that libpmem writes and does not flush, and a flag that is durable first.
// "write" writes, "read" is the recovery.
#include <libpmem.h>
#include <string.h>

static void publish(char *p)
{
	pmem_memcpy(p + 128, "0123456789abcdef0123456789abcdef", 32, PMEM_F_MEM_NOFLUSH); // lost
	p[0] = 1;
	pmem_persist(p, 1);
}

static int recover(char *p)
{
	return p[0] == 1 && p[128] != '0'; // misses it
}

int main(int argc, char **argv)
{
	size_t size;
	char *p = pmem_map_file("/mnt/pmem/library", 8192, PMEM_FILE_CREATE, 0644, &size, NULL);
	if (p == NULL)
		return 9;
	if (!strcmp(argv[1], "read"))
		return recover(p);
	publish(p);
	return 0;
}
