package kernel

import (
	"errors"
	"fmt"
	"io"
	"path"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/loader"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

const (
	stackSize  = 8 << 20
	pieBase    = 0x5555_5555_4000
	maxArgs    = stackSize / 4 // bytes of arguments and environment
	maxArg     = 32 * phys.PageSize
	maxScripts = 4 // interpreters of interpreters

	kernelRelease = "6.1.0-zhuque"
	kernelVersion = "#1 SMP PREEMPT_DYNAMIC"
)

// Types of the auxiliary vector.
const (
	atNull   = 0
	atPhdr   = 3
	atPhent  = 4
	atPhnum  = 5
	atPagesz = 6
	atBase   = 7
	atFlags  = 8
	atEntry  = 9
	atUID    = 11
	atEUID   = 12
	atGID    = 13
	atEGID   = 14
	atPlat   = 15
	atHwcap  = 16
	atClktck = 17
	atSecure = 23
	atRand   = 25
	atHwcap2 = 26

	hwcap2FSGSBase = 1 << 1 // RDFSBASE and its like may be used
	atExecfn       = 31
)

// NotFound says that a program to be started is not there: the user's error.
type NotFound struct {
	Path string
	Err  errno.Errno
}

func (e *NotFound) Error() string {
	return fmt.Sprintf("program %s: %v", e.Path, e.Err)
}

func (e *NotFound) Unwrap() error { return e.Err }

// program is an executable that was found.
type program struct {
	path string
	node vfs.NodeID
	img  *loader.Image
	bias uint64

	secure bool // AT_SECURE
}

// nodeReader reads a file of the tree.
type nodeReader struct {
	fs *vfs.FS
	id vfs.NodeID
}

func (r nodeReader) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := r.fs.ReadAt(r.id, p[done:], off+int64(done))
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}

// find opens and parses an executable.
func (k *Kernel) find(name string) (*program, error) {
	id, err := k.FS.Walk(k.proc.cwd, name, true)
	var e errno.Errno
	if errors.As(err, &e) {
		return nil, &NotFound{name, e}
	}
	if err != nil {
		return nil, err
	}
	if task, num, ok := k.FS.FDLink(id); ok {
		d := k.descAt(task, num)
		switch {
		case d == nil:
			return nil, &NotFound{name, errno.ENOENT}
		case d.node == 0:
			return nil, &loader.NotExecutable{Path: name, Reason: "it is no regular file"}
		}
		id = d.node
	}
	st, err := k.FS.Stat(id)
	switch {
	case err != nil:
		return nil, err
	case st.Dir():
		return nil, &loader.NotExecutable{Path: name, Reason: "it is a directory"}
	case !st.Regular():
		return nil, &loader.NotExecutable{Path: name, Reason: "it is no regular file"}
	case st.Mode&0o111 == 0:
		return nil,
			&loader.NotExecutable{Path: name, Reason: fmt.Sprintf("nobody may execute it (mode %#o)", st.Mode&vfs.ModePerm)}
	}
	if k.FS.Permit(id, vfs.MayExec) != nil {
		return nil, &loader.NotExecutable{Path: name,
			Reason: fmt.Sprintf("the program's user may not execute it (mode %#o)", st.Mode&vfs.ModePerm)}
	}
	img, err := loader.Parse(nodeReader{k.FS, id}, st.Size)
	var ne *loader.NotExecutable
	if errors.As(err, &ne) {
		ne.Path = name
	}
	if err != nil {
		return nil, err
	}
	return &program{path: name, node: id, img: img}, nil
}

// Exec loads a program into the empty address space and sets c up to start it.
// Errors are *NotFound, *loader.NotExecutable, errno.E2BIG, or what the host gave.
func (k *Kernel) Exec(c *x86.CPU, name string, args, env []string) error {
	k.enter(c)
	return k.start(c, name, args, env)
}

