package wpp

import (
	"encoding/binary"
	"fmt"
	"slices"

	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// programID identifies what runs: another program's image is refused.
func programID(cfg *sim.Config) uint64 {
	var s sum
	text := func(t string) {
		s.add(uint64(len(t)))
		for i := range len(t) {
			s.add(uint64(t[i]))
		}
	}
	text(cfg.Program)
	for _, a := range cfg.Args {
		text(a)
	}
	return s.value()
}

// Bits of a mapping's flags word; the kind stands in bits 8..15, the protection
// in bits 0..2.
const (
	flagUsed   = 1 << 63
	flagShared = 1 << 16
	flagGrows  = 1 << 17
)

func encodeMapping(v *mm.VMA) [mapSize / 8]uint64 {
	w := [mapSize / 8]uint64{v.Start, v.End, uint64(v.Phys), flagUsed | uint64(v.Prot) | uint64(v.Kind)<<8, uint64(v.Node), v.Off, uint64(v.Seen)}
	if v.Shared {
		w[mapFlags/8] |= flagShared
	}
	if v.Grows {
		w[mapFlags/8] |= flagGrows
	}
	w[mapChecksum/8] = checksum(w[:mapChecksum/8]...)
	return w
}

func decodeMapping(w *[mapSize / 8]uint64) mm.VMA {
	f := w[mapFlags/8]
	return mm.VMA{Start: w[0], End: w[1], Phys: phys.Addr(w[2]), Prot: mm.Prot(f & 7), Kind: mm.Kind(f >> 8),
		Shared: f&flagShared != 0, Grows: f&flagGrows != 0, Node: vfs.NodeID(w[4]), Off: w[5], Seen: phys.Addr(w[6])}
}

// process records what changed in the kernel-resident state.
func (r *Runtime) process(m *sim.Machine, s *kernel.ProcState, d kernel.Dirty, all bool) error {
	fds, pipes := d.FDs, d.Pipes
	if all {
		fds, pipes = nil, nil
		for _, f := range s.FDs {
			fds = append(fds, f.Num)
		}
		for _, p := range s.Pipes {
			pipes = append(pipes, p.ID)
		}
	}
	if err := r.pipeStates(m, pipes); err != nil {
		return err
	}
	if err := r.watchList(m, d.Epolls); err != nil {
		return err
	}
	for _, n := range fds {
		if err := r.descriptor(m, s, n); err != nil {
			return err
		}
	}
	for n := 1; n < kernel.NSIG; n++ {
		if !all && !slices.Contains(d.Signals, n) {
			continue
		}
		for i, w := range encodeAction(s.Sig[n]) {
			r.set(m, signalOff+sigSize*uint64(n-1)+8*uint64(i), w)
		}
	}
	if d.Misc {
		words, err := encodeProcess(s)
		if err != nil {
			return err
		}
		for i, w := range words {
			r.set(m, processOff+8*uint64(i), w)
		}
	}
	return nil
}

func (r *Runtime) descriptor(m *sim.Machine, s *kernel.ProcState, n int) error {
	if n >= maxDescriptors {
		return fmt.Errorf("descriptor %d: the persistent table holds %d", n, maxDescriptors)
	}
	at := descriptorOff + fdSize*uint64(n)
	i, open := slices.BinarySearchFunc(s.FDs, n, func(f kernel.FD, n int) int { return f.Num - n })
	if !open {
		r.set(m, at+fdInfo, 0)
		return nil
	}
	f := s.FDs[i]
	for i, w := range encodeDescriptor(&f) {
		r.set(m, at+8*uint64(i), w)
	}
	r.descriptors = max(r.descriptors, n+1)
	return nil
}

func encodeDescriptor(f *kernel.FD) [fdSize / 8]uint64 {
	w := [fdSize / 8]uint64{fdUsed | uint64(f.Kind), uint64(f.Desc), uint64(f.Node), uint64(f.Offset), uint64(f.OpenFlags), uint64(f.Pipe), uint64(f.Socket)}
	if f.CloExec {
		w[0] |= fdCloExec
	}
	w[fdChecksum/8] = checksum(w[:fdChecksum/8]...)
	return w
}

func decodeDescriptor(n int, w *[fdSize / 8]uint64) kernel.FD {
	return kernel.FD{Num: n, Desc: int(w[1]), Kind: kernel.FDKind(w[0]), Node: vfs.NodeID(w[2]), Offset: int64(w[3]),
		OpenFlags: uint32(w[4]), CloExec: w[0]&fdCloExec != 0, Pipe: int(w[5]), Socket: int(w[6])}
}

func encodeAction(a kernel.Action) [sigSize / 8]uint64 {
	w := [sigSize / 8]uint64{a.Handler, a.Flags, a.Restorer, a.Mask}
	w[sigChecksum/8] = checksum(w[:sigChecksum/8]...)
	return w
}

// maxQueued is how many signals may be pending.
const maxQueued = 32

// encodeProcess lays the process record out; decodeProcess is its inverse.
func encodeProcess(s *kernel.ProcState) ([]uint64, error) {
	if len(s.Pending) > maxQueued {
		return nil, fmt.Errorf("%d pending signals: the persistent record holds %d", len(s.Pending), maxQueued)
	}
	w := []uint64{uint64(s.NextID), s.SigMask, s.AltStack.SP, s.AltStack.Size, uint64(s.AltStack.Flags), s.BrkStart, s.BrkEnd, s.ArgStart, s.ArgEnd,
		uint64(s.Cwd), uint64(s.Exe), uint64(s.Umask), uint64(uint32(s.PID)), uint64(uint32(s.PPID)), uint64(uint32(s.TID)), s.ClearTID,
		s.RobustHead, s.RobustLen, binary.LittleEndian.Uint64(s.Comm[:]), binary.LittleEndian.Uint64(s.Comm[8:]), s.RandPos, uint64(s.Slept)}
	for _, l := range s.Rlimits {
		w = append(w, l[0], l[1])
	}
	w = append(w, uint64(len(s.Pending)))
	for _, q := range s.Pending {
		w = append(w, uint64(q.Signal)|uint64(uint32(q.Code))<<32, q.Value, uint64(uint32(q.PID)), uint64(q.UID))
	}
	return append(w, checksum(w...)), nil
}

// decodeProcess reads the process record through next, which gives its words in order.
func decodeProcess(s *kernel.ProcState, next func() uint64) error {
	var check sum
	word := func() uint64 {
		w := next()
		check.add(w)
		return w
	}
	s.NextID, s.SigMask = int(word()), word()
	s.AltStack = kernel.AltStack{SP: word(), Size: word(), Flags: uint32(word())}
	s.BrkStart, s.BrkEnd, s.ArgStart, s.ArgEnd = word(), word(), word(), word()
	s.Cwd, s.Exe, s.Umask = vfs.NodeID(word()), vfs.NodeID(word()), uint32(word())
	s.PID, s.PPID, s.TID = int32(word()), int32(word()), int32(word())
	s.ClearTID, s.RobustHead, s.RobustLen = word(), word(), word()
	binary.LittleEndian.PutUint64(s.Comm[:], word())
	binary.LittleEndian.PutUint64(s.Comm[8:], word())
	s.RandPos, s.Slept = word(), phys.Nanos(word())
	for i := range s.Rlimits {
		s.Rlimits[i] = [2]uint64{word(), word()}
	}
	n := word()
	if n > maxQueued {
		return fmt.Errorf("process record: %d pending signals, at most %d are possible", n, maxQueued)
	}
	for range n {
		a, v, pid, uid := word(), word(), word(), word()
		s.Pending = append(s.Pending, kernel.Queued{Signal: int(uint32(a)), Code: int32(a >> 32), Value: v, PID: int32(pid), UID: uint32(uid)})
	}
	if next() != check.value() {
		return fmt.Errorf("process record: wrong checksum")
	}
	return nil
}
