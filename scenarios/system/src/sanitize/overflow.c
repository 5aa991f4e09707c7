/* Writes into the heap, with an argument one byte behind the end of what it was given. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int n, char **v)
{
	char *p = malloc(40);
	volatile int at = n > 1 ? 40 : 39;
	(void)v;
	memset(p, 1, 39);
	p[at] = 1;
	printf("wrote %d\n", p[38]);
	free(p);
	return 0;
}
