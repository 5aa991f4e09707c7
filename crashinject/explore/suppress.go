package explore

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Suppression is one entry of a suppression file, in the form of Valgrind's:
//
//	{
//	   the name of it
//	   zhuque:robustness
//	   fun:push
//	   ...
//	   src:list.c:41
//	}
//
// The second line says which kinds it takes out, with commas between them, * for all.
// The others are frames of the store's call stack from the innermost out: fun: a function,
// obj: a program or library, src: a file and, if given, its line, each with * and ? as a
// shell has them; ... stands for any number of frames, none included. Frames beyond the last
// one that is named may be anything. Lines that begin with # are comments.
type Suppression struct {
	Name   string   `json:"name"`
	Kinds  []Kind   `json:"-"`
	Frames []string `json:"-"`
	Used   int      `json:"used"`
}

// SuppressionError says what is wrong with a suppression file, and where.
type SuppressionError struct {
	File         string
	Line, Column int    // from 1
	Text         string // the line
	What         string
}

func (e *SuppressionError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s\n  %s\n  %s^", e.File, e.Line,
		e.Column, e.What, e.Text, strings.Repeat(" ", e.Column-1))
}

// suppressible are the kinds that a suppression may name: performance findings by the words
// of their report with - for spaces.
var suppressible = []Kind{Signal, Exit, Hang, Lost, Torn, Output, Check, Robustness, RaceAdvice,
	"flushed-twice", "flushed-clean", "fence-for-nothing", "never-durable", "not-combined"}

// maxSuppressions bounds a file, in entries.
const maxSuppressions = 10_000

// ParseSuppressions reads a suppression file. Its error is a *SuppressionError.
func ParseSuppressions(file, text string) (list []*Suppression, err error) {
	var s *Suppression
	begun := 0
	lines := strings.Split(text, "\n")
	for n, raw := range lines {
		raw = strings.TrimRight(strings.ReplaceAll(raw, "\t", " "), " \r")
		word := strings.TrimSpace(raw)
		fail := func(at int, format string, a ...any) error {
			return &SuppressionError{file, n + 1, len(raw) - len(strings.TrimLeft(raw, " ")) + at + 1,
				raw, fmt.Sprintf(format, a...)}
		}
		switch {
		case word == "" || word[0] == '#':
		case s == nil && word != "{":
			return nil, fail(0, "expected { before a suppression")
		case s == nil:
			s, begun = &Suppression{}, n+1
		case word == "{":
			return nil, fail(0, "expected } before the next suppression, which began in line %d", begun)
		case word == "}" && s.Kinds == nil:
			return nil, fail(0, "expected a name and a line zhuque:KIND before }")
		case word == "}" && len(list) == maxSuppressions:
			return nil, fail(0, "more than %d suppressions", maxSuppressions)
		case word == "}":
			list, s = append(list, s), nil
		case s.Name == "":
			s.Name = word
		case s.Kinds == nil:
			if at, what := s.kinds(word); what != "" {
				return nil, fail(at, "%s", what)
			}
		default:
			if at, what := s.frame(word); what != "" {
				return nil, fail(at, "%s", what)
			}
		}
	}
	if s != nil {
		return nil, &SuppressionError{file, begun, 1, lines[begun-1], "this suppression has no }"}
	}
	return list, nil
}

// kinds reads "zhuque:KIND,KIND"; what says what is wrong at which byte.
func (s *Suppression) kinds(word string) (at int, what string) {
	tool, names, ok := strings.Cut(word, ":")
	if !ok || tool != "zhuque" {
		return 0, "expected zhuque:KIND"
	}
	at = len(tool) + 1
	for _, name := range strings.Split(names, ",") {
		if k := Kind(name); name != "*" && !slices.Contains(suppressible, k) {
			return at, fmt.Sprintf("kind %q: expected * or one of %q", name, suppressible)
		}
		s.Kinds = append(s.Kinds, Kind(name))
		at += len(name) + 1
	}
	return 0, ""
}

func (s *Suppression) frame(word string) (at int, what string) {
	if word != "..." {
		kind, pattern, ok := strings.Cut(word, ":")
		if !ok || kind != "fun" && kind != "obj" && kind != "src" {
			return 0, "expected fun:FUNCTION, obj:FILE, src:FILE:LINE or ..."
		}
		if pattern == "" {
			return len(kind) + 1, "expected a pattern after " + kind + ":"
		}
	}
	s.Frames = append(s.Frames, word)
	return 0, ""
}

