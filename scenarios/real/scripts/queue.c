/* A small file for the compiler: loops, structures, floating point, a switch. */
typedef unsigned long size_t;
struct node { struct node *next; int key; double weight; };
static struct node pool[128];
static size_t used;

static struct node *insert(struct node *head, int key, double weight)
{
	struct node **at = &head;
	while (*at && (*at)->key < key)
		at = &(*at)->next;
	struct node *n = &pool[used++ & 127];
	n->key = key;
	n->weight = weight;
	n->next = *at;
	*at = n;
	return head;
}

double weigh(const int *keys, size_t n, double factor)
{
	struct node *head = 0;
	for (size_t i = 0; i < n; i++)
		head = insert(head, keys[i], keys[i] * factor);
	double sum = 0;
	for (const struct node *p = head; p; p = p->next)
		sum += p->weight / (1 + (p->key & 15));
	return sum;
}

unsigned hash(const char *s)
{
	unsigned h = 2166136261u;
	while (*s)
		h = (h ^ (unsigned char)*s++) * 16777619u;
	return h;
}

int classify(int c)
{
	switch (c) {
	case 0: return 10;
	case 1: case 2: case 3: return c * 7;
	case 9: return -1;
	case 100: return 5;
	default: return c > 50 ? c / 3 : c % 13;
	}
}

void saxpy(float *restrict y, const float *restrict x, float a, int n)
{
	for (int i = 0; i < n; i++)
		y[i] += a * x[i];
}
