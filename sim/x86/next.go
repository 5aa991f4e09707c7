package x86

import (
	"strings"

	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// Fetch says what lies at an instruction's address.
type Fetch uint8

const (
	FetchDecoded   Fetch = iota // a form of the table
	FetchUndefined              // the processor raises #UD, or #GP for an instruction that is too long
	FetchUnknown                // an instruction that the table lacks or knows without modelling it
	FetchFault                  // its bytes cannot be fetched
)

// Next describes the instruction at RIP, for whoever watches a processor.
type Next struct {
	Fetch  Fetch
	RIP    uint64
	Form   int      // index into ISA(); this and what follows for FetchDecoded only
	Name   string   // mnemonic
	Undef  uint64   // status flags that the manual leaves undefined, as bits of RFLAGS
	Rep    bool     // a string instruction with a REP prefix
	Odd    bool     // something of which processors think differently: see odd
	Stores bool     // the form writes memory
	Imm    uint64   // immediate, sign-extended
	Len    uint8    // bytes
	Code   [15]byte // the bytes from RIP on, zero where they cannot be fetched
}

// formIndex gives the index in ISA() of a row, -1 for one that is not modelled.
var formIndex = func() []int {
	list := make([]int, len(rows))
	n := 0
	for i := range rows {
		list[i] = -1
		if rows[i].Pick != nil {
			list[i] = n
			n++
		}
	}
	return list
}()

// flagBits turns flag letters, as Row.Undef has them, into bits of RFLAGS.
func flagBits(letters string) (f uint64) {
	for i, bit := range []uint64{OF, SF, ZF, AF, PF, CF} {
		if strings.IndexByte(letters, "oszapc"[i]) >= 0 {
			f |= bit
		}
	}
	return f
}

// Next describes the instruction at RIP without executing it.
func (c *CPU) Next() (n Next) {
	n.RIP = c.RIP
	size := c.fetchInto(&n)
	if size == 0 {
		n.Fetch = FetchFault
		return n
	}
	var in Inst
	switch c.level.decode(n.Code[:size], c.RIP, &in) {
	case decodeShort:
		n.Fetch = FetchFault
		return n
	case decodeLong, decodeUD:
		n.Fetch = FetchUndefined
		return n
	case decodeUnknown:
		n.Fetch = FetchUnknown
		return n
	}
	row := forms[in.row].row
	n.Form, n.Name, n.Undef, n.Len, n.Imm = formIndex[in.row], row.Name, flagBits(row.Undef), in.length, in.imm
	n.Rep = in.prefix&(prefixRep|prefixRepne) != 0 && row.isString()
	n.Odd = in.odd()
	n.Stores = row.Effect != "" && row.Effect != "serialize"
	return n
}

// odd reports whether the instruction or a prefix of it means different things to
// different processors. AMD's cut RIP to 16 bits in a near branch with 66, and F2
// or F3 turns their LOOPE and LOOPNE into each other; Intel's ignore both, as we
// do. AMD's look at an outer stack before RETF refuses a selector, and know no far
// pointers of 64 bits; we follow Intel's manual.
func (in *Inst) odd() bool {
	opsize, rep := in.prefix&prefixOpsize != 0, in.prefix&(prefixRep|prefixRepne) != 0
	switch name := forms[in.row].row.Name; {
	case strings.HasPrefix(name, "LOOP"):
		return opsize || rep
	case name == "RETF":
		return true
	case name == "CALLF" || name == "JMPF" || name == "LSS" || name == "LFS" || name == "LGS":
		return opsize || in.width == 8
	case name[0] == 'J' || name == "CALL" || name == "RET":
		return opsize
	}
	return false
}

// fetchInto reads the bytes at RIP as far as they can be fetched.
func (c *CPU) fetchInto(n *Next) (size int) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(*mem.Fault); !ok {
				panic(r)
			}
		}
	}()
	page, _ := c.Port.FetchPage(c.RIP)
	size = copy(n.Code[:], page[c.RIP&phys.PageMask:])
	if size < len(n.Code) {
		page, _ = c.Port.FetchPage((c.RIP | phys.PageMask) + 1)
		size += copy(n.Code[size:], page[:])
	}
	return size
}
