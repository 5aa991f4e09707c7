package crashinject

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/x86"
)

// Event says before which instruction a cut falls. Its text is a kind with its argument, such
// as call:write, or made of others: a|b, a&b, !a, a#N (the Nth instruction that a holds
// before) and parentheses.
type Event struct {
	op   byte // one of | & ! #, 0 for a kind
	kind string
	arg  string
	n    uint64 // of #, from 1
	a, b *Event
}

// eventKind is a kind of events. A new one is a row of eventKinds.
type eventKind struct {
	name, arg, usage string // arg says what follows the colon, "" for nothing
	// canon checks an argument and returns it as it is printed.
	canon func(arg string) (string, error)
	// watch returns what tells whether the next instruction of a machine is one of these.
	watch func(arg string) func(m *sim.Machine) bool
}

var eventKinds = []eventKind{
	{name: "call", arg: "NAME", usage: "the system call NAME is about to be made", canon: callName,
		watch: func(name string) func(*sim.Machine) bool {
			nr, _ := callNumber(name)
			return func(m *sim.Machine) bool { return m.CPU().R[x86.RAX] == nr && m.CPU().Next().Name == "SYSCALL" }
		}},
	{name: "address", arg: "ADDRESS", usage: "the instruction at ADDRESS is about to be executed", canon: address,
		watch: func(arg string) func(*sim.Machine) bool {
			at, _ := strconv.ParseUint(arg, 0, 64)
			return func(m *sim.Machine) bool { return m.CPU().RIP == at }
		}},
	{name: "instruction", arg: "MNEMONIC", usage: "such an instruction is about to be executed", canon: mnemonic,
		watch: func(name string) func(*sim.Machine) bool { return nextIs(name) }},
	{name: "flush", usage: "CLWB, CLFLUSHOPT or CLFLUSH",
		watch: func(string) func(*sim.Machine) bool { return nextIs("CLWB", "CLFLUSHOPT", "CLFLUSH") }},
	{name: "fence", usage: "SFENCE or MFENCE",
		watch: func(string) func(*sim.Machine) bool { return nextIs("SFENCE", "MFENCE") }},
}

func findEvent(name string) *eventKind {
	for i := range eventKinds {
		if eventKinds[i].name == name {
			return &eventKinds[i]
		}
	}
	return nil
}

// nextIs watches for mnemonics.
func nextIs(names ...string) func(*sim.Machine) bool {
	return func(m *sim.Machine) bool {
		next := m.CPU().Next()
		return next.Fetch == x86.FetchDecoded && slices.Contains(names, next.Name)
	}
}

func callNumber(name string) (nr uint64, ok bool) {
	for _, c := range kernel.Table() {
		if c.Name == name {
			return c.Nr, true
		}
	}
	return 0, false
}

func callName(name string) (string, error) {
	if _, ok := callNumber(name); !ok {
		return "", fmt.Errorf("call:%s: expected the name of a system call, as zhuque syscalls lists them", name)
	}
	return name, nil
}

func address(arg string) (string, error) {
	at, err := strconv.ParseUint(arg, 0, 64)
	if err != nil {
		return "", fmt.Errorf("address:%s: expected a number such as 0x401000", arg)
	}
	return fmt.Sprintf("%#x", at), nil
}

func mnemonic(arg string) (string, error) {
	name := strings.ToUpper(arg)
	for _, row := range x86.ISA() {
		if row.Name == name {
			return name, nil
		}
	}
	return "", fmt.Errorf("instruction:%s: expected a mnemonic, as zhuque isa lists them", arg)
}

// String renders an event as ParseEvent reads it.
func (e *Event) String() string { return e.text(0) }