// Frame is one frame of a call stack.
type Frame struct {
	Function string `json:"function,omitempty"`
	Object   string `json:"object,omitempty"` // program or library
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Address  string `json:"address"`
}

// matches reports whether a frame is one that a line of a suppression names.
func (f *Frame) matches(word string) bool {
	kind, pattern, _ := strings.Cut(word, ":")
	switch kind {
	case "fun":
		return glob(pattern, f.Function)
	case "obj":
		return glob(pattern, f.Object) || glob(pattern, path.Base(f.Object))
	}
	at := fmt.Sprint(f.File, ":", f.Line)
	base := fmt.Sprint(path.Base(f.File), ":", f.Line)
	return f.Line > 0 &&
		(glob(pattern, at) || glob(pattern, base) || glob(pattern, f.File) || glob(pattern, path.Base(f.File)))
}

// glob matches * (any bytes, / too) and ?.
func glob(pattern, text string) bool {
	star, from := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*':
			p, t = p+1, t+1
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// takes reports whether a suppression takes out a report of a kind with this stack.
func (s *Suppression) takes(k Kind, stack []Frame) bool {
	return (slices.Contains(s.Kinds, k) || slices.Contains(s.Kinds, "*")) && framesMatch(s.Frames, stack)
}

// framesMatch reports whether the lines match a stack from its innermost frame on.
func framesMatch(words []string, stack []Frame) bool {
	at := make([]bool, len(stack)+1) // how many frames the lines so far may have taken
	at[0] = true
	for _, word := range words {
		next := make([]bool, len(stack)+1)
		for i := range at {
			if word == "..." {
				next[i] = at[i] || i > 0 && next[i-1]
			} else {
				next[i] = i > 0 && at[i-1] && stack[i-1].matches(word)
			}
		}
		at = next
	}
	return slices.Contains(at, true)
}

// suppressed reports whether a suppression of the options takes a report out.
func (x *explorer) suppressed(k Kind, stack []Frame) bool {
	for _, s := range x.opt.Suppress {
		if s.takes(k, stack) {
			s.Used++
			return true
		}
	}
	return false
}

// suppress takes out of the report what the options say.
func (x *explorer) suppress() {
	r := x.res
	r.Failures = slices.DeleteFunc(r.Failures, func(f *Failure) bool {
		return len(f.Stores) > 0 && x.suppressed(f.Kind, f.Stores[0].frames())
	})
	r.Advice = slices.DeleteFunc(r.Advice, func(a *Advice) bool { return x.suppressed(a.Kind, a.Stores[0].frames()) })
	r.Performance = slices.DeleteFunc(r.Performance, func(f Finding) bool {
		return x.suppressed(Kind(strings.ReplaceAll(f.Kind, " ", "-")), []Frame{f.frame()})
	})
	for _, s := range x.opt.Suppress {
		if s.Used > 0 {
			r.Suppressed = append(r.Suppressed, *s)
		}
	}
}

// frames is the stack of a store, the place alone where the stack is not known.
func (s *Store) frames() []Frame {
	if len(s.Stack) > 0 {
		return s.Stack
	}
	return []Frame{s.frame()}
}

func (p *Place) frame() Frame {
	return Frame{Function: p.Function, File: p.File, Line: p.Line, Address: p.Address}
}

// Suppressions returns the text of a suppression file that takes out all that is in the report.
func (r *Report) Suppressions() string {
	var b strings.Builder
	n := 0
	one := func(k Kind, stack []Frame) {
		n++
		fmt.Fprintf(&b, "{\n   %s-%d\n   zhuque:%s\n", k, n, k)
		for _, f := range stack[:min(len(stack), 8)] {
			switch {
			case f.Line > 0:
				fmt.Fprintf(&b, "   src:%s:%d\n", path.Base(f.File), f.Line)
			case f.Function != "":
				fmt.Fprintf(&b, "   fun:%s\n", f.Function)
			case f.Object != "":
				fmt.Fprintf(&b, "   obj:%s\n", f.Object)
			default:
				fmt.Fprintln(&b, "   ...")
			}
			if f.Function == "main" {
				break // what called it is the C library's
			}
		}
		fmt.Fprintln(&b, "}")
	}
	for _, f := range r.Failures {
		if len(f.Stores) > 0 {
			one(f.Kind, f.Stores[0].frames())
		}
	}
	for _, a := range r.Advice {
		one(a.Kind, a.Stores[0].frames())
	}
	for _, f := range r.Performance {
		one(Kind(strings.ReplaceAll(f.Kind, " ", "-")), []Frame{f.frame()})
	}
	return b.String()
}
