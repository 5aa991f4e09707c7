package x86

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync"
)

// What the model was compared with, written by the tests that compare and by
// nothing else: TestAgainstHost with -record writes oracle.csv, the test of the
// same flag in package lockstep writes oracle_lockstep.csv. Each line carries
// the digest of its row's definition, so that a row that changed since shows as
// stale.

//go:embed oracle.csv
var oracleCSV string

//go:embed oracle_lockstep.csv
var oracleLockstepCSV string

// Oracles of a form.
const (
	OracleHost     = "host"     // single instructions, on a processor
	OracleLockstep = "lockstep" // whole programs only, on a processor
	OracleUnit     = "unit"     // unit tests only; Form.Reason says why
	OracleStale    = "stale"    // the row changed, or is new, since it was recorded
)

// oracleHead is the first line of oracle.csv. Cases is how many executions of
// single instructions were compared and found the same, Exceptions how many of
// these raised one; Processor is vendor, family, model and stepping.
var oracleHead = []string{"encoding", "mnemonic", "operands",
	"digest", "oracle", "cases", "exceptions", "processor", "reason"}

// lockstepHead is the first line of oracle_lockstep.csv. Executed is how many
// instructions of the form were compared in whole programs.
var lockstepHead = []string{"encoding", "mnemonic", "operands", "digest", "executed"}

// oracleRecord is what oracle.csv says of a row.
type oracleRecord struct {
	enc, name, args, digest string
	oracle                  string
	cases, exceptions       uint64
	processor, reason       string
}

func (r *oracleRecord) key() string { return rowKey(r.enc, r.name, r.args) }

func (r *oracleRecord) fields() []string {
	n := func(v uint64) string { return strconv.FormatUint(v, 10) }
	return []string{r.enc, r.name, r.args, r.digest, r.oracle, n(r.cases), n(r.exceptions), r.processor, r.reason}
}

func rowKey(enc, name, args string) string { return enc + "|" + name + "|" + args }

func (r *Row) key() string { return rowKey(r.Enc, r.Name, r.Args) }

// digest is over all that a row says; its handler is code and no part of it.
func (r *Row) digest() string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q %q %q %q %q %q %q %q %t %t", r.Enc, r.Name, r.Args,
		r.Flags, r.Undef, r.Size, r.Feature, r.Effect, r.Lock, r.Ends)
	return fmt.Sprintf("%016x", h.Sum64())
}

// parseOracle reads oracle.csv, in the order of the file.
func parseOracle(text string) (list []oracleRecord, err error) {
	lines, err := parseTable(text, oracleHead)
	for _, f := range lines {
		r := oracleRecord{enc: f[0], name: f[1], args: f[2], digest: f[3], oracle: f[4], processor: f[7], reason: f[8]}
		if r.cases, err = strconv.ParseUint(f[5], 10, 64); err != nil {
			return nil, err
		}
		if r.exceptions, err = strconv.ParseUint(f[6], 10, 64); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, err
}

// parseLockstep reads oracle_lockstep.csv: instructions executed, by key and digest.
func parseLockstep(text string) (map[string]uint64, error) {
	lines, err := parseTable(text, lockstepHead)
	counts := map[string]uint64{}
	for _, f := range lines {
		n, err := strconv.ParseUint(f[4], 10, 64)
		if err != nil {
			return nil, err
		}
		counts[rowKey(f[0], f[1], f[2])+"|"+f[3]] = n
	}
	return counts, err
}

func parseTable(text string, head []string) ([][]string, error) {
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 || strings.Join(lines[0], ",") != strings.Join(head, ",") {
		return nil, fmt.Errorf("the first line is not %s", strings.Join(head, ","))
	}
	return lines[1:], nil
}

// LockstepTable is the text of oracle_lockstep.csv for instructions executed by
// form, as indices into ISA(). It is for the test that records it.
func LockstepTable(executed []uint64) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(lockstepHead)
	for i := range rows {
		r := &rows[i]
		if n := formIndex[i]; n >= 0 && executed[n] > 0 {
			_ = w.Write([]string{r.Enc, r.Name, r.Args, r.digest(), strconv.FormatUint(executed[n], 10)})
		}
	}
	w.Flush()
	return b.String()
}

// oracles gives what was recorded of a row.
var oracles = sync.OnceValue(func() func(*Row) (oracleRecord, uint64) {
	list, err := parseOracle(oracleCSV)
	if err != nil {
		panic("BUG: oracle.csv: " + err.Error())
	}
	counts, err := parseLockstep(oracleLockstepCSV)
	if err != nil {
		panic("BUG: oracle_lockstep.csv: " + err.Error())
	}
	byKey := map[string]oracleRecord{}
	for _, r := range list {
		byKey[r.key()] = r
	}
	return func(row *Row) (oracleRecord, uint64) {
		r, executed := byKey[row.key()], counts[row.key()+"|"+row.digest()]
		switch {
		case r.digest != row.digest():
			r = oracleRecord{oracle: OracleStale}
		case r.oracle == OracleUnit && executed > 0:
			r.oracle = OracleLockstep
		}
		return r, executed
	}
})
