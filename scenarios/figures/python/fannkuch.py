"""Pancake flips over all permutations (Anderson and Rettig, 1994)."""


def work(n):
    most = check = 0
    for sign, perm in permutations(n):
        flips, p = 0, perm[:]
        while p[0]:
            k = p[0] + 1
            p[:k] = p[k - 1::-1]
            flips += 1
        most = max(most, flips)
        check += sign * flips
    return most, check


def permutations(n):
    """Yields each permutation of range(n) with a sign that alternates, by rotating prefixes."""
    p, count, sign = list(range(n)), [0] * n, 1
    while True:
        yield sign, p
        sign = -sign
        i = 1
        while i < n:
            p[:i + 1] = p[1:i + 1] + p[:1]
            count[i] += 1
            if count[i] <= i:
                break
            count[i] = 0
            i += 1
        else:
            return
