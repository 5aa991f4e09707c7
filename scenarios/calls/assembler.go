package calls

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"zhuque/sim/kernel"
)

// Where a situation's program lies. One segment holds all of it.
const (
	sitBase    = 0x40_0000
	sitCode    = sitBase + 0x1000
	sitData    = sitBase + 0x8000
	sitResults = sitBase + 0x1_0000 // of its calls, in the order of the text
	sitTold    = sitBase + 0x1_8000 // counts what its signal handler was told
	sitBuf     = sitBase + 0x2_0000
	sitStack   = sitBase + 0x5_8000 // of the second thread: grows downwards
	sitEnd     = sitBase + 0x6_0000
)

func callNamed(name string) (kernel.Call, bool) {
	for _, c := range kernel.Table() {
		if c.Name == name {
			return c, true
		}
	}
	return kernel.Call{}, false
}

// assembler translates the calls of a situation into machine code.
type assembler struct {
	tokens []string
	code   []byte
	data   []byte
	calls  uint64 // so far: the next one's place among the results
	last   uint64 // where the result of the previous call is

	handler, restorer uint64 // of signals
}

func (a *assembler) program(text string) (err error) {
	if a.tokens, err = tokens(text); err != nil {
		return err
	}
	const handlerSize = 9 // inc qword [told]; ret
	const restorerSize = 7
	a.emit(0xeb, handlerSize+restorerSize) // jmp
	a.handler = sitCode + uint64(len(a.code))
	a.emit(0x48, 0xff, 0x04, 0x25)
	a.word32(sitTold)
	a.emit(0xc3)
	a.restorer = a.handler + handlerSize
	a.emit(0xb8, 15, 0, 0, 0, 0x0f, 0x05) // rt_sigreturn
	if err := a.block(); err != nil {
		return err
	}
	if len(a.tokens) > 0 {
		return fmt.Errorf("%q: unexpected", a.tokens[0])
	}
	a.emit(0xb8, 231, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05) // exit_group(0)
	return nil
}

