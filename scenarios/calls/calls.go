// Package calls holds a situation for each system call that works: a small program that
// brings the call into a state in which it does something. The programs are lines of
// calls.txt, whose head says how to write one, and are assembled here.
//
// It must not import anything that runs a machine.
package calls

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"zhuque/sim/kernel"
)

//go:embed calls.txt
var text string

// Situation is one line of calls.txt.
type Situation struct {
	Row    kernel.Call      // the call that is looked at
	Name   string           // the call's name, and a number where it has several lines: "read-2"
	Text   string           // the line
	Result func(int64) bool // tells whether a result is right, of the last such call of the program
	ELF    []byte           // the program
	Cores  int
}

// All returns the situations in the order of the file.
var All = sync.OnceValue(func() []Situation {
	list, err := read(text)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return list
})

// read reads a file of situations.
func read(text string) (list []Situation, err error) {
	var let []string // pairs for a Replacer
	lines := map[string]int{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		line = strings.NewReplacer(let...).Replace(line)
		if def, ok := strings.CutPrefix(line, "let "); ok {
			name, value, _ := strings.Cut(def, " ")
			let = append(let, "$"+name, value)
			continue
		}
		s, err := Parse(line, "")
		if err != nil {
			return nil, fmt.Errorf("calls.txt:%d: %w", n, err)
		}
		s.Name = s.Row.Name
		if lines[s.Name]++; lines[s.Name] > 1 {
			s.Name += "-" + strconv.Itoa(lines[s.Name])
		}
		list = append(list, s)
	}
	return list, nil
}

// Find returns the situation with a name.
func Find(name string) (Situation, bool) {
	for _, s := range All() {
		if s.Name == name {
			return s, true
		}
	}
	return Situation{}, false
}

// Parse reads a line; before is what its program does first.
func Parse(line, before string) (s Situation, err error) {
	name, rest, ok := strings.Cut(line, ":")
	if !ok {
		return s, fmt.Errorf("expected NAME: CALLS")
	}
	name, s.Cores = strings.TrimSuffix(name, "@2"), 1+strings.Count(name, "@2")
	if s.Row, ok = callNamed(name); !ok {
		return s, fmt.Errorf("no system call %q", name)
	}
	body, want, _ := strings.Cut(rest, " -> ")
	s.Text = line
	if s.Result, err = expectation(strings.TrimSpace(want)); err != nil {
		return s, err
	}
	a := assembler{}
	if err = a.program(before + body); err != nil {
		return s, err
	}
	s.ELF, err = a.link()
	return s, err
}

// expectation reads what the last call's result must be: a number, "any", or nothing
// for everything but an error.
func expectation(want string) (func(int64) bool, error) {
	switch want {
	case "":
		return func(r int64) bool { return r >= 0 || r < -4095 }, nil
	case "any":
		return func(int64) bool { return true }, nil
	}
	n, err := strconv.ParseInt(want, 0, 64)
	return func(r int64) bool { return r == n }, err
}
