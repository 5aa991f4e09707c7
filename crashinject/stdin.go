package crashinject

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	fuzz "github.com/google/gofuzz"

	"zhuque/sim/det"
)

// edit is one change of a list of lines; every value of it is one.
type edit struct {
	Op       uint8
	At, From uint16
	Word     uint8
	By       int8
}

// edits is how many kinds of edits there are.
const edits = 6

// FuzzLines returns the n-th variation of an example of standard input, 0 the example
// itself: lines repeated, dropped, moved or copied, words of one line put into another at
// the same place, numbers changed. Same seed, same variation.
func FuzzLines(example []byte, seed uint64, n int) []byte {
	if n == 0 || len(example) == 0 {
		return example
	}
	lines := strings.Split(strings.TrimSuffix(string(example), "\n"), "\n")
	pool := slices.Clone(lines) // what is taken stays what the example has
	most := 2*len(lines) + 8
	var list []edit
	stream := det.Stream(seed, fmt.Sprintf("standard input %d", n))
	fuzz.NewWithSeed(int64(stream.Uint64()>>1)).NilChance(0).NumElements(1, min(len(lines), 64)+2).Fuzz(&list)
	for _, e := range list {
		lines = e.apply(lines, pool, most)
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

func (e *edit) apply(lines, pool []string, most int) []string {
	from := pool[int(e.From)%len(pool)]
	if len(lines) == 0 {
		return append(lines, from)
	}
	at := int(e.At) % len(lines)
	switch e.Op % edits {
	case 0: // another line of the example comes in
		if len(lines) < most {
			return slices.Insert(lines, at, from)
		}
	case 1: // twice
		if len(lines) < most {
			return slices.Insert(lines, at, lines[at])
		}
	case 2:
		return slices.Delete(lines, at, at+1)
	case 3: // two lines change places
		other := int(e.From) % len(lines)
		lines[at], lines[other] = lines[other], lines[at]
	case 4: // a word of another line
		words, others := strings.Split(lines[at], " "), strings.Split(from, " ")
		if i := int(e.Word) % len(words); i < len(others) {
			words[i] = others[i]
			lines[at] = strings.Join(words, " ")
		}
	case 5: // another number
		words := strings.Split(lines[at], " ")
		i := int(e.Word) % len(words)
		if v, err := strconv.ParseInt(words[i], 10, 64); err == nil {
			words[i] = strconv.FormatInt(v+int64(e.By), 10)
			lines[at] = strings.Join(words, " ")
		}
	}
	return lines
}
