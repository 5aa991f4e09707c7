package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/sim/det"
)

// reheader changes the header of an image and makes its checksum right.
func reheader(b []byte, change func(b []byte)) {
	change(b)
	binary.LittleEndian.PutUint64(b[56:], uint64(crc32.Checksum(b[:56], crc32.MakeTable(crc32.Castagnoli))))
}

// halfway makes an image of a guest that has run for a while, and returns its bytes and
// the command line that goes on with it.
func halfway(t *testing.T, dir string) (file []byte, line []string) {
	t.Helper()
	line = []string{"run", "--image", "image", "--checkpoint", "20000"}
	zhuque(t, dir, "", append(line, "--max-instructions", "100000", "--", "guest:files")...).want(t,
		result.StatusSimulator, "instruction limit")
	file, err := os.ReadFile(filepath.Join(dir, "image"))
	if err != nil {
		t.Fatal(err)
	}
	return file, append(line, "--", "guest:files")
}

// refuses runs a command line on an image and wants it refused in words, with the image
// as it was and nothing else left in the folder.
func refuses(t *testing.T, dir string, file []byte, what string, status int, says string, line ...string) {
	t.Helper()
	path := filepath.Join(dir, "image")
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	r := zhuque(t, dir, "", line...)
	if r.status != status || !strings.Contains(r.stderr, says) || r.stdout != "" {
		t.Errorf("%s: exit status %d (expected %d), output %.100q, standard error\n%.1000s",
			what, r.status, status, r.stdout, r.stderr)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(after, file) {
		t.Errorf("%s: the image was changed", what)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("%s: %v is left", what, left)
	}
}

// A damaged image is refused by everything that reads one. (That every bit matters is
// tested where the format is: sim/imagefile.)
func TestDamagedImageIsRefused(t *testing.T) {
	dir := t.TempDir()
	file, line := halfway(t, dir)
	seed := uint64(1)
	r := det.Stream(seed, "image damage")
	flip := func(bit int) []byte {
		b := bytes.Clone(file)
		b[bit/8] ^= 1 << (bit % 8)
		return b
	}
	version := func(v byte) []byte {
		b := bytes.Clone(file)
		reheader(b, func(b []byte) { b[8] = v })
		return b
	}
	cases := map[string]struct {
		file []byte
		says string
	}{
		"empty":            {nil, "it is empty"},
		"header only":      {file[:64], "ends early"},
		"in the header":    {file[:40], "ends after 40 bytes"},
		"in a checkpoint":  {file[:len(file)/2], "ends early"},
		"a byte short":     {file[:len(file)-1], "ends early"},
		"header flipped":   {flip(8*24 + 3), "header is damaged"},
		"body flipped":     {flip(8*64*3 + 5), "checkpoint 1"},
		"older":            {version(1), "older version 1"},
		"oldest":           {[]byte("ZHUQUE-IMAGE-1\n and a body that nobody reads any more"), "older version 1"},
		"newer":            {version(3), "newer version 3"},
		"something behind": {append(bytes.Clone(file), "more"...), "something follows its end"},
	}
	for i := range 6 {
		bit := int(r.Uint64N(uint64(8 * len(file))))
		cases[fmt.Sprintf("sample %d of seed %d: bit %d flipped", i, seed, bit)] = struct {
			file []byte
			says string
		}{flip(bit), "image refused"}
	}
	for what, c := range cases {
		refuses(t, dir, c.file, "run --image, "+what, result.StatusSimulator, c.says, line...)
		refuses(t, dir, c.file, "resume, "+what, 11, c.says, "resume", "image")
		refuses(t, dir, c.file, "image --verify, "+what, 11, c.says, "image", "--verify", "image")
	}
	// What never was an image is bad input: nothing was detected.
	for what, other := range map[string][]byte{"text": bytes.Repeat([]byte("text "), 100),
		"a few bytes": []byte("root:x"), "zeros": make([]byte, 1000)} {
		refuses(t, dir, other, "resume, "+what, 2, "no image file", "resume", "image")
		refuses(t, dir, other, "image --verify, "+what, 2, "no image file", "image", "--verify", "image")
		refuses(t, dir, other, "image, "+what, 2, "no image file", "image", "image")
	}
	if err := os.WriteFile(filepath.Join(dir, "image"), file, 0o644); err != nil {
		t.Fatal(err)
	}
	zhuque(t, dir, "", "image", "--verify", "image").want(t, 0)
	zhuque(t, dir, "", line...).want(t, 0, "resumed from image at instruction 100000")
}

// An image goes on under the settings that it was made with, and no others.
func TestImageOfAnotherRunIsRefused(t *testing.T) {
	dir := t.TempDir()
	file, line := halfway(t, dir)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	head := line[:len(line)-2]
	for says, more := range map[string][]string{
		"its program is guest:files, here it is guest:tls":    {"--", "guest:tls"},
		"its arguments is [], here it is [\"x\"]":             {"--", "guest:files", "x"},
		"its setting cpu is \"v2\", here it is \"v3\"":        {"--cpu", "v3", "--", "guest:files"},
		"its setting cores is \"1\"":                          {"--cores", "2", "--", "guest:files"},
		"its setting pmem-size is \"4096\", here it is \"8\"": {"--pmem-size", "8", "--", "guest:files"},
		"its environment is":                                  {"--env", "A=B", "--", "guest:files"},
		"expected zhuque":                                     {"--memory", "native", "--", "guest:files"},
		"its setting domain is \"eadr\", here it is \"adr\"":  {"--domain", "adr", "--", "guest:files"},
		"address already in use":                              {"--publish", busy.Addr().String() + ":80", "--", "guest:files"},
		"expected a number of instructions above zero":        {"--checkpoint", "0", "--", "guest:files"},
	} {
		refuses(t, dir, file, says, result.StatusSimulator, says, append(append([]string(nil), head...), more...)...)
	}
	// Nothing is made where the program cannot start.
	zhuque(t, dir, "", "run", "--image", "new", "--", "guest:none").want(t, result.StatusNotFound)
	zhuque(t, dir, "", "run", "--image", "no/such/folder/new", "--",
		"guest:hello").want(t, result.StatusSimulator, "no such file or directory")
	zhuque(t, dir, "", "run", "--image", "new", "--domain", "adr", "--",
		"guest:hello").want(t, result.StatusSimulator, "no restart would accept its image")
	zhuque(t, dir, "", "run", "--image", "new", "--energy", "1", "--",
		"guest:hello").want(t, result.StatusSimulator, "no restart would accept its image")
	flushes := []string{"run", "--image", "adr", "--domain", "adr", "--flush", "power-fail", "--max-instructions"}
	zhuque(t, dir, "", append(flushes, "20", "--", "guest:hello")...).want(t, result.StatusSimulator, "instruction limit")
	zhuque(t, dir, "", append(flushes, "100", "--", "guest:hello")...).want(t, 0, "resumed from adr")
	zhuque(t, dir, "", "run", "--image", dir, "--", "guest:hello").want(t, result.StatusSimulator)
	zhuque(t, dir, "", "run", "--fsync", "--", "guest:hello").want(t, result.StatusSimulator, "expected --image FILE")
	if _, err := os.Stat(filepath.Join(dir, "new")); err == nil {
		t.Error("an image was made for a program that cannot start")
	}
}

// A file that the process had mapped or open must be there and be the same.
func TestChangedHostFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	place := func(name string, data []byte, mode os.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), data, mode); err != nil {
			t.Fatal(err)
		}
	}
	// Opens /data and loops for ever: the program is mapped, the file is open.
	loops := program(cat([]byte{0xb8, 2, 0, 0, 0}, leaRDI, []byte{0x31, 0xf6, 0x31, 0xd2, 0x0f, 0x05}, forever), "/data")
	build := func() {
		t.Helper()
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		place("loops", loops, 0o755)
		place("data", []byte("what it reads"), 0o644)
	}
	build()
	line := []string{"run", "--root", "root", "--image", "image", "--max-instructions", "1000", "--", "/loops"}
	zhuque(t, dir, "", line...).want(t, result.StatusSimulator, "instruction limit")
	file, err := os.ReadFile(filepath.Join(dir, "image"))
	if err != nil {
		t.Fatal(err)
	}
	line[6] = "2000"
	for what, c := range map[string]struct {
		change func()
		says   string
	}{
		"mapped, changed": {func() { place("loops", append(bytes.Clone(loops[:len(loops)-2]), "x\x00"...), 0o755) }, "/loops changed under the guest: its content is another"},
		"mapped, missing": {func() { os.Remove(filepath.Join(root, "loops")) }, "/loops changed under the guest: it is no longer there"},
		"open, changed":   {func() { place("data", []byte("What it reads"), 0o644) }, "/data changed under the guest: its content is another"},
		"open, longer":    {func() { place("data", []byte("what it reads, and more"), 0o644) }, "/data changed under the guest: its size is another"},
		"open, missing":   {func() { os.Remove(filepath.Join(root, "data")) }, "/data changed under the guest: it is no longer there"},
	} {
		build()
		c.change()
		refuses(t, dir, file, what, result.StatusSimulator, c.says, line...)
		refuses(t, dir, file, what, 11, c.says, "resume", "image")
	}
	build()
	zhuque(t, dir, "", line...).want(t, result.StatusSimulator, "resumed from image at instruction 1000")
}

