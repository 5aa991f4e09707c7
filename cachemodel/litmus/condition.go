package litmus

import "strings"

// condition reads DOMAIN: QUANTIFIER EXPRESSION.
func (p *parser) condition(s string, line int) {
	c := Condition{Line: line}
	domain, rest, _ := strings.Cut(s, ":")
	switch strings.TrimSpace(domain) {
	case "adr":
		c.ADR = true
	case "eadr":
		c.EADR = true
	case "both":
		c.ADR, c.EADR = true, true
	default:
		p.fail(line, "expected a row of the table that ends with a semicolon, \"crash\", or a condition that begins with adr:, eadr: or both:")
	}
	q, text, _ := strings.Cut(strings.TrimSpace(rest), " ")
	switch c.Quantifier = Quantifier(q); c.Quantifier {
	case Exists, Never, Forall:
	default:
		p.fail(line, "expected exists, never or forall after %q, not %q", domain+":", q)
	}
	x := &expression{p: p, rest: text, line: line}
	c.expr = x.or()
	if x.rest = strings.TrimSpace(x.rest); x.rest != "" {
		p.fail(line, "unexpected %q in the condition", x.rest)
	}
	c.Text = strings.TrimSpace(text)
	p.t.Conditions = append(p.t.Conditions, c)
}

// expression is a condition as far as it is not read.
type expression struct {
	p     *parser
	rest  string
	line  int
	depth int
}

// take reads a token if it is next.
func (x *expression) take(token string) bool {
	x.rest = strings.TrimLeft(x.rest, " \t")
	rest, ok := strings.CutPrefix(x.rest, token)
	if ok {
		x.rest = rest
	}
	return ok
}

func (x *expression) or() expr {
	list := or{x.and()}
	for x.take(`\/`) {
		list = append(list, x.and())
	}
	if len(list) == 1 {
		return list[0]
	}
	return list
}

func (x *expression) and() expr {
	list := and{x.unary()}
	for x.take(`/\`) {
		list = append(list, x.unary())
	}
	if len(list) == 1 {
		return list[0]
	}
	return list
}

func (x *expression) unary() expr {
	if x.depth++; x.depth > 100 {
		x.p.fail(x.line, "the condition is nested too deep")
	}
	defer func() { x.depth-- }()
	switch {
	case x.take("not "):
		return not{x.unary()}
	case x.take("("):
		e := x.or()
		if !x.take(")") {
			x.p.fail(x.line, "expected a closing parenthesis before %q", x.rest)
		}
		return e
	}
	i := strings.IndexAny(x.rest, "=!")
	if i < 0 {
		x.p.fail(x.line, "expected LOCATION=VALUE or THREAD:REGISTER=VALUE at %q", x.rest)
	}
	name := strings.TrimSpace(x.rest[:i])
	x.rest = x.rest[i:]
	a := is{term: x.p.term(name, x.line), not: x.take("!")}
	if !x.take("=") {
		x.p.fail(x.line, "expected = or != after %s", name)
	}
	x.rest = strings.TrimLeft(x.rest, " \t")
	end := strings.IndexFunc(x.rest, func(r rune) bool { return r == ' ' || r == ')' || r == '/' || r == '\\' })
	if end < 0 {
		end = len(x.rest)
	}
	a.value = x.p.number(x.rest[:end], x.line)
	x.rest = x.rest[end:]
	return a
}

// term returns the index of an observed value.
func (p *parser) term(name string, line int) int {
	for i := range p.t.observed {
		if p.t.observed[i].name == name {
			return i
		}
	}
	t := term{name: name, thread: -1}
	if thread, reg, ok := strings.Cut(name, ":"); ok {
		found, known := p.threads[thread]
		if !known {
			p.fail(line, "%s: there is no thread %s", name, thread)
		}
		t.thread, t.section, t.threadSec, t.register = found.thread, found.section, found.threadSec, reg
		if reg != "done" && reg != "prints" {
			i, known := p.regs[name]
			if !known {
				p.fail(line, "%s: thread %s has no register %s; done and prints are always there", name, thread, reg)
			}
			t.index = i
		}
	} else {
		var in Instr
		p.word(&in, name, line)
		t.addr, t.size = in.Addr, in.Size
	}
	p.t.observed = append(p.t.observed, t)
	return len(p.t.observed) - 1
}