// start is Exec for the current process.
func (k *Kernel) start(c *x86.CPU, name string, args, env []string) error {
	if k.MM.Len() != 0 {
		panic("BUG: Exec into an address space that is in use")
	}
	p, err := k.find(name)
	for i := 0; err == nil && p.img.Script != nil; i++ {
		if i == maxScripts {
			return &loader.NotExecutable{Path: name, Reason: "its interpreter is a script of a script of a script"}
		}
		args = scriptArgs(p, args)
		p, err = k.find(p.img.Script.Interp)
	}
	if err != nil {
		return err
	}
	interp := p
	if p.img.Interp != "" {
		if interp, err = k.find(p.img.Interp); err != nil {
			return err
		}
		if interp.img.Script != nil {
			return &loader.NotExecutable{Path: p.img.Interp, Reason: "a script cannot be the program interpreter"}
		}
	}
	if err := k.runAs(p); err != nil {
		return err
	}
	k.FS.Ref(k.proc.cwd)
	k.FS.Ref(p.node)
	k.proc.exe = p.node
	k.thread.comm = [16]byte{}
	copy(k.thread.comm[:15], path.Base(name))
	k.touchProcess(k.proc)
	k.touchThread(k.thread)
	if err := k.load(p, interp); err != nil {
		return err
	}
	sp, err := k.pushStart(c, name, p, interp, args, env)
	if err != nil {
		return err
	}
	s := x86.State{RIP: interp.bias + interp.img.Entry, MXCSR: defaultMXCSR, FPU: x86.X87{CW: defaultFCW}}
	s.R[x86.RSP] = sp
	c.SetState(&s)
	return k.MM.Err()
}

// runAs gives the current thread the identity that its new program runs with.
func (k *Kernel) runAs(p *program) error {
	st, err := k.FS.Stat(p.node)
	if err != nil {
		return err
	}
	t := k.thread
	u, secure := t.who().running(st)
	if t.cred = &u; u.isRoot() {
		t.cred = nil
	}
	k.proc.private = u.user.effective != u.user.real || u.group.effective != u.group.real
	if p.secure = secure; secure {
		t.deathSignal = 0
		t.persona &^= personaClearedOnSetid
	}
	t.persona &^= readImpliesExec
	return nil
}

func scriptArgs(p *program, args []string) []string {
	out := []string{p.img.Script.Interp}
	if p.img.Script.Arg != "" {
		out = append(out, p.img.Script.Arg)
	}
	out = append(out, p.path)
	if len(args) > 1 {
		out = append(out, args[1:]...)
	}
	return out
}

// load maps the program, its interpreter and the stack.
func (k *Kernel) load(p, interp *program) error {
	prot := mm.Read | mm.Write
	if p.img.StackExec {
		prot |= mm.Exec
	}
	if p.img.PIE {
		p.bias = alignUp(pieBase, p.img.Align) - p.img.Low
	}
	if err := k.mapImage(p); err != nil {
		return err
	}
	k.MM.SetBrk(p.bias+p.img.High, p.bias+p.img.High)
	if _, err := k.MM.Map(mm.MapRequest{Addr: mm.TaskSize - stackSize, Length: stackSize,
		Prot: prot, NoReplace: true, Grows: true, Kind: mm.Stack}); err != nil {
		return &loader.NotExecutable{Path: p.path, Reason: "it leaves no room for a stack"}
	}
	if interp == p {
		return nil
	}
	if interp.img.PIE {
		room := interp.img.High - interp.img.Low + interp.img.Align
		at, err := k.MM.Map(mm.MapRequest{Length: room, Kind: mm.Anon})
		if err == nil {
			err = k.MM.Unmap(at, room)
		}
		if err != nil {
			return &loader.NotExecutable{Path: interp.path, Reason: "it does not fit into the address space"}
		}
		interp.bias = alignUp(at, interp.img.Align) - interp.img.Low
	}
	return k.mapImage(interp)
}

// alignUp rounds an address up to a power of two.
func alignUp(n, align uint64) uint64 { return (n + align - 1) &^ (align - 1) }

func (k *Kernel) mapImage(p *program) error {
	for i := range p.img.Segments {
		if err := k.mapSegment(p, &p.img.Segments[i]); err != nil {
			return &loader.NotExecutable{Path: p.path,
				Reason: fmt.Sprintf("its segment at %#x cannot be mapped: %v", p.img.Segments[i].VAddr, err)}
		}
	}
	return nil
}

