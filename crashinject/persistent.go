package crashinject

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"zhuque/sim"
	"zhuque/sim/imagefile"
	"zhuque/sim/kernel"
	"zhuque/sim/phys"
)

// Persistent is a run whose machine stands in an image file: the death of this process,
// at any moment and by whatever signal, is a power cut, and the same run again the
// restart. The file is brought up to date in checkpoints, each of which is what a power
// cut would leave at that instruction. Nothing leaves the machine before the checkpoint
// that contains it: output and what is sent to clients wait for it, so that what
// somebody has seen is never taken back.
//
// What was read from standard input counts from its beginning when it is a file or a pipe,
// which the next run must offer again; a terminal goes on.
type Persistent struct {
	Path  string
	Every uint64 // instructions between two checkpoints
	Sync  bool   // survive a failure of the host, too
	// Tell is given sentences for the user.
	Tell func(format string, a ...any)
	// AtRest must end the process: it was asked for (Interrupt), and the machine waits for
	// the host with its image up to date. It is called on any goroutine.
	AtRest func()

	out      [2]*os.File
	terminal [3]bool
	outside  kernel.Outside

	m      *sim.Machine
	file   *sim.ImageFile
	note   string
	ended  sim.Stop // Exited or Killed when the file's program has ended
	next   uint64   // instruction of the next checkpoint
	held   []imagefile.Piece
	bytes  int // held
	before [2]uint64
	broken error // the last checkpoint was not written

	mu      sync.Mutex
	stop    bool // Interrupt was called
	waiting bool // for the host, with the image up to date
}

// DefaultEvery is how many instructions lie between two checkpoints when nobody says.
const DefaultEvery = 20_000_000

// slice is how often the run looks whether something is due, in instructions.
const slice = 1_000_000

// maxHeld is how many bytes of output make a checkpoint due.
const maxHeld = 256 << 10

// Console returns the console of the run, on host streams. terminal tells which of the
// three lead to terminals.
func (p *Persistent) Console(in io.Reader, out, errs *os.File, terminal [3]bool) *kernel.Console {
	p.out, p.terminal = [2]*os.File{out, errs}, terminal
	regular := false
	if f, ok := in.(*os.File); ok {
		st, err := f.Stat()
		regular = err == nil && st.Mode().IsRegular()
	}
	if !regular {
		in = &restingReader{p, in}
	}
	c := kernel.NewConsole(in, holder{p, 0}, holder{p, 1})
	c.SetTerminals(terminal[0], terminal[1], terminal[2])
	return c
}

// holder keeps the output of a stream for the next checkpoint.
type holder struct {
	p      *Persistent
	stream int
}

// Write implements io.Writer.
func (h holder) Write(b []byte) (int, error) {
	h.p.held = append(h.p.held, imagefile.Piece{Stream: h.stream + 1, Data: slices.Clone(b)})
	h.p.bytes += len(b)
	return len(b), h.p.broken
}

// restingReader brings the image up to date before it waits for input.
type restingReader struct {
	p *Persistent
	r io.Reader
}

// Read implements io.Reader.
func (r *restingReader) Read(b []byte) (int, error) {
	r.p.Rest()
	defer r.p.wake()
	if r.p.broken != nil {
		return 0, r.p.broken
	}
	return r.r.Read(b)
}

// Outside returns the way to clients of a run with published ports; o.Wait must call
// p.Rest before it waits.
func (p *Persistent) Outside(o kernel.Outside) kernel.Outside {
	p.outside = o
	return &heldOutside{o, p}
}

// heldOutside keeps what calls send until the next checkpoint.
type heldOutside struct {
	kernel.Outside
	p *Persistent
}

// Release implements kernel.Outside.
func (*heldOutside) Release() {}

// Wait implements kernel.Outside.
func (o *heldOutside) Wait(most phys.Nanos) phys.Nanos {
	defer o.p.wake()
	return o.Outside.Wait(most)
}

// Rest brings the image up to date because the machine is about to wait for the host.
func (p *Persistent) Rest() {
	if p.m != nil && p.broken == nil {
		p.broken = p.checkpoint()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting = p.m != nil && p.broken == nil; p.waiting && p.stop {
		p.AtRest()
	}
}

func (p *Persistent) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = false
}

