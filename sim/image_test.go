package sim_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zhuque/internal/testrig"
	"zhuque/sim"
	"zhuque/sim/det"
	"zhuque/sim/imagefile"
)

// childImage names, in the environment of a second process, the image to boot.
const childImage = "SIM_TEST_IMAGE"

// image cuts a guest after n instructions and returns the image file.
func image(t testing.TB, cfg *sim.Config, n uint64, note string) []byte {
	t.Helper()
	m := start(t, cfg)
	to(t, m, n)
	d, _ := m.PowerCut(sim.Cut{})
	defer d.Release()
	var file bytes.Buffer
	if err := d.WriteTo(&file, note); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// resume reads an image and starts it again.
func resume(t testing.TB, cfg *sim.Config, file []byte) (*sim.Machine, error) {
	saved, err := sim.ReadDurable(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	d, err := saved.Open(cfg)
	if err != nil {
		return nil, err
	}
	return sim.Boot(d, cfg, runtimeOf(t, cfg), sim.BootOptions{})
}

// Another process, which has seen nothing but the image file, goes on where this
// one lost power, and ends alike.
func TestAnotherProcessContinues(t *testing.T) {
	if file := os.Getenv(childImage); file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		saved, err := sim.ReadDurable(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		var guest, root string
		var cores int
		if _, err := fmt.Sscan(saved.Note, &guest, &root, &cores); err != nil {
			t.Fatal(err)
		}
		cfg := onCores(t, guest, cores)
		cfg.Files.Root = root
		m, err := resume(t, cfg, data)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("resumed at %d\nends: %s\n", m.Retired(), ends(t, m))
		return
	}
	for _, c := range []struct {
		guest string
		n     uint64
		cores int
	}{{"files", 300_001, 1}, {"upper", 100, 1}, {"signals", 31_000, 1}, {"maps", 600_007, 1}, {"fpu", 400_000, 1}, {"threads", 21_111, 2}, {"threads", 23_456, 4}} {
		guest, n := c.guest, c.n
		cfg := onCores(t, guest, c.cores)
		plain := start(t, cfg)
		to(t, plain, n)
		before, _ := plain.Output()
		skip := len(before)
		stop := plain.Run()
		out, _ := plain.Output()
		file := filepath.Join(t.TempDir(), "image")
		again := onCores(t, guest, c.cores)
		again.Files.Root = cfg.Files.Root
		if err := os.WriteFile(file, image(t, again, n, fmt.Sprint(guest, " ", cfg.Files.Root, " ", c.cores)),
			0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestAnotherProcessContinues$", "-test.count=1")
		cmd.Env = append(os.Environ(), childImage+"="+file)
		got, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: second process: %v\n%s", guest, err, got)
		}
		for _, want := range []string{
			fmt.Sprintf("resumed at %d\n", n),
			fmt.Sprintf("ends: %v %d instructions, ", stop, plain.Retired()),
			fmt.Sprintf("output %q", out[skip:]), // the new console begins empty
		} {
			if !strings.Contains(string(got), want) {
				t.Errorf("%s: the second process says\n%.600s\nwithout\n%s", guest, got, want)
			}
		}
	}
}

// In the same process the resumed machine is the same in every respect.
func TestImageFileHoldsAll(t *testing.T) {
	for _, guest := range []string{"files", "signals", "tls"} {
		cfg := testrig.Config(t, guest)
		file := image(t, cfg, 20_000, "a note")
		if !bytes.Equal(file, image(t, cfg, 20_000, "a note")) {
			t.Errorf("%s: two images of one machine differ", guest)
		}
		saved, err := sim.ReadDurable(bytes.NewReader(file))
		if err != nil || saved.Note != "a note" {
			t.Fatalf("%s: %+v, %v", guest, saved, err)
		}
		direct := start(t, cfg)
		to(t, direct, 20_000)
		d, _ := direct.PowerCut(sim.Cut{})
		a := boot(t, d, cfg)
		b, err := resume(t, cfg, file)
		if err != nil {
			t.Fatal(err)
		}
		if x, y := a.Digest(), b.Digest(); x != y {
			t.Errorf("%s: from the file %s, from memory %s", guest, y, x)
		}
	}
}

// A damaged image file is refused with a reason: a bit flipped anywhere, an end
// missing anywhere, something too much.
func TestDamagedImageFilesAreRefused(t *testing.T) {
	cfg := testrig.Config(t, "hello")
	file := image(t, cfg, 20, "note")
	if m, err := resume(t, cfg, file); err != nil || m.Retired() != 20 {
		t.Fatalf("the undamaged image: %v", err)
	}
	r := det.Stream(1, "damage")
	try := func(what string, damaged []byte) {
		t.Helper()
		if _, err := resume(t, cfg, damaged); detected(err) == "" {
			t.Errorf("%s of %d bytes: resumed or stopped with %v", what, len(file), err)
		}
	}
	for i := range fileHead * 8 {
		try(fmt.Sprintf("bit %d flipped", i), flip(file, i))
	}
	for range 600 {
		i := int(r.Uint64N(uint64(len(file) * 8)))
		try(fmt.Sprintf("bit %d flipped", i), flip(file, i))
	}
	for i := len(file) - 64; i < len(file); i++ {
		try(fmt.Sprintf("cut off after byte %d", i), file[:i])
		try(fmt.Sprintf("byte %d flipped", i), flip(file, 8*i+int(r.Uint64N(8))))
	}
	for range 200 {
		i := int(r.Uint64N(uint64(len(file))))
		try(fmt.Sprintf("cut off after byte %d", i), file[:i])
	}
	try("a byte more", append(bytes.Clone(file), 0))
	try("twice", append(bytes.Clone(file), file...))
	try("nothing", nil)
}

// A machine with too little memory for a process refuses its image; one with just enough
// does not.
func TestTooLittleMemory(t *testing.T) {
	cfg := testrig.Config(t, "footprint")
	cfg.Args = append(cfg.Args, "4")
	file := image(t, cfg, 20_000, "")
	small := *cfg
	small.PMEMSize = 4 << 20
	_, err := resume(t, &small, file)
	if why := detected(err); !strings.Contains(why, "pages, the persistent memory of this machine has room for 1024") {
		t.Errorf("4 MiB of memory and a stack in a machine of 4 MiB: %v", err)
	}
	small.PMEMSize = 5 << 20
	if m, err := resume(t, &small, file); err != nil {
		t.Error(err)
	} else if stop := m.Run(); stop.ExitCode() != 0 {
		t.Error(stop)
	}
}

func flip(b []byte, bit int) []byte {
	c := bytes.Clone(b)
	c[bit/8] ^= 1 << (bit % 8)
	return c
}

// FuzzReadDurable feeds damaged files and, to come past the checksum, damaged
// bodies with a checksum of their own.
func FuzzReadDurable(f *testing.F) {
	cfg := testrig.Config(f, "hello")
	file := image(f, cfg, 20, "note")
	body := file[fileHead:]
	if !bytes.Equal(seal(body), file) {
		f.Fatal("the file is not laid out as documented")
	}
	for _, seed := range [][]byte{file, file[:len(file)/2], file[:60], flip(file, 8*70),
		[]byte("root:x:0:0:root"), []byte("ZHUQUEIM"), []byte("ZHUQUE-IMAGE-1\n")} {
		f.Add(seed, false)
	}
	for _, seed := range [][]byte{body, body[:len(body)-1], body[:100], flip(body, 0),
		flip(body, 8*8), flip(body, 8*60), flip(body, 8*len(body)-9), nil} {
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, sealed bool) {
		file := data
		if sealed {
			file = seal(data)
		}
		m, err := resume(t, cfg, file)
		switch {
		case errors.As(err, new(*imagefile.Refused)): // it is no image at all
		case err != nil && detected(err) == "":
			t.Errorf("neither refused nor resumed: %v", err)
		case err == nil && !sealed && m.Retired() != 20:
			t.Errorf("resumed another machine, at %d", m.Retired())
		}
	})
}

// seal makes an image file with one checkpoint of a body.
func seal(body []byte) []byte {
	word := func(v int) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(v)) }
	check := slices.Concat([]byte("CHECKPT\n"), word(1), word(1), word(len(body)))
	sum := sha256.Sum256(slices.Concat(body, check, make([]byte, sha256.Size)))
	head := slices.Concat([]byte("ZHUQUEIM"), word(2), word(1), word(fileHead+len(body)), word(1), word(0), word(0))
	crc := crc32.Checksum(head, crc32.MakeTable(crc32.Castagnoli))
	return slices.Concat(head, word(int(crc)), check, sum[:], body)
}

// fileHead is what comes before the first checkpoint's body.
const fileHead = 128
