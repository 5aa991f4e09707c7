// The sun and the four large planets, argv[1] steps of a symplectic integrator in
// double precision: what the processor does with SSE2 arithmetic.
#include "rounds.h"

enum { BODIES = 5 };

// In astronomical units, days and solar masses; the values are round.
static struct body {
	double x, y, z, vx, vy, vz, mass;
} bodies[BODIES] = {
	{0, 0, 0, 0, 0, 0, 1},
	{4.84, -1.16, -0.10, 0.00166, 0.00769, -0.0000690, 0.000955},
	{8.34, 4.12, -0.40, -0.00277, 0.00500, 0.0000230, 0.000286},
	{12.89, -15.11, -0.22, 0.00296, 0.00238, -0.0000296, 0.0000437},
	{15.38, -25.92, 0.18, 0.00268, 0.00163, -0.0000952, 0.0000515},
};

static const double gravity = 0.000295912208, step = 0.25;

static double root(double v)
{
	__asm__("sqrtsd %0, %0" : "+x"(v));
	return v;
}

static double energy(void)
{
	double e = 0;
	for (int i = 0; i < BODIES; i++) {
		struct body *a = &bodies[i];
		e += 0.5 * a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz);
		for (int j = i + 1; j < BODIES; j++) {
			struct body *b = &bodies[j];
			double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
			e -= gravity * a->mass * b->mass / root(dx * dx + dy * dy + dz * dz);
		}
	}
	return e;
}

static void advance(void)
{
	for (int i = 0; i < BODIES; i++) {
		struct body *a = &bodies[i];
		for (int j = i + 1; j < BODIES; j++) {
			struct body *b = &bodies[j];
			double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
			double square = dx * dx + dy * dy + dz * dz;
			double pull = gravity * step / (square * root(square));
			a->vx -= dx * b->mass * pull, a->vy -= dy * b->mass * pull, a->vz -= dz * b->mass * pull;
			b->vx += dx * a->mass * pull, b->vy += dy * a->mass * pull, b->vz += dz * a->mass * pull;
		}
	}
	for (int i = 0; i < BODIES; i++) {
		struct body *a = &bodies[i];
		a->x += step * a->vx, a->y += step * a->vy, a->z += step * a->vz;
	}
}

GUEST("bench-nbody")
{
	double before = energy();
	for (u64 n = rounds(2000); n; n--)
		advance();
	double after = energy(), drift = (after - before) / before;
	CHECK(drift > -0.001 && drift < 0.001);
	union {
		double value;
		u64 bits;
	} result = {after};
	print_hex("energy", result.bits);
}
