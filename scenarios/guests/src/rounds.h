// What the guests of zhuque bench share: argv[1] says how often the measured work
// is done, and nothing else depends on it.
#define GUEST_ARGS
#include "guest.h"

// rounds returns argv[1], or standard when it is not given.
static u64 rounds(u64 standard)
{
	u64 n = 0;
	if (guest_stack[0] < 2)
		return standard;
	for (const char *s = (const char *)guest_stack[2]; *s; s++) {
		CHECK(*s >= '0' && *s <= '9' && n < 1UL << 40);
		n = n * 10 + *s - '0';
	}
	CHECK(n > 0);
	return n;
}
