package crashinject

import (
	"fmt"
	"strconv"
	"strings"

	"zhuque/sim"
	"zhuque/sim/phys"
)

// cutWord is one word of a cut: how it is read and printed. A new word is a row here.
type cutWord struct {
	name, usage string
	bare        bool // it takes no argument
	many        bool // it may be repeated with the same key
	cores       bool // its argument may name a core: once for each
	zeroAbsent  bool // a 0 of cases of version 1 means that it is absent
	put         func(c *Cut, arg string) error
	show        func(c *Cut) []string // its arguments, none where the cut does not have it
}

const (
	maxKeep = 1 << 16
	maxSkew = 1 << 20
)

// cutWords lists the words in the order in which they are printed.
var cutWords = []cutWord{
	{name: "after", usage: "instructions since the start or the last restart",
		put: func(c *Cut, arg string) error { return count("after", arg, 0, &c.After) },
		show: func(c *Cut) []string {
			if c.Look != 0 {
				return nil
			}
			return []string{strconv.FormatUint(c.After, 10)}
		}},
	{name: "look", usage: "instead of after: the crash point of this number, as zhuque explore counts them",
		put:  func(c *Cut, arg string) error { return count("look", arg, 1, &c.Look) },
		show: func(c *Cut) []string { return given(c.Look) }},
	{name: "at", usage: "EVENT, then before the instruction of this event, the first of them",
		put: func(c *Cut, arg string) (err error) { c.At, err = ParseEvent(arg); return err },
		show: func(c *Cut) []string {
			if c.At == nil {
				return nil
			}
			return []string{c.At.String()}
		}},
	{name: "rep", zeroAbsent: true, usage: "then so many iterations of the string instruction that comes next",
		put:  func(c *Cut, arg string) error { return count("rep", arg, 1, &c.Rep) },
		show: func(c *Cut) []string { return given(c.Rep) }},
	{name: "step", zeroAbsent: true, usage: "then inside the call that comes next, before this store of the runtime",
		put:  func(c *Cut, arg string) error { return count("step", arg, 1, &c.Step) },
		show: func(c *Cut) []string { return given(c.Step) }},
	{name: "skew", usage: "CORE:N, then so many instructions of another core", cores: true,
		put:  func(c *Cut, arg string) error { return perCore("skew", arg, maxSkew, &c.Skew) },
		show: func(c *Cut) []string { return ofCores(c.Skew) }},
	{name: "keep", usage: "buffered stores that become visible, of the core that executes, or CORE:N", cores: true,
		put: putKeep,
		show: func(c *Cut) (list []string) {
			if n, ok := c.Keep.Get(); ok {
				list = append(list, strconv.Itoa(n))
			}
			return append(list, ofCores(c.KeepOn)...)
		}},
	{name: "lose-wc", usage: "the write-combining buffers are lost", bare: true,
		put: func(c *Cut, _ string) error { c.LoseWC = true; return nil },
		show: func(c *Cut) []string {
			if c.LoseWC {
				return []string{""}
			}
			return nil
		}},
	{name: "energy", zeroAbsent: true, usage: "hold-up energy in nanojoules, instead of the platform's",
		put: func(c *Cut, arg string) error {
			var n uint64
			err := count("energy", arg, 0, &n)
			c.Energy = phys.Some(phys.NanoJoules(n))
			return err
		},
		show: func(c *Cut) []string {
			if n, ok := c.Energy.Get(); ok {
				return []string{strconv.FormatUint(uint64(n), 10)}
			}
			return nil
		}},
	{name: "world", usage: "FILE+OFFSET=N, the recovery's load of this line comes out in its Nth way; again for the next load", many: true,
		put: func(c *Cut, arg string) error {
			w, err := parseWorld(arg)
			c.Worlds = append(c.Worlds, w)
			return err
		},
		show: func(c *Cut) (list []string) {
			for _, w := range c.Worlds {
				list = append(list, w.String())
			}
			return list
		}},
	{name: "recovery", usage: "the restart loses power too, before this store of the recovery; again for the next restart", many: true,
		put: func(c *Cut, arg string) error {
			var n uint64
			err := count("recovery", arg, 1, &n)
			c.Recovery = append(c.Recovery, n)
			return err
		},
		show: func(c *Cut) (list []string) {
			for _, n := range c.Recovery {
				list = append(list, given(n)...)
			}
			return list
		}},
}

func findWord(name string) (*cutWord, error) {
	names := make([]string, len(cutWords))
	for i := range cutWords {
		if cutWords[i].name == name {
			return &cutWords[i], nil
		}
		names[i] = cutWords[i].name
	}
	return nil, fmt.Errorf("%q: expected one of %s", name, strings.Join(names, ", "))
}

// key is what a word may say once: of each core, where its argument names one.
func (w *cutWord) key(arg string) string {
	if core, _, ok := strings.Cut(arg, ":"); ok && w.cores {
		return w.name + " " + core + ":"
	}
	return w.name
}

// given shows a number that is absent when it is 0.
func given(n uint64) []string {
	if n == 0 {
		return nil
	}
	return []string{strconv.FormatUint(n, 10)}
}

// count reads a whole number of at least least.
func count(word, arg string, least uint64, to *uint64) error {
	n, err := strconv.ParseUint(arg, 10, 64)
	switch {
	case err != nil:
		return fmt.Errorf("%q %q: expected a whole number", word, arg)
	case n < least:
		return fmt.Errorf("%s %d: expected at least %d, they count from 1", word, n, least)
	}
	*to = n
	return nil
}

func putKeep(c *Cut, arg string) error {
	if strings.Contains(arg, ":") {
		return perCore("keep", arg, maxKeep, &c.KeepOn)
	}
	var n uint64
	if err := count("keep", arg, 0, &n); err != nil {
		return err
	}
	if n > maxKeep {
		return fmt.Errorf("keep %d: expected at most %d stores", n, maxKeep)
	}
	c.Keep = phys.Some(int(n))
	return nil
}

// perCore reads the CORE:N of a word.
func perCore(word, arg string, most uint64, list *[]sim.CoreCount) error {
	core, n, _ := strings.Cut(arg, ":")
	a, err := strconv.ParseUint(core, 10, 64)
	b, err2 := strconv.ParseUint(n, 10, 64)
	switch {
	case err != nil || err2 != nil:
		return fmt.Errorf("%q %q: expected CORE:N, two whole numbers", word, arg)
	case a >= sim.MaxCores:
		return fmt.Errorf("%q %q: cores are numbered 0 to %d", word, arg, sim.MaxCores-1)
	case b > most:
		return fmt.Errorf("%q %q: expected at most %d", word, arg, most)
	}
	for _, k := range *list {
		if k.Core == int(a) { // written otherwise: 01
			return fmt.Errorf("duplicate \"%s %d:\"", word, a)
		}
	}
	*list = append(*list, sim.CoreCount{Core: int(a), N: b})
	return nil
}

func ofCores(list []sim.CoreCount) (texts []string) {
	for _, k := range list {
		texts = append(texts, fmt.Sprintf("%d:%d", k.Core, k.N))
	}
	return texts
}
