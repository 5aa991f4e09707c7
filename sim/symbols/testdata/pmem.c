// Stores through libpmem, which has no lines.
#include <libpmem.h>
#include <string.h>

static void fill(char *p) {
    p[0] = 1;
    pmem_persist(p, 1);
    pmem_memcpy_persist(p + 64, "published", 10);
}

int main(int argc, char **argv) {
    size_t size;
    char *p = pmem_map_file(argv[1], 1 << 20, PMEM_FILE_CREATE, 0644, &size, NULL);
    if (p == NULL)
        return 1;
    fill(p);
    return 0;
}