// mapSegment maps a segment's file part and the zeroes behind it. What shares the
// last file page is zeroed in a copy of the page.
func (k *Kernel) mapSegment(p *program, s *loader.Segment) error {
	prot := mm.Prot(s.Prot)
	start := p.bias + s.VAddr
	fileEnd, end := start+s.FileSize, start+s.MemSize
	lo := start &^ phys.PageMask
	zero := lo // where whole pages of zeroes begin
	if s.FileSize > 0 {
		partial := fileEnd&phys.PageMask != 0 && s.MemSize > s.FileSize
		first := prot
		if partial {
			first |= mm.Write // makes it a copy
		}
		_, err := k.MM.Map(mm.MapRequest{Addr: lo, Length: fileEnd - lo, Prot: first,
			Fixed: true, Kind: mm.File, Node: p.node, Off: s.Off &^ phys.PageMask})
		if err != nil {
			return err
		}
		zero = (fileEnd + phys.PageMask) &^ phys.PageMask
		if partial {
			k.MM.ZeroTail(fileEnd)
		}
		if first != prot {
			if err := k.MM.Protect(lo, zero-lo, prot); err != nil {
				return err
			}
		}
	}
	if end <= zero {
		return nil
	}
	_, err := k.MM.Map(mm.MapRequest{Addr: zero, Length: end - zero, Prot: prot, Fixed: true, Kind: mm.Anon})
	return err
}

// pushStart writes arguments, environment and auxiliary vector to the stack, as
// the ABI says, and returns the stack pointer.
func (k *Kernel) pushStart(c *x86.CPU, name string, p, interp *program, args, env []string) (uint64, error) {
	total := 0
	for _, s := range append(append([]string{name}, args...), env...) {
		total += len(s) + 1 + 8
		if len(s) >= maxArg || total > maxArgs {
			return 0, errno.E2BIG
		}
	}
	sp := mm.TaskSize - 8 // eight zero bytes end the stack
	var err error
	push := func(b []byte) uint64 {
		sp -= uint64(len(b))
		if e := c.Port.WriteBytes(sp, b); e != nil && err == nil {
			err = e
		}
		return sp
	}
	execfn := push(append([]byte(name), 0))
	envp, argv := make([]uint64, len(env)), make([]uint64, len(args))
	for i := len(env) - 1; i >= 0; i-- {
		envp[i] = push(append([]byte(env[i]), 0))
	}
	k.proc.argEnd = sp
	for i := len(args) - 1; i >= 0; i-- {
		argv[i] = push(append([]byte(args[i]), 0))
	}
	k.proc.argStart = sp
	platform := push([]byte("x86_64\x00"))
	random := push(k.atRandom())

	words := append([]uint64{uint64(len(args))}, argv...)
	words = append(append(append(words, 0), envp...), 0)
	words = append(words, minSignalStack(c.Level())...)
	words = append(words, k.auxv(p, interp, execfn, platform, random)...)
	sp = (sp - uint64(8*len(words))) &^ 15
	var b []byte
	for _, w := range words {
		b = le.AppendUint64(b, w)
	}
	if e := c.Port.WriteBytes(sp, b); e != nil && err == nil {
		err = e
	}
	return sp, err
}

func (k *Kernel) auxv(p, interp *program, execfn, platform, random uint64) []uint64 {
	base := uint64(0)
	if interp != p {
		base = interp.bias + interp.img.Low
	}
	phdr := uint64(0)
	if p.img.Phdr.VAddr != 0 {
		phdr = p.bias + p.img.Phdr.VAddr
	}
	u := k.thread.who()
	return []uint64{
		atHwcap, x86.HWCap(), atPagesz, phys.PageSize, atClktck, 100,
		atPhdr, phdr, atPhent, p.img.Phdr.Ent, atPhnum, p.img.Phdr.Num,
		atBase, base, atFlags, 0, atEntry, p.bias + p.img.Entry,
		atUID, uint64(u.user.real), atEUID, uint64(u.user.effective), atGID, uint64(u.group.real), atEGID, uint64(u.group.effective), atSecure, flagWord(p.secure),
		atRand, random, atHwcap2, hwcap2FSGSBase, atExecfn, execfn, atPlat, platform, atNull, 0,
	}
}
