// Package systems holds what one would use instead of whole-process persistence: the algorithms of
// four systems that make operations failure-atomic, in C, each in a header of its own folder, and
// data structures that are written once and compiled with each. README.md says what they are.
package systems

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed bin
var bin embed.FS

// Prefix begins the names of the guests: structures-undo is the data structures over the undo log.
const Prefix = "structures-"

// System is a comparison system.
type System struct {
	Name  string
	About string
	After string // the system whose algorithm it is; "" for none
	// Unsound says what is wrong with the algorithm as published, "" for nothing known. The modes
	// adr-published and fof-published keep it.
	Unsound string
}

var all = []System{
	{Name: "native", About: "no persistence: the end of the scale"},
	{Name: "undo", About: "undo-log transactions, snapshots of ranges", After: "PMDK's libpmemobj"},
	{Name: "redo", About: "redo-log transactional memory on words", After: "Mnemosyne",
		Unsound: "a stripe is given back before the log that wrote to it is empty: an older value may be replayed over a newer one"},
	{Name: "fase", About: "failure-atomic sections with an undo log, undone together with those that follow them", After: "Atlas",
		Unsound: "recovery empties the log before what it has undone is flushed: a second power failure keeps half of a section"},
	{Name: "clobber", About: "clobbered inputs logged, operations executed anew", After: "Clobber-NVM",
		Unsound: "the flag of an operation under way is cleared while its stores are still being written back"},
}

// List returns the systems, native first.
func List() []System { return slices.Clone(all) }

// Structures are the data structures, by the name that the programs know.
func Structures() []string {
	return []string{"btree", "counters", "hashmap", "ledger", "queue", "rbtree", "reservation", "server", "skiplist"}
}

// Names returns the names of the guests.
func Names() (names []string) {
	for _, s := range all {
		names = append(names, Prefix+s.Name)
	}
	return names
}

// Guest returns the ELF file of a guest. Errors: an unknown name, with the known ones.
func Guest(name string) ([]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("no guest %q: expected one of %q", name, Names())
	}
	return bin.ReadFile("bin/" + strings.TrimPrefix(name, Prefix))
}
