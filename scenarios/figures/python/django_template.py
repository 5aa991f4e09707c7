"""A template parsed into nodes, each of which renders itself with a context that is a stack."""

import re

TOKEN = re.compile(r"(\{%.*?%\}|\{\{.*?\}\})")
TABLE = "<table>\n{% for row in rows %}<tr>{% for cell in row %}{% if cell %}<td>{{ cell|escape }}</td>{% endif %}{% endfor %}</tr>\n{% endfor %}</table>"


class Text:
    def __init__(self, text):
        self.text = text

    def render(self, context):
        return self.text


class Value:
    def __init__(self, text):
        self.name, _, self.filter = text.partition("|")

    def render(self, context):
        v = str(find(context, self.name))
        if self.filter == "escape":
            v = v.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return v


class For:
    def __init__(self, name, of, body):
        self.name, self.of, self.body = name, of, body

    def render(self, context):
        out = []
        for v in find(context, self.of):
            context.append({self.name: v})
            out += [node.render(context) for node in self.body]
            context.pop()
        return "".join(out)


class If:
    def __init__(self, name, body):
        self.name, self.body = name, body

    def render(self, context):
        return "".join(node.render(context) for node in self.body) if find(context, self.name) else ""


def find(context, name):
    for names in reversed(context):
        if name in names:
            return names[name]
    return ""


def parse(tokens, until=None):
    nodes = []
    for token in tokens:
        if token.startswith("{{"):
            nodes.append(Value(token[2:-2].strip()))
        elif token.startswith("{%"):
            word, *rest = token[2:-2].split()
            if word == until:
                return nodes
            nodes.append(For(rest[0], rest[2], parse(tokens, "endfor")) if word == "for" else If(rest[0], parse(tokens, "endif")))
        elif token:
            nodes.append(Text(token))
    return nodes


def work(n):
    page = parse(iter(TOKEN.split(TABLE)))
    rows = [[(i * j) % 7 for j in range(20)] for i in range(n)]
    text = "".join(node.render([{"rows": rows}]) for node in page)
    return len(text), text.count("<td>")
