package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"zhuque/sim/kernel"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// The file form of a Durable: imageMagic, then a SHA-256 of the rest of the file,
// which is the body compressed with zstd. The body is a sequence of little-endian words and
// length-prefixed byte strings: imageVersion, note, retired, outages, dirty
// shutdowns, power cycles, input consumed, file tree, number of pages, then for
// each page its frame and its bytes.
const (
	imageMagic   = "ZHUQUE-IMAGE-1\n"
	imageVersion = 1
	maxImage     = 64 << 30 // bytes of a file and of a body
)

// WriteTo writes the Durable to w. note travels with it: what the caller needs
// to boot it again.
func (d *Durable) WriteTo(w io.Writer, note string) error {
	var body bytes.Buffer
	word := func(v uint64) { binary.Write(&body, binary.LittleEndian, v) }
	text := func(b []byte) {
		word(uint64(len(b)))
		body.Write(b)
	}
	word(imageVersion)
	text([]byte(note))
	for _, v := range []uint64{d.Retired, uint64(d.Outages), d.DirtyShutdowns, d.PowerCycles} {
		word(v)
	}
	word(uint64(d.consumed()))
	tree, err := d.Files.Marshal()
	if err != nil {
		return err
	}
	text(tree)
	word(uint64(d.PMEM.Touched()))
	d.PMEM.Each(0, 1<<(phys.AddrBits-phys.PageShift), func(f phys.Frame, p *mem.Page) bool {
		word(uint64(f))
		body.Write(p[:])
		return true
	})
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	packed := z.EncodeAll(body.Bytes(), nil)
	sum := sha256.Sum256(packed)
	for _, part := range [][]byte{[]byte(imageMagic), sum[:], packed} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func (d *Durable) consumed() int {
	if d.world == nil {
		return 0
	}
	return d.world.Consumed()
}

// ReadDurable reads what WriteTo wrote, up to the file tree, for which options
// are needed: see Open. Any damage is *Detected.
func ReadDurable(r io.Reader) (*SavedImage, error) {
	head := make([]byte, len(imageMagic)+sha256.Size)
	if _, err := io.ReadFull(r, head); err != nil || string(head[:len(imageMagic)]) != imageMagic {
		return nil, &Detected{Reason: "not an image file: it does not begin with " + imageMagic[:len(imageMagic)-1]}
	}
	packed, err := io.ReadAll(io.LimitReader(r, maxImage))
	if err != nil {
		return nil, &Detected{Reason: "image file cannot be read: " + err.Error()}
	}
	if sum := sha256.Sum256(packed); !bytes.Equal(sum[:], head[len(imageMagic):]) {
		return nil, &Detected{Reason: "image file is damaged: its checksum is wrong"}
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxImage))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	body, err := z.DecodeAll(packed, nil)
	if err != nil {
		return nil, &Detected{Reason: "image file is damaged: " + err.Error()}
	}
	im := &SavedImage{}
	if err := im.parse(body); err != nil {
		return nil, &Detected{Reason: "image file: " + err.Error()}
	}
	return im, nil
}

// SavedImage is a Durable read from a file, before its file tree is opened.
type SavedImage struct {
	Note     string // as given to WriteTo
	Consumed int    // bytes of standard input that the process had read
	half     Durable
	tree     []byte
}

func (im *SavedImage) parse(b []byte) error {
	var short error
	take := func(n uint64) []byte {
		if n > uint64(len(b)) {
			short, n = fmt.Errorf("it ends early"), uint64(len(b))
		}
		p := b[:n]
		b = b[n:]
		return p
	}
	word := func() uint64 {
		p := take(8)
		if len(p) < 8 {
			return 0
		}
		return binary.LittleEndian.Uint64(p)
	}
	if v := word(); v != imageVersion {
		return fmt.Errorf("version %d, this simulator reads version %d", v, imageVersion)
	}
	im.Note = string(take(word()))
	im.half = Durable{Retired: word(), Outages: phys.Nanos(word()), DirtyShutdowns: word(), PowerCycles: word(), PMEM: mem.NewStore()}
	im.Consumed = int(word())
	im.tree = take(word())
	for n := word(); n > 0 && short == nil; n-- {
		f := phys.Frame(word())
		if p := take(phys.PageSize); len(p) == phys.PageSize {
			if f >= 1<<(phys.AddrBits-phys.PageShift) || !f.IsPMEM() {
				return fmt.Errorf("page at frame %#x lies outside persistent memory", uint64(f))
			}
			copy(im.half.PMEM.WritablePage(f)[:], p)
		}
	}
	if short == nil && len(b) != 0 {
		return fmt.Errorf("%d bytes too many", len(b))
	}
	return short
}

// ImageFacts is what an image says of itself before its process is looked at.
type ImageFacts struct {
	Instructions   uint64 `json:"instructions"` // retired since the first start
	PowerCycles    uint64 `json:"power_cycles"`
	DirtyShutdowns uint64 `json:"dirty_shutdowns"`
	PagesPMEM      int64  `json:"pages_pmem"` // 4 KiB pages that hold something
	InputConsumed  int    `json:"input_consumed"`
}

// Facts returns what the image says of itself.
func (im *SavedImage) Facts() ImageFacts {
	return ImageFacts{Instructions: im.half.Retired, PowerCycles: im.half.PowerCycles, DirtyShutdowns: im.half.DirtyShutdowns,
		PagesPMEM: im.half.PMEM.Touched(), InputConsumed: im.Consumed}
}

// Open gives the image its file tree and console, ready for Boot. Errors: a host
// file that changed, as *Detected.
func (im *SavedImage) Open(cfg *Config) (*Durable, error) {
	opt := cfg.Files
	opt.Hooks = kernel.Hooks()
	opt.Domain = cfg.Power.Domain.Detected()
	fs, err := vfs.Unmarshal(opt, im.tree)
	if err != nil {
		return nil, &Detected{Reason: err.Error()}
	}
	d := im.half
	d.Files, d.world = fs, cfg.Console
	if d.world != nil {
		d.world.Skip(im.Consumed)
	}
	return &d, nil
}
