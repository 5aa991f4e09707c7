package sim

import (
	"errors"
	"io"

	"zhuque/sim/imagefile"
	"zhuque/sim/kernel"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// checkpoint is what the Durable is beside its pages.
func (d *Durable) checkpoint(note string) imagefile.Checkpoint {
	c := imagefile.Checkpoint{Note: note, Retired: d.Retired, Outages: d.Outages,
		DirtyShutdowns: d.DirtyShutdowns, PowerCycles: d.PowerCycles}
	if d.world != nil {
		c.Consumed = uint64(d.world.Consumed())
	}
	return c
}

// wholeMemory puts all pages.
func wholeMemory(pmem *mem.Store, files *vfs.Pages) func(*imagefile.Pages) {
	return func(to *imagefile.Pages) {
		pmem.Each(0, 1<<(phys.AddrBits-phys.PageShift), func(f phys.Frame, p *mem.Page) bool {
			to.Put(imagefile.Memory, uint64(f), nil, p)
			return true
		})
		files.Each(func(n uint64, p *mem.Page) { to.Put(imagefile.Files, n, nil, p) })
	}
}

// WriteTo writes the Durable to w, as an image file with one checkpoint. note travels
// with it: what the caller needs to boot it again.
func (d *Durable) WriteTo(w io.Writer, note string) error {
	if d.Started != 0 {
		return errors.New("a process that was started after a power cut: an image has no place for that")
	}
	files := vfs.NewPages(nil)
	tree, err := d.Files.MarshalBeside(files)
	if err != nil {
		return err
	}
	c := d.checkpoint(note)
	return imagefile.Write(w, &c, tree, wholeMemory(d.PMEM, files))
}

// ReadDurable reads what WriteTo or an ImageFile wrote, up to the file tree, for which
// options are needed: see Open. Any damage is *Detected; the SavedImage has the parts of
// the file then, and no more.
func ReadDurable(r io.Reader) (*SavedImage, error) {
	c, err := imagefile.Read(r)
	return saved(c), detectedFile(err)
}

// detectedFile makes the refusal of a file one of the machine.
func detectedFile(err error) error {
	var r *imagefile.Refused
	if errors.As(err, &r) && !r.Foreign { // else nothing was damaged
		return &Detected{Reason: r.Error()}
	}
	return err
}

// SavedImage is a Durable read from a file, before its file tree is opened.
type SavedImage struct {
	*imagefile.Contents
}

func saved(c *imagefile.Contents) *SavedImage {
	if c == nil {
		return nil
	}
	return &SavedImage{c}
}

// ImageFacts is what an image says of itself before its process is looked at.
type ImageFacts struct {
	Checkpoint     uint64 `json:"checkpoint"`   // its number
	Instructions   uint64 `json:"instructions"` // retired since the first start
	PowerCycles    uint64 `json:"power_cycles"`
	DirtyShutdowns uint64 `json:"dirty_shutdowns"`
	PagesPMEM      int64  `json:"pages_pmem"` // 4 KiB pages that hold something
	InputConsumed  uint64 `json:"input_consumed"`
}

// Facts returns what the image says of itself.
func (im *SavedImage) Facts() ImageFacts {
	return ImageFacts{Checkpoint: im.Number, Instructions: im.Retired,
		PowerCycles: im.PowerCycles, DirtyShutdowns: im.DirtyShutdowns,
		PagesPMEM: im.Memory.Touched(), InputConsumed: im.Consumed}
}

// Open gives the image its file tree and console, ready for Boot. Errors: a host
// file that changed, as *Detected.
func (im *SavedImage) Open(cfg *Config) (*Durable, error) {
	fs, err := im.OpenFiles(cfg)
	if err == nil {
		if err = fs.CheckKept(); err != nil {
			err = &Detected{Reason: err.Error()}
		}
	}
	if err != nil {
		return nil, err
	}
	d := &Durable{PMEM: im.Memory, Files: fs, Retired: im.Retired, Uptime: phys.Nanos(im.Retired),
		Outages: im.Outages, DirtyShutdowns: im.DirtyShutdowns, PowerCycles: im.PowerCycles, world: cfg.Console}
	if d.world != nil {
		d.world.Skip(int(im.Consumed))
	}
	return d, nil
}

// OpenFiles opens the image's file tree alone. Errors as those of Open.
func (im *SavedImage) OpenFiles(cfg *Config) (*vfs.FS, error) {
	opt := cfg.Files
	opt.Hooks = kernel.Hooks()
	opt.Domain = cfg.Power.Domain.Detected()
	fs, err := vfs.UnmarshalBeside(opt, im.Tree, im.Files)
	if err != nil {
		return nil, &Detected{Reason: err.Error()}
	}
	return fs, nil
}

// Checkpoint is what a power cut would leave at this instruction, for a machine that
// runs on: unlike PowerCut's, the Durable stays as it is.
func (m *Machine) Checkpoint() (*Durable, CutReport) {
	pmem := m.durable.PMEM.Fork()
	m.port.FlushTLB() // of pointers into pages that both have now
	return m.cut(Cut{}, pmem)
}

// ImageFile is an image file that follows a running machine, checkpoint by checkpoint.
type ImageFile struct {
	*imagefile.File
	last  *mem.Store // memory as the file has it
	files *vfs.Pages
}

// CreateImage makes an image file, in place of another of that name, and gives it its
// first checkpoint; say completes what the Durable does not know. sync makes each step
// wait for the host's medium.
func CreateImage(path string, sync bool, d *Durable, note string, say func(*imagefile.Checkpoint)) (*ImageFile, error) {
	w := &ImageFile{last: d.PMEM, files: vfs.NewPages(nil)}
	tree, err := d.Files.MarshalBeside(w.files)
	if err != nil {
		return nil, err
	}
	c := d.checkpoint(note)
	say(&c)
	w.File, err = imagefile.Create(path, sync, &c, tree, wholeMemory(d.PMEM, w.files))
	return w, err
}

// OpenImage opens an image file to go on with it. It changes nothing. Errors:
// fs.ErrNotExist, *imagefile.InUse, *Detected.
func OpenImage(path string) (*ImageFile, *SavedImage, error) {
	f, c, err := imagefile.Open(path)
	if err != nil {
		return nil, nil, detectedFile(err)
	}
	return &ImageFile{File: f, last: c.Memory.Fork(), files: vfs.NewPages(c.Files)}, saved(c), nil
}

// Append makes a Durable, which the file takes over, the image: as changes to what the
// file holds, or as a whole when these have grown long. After an error the image is as it
// was, and the ImageFile must not be used any more.
func (w *ImageFile) Append(d *Durable, note string, say func(*imagefile.Checkpoint)) error {
	tree, err := d.Files.MarshalBeside(w.files)
	if err != nil {
		return err
	}
	c := d.checkpoint(note)
	say(&c)
	if w.Grown() {
		err = w.Replace(&c, tree, wholeMemory(d.PMEM, w.files))
	} else {
		c.Note = "" // the complete checkpoint has it
		err = w.File.Append(&c, tree, func(to *imagefile.Pages) {
			mem.Diff(w.last, d.PMEM, 0, 1<<(phys.AddrBits-phys.PageShift), func(f phys.Frame, was, is *mem.Page) bool {
				to.Put(imagefile.Memory, uint64(f), was, is)
				return true
			})
			w.files.Changes(func(n uint64, p *mem.Page) {
				if p == nil {
					to.Put(imagefile.Files, n, &mem.Page{}, nil)
				} else {
					to.Put(imagefile.Files, n, nil, p)
				}
			})
		})
	}
	w.last = d.PMEM
	return err
}
