"""A template as a stream of events: generators that match, transform and serialize them."""

START, END, TEXT = "start", "end", "text"


def table(rows):
    yield START, "table", {}
    for i, row in enumerate(rows):
        yield START, "tr", {"id": "r%d" % i}
        for cell in row:
            yield START, "td", {}
            yield TEXT, str(cell), None
            yield END, "td", None
        yield END, "tr", None
    yield END, "table", None


def classed(stream):
    """Gives every second row a class, as a template's match rule would."""
    odd = False
    for kind, data, attributes in stream:
        if kind is START and data == "tr":
            odd = not odd
            attributes = dict(attributes, **{"class": "odd" if odd else "even"})
        yield kind, data, attributes


def without_zeros(stream):
    held = None
    for event in stream:
        if held is not None:
            yield held
        held = event
        if event[0] is TEXT and event[1] == "0":
            held = TEXT, "-", None
    if held is not None:
        yield held


def serialized(stream):
    for kind, data, attributes in stream:
        if kind is START:
            yield "<" + data + "".join(' %s="%s"' % a for a in sorted(attributes.items())) + ">"
        elif kind is END:
            yield "</%s>" % data
        else:
            yield data.replace("&", "&amp;").replace("<", "&lt;")


def work(n):
    rows = [[(i * j) % 7 for j in range(20)] for i in range(n)]
    text = "".join(serialized(without_zeros(classed(table(rows)))))
    return len(text), text.count("odd"), text.count("-")