// text renders an event in parentheses where it binds less than it must.
func (e *Event) text(least int) (s string) {
	binds := map[byte]int{'|': 1, '&': 2, '!': 3, '#': 4, 0: 5}[e.op]
	switch e.op {
	case '|', '&': // of equals the left one comes first
		s = e.a.text(binds) + string(e.op) + e.b.text(binds+1)
	case '!':
		s = "!" + e.a.text(binds)
	case '#':
		s = fmt.Sprintf("%s#%d", e.a.text(binds+1), e.n)
	default:
		s = e.kind
		if e.arg != "" {
			s += ":" + e.arg
		}
	}
	if binds < least {
		return "(" + s + ")"
	}
	return s
}

// mostEvent is the length of an event's text that is read, in bytes.
const mostEvent = 1000

// ParseEvent reads an event.
func ParseEvent(text string) (*Event, error) {
	if len(text) > mostEvent {
		return nil, fmt.Errorf("an event of %d bytes: expected at most %d", len(text), mostEvent)
	}
	p := eventParser{rest: text}
	e, err := p.either(0)
	if err == nil && p.rest != "" {
		err = fmt.Errorf("%q: expected | or & or nothing more", clip(p.rest))
	}
	if err != nil {
		return nil, fmt.Errorf("event %q: %w", clip(text), err)
	}
	return e, nil
}

// eventParser reads what is left of an event's text.
type eventParser struct{ rest string }

func (p *eventParser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// either reads events with | between them, or with & where op is one further.
func (p *eventParser) either(op int) (*Event, error) {
	const ops = "|&"
	if op == len(ops) {
		return p.not()
	}
	e, err := p.either(op + 1)
	for err == nil && p.take(ops[op]) {
		e = &Event{op: ops[op], a: e}
		e.b, err = p.either(op + 1)
	}
	return e, err
}

func (p *eventParser) not() (*Event, error) {
	if p.take('!') {
		a, err := p.not()
		return &Event{op: '!', a: a}, err
	}
	e, err := p.one()
	if err != nil || !p.take('#') {
		return e, err
	}
	digits := p.rest[:len(p.rest)-len(strings.TrimLeft(p.rest, "0123456789"))]
	p.rest = p.rest[len(digits):]
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || n == 0 {
		return nil, errors.New("expected a number above 0 after #")
	}
	return &Event{op: '#', a: e, n: n}, nil
}

func (p *eventParser) one() (*Event, error) {
	if p.take('(') {
		e, err := p.either(0)
		if err == nil && !p.take(')') {
			err = errors.New("expected )")
		}
		return e, err
	}
	end := strings.IndexAny(p.rest, "|&!#()")
	if end < 0 {
		end = len(p.rest)
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	name, arg, given := strings.Cut(word, ":")
	k := findEvent(name)
	switch {
	case k == nil:
		return nil, fmt.Errorf("%q: expected one of %s", name, strings.Join(eventNames(), ", "))
	case (k.arg != "") != given:
		return nil, fmt.Errorf("%q: expected %s", word, k.form())
	case k.canon == nil:
		return &Event{kind: name}, nil
	}
	arg, err := k.canon(arg)
	return &Event{kind: name, arg: arg}, err
}

// form is how a kind is written.
func (k *eventKind) form() string {
	if k.arg == "" {
		return k.name
	}
	return k.name + ":" + k.arg
}

func eventNames() (list []string) {
	for i := range eventKinds {
		list = append(list, eventKinds[i].form())
	}
	return list
}

// watch returns what is to be asked of a machine before each of its instructions, and says
// whether the event is there. Every part is asked each time: # counts.
func (e *Event) watch() func(m *sim.Machine) bool {
	switch e.op {
	case '|', '&':
		a, b, both := e.a.watch(), e.b.watch(), e.op == '&'
		return func(m *sim.Machine) bool {
			x, y := a(m), b(m)
			return x && y || !both && (x || y)
		}
	case '!':
		a := e.a.watch()
		return func(m *sim.Machine) bool { return !a(m) }
	case '#':
		a, n := e.a.watch(), uint64(0)
		return func(m *sim.Machine) bool {
			if !a(m) {
				return false
			}
			n++
			return n == e.n
		}
	}
	return findEvent(e.kind).watch(e.arg)
}