// The verb image explains an image part by part, and names damage in the tables, which the
// checksums of the file do not cover.
func TestImageIsExplained(t *testing.T) {
	dir := t.TempDir()
	zhuque(t, dir, "", "crash", "--at", "20000", "--save", "image", "--", "guest:threads").want(t, 0)
	r := zhuque(t, dir, "", "image", "image").want(t, 0)
	for _, says := range []string{`program "guest:threads"`, "superblock: version", "committed call: 2",
		"record table: 2", " cells free", "thread 1001 was in user mode", "save area of thread 1004: rip 0x",
		"mapping        0x400000-0x402000 r-x file at dram:", "record  descriptor 4 of process 1000", "record  action 10 of process 1000", "records       5  thread", "memory of the process ends at pmem:", "instructions 20000\n"} {
		if !strings.Contains(r.stdout, says) {
			t.Errorf("it does not say %q:\n%s", says, r.stdout)
		}
	}
	if all := zhuque(t, dir, "", "image", "--all", "image").want(t, 0).stdout; !strings.Contains(all, "record  system") ||
		!strings.Contains(all, "thread 1000 {") {
		t.Errorf("--all shows\n%s", all)
	}
	var info struct {
		Instructions uint64
		Memory       struct {
			Records map[string]int
			Threads []any
		}
		Damage []string
	}
	if err := json.Unmarshal([]byte(zhuque(t, dir, "", "image", "--format", "json", "image").want(t, 0).stdout),
		&info); err != nil {
		t.Fatal(err)
	}
	if info.Instructions != 20000 || info.Memory.Records["thread"] != 5 ||
		len(info.Memory.Threads) != 5 || info.Damage == nil || len(info.Damage) != 0 {
		t.Errorf("as JSON: %+v", info)
	}
	// An image that the energy was too small for is whole as a file.
	zhuque(t, dir, "", "crash", "--at", "20000", "--energy", "1", "--save", "dead", "--", "guest:threads")
	if _, err := os.Stat(filepath.Join(dir, "dead")); err != nil {
		t.Fatal(err)
	}
	zhuque(t, dir, "", "image", "--verify", "dead").want(t, 11, "the process was not live yet")
}