// Interrupt makes Run return soon, with the image up to date, or calls AtRest.
func (p *Persistent) Interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop = true; p.waiting {
		p.AtRest()
	}
}

func (p *Persistent) interrupted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stop
}

// Retired returns the instructions that the process has behind it.
func (p *Persistent) Retired() uint64 { return p.m.Retired() }

// Machine returns the machine, nil when the program had ended in an earlier run.
func (p *Persistent) Machine() *sim.Machine { return p.m }

// Open starts the program, or boots it from the file when there is one. What the file's
// last checkpoint had to show is shown if it was not. cfg is the setup's configuration
// with p's console. Errors: *sim.Detected for a damaged image or one whose files
// changed, *imagefile.InUse, *OtherRun, what kept the program from starting. The file is
// unchanged then.
func (p *Persistent) Open(setup Setup, cfg *sim.Config) error {
	if setup.Memory != sim.Zhuque {
		return fmt.Errorf("memory %s does not survive a power cut: expected %s", setup.Memory, sim.Zhuque)
	}
	p.note = Case{Setup: setup}.String()
	file, im, err := sim.OpenImage(p.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return p.begin(&setup, cfg)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.Path, err)
	}
	if err := p.goOn(&setup, cfg, file, im); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", p.Path, err), file.Close())
	}
	return nil
}

// begin starts the program.
func (p *Persistent) begin(setup *Setup, cfg *sim.Config) (err error) {
	if p.m, err = setup.Start(cfg); err != nil {
		return err
	}
	p.next = p.Every
	d, rep := p.m.Checkpoint()
	if !rep.Power.Complete || !rep.Power.RegistersSaved {
		return fmt.Errorf("domain %v with this energy: the power-fail sequence does not save the process, and no restart would accept its image", setup.Domain)
	}
	p.file, err = sim.CreateImage(p.Path, p.Sync, d, p.note, p.say)
	return err
}

// goOn boots the process in a file.
func (p *Persistent) goOn(setup *Setup, cfg *sim.Config, file *sim.ImageFile, im *sim.SavedImage) error {
	c, err := ParseNote(im.Note)
	if err != nil {
		return err
	}
	if what := setup.differs(&c.Setup); what != "" {
		return &OtherRun{what}
	}
	p.note, p.file, file.Sync = im.Note, file, p.Sync
	if im.End != imagefile.Running {
		p.ended = sim.Stop{Reason: sim.Exited, Status: int(im.Status)}
		if im.End == imagefile.Killed {
			p.ended.Reason = sim.Killed
		}
		return p.finish(cfg, im)
	}
	if p.terminal[0] {
		im.Consumed = 0
	}
	d, err := im.Open(cfg)
	if err != nil {
		return err
	}
	rt, err := setup.runtime()
	if err != nil {
		return err
	}
	m, err := sim.Boot(d, cfg, rt, sim.BootOptions{})
	if err != nil {
		return err
	}
	m.TellPowerFailure(m.Durable().PowerCycles)
	p.m, p.next = m, m.Retired()+p.Every
	p.Tell("resumed from %s at instruction %d, after power failure %d", p.Path, m.Retired(), m.Durable().PowerCycles)
	return p.reshow(im)
}

// finish does what an earlier run did not do for a program that has ended.
func (p *Persistent) finish(cfg *sim.Config, im *sim.SavedImage) error {
	if err := p.reshow(im); err != nil {
		return err
	}
	if im.Flags&imagefile.Delivered == 0 {
		fs, err := im.OpenFiles(cfg)
		if err != nil {
			return err
		}
		if err := fs.Close(); err != nil {
			return err
		}
	}
	return p.file.Mark(imagefile.Delivered)
}

// reshow shows what of the last checkpoint's output may not have been shown.
func (p *Persistent) reshow(im *sim.SavedImage) error {
	p.before = im.Before
	for _, o := range im.Output {
		p.before[o.Stream-1] += uint64(len(o.Data))
	}
	if im.Flags&imagefile.Shown != 0 {
		return nil
	}
	shown := p.shownOf(im)
	twice := 0
	for _, o := range im.Output {
		data := o.Data
		if n := shown[o.Stream-1]; n != nil {
			skip := min(*n, uint64(len(data)))
			data, *n = data[skip:], *n-skip
		} else {
			twice += len(data)
		}
		if _, err := p.out[o.Stream-1].Write(data); err != nil {
			return err
		}
	}
	if twice > 0 {
		p.Tell("the earlier run may have shown the first %d bytes of output too: it ended before it could say", twice)
	}
	return p.file.Mark(imagefile.Shown)
}

