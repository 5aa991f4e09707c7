// A B+ tree with one lock. Full nodes are split on the way down.
enum { KEYS = 7 };

struct node {
	u64 keys, leaf, key[KEYS], child[KEYS + 1]; // a leaf's children are values
};

static u64 place_of(struct thread *t, struct node *n, u64 key, u64 keys)
{
	u64 i = 0;
	while (i < keys && get(t, &n->key[i]) <= key)
		i++;
	return i;
}

// open_up makes room for a key and the child behind it.
static void open_up(struct thread *t, struct node *n, u64 i, u64 shift, u64 key, u64 child)
{
	u64 keys = get(t, &n->keys);
	for (u64 j = keys; j > i; j--) {
		put(t, &n->key[j], get(t, &n->key[j - 1]));
		put(t, &n->child[j + shift], get(t, &n->child[j + shift - 1]));
	}
	put(t, &n->key[i], key);
	put(t, &n->child[i + shift], child);
	put(t, &n->keys, keys + 1);
}

// split moves the upper half of a full child, the i-th, to a new node.
static void split(struct thread *t, struct node *parent, u64 i, struct node *child)
{
	u64 leaf = get(t, &child->leaf), from = leaf ? KEYS / 2 : KEYS / 2 + 1;
	struct node new = {.keys = KEYS - from, .leaf = leaf}, *right = take(t, sizeof new);
	for (u64 j = from; j < KEYS; j++)
		new.key[j - from] = get(t, &child->key[j]);
	for (u64 j = from; j < KEYS + 1 - leaf; j++)
		new.child[j - from] = get(t, &child->child[j]);
	u64 key = get(t, &child->key[KEYS / 2]);
	fresh(t, (u64 *)right, (u64 *)&new, sizeof new / 8);
	put(t, &child->keys, KEYS / 2);
	open_up(t, parent, i, 1, key, (u64)right);
}

static struct node *root_to_insert(struct thread *t)
{
	struct node *root = (struct node *)get(t, &region->root[0]);
	if (root && get(t, &root->keys) < KEYS)
		return root;
	struct node new = {.leaf = !root, .child = {(u64)root}}, *p = take(t, sizeof new);
	fresh(t, (u64 *)p, (u64 *)&new, sizeof new / 8);
	put(t, &region->root[0], (u64)p);
	if (root)
		split(t, p, 0, root);
	return p;
}

static void btree_insert(struct thread *t, u64 key, u64 seed)
{
	u64 value[WORDS];
	make_value(value, seed);
	lock(t, 0);
	struct node *n = root_to_insert(t);
	for (;;) {
		u64 i = place_of(t, n, key, get(t, &n->keys));
		if (get(t, &n->leaf)) {
			if (i > 0 && get(t, &n->key[i - 1]) == key) {
				set(t, (u64 *)get(t, &n->child[i - 1]), value, WORDS);
				return;
			}
			u64 *block = take(t, sizeof value);
			fresh(t, block, value, WORDS);
			open_up(t, n, i, 0, key, (u64)block);
			return;
		}
		struct node *child = (struct node *)get(t, &n->child[i]);
		if (get(t, &child->keys) == KEYS) {
			split(t, n, i, child);
			continue;
		}
		n = child;
	}
}

static void btree_find(struct thread *t, u64 key, u64 unused)
{
	(void)unused;
	lock(t, 0);
	struct node *n = (struct node *)get(t, &region->root[0]);
	if (!n)
		return;
	u64 i;
	while (i = place_of(t, n, key, get(t, &n->keys)), !get(t, &n->leaf))
		n = (struct node *)get(t, &n->child[i]);
	if (i > 0 && get(t, &n->key[i - 1]) == key)
		sink[t->id][0] = read_value(t, (u64 *)get(t, &n->child[i - 1]));
}

static void btree_make(struct thread *t) { (void)t; }

// walk_node visits what is from low up to high, high not included.
static u64 walk_node(struct node *n, u64 low, u64 high)
{
	u64 depth = 0;
	CHECK(n->keys <= KEYS);
	for (u64 i = 0; i < n->keys; i++) {
		CHECK(n->key[i] >= low && n->key[i] < high);
		if (n->leaf)
			count_entry(n->key[i], (u64 *)n->child[i]);
		else
			depth = walk_node((struct node *)n->child[i], low, n->key[i]);
		low = n->key[i] + n->leaf;
	}
	if (!n->leaf)
		CHECK(walk_node((struct node *)n->child[n->keys], low, high) == depth || !n->keys);
	return depth + 1;
}

static void btree_walk(void)
{
	if (region->root[0])
		walk_node((struct node *)region->root[0], 0, ~0ul);
}
