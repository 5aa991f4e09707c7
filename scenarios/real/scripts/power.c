#include <pthread.h>
#include <stdio.h>

#include "zhuque.h"

static volatile int failures, elsewhere;
static pthread_t chosen;
static unsigned long sum = 1;

static void power_failed(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	failures = zhuque_failures(info);
	elsewhere += !pthread_equal(pthread_self(), chosen);
}

static void *work(void *unused)
{
	for (int i = 0; i < 50000; i++)
		sum = sum * 6364136223846793005 + i;
	return unused;
}

int main(void)
{
	zhuque_on_power_failure(power_failed, SA_RESTART);
	pthread_create(&chosen, 0, work, 0);
	zhuque_not_here();
	pthread_join(chosen, 0);
	printf("sum %#lx, failure %d, %d told elsewhere\n", sum, failures, elsewhere);
	return 0;
}
