"""A template that is compiled into the source of a Python function, which then renders."""

import re

TABLE = """<table>
${for row in rows}<tr>${for cell in row}<td>${cell}</td><td>${cell * 2}</td>${end}</tr>
${end}</table>"""


def compiled(template):
    lines, depth = ["def render(rows, escape=escape):", " out = []", " put = out.append"], 1
    for i, part in enumerate(re.split(r"\$\{(.*?)\}", template)):
        if i % 2 == 0:
            lines.append(" " * depth + "put(%r)" % part)
        elif part == "end":
            depth -= 1
        elif part.startswith("for "):
            lines.append(" " * depth + part + ":")
            depth += 1
        else:
            lines.append(" " * depth + "put(escape(str(%s)))" % part)
    names = {"escape": escape}
    exec(compile("\n".join(lines + [" return ''.join(out)"]), "template", "exec"), names)
    return names["render"]


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;") if "&" in text or "<" in text else text


def work(n):
    render = compiled(TABLE)
    text = render([["<%d&%d>" % (i, j) for j in range(20)] for i in range(n)])
    return len(text), text.count("&amp;")
