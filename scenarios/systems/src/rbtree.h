// A red-black tree with one lock, after Cormen, Leiserson, Rivest, Stein, Introduction to Algorithms.
struct red_black {
	u64 key, parent, left, right, red, value[WORDS];
};

#define CHILD(n, right_side) ((right_side) ? &(n)->right : &(n)->left)

static struct red_black *follow(struct thread *t, u64 *p) { return (struct red_black *)get(t, p); }

// link_to is the word that leads to a node.
static u64 *link_to(struct thread *t, struct red_black *n)
{
	struct red_black *parent = follow(t, &n->parent);
	if (!parent)
		return &region->root[0];
	return CHILD(parent, follow(t, &parent->right) == n);
}

// rotate brings the child of one side up in a node's place.
static void rotate(struct thread *t, struct red_black *n, int right_side)
{
	struct red_black *up = follow(t, CHILD(n, right_side)), *middle = follow(t, CHILD(up, !right_side));
	u64 *link = link_to(t, n), parent = get(t, &n->parent);
	put(t, CHILD(n, right_side), (u64)middle);
	if (middle)
		put(t, &middle->parent, (u64)n);
	put(t, &up->parent, parent);
	put(t, link, (u64)up);
	put(t, CHILD(up, !right_side), (u64)n);
	put(t, &n->parent, (u64)up);
}

static void repair(struct thread *t, struct red_black *n)
{
	struct red_black *parent;
	while ((parent = follow(t, &n->parent)) && get(t, &parent->red)) {
		struct red_black *above = follow(t, &parent->parent);
		int side = follow(t, &above->right) == parent;
		struct red_black *uncle = follow(t, CHILD(above, !side));
		if (uncle && get(t, &uncle->red)) {
			put(t, &parent->red, 0);
			put(t, &uncle->red, 0);
			put(t, &above->red, 1);
			n = above;
			continue;
		}
		if (follow(t, CHILD(parent, !side)) == n) {
			rotate(t, parent, !side);
			n = parent;
			parent = follow(t, &n->parent);
		}
		put(t, &parent->red, 0);
		put(t, &above->red, 1);
		rotate(t, above, side);
	}
	struct red_black *root = follow(t, &region->root[0]);
	if (get(t, &root->red))
		put(t, &root->red, 0);
}

static void rbtree_insert(struct thread *t, u64 key, u64 seed)
{
	lock(t, 0);
	u64 *link = &region->root[0];
	struct red_black *parent = 0, *n, new = {.key = key, .red = 1};
	make_value(new.value, seed);
	while ((n = follow(t, link))) {
		u64 k = get(t, &n->key);
		if (k == key) {
			set(t, n->value, new.value, WORDS);
			return;
		}
		parent = n;
		link = CHILD(n, key > k);
	}
	new.parent = (u64)parent;
	n = take(t, sizeof new);
	fresh(t, (u64 *)n, (u64 *)&new, sizeof new / 8);
	put(t, link, (u64)n);
	repair(t, n);
}

static void rbtree_find(struct thread *t, u64 key, u64 unused)
{
	(void)unused;
	lock(t, 0);
	struct red_black *n = follow(t, &region->root[0]);
	for (u64 k; n && (k = get(t, &n->key)) != key;)
		n = follow(t, CHILD(n, key > k));
	if (n)
		sink[t->id][0] = read_value(t, n->value);
}

static void rbtree_make(struct thread *t) { (void)t; }

static u64 walk_tree(struct red_black *n, struct red_black *parent, u64 low, u64 high)
{
	if (!n)
		return 1;
	CHECK((struct red_black *)n->parent == parent && n->key >= low && n->key < high);
	CHECK(!n->red || !parent || !parent->red);
	u64 black = walk_tree((struct red_black *)n->left, n, low, n->key);
	CHECK(black == walk_tree((struct red_black *)n->right, n, n->key + 1, high));
	count_entry(n->key, n->value);
	return black + !n->red;
}

static void rbtree_walk(void) { walk_tree((struct red_black *)region->root[0], 0, 0, ~0ul); }
