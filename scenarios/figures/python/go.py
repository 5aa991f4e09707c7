"""Random games of Go on a small board, scored by area: objects, sets and lists of small integers."""

SIZE = 9
BLACK, WHITE, EMPTY = 1, 2, 0


class Random:
    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 1103515245 + 12345) % 2147483648
        return (self.state >> 8) % n


class Board:
    def __init__(self):
        self.stone = [EMPTY] * (SIZE * SIZE)
        self.near = []
        for p in range(SIZE * SIZE):
            x, y = p % SIZE, p // SIZE
            self.near.append([q for q, ok in ((p - 1, x > 0), (p + 1, x < SIZE - 1), (p - SIZE, y > 0), (p + SIZE, y < SIZE - 1)) if ok])

    def group(self, p):
        """Returns the stones that are joined to one, and their liberties."""
        colour, stones, free, todo = self.stone[p], {p}, set(), [p]
        while todo:
            for q in self.near[todo.pop()]:
                if self.stone[q] == EMPTY:
                    free.add(q)
                elif self.stone[q] == colour and q not in stones:
                    stones.add(q)
                    todo.append(q)
        return stones, free

    def play(self, p, colour):
        """Puts a stone, takes what has no liberties, and refuses suicide."""
        self.stone[p] = colour
        taken = 0
        for q in self.near[p]:
            if self.stone[q] == 3 - colour:
                stones, free = self.group(q)
                if not free:
                    taken += len(stones)
                    for s in stones:
                        self.stone[s] = EMPTY
        if not taken and not self.group(p)[1]:
            self.stone[p] = EMPTY
            return None
        return taken

    def eye(self, p, colour):
        return all(self.stone[q] == colour for q in self.near[p])


def work(n):
    random, score = Random(1), 0
    for _ in range(n):
        board, colour, passed = Board(), BLACK, 0
        for _ in range(3 * SIZE * SIZE):
            free = [p for p, s in enumerate(board.stone) if s == EMPTY and not board.eye(p, colour)]
            while free:
                i = random.below(len(free))
                if board.play(free[i], colour) is not None:
                    passed = 0
                    break
                free[i] = free[-1]
                free.pop()
            else:
                passed += 1
                if passed == 2:
                    break
            colour = 3 - colour
        score += board.stone.count(BLACK) - board.stone.count(WHITE)
    return score