// shownOf returns how many bytes of the last checkpoint's output each stream has shown,
// where that can be told: by the size of the regular file that it leads to still. Streams
// to one file share the number.
func (p *Persistent) shownOf(im *sim.SavedImage) (shown [2]*uint64) {
	var total [2]uint64
	for _, o := range im.Output {
		total[o.Stream-1] += uint64(len(o.Data))
	}
	was, one := im.Sinks, im.Sinks[0] == im.Sinks[1]
	if one {
		total[0] += total[1]
	}
	for i, f := range p.out {
		if one && i == 1 {
			return [2]*uint64{shown[0], shown[0]}
		}
		is := imagefile.SinkOf(f)
		if was[i] != (imagefile.Sink{}) && is.Device == was[i].Device &&
			is.Inode == was[i].Inode && is.Size >= was[i].Size && is.Size-was[i].Size <= total[i] {
			n := is.Size - was[i].Size
			shown[i] = &n
		}
	}
	return shown
}

// OtherRun says that an image belongs to a run with other settings.
type OtherRun struct{ What string }

func (e *OtherRun) Error() string { return "the image belongs to another run: " + e.What }

// Run runs the program to its end, or until Interrupt: then the Stop is Reached. Where the
// machine is stuck, the image stays as it was at the last checkpoint. Errors: those of the
// file and of the host's streams.
func (p *Persistent) Run() (sim.Stop, error) {
	if p.ended.Ended() {
		p.Tell("the program in %s has ended: %v; without the file it starts again", p.Path, p.ended)
		return p.ended, p.file.Close()
	}
	stop, err := p.run()
	if err == nil && stop.Ended() {
		if err = p.m.Close(); err == nil {
			err = p.file.Mark(imagefile.Delivered)
		}
	}
	return stop, errors.Join(err, p.file.Close())
}

func (p *Persistent) run() (stop sim.Stop, err error) {
	for {
		stop = p.m.RunUntil(min(p.next, p.m.Retired()+slice))
		switch {
		case p.broken != nil:
			return stop, p.broken
		case stop.Reason == sim.Stuck:
			if p.bytes > 0 {
				p.Tell("%d bytes of output since the last checkpoint are not shown: they come when the run continues", p.bytes)
			}
			return stop, nil
		case stop.Reason != sim.Reached, p.interrupted():
			return stop, p.checkpoint()
		case p.m.Retired() >= p.next, p.bytes >= maxHeld, p.bytes > 0 && (p.terminal[1] || p.terminal[2]):
			if err := p.checkpoint(); err != nil {
				return stop, err
			}
		}
	}
}

// checkpoint makes the machine as it stands the image, and shows what waits for that.
func (p *Persistent) checkpoint() error {
	d, _ := p.m.Checkpoint()
	if err := p.file.Append(d, p.note, p.say); err != nil {
		return fmt.Errorf("checkpoint in %s: %w", p.Path, err)
	}
	p.next = p.m.Retired() + p.Every
	for _, o := range p.held {
		p.before[o.Stream-1] += uint64(len(o.Data))
		if _, err := p.out[o.Stream-1].Write(o.Data); err != nil {
			return err
		}
	}
	p.held, p.bytes = nil, 0
	if p.outside != nil {
		p.outside.Release()
	}
	return p.file.Mark(imagefile.Shown)
}

// say completes a checkpoint.
func (p *Persistent) say(c *imagefile.Checkpoint) {
	c.Output, c.Before = p.held, p.before
	if len(p.held) > 0 {
		c.Sinks = [2]imagefile.Sink{imagefile.SinkOf(p.out[0]), imagefile.SinkOf(p.out[1])}
	}
	if p.terminal[0] {
		c.Consumed = 0
	}
	switch stop := p.m.Ended(); stop.Reason {
	case sim.Exited:
		c.End, c.Status = imagefile.Exited, uint64(stop.Status)
	case sim.Killed:
		c.End, c.Status = imagefile.Killed, uint64(stop.Status)
	}
}
