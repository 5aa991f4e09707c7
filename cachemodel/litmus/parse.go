package litmus

import (
	"fmt"
	"strconv"
	"strings"
)

// Bounds on a test. What is larger is refused: all interleavings of it would not
// end.
const (
	MaxThreads      = 4
	MaxInstructions = 24 // of all threads of a section
	MaxSections     = 4
	MaxLocations    = 12
	MaxBytes        = 1 << 16 // of a file
	maxWords        = 4       // of one location
)

// parser reads one test line by line.
type parser struct {
	t       *Test
	lines   []string
	n       int // lines read
	regs    map[string]int
	threads map[string]term
}

type syntax struct{ Error }

func (p *parser) fail(line int, format string, a ...any) {
	panic(&syntax{Error{p.t.File, line, fmt.Sprintf(format, a...)}})
}

// next returns the next line that is not empty, without its comment, and its
// number; ok is false at the end.
func (p *parser) next() (s string, line int, ok bool) {
	for p.n < len(p.lines) {
		s = p.lines[p.n]
		p.n++
		if i := strings.IndexByte(s, '#'); i >= 0 {
			s = s[:i]
		}
		if s = strings.TrimSpace(s); s != "" {
			return s, p.n, true
		}
	}
	return "", p.n, false
}

// Parse reads a test. Its error is an *Error.
func Parse(file, text string) (t *Test, err error) {
	t = &Test{File: file}
	p := &parser{t: t, lines: strings.Split(text, "\n"), regs: map[string]int{}, threads: map[string]term{}}
	defer func() {
		if r := recover(); r != nil {
			s, ok := r.(*syntax)
			if !ok {
				panic(r)
			}
			t, err = nil, &s.Error
		}
	}()
	if len(text) > MaxBytes {
		p.fail(1, "the file has %d bytes; a litmus test has at most %d", len(text), MaxBytes)
	}
	p.header()
	p.locations()
	p.sections()
	return t, nil
}

func (p *parser) header() {
	s, line, ok := p.next()
	name, found := strings.CutPrefix(s, "litmus ")
	if name = strings.TrimSpace(name); !ok || !found || name == "" || strings.ContainsAny(name, " \t") {
		p.fail(line, "expected \"litmus NAME\" on the first line, with a name of one word")
	}
	p.t.Name = name
	for p.n < len(p.lines) {
		s, line, _ := p.next()
		if !strings.HasPrefix(s, `"`) {
			p.n = line - 1
			break
		}
		if len(s) < 2 || !strings.HasSuffix(s, `"`) {
			p.fail(line, "the description has no closing quotation mark")
		}
		p.t.Doc = strings.TrimPrefix(p.t.Doc+"\n"+s[1:len(s)-1], "\n")
	}
}

// locations reads { NAME=VALUE; NAME[N]=VALUE; NAME:SIZE=VALUE; NAME=VALUE @ NAME+OFFSET; }.
func (p *parser) locations() {
	s, line, ok := p.next()
	if !ok || !strings.HasPrefix(s, "{") {
		p.fail(line, "expected the locations and their initial values, as in { x=0; y=0; }")
	}
	for s = s[1:]; !strings.Contains(s, "}"); {
		more, _, ok := p.next()
		if !ok {
			p.fail(line, "the locations have no closing brace")
		}
		s += " " + more
	}
	s, rest, _ := strings.Cut(s, "}")
	if strings.TrimSpace(rest) != "" {
		p.fail(p.n, "unexpected %q after the locations", strings.TrimSpace(rest))
	}
	lines := 0
	for _, d := range strings.Split(s, ";") {
		if d = strings.TrimSpace(d); d != "" {
			p.location(d, line, &lines)
		}
	}
	if len(p.t.Locations) == 0 {
		p.fail(line, "a test needs at least one location")
	}
}

