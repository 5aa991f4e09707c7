"""One-way constraints with strengths, solved incrementally: a chain of equalities, then a
projection, after the algorithm of Freeman-Benson and Maloney (DeltaBlue, 1989)."""

REQUIRED, STRONG, NORMAL, WEAK = range(4)


class Variable:
    def __init__(self, value):
        self.value, self.stay, self.by, self.uses, self.strength = value, True, None, [], WEAK


class Constraint:
    def __init__(self, strength, out, inputs, compute):
        self.strength, self.out, self.inputs, self.compute = strength, out, inputs, compute
        for v in inputs:
            v.uses.append(self)

    def satisfy(self):
        """Takes the output over from a weaker constraint, which then looks for another way."""
        if self.out.by is not None and self.out.by.strength <= self.strength:
            return False
        weaker, self.out.by = self.out.by, self
        self.out.strength = max([self.strength] + [v.strength for v in self.inputs])
        if weaker is not None:
            weaker.satisfy()
        return True

    def execute(self):
        self.out.value = self.compute(*[v.value for v in self.inputs])


def plan(sources):
    """Lists the constraints downstream of variables, each after those that it depends on."""
    found, todo, marked = [], list(sources), set()
    while todo:
        v = todo.pop()
        for c in v.uses:
            if c.out.by is c and id(c) not in marked:
                marked.add(id(c))
                found.append(c)
                todo.append(c.out)
    return found


def chain(n):
    line = [Variable(0) for _ in range(n + 1)]
    for a, b in zip(line, line[1:]):
        Constraint(REQUIRED, b, [a], lambda x: x).satisfy()
    edit = Constraint(STRONG, line[0], [], lambda: 0)
    edit.satisfy()
    order, total = plan([line[0]]), 0
    for value in range(20):
        line[0].value = value
        for c in order:
            c.execute()
        total += line[-1].value
    return total


def project(n):
    scale, offset, total = Variable(10), Variable(1000), 0
    ends = []
    for i in range(n):
        source, end = Variable(i), Variable(i)
        Constraint(REQUIRED, end, [source, scale, offset], lambda v, s, o: v * s + o).satisfy()
        Constraint(WEAK, source, [], lambda i=i: i).satisfy()
        ends.append(end)
    for s in range(5):
        scale.value = s
        for c in plan([scale]):
            c.execute()
        total += sum(e.value for e in ends)
    return total


def work(n):
    return chain(n), project(n)
