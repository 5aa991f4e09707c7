// Reservations, after STAMP's vacation (Cao Minh et al., IISWC 2008): a customer books a car, a flight
// and a room, each the dearest that is free of a few that are looked at; or gives the last booking back.
// One lock guards everything, as a booking may take any of it.
enum { KINDS = 3, RESOURCES = 128, LOOKS = 4, CUSTOMERS = 64, PLACES = 8 };

struct resource {
	u64 free, price;
};

struct booking {
	u64 next, resource[KINDS]; // 0 for none, else its place and one
};

static struct resource *resources(void) { return (struct resource *)region->root[0]; }

static u64 *bookings(u64 customer) { return (u64 *)(resources() + KINDS * RESOURCES) + customer; }

static u64 dearest(struct thread *t, u64 kind, u64 seed)
{
	u64 best = 0, price = 0;
	for (u64 i = 0; i < LOOKS; i++) {
		seed = mix(seed, kind + i);
		u64 place = kind * RESOURCES + seed % RESOURCES;
		struct resource *r = resources() + place;
		if (get(t, &r->free) && get(t, &r->price) > price)
			best = place + 1, price = get(t, &r->price);
	}
	return best;
}

static void reservation_insert(struct thread *t, u64 key, u64 seed)
{
	u64 *head = bookings(key % CUSTOMERS);
	struct booking new = {0};
	lock(t, 0);
	for (u64 kind = 0; kind < KINDS; kind++) {
		u64 place = dearest(t, kind, mix(key, seed));
		if (place) {
			u64 *left = &resources()[place - 1].free;
			put(t, left, get(t, left) - 1);
		}
		new.resource[kind] = place;
	}
	new.next = get(t, head);
	struct booking *b = take(t, sizeof *b);
	fresh(t, (u64 *)b, (u64 *)&new, sizeof new / 8);
	put(t, head, (u64)b);
}

static void reservation_find(struct thread *t, u64 key, u64 unused)
{
	(void)unused;
	u64 *head = bookings(key % CUSTOMERS);
	lock(t, 0);
	struct booking *b = (struct booking *)get(t, head);
	if (!b)
		return;
	for (u64 kind = 0; kind < KINDS; kind++) {
		u64 place = get(t, &b->resource[kind]);
		if (place) {
			u64 *left = &resources()[place - 1].free;
			put(t, left, get(t, left) + 1);
		}
	}
	put(t, head, get(t, &b->next));
	give(t, b, sizeof *b);
}

static void reservation_make(struct thread *t)
{
	region->root[0] = (u64)region->blocks[t->id + THREADS / 2];
	for (u64 i = 0; i < KINDS * RESOURCES; i++) {
		store(&resources()[i].free, PLACES);
		store(&resources()[i].price, 50 + mix(3, i) % 50);
	}
	flush(resources(), KINDS * RESOURCES * sizeof(struct resource));
}

// What is booked and what is free are all that there was.
static void reservation_walk(void)
{
	static u64 taken[KINDS * RESOURCES];
	for (u64 c = 0; c < CUSTOMERS; c++)
		for (struct booking *b = (struct booking *)*bookings(c); b; b = (struct booking *)b->next) {
			found.entries++;
			for (u64 kind = 0; kind < KINDS; kind++)
				if (b->resource[kind])
					taken[b->resource[kind] - 1]++;
		}
	for (u64 i = 0; i < KINDS * RESOURCES; i++) {
		CHECK(taken[i] + resources()[i].free == PLACES);
		found.sum += mix(i, taken[i]);
	}
}
