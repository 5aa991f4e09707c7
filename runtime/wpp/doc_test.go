package wpp

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"zhuque/sim/kernel"
)

// documented reads the tables of the package comment: by heading, the rows by their first
// number.
func documented(t *testing.T) map[string]map[uint64]string {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	tables, title := map[string]map[uint64]string{}, ""
	row := regexp.MustCompile(`^//\t *(0x[0-9a-f_]+|\d+) +(.*)$`)
	for _, line := range strings.Split(string(doc), "\n") {
		if text, ok := strings.CutPrefix(line, "// # "); ok {
			title = text
			tables[title] = map[uint64]string{}
		} else if m := row.FindStringSubmatch(line); m != nil {
			n, err := strconv.ParseUint(m[1], 0, 64)
			if err != nil {
				t.Fatal(err)
			}
			tables[title][n] = m[2]
		}
	}
	return tables
}

// The offsets of the package comment are the code's, all of them.
func TestDocumentedLayout(t *testing.T) {
	type row struct {
		off  uint64
		says string
	}
	code := map[string][]row{
		"The persistent image": {{superblockOff, "superblock"}, {saveOff, "call area"}, {logOff, "redo log"}, {threadOff, fmt.Sprintf("%#x bytes each", threadSize)}, {recordOff, fmt.Sprintf("cells of %#x bytes", cellSize)},
			{ringOff, fmt.Sprintf("rings of %#x bytes", ringSize)}, {dataOff, "process memory"}},
		"Superblock": {{sbMagic, fmt.Sprintf("magic %q", leBytes(magic))}, {sbVersion, fmt.Sprint("version: ", version)}, {sbProgram, "digest of program"}, {sbCores, "cores"}, {sbChecksum, "checksum of the four words"},
			{sbGeneration, "generation: "}, {sbComplete, "completed"}, {sbShutdowns, "dirty-shutdown"}, {sbFailures, "survived"}, {sbCommitted, "took effect, guarded"}, {sbApplied, "in place, guarded"}, {sbCells, "cells of the record table"}},
		"Call area": {{saveMode, fmt.Sprintf("%d: the core that executed was in user mode, %d: in a call; %#x", modeUser, modeKernel, modeCounted)}, {saveCall, "number of the call"},
			{saveChecksum, fmt.Sprintf("%#x, %#x, %#x, %#x, %#x, %#x, %#x", saveMode, saveCall, saveGen, saveReissue, saveThread, saveSlice, saveTurns)}, {saveGen, "interrupted"}, {saveReissue, "issued again"}, {saveThread, "thread"},
			{saveSlice, "left of its turn"}, {saveTurns, "turns"}, {saveEntry, "kernel-entry copy"}, {saveEntry + 8, fmt.Sprintf("number of words that follow: %d", entryWords)}, {saveEntry + 16, "words"}, {saveEntrySum, "checksum"},
			{saveCores, "each core"}, {saveResult, fmt.Sprintf("%d: RAX changed, %d: all registers did, %d: the call is issued again", resultRAX, resultFull, resultAgain)}, {saveResult + 8, "RAX"}, {saveResultSum, "checksum"}},
		"Redo log":  {{logCall, "call"}, {logCount, "number"}, {logChecksum, "checksum"}, {logRecords, "records"}},
		"Save area": {{threadID, "thread"}, {threadSum, "checksum"}, {threadFrame, "frame"}},
		"Frame": {{0, "RAX"}, {16, "RIP"}, {17, "RFLAGS; bit 32"}, {18, "FS base"}, {19, "GS base"}, {20, "selectors"}, {entryWords, "vector"}, {entryWords + 64, "MXCSR"}, {entryWords + 65, "x87 registers"},
			{frameWords - 3, "control word"}, {frameWords - 2, "instruction pointer"}, {frameWords - 1, "data pointer"}},
		"Block of the record table": {{cellHead, fmt.Sprintf("bits 0 to %d: words of payload; %d to 30: cells; 31: in use", cellCountShift-1, cellCountShift)}, {cellKind, "kind << 56 | A"}, {cellB, "B of the key"}, {cellWord0, "payload"}},
	}
	tables := documented(t)
	for title, rows := range code {
		if len(tables[title]) != len(rows) {
			t.Errorf("%s: the comment has %d rows, the code %d", title, len(tables[title]), len(rows))
		}
		for _, r := range rows {
			if got := tables[title][r.off]; !strings.Contains(got, r.says) {
				t.Errorf("%s: at %#x the comment says %q, the code %q", title, r.off, got, r.says)
			}
		}
	}
}

func leBytes(v uint64) (s string) {
	for range 8 {
		s += string(rune(byte(v)))
		v >>= 8
	}
	return s
}

// Each kind of record has its row, with as many words as the records of running guests
// that have nothing in their lists.
func TestDocumentedPayloads(t *testing.T) {
	rows := documented(t)["Payloads"]
	fewest := map[kernel.RecordKind]int{}
	for guestName, at := range map[string]uint64{"pipes": 300_000, "signals": 9000, "processes": 20_000, "threads": 9000} {
		m := guest(t, guestName)
		m.RunUntil(at)
		for _, r := range m.Kernel().Records() {
			if n, seen := fewest[r.Key.Kind]; !seen || len(r.Words) < n {
				fewest[r.Key.Kind] = len(r.Words)
			}
		}
	}
	times := regexp.MustCompile(` ×(\d+)$`)
	for kind := kernel.KindSystem; kind <= kernel.KindMessage; kind++ {
		key, list, _ := strings.Cut(rows[uint64(kind)], ": ")
		if name, _, _ := strings.Cut(key, ","); name != kind.String() {
			t.Errorf("kind %d is %v, the comment says %q", kind, kind, key)
		}
		list, _, _ = strings.Cut(list, ";")
		words := 0
		for _, item := range strings.Split(list, ", ") {
			n := 1
			if m := times.FindStringSubmatch(item); m != nil {
				n, _ = strconv.Atoi(m[1])
			}
			words += n
		}
		if n, seen := fewest[kind]; seen && n != words && kind != kernel.KindSocket {
			t.Errorf("%v: a record has %d words, the row in doc.go names %d: %s", kind, n, words, list)
		} else if !seen && kind != kernel.KindTimer && kind < kernel.KindSocket {
			t.Errorf("%v: no guest has one", kind)
		}
	}
	if next := kernel.KindMessage + 1; !strings.HasPrefix(next.String(), "RecordKind(") {
		t.Errorf("kind %v is not documented", next)
	}
}