// block translates calls up to a closing parenthesis or the end.
func (a *assembler) block() error {
	for len(a.tokens) > 0 && a.tokens[0] != ")" {
		switch name := a.next(); name {
		case ";":
		case "put": // a store of the program: put ADDRESS VALUE
			if err := a.argument(0xbf); err != nil {
				return err
			}
			if err := a.argument(0xb8); err != nil {
				return err
			}
			a.emit(0x48, 0x89, 0x07)
		case "spin": // a loop of the program: spin ROUNDS
			if err := a.argument(0xb8); err != nil {
				return err
			}
			a.emit(0x48, 0xff, 0xc8, 0x75, 0xfb)
		default:
			if err := a.call(name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// call translates one system call: its arguments, then in parentheses what the child does
// for which it returns 0.
func (a *assembler) call(name string) error {
	row, ok := callNamed(name)
	if !ok {
		return fmt.Errorf("no such system call")
	}
	for i := 0; len(a.tokens) > 0 && !strings.Contains(";()", a.tokens[0]); i++ {
		if i == len(argumentRegs) {
			return fmt.Errorf("more than six arguments")
		}
		if err := a.argument(argumentRegs[i]...); err != nil {
			return err
		}
	}
	a.emit(0x48, 0xb8)
	a.word64(row.Nr)
	a.last = sitResults + 8*a.calls
	a.calls++
	a.emit(0x0f, 0x05, 0x48, 0x89, 0x04, 0x25)
	a.word32(a.last)
	if len(a.tokens) == 0 || a.tokens[0] != "(" {
		return nil
	}
	a.next()
	a.emit(0x48, 0x85, 0xc0, 0x0f, 0x85, 0, 0, 0, 0)
	from := len(a.code)
	if err := a.block(); err != nil {
		return err
	}
	if a.next() != ")" {
		return fmt.Errorf("expected a closing parenthesis")
	}
	binary.LittleEndian.PutUint32(a.code[from-4:], uint32(len(a.code)-from))
	return nil
}

// argumentRegs is how MOV of a constant names the register of each argument.
var argumentRegs = [][]byte{{0x48, 0xbf}, {0x48, 0xbe}, {0x48, 0xba}, {0x49, 0xba}, {0x49, 0xb8}, {0x49, 0xb9}}

// argument translates the next token into a MOV, whose opcode is given.
func (a *assembler) argument(mov ...byte) error {
	if len(mov) == 1 {
		mov = []byte{0x48, mov[0]}
	}
	token := a.next()
	if off, ok := strings.CutPrefix(token, "last"); ok { // the previous call's result
		reg := mov[1] & 7
		rex, plus := byte(0x48), uint64(0)
		if mov[0] == 0x49 {
			rex = 0x4c
		}
		if off != "" {
			var err error
			if plus, err = strconv.ParseUint(off[1:], 0, 31); err != nil {
				return err
			}
		}
		a.emit(rex, 0x8b, reg<<3|4, 0x25)
		a.word32(a.last)
		a.emit(mov[0], 0x81, 0xc0|reg)
		a.word32(plus)
		return nil
	}
	v, err := a.value(token)
	a.emit(mov...)
	a.word64(v)
	return err
}

// value is the value of a token; strings and lists become data, and the value is where.
func (a *assembler) value(token string) (uint64, error) {
	name, off, plus := strings.Cut(token, "+")
	symbols := map[string]uint64{"buf": sitBuf, "stack": sitStack, "told": sitTold,
		"handler": a.handler, "restorer": a.restorer, "end": sitEnd}
	switch base, symbol := symbols[name]; {
	case symbol:
		if !plus {
			return base, nil
		}
		n, err := strconv.ParseUint(off, 0, 64)
		return base + n, err
	case token == "{":
		var words []byte
		for len(a.tokens) > 0 && a.tokens[0] != "}" {
			v, err := a.value(a.next())
			if err != nil {
				return 0, err
			}
			words = binary.LittleEndian.AppendUint64(words, v)
		}
		a.next()
		return a.place(words), nil
	case token != "" && token[0] == '"':
		s, err := strconv.Unquote(token)
		return a.place(append([]byte(s), 0)), err
	case token != "" && token[0] == '-':
		n, err := strconv.ParseInt(token, 0, 64)
		return uint64(n), err
	}
	return strconv.ParseUint(token, 0, 64)
}

// place puts bytes into the data and returns where.
func (a *assembler) place(b []byte) uint64 {
	for len(a.data)%16 != 0 {
		a.data = append(a.data, 0)
	}
	at := sitData + uint64(len(a.data))
	a.data = append(a.data, b...)
	return at
}

func (a *assembler) next() string {
	if len(a.tokens) == 0 {
		return ""
	}
	t := a.tokens[0]
	a.tokens = a.tokens[1:]
	return t
}

func (a *assembler) emit(b ...byte)  { a.code = append(a.code, b...) }
func (a *assembler) word32(v uint64) { a.code = binary.LittleEndian.AppendUint32(a.code, uint32(v)) }
func (a *assembler) word64(v uint64) { a.code = binary.LittleEndian.AppendUint64(a.code, v) }

// link puts code and data into an ELF executable of one segment.
func (a *assembler) link() ([]byte, error) {
	if len(a.code) > sitData-sitCode || len(a.data) > sitResults-sitData || 8*a.calls > sitTold-sitResults {
		return nil, fmt.Errorf("the situation is too long")
	}
	file := make([]byte, sitData-sitBase+len(a.data))
	copy(file[sitCode-sitBase:], a.code)
	copy(file[sitData-sitBase:], a.data)
	copy(file, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint16(file[16:], 2) // ET_EXEC
	le.PutUint16(file[18:], 62)
	le.PutUint32(file[20:], 1)
	le.PutUint64(file[24:], sitCode)
	le.PutUint64(file[32:], 64) // program headers
	le.PutUint16(file[52:], 64)
	le.PutUint16(file[54:], 56)
	le.PutUint16(file[56:], 1)
	ph := file[64:]
	le.PutUint32(ph, 1)
	le.PutUint32(ph[4:], 7)
	le.PutUint64(ph[16:], sitBase)
	le.PutUint64(ph[24:], sitBase)
	le.PutUint64(ph[32:], uint64(len(file)))
	le.PutUint64(ph[40:], sitEnd-sitBase)
	le.PutUint64(ph[48:], 4096)
	return file, nil
}

// tokens splits a text at blanks; strings in double quotes and the signs ;(){} are tokens.
func tokens(text string) (list []string, err error) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		n := strings.IndexAny(text, " ;(){}")
		switch {
		case text[0] == '"':
			q, err := strconv.QuotedPrefix(text)
			if err != nil {
				return nil, fmt.Errorf("%.20s: a string without an end", text)
			}
			n = len(q)
		case n == 0:
			n = 1
		case n < 0:
			n = len(text)
		}
		list, text = append(list, text[:n]), text[n:]
	}
	return list, nil
}
