package sim

import (
	"io"

	"zhuque/sim/kernel"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
	"zhuque/sim/symbols"
)

// Symbols returns what the addresses of a process mean, by its mappings and files as
// they are now. The machine is not changed by questions. cache may serve many machines
// at once; nil remembers nothing.
func (m *Machine) Symbols(p *kernel.Process, cache *symbols.Cache) *symbols.Process {
	tree := guestTree{m.durable.Files}
	s := &symbols.Process{Cache: cache, Files: tree, Memory: peeker(p.MM)}
	for _, v := range p.MM.VMAs() {
		g := symbols.Mapping{Start: v.Start, End: v.End, Off: v.Off, Exec: v.Prot&mm.Exec != 0}
		switch v.Kind {
		case mm.File, mm.Copy:
			g.File = &guestFile{fs: tree.fs, id: v.Node}
			fallthrough
		case mm.Direct: // data that the program changes: it has a name only
			g.Name, _ = tree.fs.Path(v.Node)
		}
		s.Mappings = append(s.Mappings, g)
	}
	return s
}

// Stack returns the stack of a thread, wherever its registers are.
func (m *Machine) Stack(t *kernel.Thread, cache *symbols.Cache) symbols.Stack {
	regs := m.Registers(t)
	return m.Symbols(t.Process(), cache).Unwind(symbols.Registers{R: regs.R, RIP: regs.RIP})
}

// Peek reads the memory of a process without touching it, and returns how many bytes it got.
func (m *Machine) Peek(p *kernel.Process, addr uint64, buf []byte) int {
	return peeker(p.MM)(addr, buf)
}

// peeker reads an address space without touching it.
func peeker(space *mm.Space) func(addr uint64, buf []byte) int {
	return func(addr uint64, buf []byte) (n int) {
		done := 0
		defer undecided(func() { n = done })
		for done < len(buf) {
			va := addr + uint64(done)
			v, ok := space.Find(va)
			if !ok || v.Kind == mm.Direct { // neither code nor a stack, and perhaps not decided after a cut
				return done
			}
			off := va & phys.PageMask
			part := buf[done:min(len(buf), done+int(phys.PageSize-off))]
			if p := space.Page(&v, va); p != nil {
				copy(part, p[off:])
			} else {
				clear(part)
			}
			done += len(part)
		}
		return len(buf)
	}
}

// guestTree opens files of a machine for package symbols.
type guestTree struct{ fs *vfs.FS }

func (t guestTree) Open(path string) symbols.File {
	id, err := t.fs.Walk(vfs.Root, path, true)
	if err != nil {
		return nil
	}
	if st, err := t.fs.Stat(id); err != nil || !st.Regular() {
		return nil
	}
	return &guestFile{fs: t.fs, id: id}
}

// guestFile is a regular file of the guest's.
type guestFile struct {
	fs  *vfs.FS
	id  vfs.NodeID
	key string
}

func (f *guestFile) ReadAt(b []byte, off int64) (n int, err error) {
	defer undecided(func() { n, err = 0, io.ErrUnexpectedEOF })
	return f.fs.ReadAt(f.id, b, off)
}

// undecided calls f when a question about a program touches what a power cut has left
// undecided: to ask decides nothing, and there is no answer.
func undecided(f func()) {
	switch u := recover().(type) {
	case nil:
	case *mem.Undecided:
		f()
	default:
		panic(u)
	}
}

func (f *guestFile) Size() int64 { return f.fs.Size(f.id) }

func (f *guestFile) Key() (key string) {
	defer undecided(func() { key = "" })
	if f.key == "" {
		f.key, _ = f.fs.Identity(f.id) // what cannot be read has no symbols
	}
	return f.key
}
