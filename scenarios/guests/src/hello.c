// The smallest guest, and the only one that is position-independent.
#include "guest.h"

GUEST("hello")
{
	put_bytes(1, "hello, world\n", 13);
}