func (p *parser) location(d string, line int, lines *int) {
	l := Location{Size: 8, Count: 1}
	d, place, placed := strings.Cut(d, "@")
	name, value, ok := strings.Cut(d, "=")
	if !ok {
		p.fail(line, "location %q: expected NAME=VALUE", strings.TrimSpace(d))
	}
	l.Initial = p.number(value, line)
	name = strings.TrimSpace(name)
	if n, size, ok := strings.Cut(name, ":"); ok {
		l.Size, name = int(p.number(size, line)), strings.TrimSpace(n)
	}
	if n, count, ok := strings.Cut(name, "["); ok {
		l.Count, name = int(p.number(strings.TrimSuffix(count, "]"), line)), n
	}
	if l.Name = name; !isName(name) || isRegister(name) {
		p.fail(line, "%q is no name for a location: letters and digits, not r and digits, which are registers", name)
	}
	if l.Size != 1 && l.Size != 2 && l.Size != 4 && l.Size != 8 || l.Count < 1 || l.Count > maxWords {
		p.fail(line, "location %s: a word has 1, 2, 4 or 8 bytes, and a location 1 to %d words", name, maxWords)
	}
	if l.Size < 8 && l.Initial>>(8*l.Size) != 0 {
		p.fail(line, "location %s: %d does not fit into %d bytes", name, l.Initial, l.Size)
	}
	if p.find(name) != nil {
		p.fail(line, "duplicate location %s", name)
	}
	if placed {
		base, off, _ := strings.Cut(strings.TrimSpace(place), "+")
		o := p.find(strings.TrimSpace(base))
		if o == nil {
			p.fail(line, "location %s lies at %q, which is none so far", name, strings.TrimSpace(base))
		}
		if l.Addr = o.Addr; off != "" {
			l.Addr += int(p.number(off, line) & 127)
		}
	} else {
		l.Addr = *lines * lineSize
	}
	for i := range p.t.Locations {
		if o := &p.t.Locations[i]; l.Addr < o.Addr+o.Size*o.Count && o.Addr < l.Addr+l.Size*l.Count {
			p.fail(line, "locations %s and %s overlap", o.Name, l.Name)
		}
	}
	*lines = max(*lines, (l.Addr+l.Size*l.Count-1)/lineSize+1)
	if len(p.t.Locations) == MaxLocations {
		p.fail(line, "more than %d locations: their outcomes would be too many to try", MaxLocations)
	}
	p.t.Locations = append(p.t.Locations, l)
}

func (p *parser) find(name string) *Location {
	for i := range p.t.Locations {
		if p.t.Locations[i].Name == name {
			return &p.t.Locations[i]
		}
	}
	return nil
}

func isName(s string) bool {
	for i, c := range s {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func isRegister(s string) bool {
	if len(s) < 2 || s[0] != 'r' {
		return false
	}
	_, err := strconv.ParseUint(s[1:], 10, 16)
	return err == nil
}

func (p *parser) number(s string, line int) uint64 {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 0, 64)
	if err != nil {
		p.fail(line, "%q is not a number from 0 to 2^64-1", strings.TrimSpace(s))
	}
	return n
}

// sections reads tables of threads with "crash" between them, and conditions.
func (p *parser) sections() {
	for {
		s, line, ok := p.next()
		switch {
		case !ok && len(p.t.Sections) == 0:
			p.fail(line, "expected a table of threads, as in \"P0 | P1 ;\"")
		case !ok && len(p.t.Conditions) == 0:
			p.fail(line, "expected a condition, as in \"adr: exists (x=0 /\\ y=1)\"")
		case !ok:
			return
		case s == "crash":
			if len(p.t.Sections) == 0 {
				p.fail(line, "there is nothing before this crash")
			}
			p.table()
		case len(p.t.Sections) == 0:
			p.n = line - 1
			p.table()
		default:
			p.condition(s, line)
		}
	}
}

// table reads the names of threads and their instructions.
func (p *parser) table() {
	s, line, ok := p.next()
	if !ok || !strings.HasSuffix(s, ";") {
		p.fail(line, "expected a row of thread names that ends with a semicolon, as in \"P0 | P1 ;\"")
	}
	if len(p.t.Sections) == MaxSections {
		p.fail(line, "more than %d tables: nobody can try that many crashes", MaxSections)
	}
	sec := len(p.t.Sections)
	var threads []Thread
	for i, name := range columns(s) {
		if _, twice := p.threads[name]; !isName(name) || twice {
			p.fail(line, "%q is no name for a thread, or there is one of that name", name)
		}
		p.threads[name] = term{thread: len(p.threads), section: sec, threadSec: i}
		threads = append(threads, Thread{Name: name})
	}
	if len(threads) > MaxThreads {
		p.fail(line, "%d threads: at most %d are tried in all interleavings", len(threads), MaxThreads)
	}
	total := 0
	for {
		s, line, ok := p.next()
		if !ok || !strings.HasSuffix(s, ";") {
			if ok {
				p.n = line - 1
			}
			break
		}
		row := columns(s)
		if len(row) > len(threads) {
			p.fail(line, "%d columns for %d threads", len(row), len(threads))
		}
		for i, text := range row {
			if text == "" {
				continue
			}
			in := p.instruction(threads[i].Name, text, line)
			in.id = len(p.t.instrs)
			p.t.instrs = append(p.t.instrs, threads[i].Name+": "+text)
			threads[i].Instrs = append(threads[i].Instrs, in)
			if total++; total > MaxInstructions {
				p.fail(line, "more than %d instructions in one table: all interleavings would not end", MaxInstructions)
			}
		}
	}
	p.t.Sections = append(p.t.Sections, threads)
}

func columns(s string) (list []string) {
	for _, c := range strings.Split(strings.TrimSuffix(s, ";"), "|") {
		list = append(list, strings.TrimSpace(c))
	}
	return list
}
