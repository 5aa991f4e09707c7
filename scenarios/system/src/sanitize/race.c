/* Two threads count; with an argument nobody says who is first. */
#include <pthread.h>
#include <stdio.h>

static int x;

static void *count(void *a)
{
	x++;
	return a;
}

int main(int n, char **v)
{
	pthread_t t;
	(void)v;
	pthread_create(&t, NULL, count, NULL);
	if (n > 1)
		x++;
	pthread_join(t, NULL);
	printf("counted to %d\n", x);
	return 0;
}
