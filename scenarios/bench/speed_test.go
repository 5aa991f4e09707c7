package bench

import (
	"encoding/binary"
	"fmt"
	"testing"

	"zhuque/crashinject"
	"zhuque/sim"
)

// BenchmarkGuest is the cost of a guest instruction in each workload, with the
// cache model and without, in processor time.
func BenchmarkGuest(b *testing.B) {
	for _, w := range Workloads() {
		for _, caches := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/model=%t", w.Name, caches), func(b *testing.B) {
				e := Simulated(caches)
				args := []string{fmt.Sprint(w.Rounds * 2)}
				var instructions uint64
				var seconds float64
				for b.Loop() {
					out, err := e.Run(b.Context(), Process{Program: w.Program, Args: args})
					if err != nil {
						b.Fatal(err)
					}
					instructions += out.Instructions
					seconds += out.Processor.Seconds()
				}
				b.ReportMetric(float64(instructions)/seconds/1e6, "MIPS")
				b.ReportMetric(seconds*1e9/float64(instructions), "ns/instr")
			})
		}
	}
}

// getppid calls getppid without end: mov eax, 110; syscall; jmp back.
var getppid = []byte{0xB8, 110, 0, 0, 0, 0x0F, 0x05, 0xEB, 0xF7}

// BenchmarkSystemCall is the cost of a call that does nothing, with the three
// instructions around it, under the runtime and without, in processor time.
func BenchmarkSystemCall(b *testing.B) {
	for _, memory := range []sim.Memory{sim.Native, sim.Zhuque} {
		for _, caches := range []bool{false, true} {
			b.Run(fmt.Sprintf("memory=%s/model=%t", memory, caches), func(b *testing.B) {
				m := calling(b, memory, caches)
				before := m.Calls()
				const calls = 1000
				n, used := 0, processor()
				for b.Loop() {
					if stop := m.RunUntil(m.Retired() + 3*calls); stop.Reason != sim.Reached {
						b.Fatal(stop)
					}
					n += calls
				}
				if got := m.Calls() - before; got != uint64(n) {
					b.Fatalf("%d calls, expected %d", got, n)
				}
				b.ReportMetric((processor()-used).Seconds()*1e9/float64(n), "ns/call")
			})
		}
	}
}

// calling returns a machine that does nothing but getppid.
func calling(t testing.TB, memory sim.Memory, caches bool) *sim.Machine {
	s := crashinject.DefaultSetup()
	s.Memory = memory
	if !caches {
		s.Model = crashinject.NoModel
	}
	s.Program, s.Guest = crashinject.GuestPrefix+"getppid", func(string) ([]byte, error) { return static(getppid), nil }
	cfg, err := s.Config(nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What each call takes of the host's memory costs more than the call itself.
func TestSystemCallAllocatesNothing(t *testing.T) {
	for _, memory := range []sim.Memory{sim.Native, sim.Zhuque} {
		m := calling(t, memory, true)
		m.RunUntil(300)
		if n := testing.AllocsPerRun(100, func() { m.RunUntil(m.Retired() + 3) }); n != 0 {
			t.Errorf("memory %s: %v allocations a call", memory, n)
		}
	}
}

// static wraps code into the smallest static program.
func static(code []byte) []byte {
	const base, header = 0x400000, 64 + 56
	e := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	le := binary.LittleEndian
	e = le.AppendUint16(e, 2)  // ET_EXEC
	e = le.AppendUint16(e, 62) // EM_X86_64
	e = le.AppendUint32(e, 1)
	e = le.AppendUint64(e, base+header) // entry
	e = le.AppendUint64(e, 64)          // program headers
	e = le.AppendUint64(e, 0)
	e = le.AppendUint32(e, 0)
	for _, v := range []uint16{64, 56, 1, 0, 0, 0} {
		e = le.AppendUint16(e, v)
	}
	e = le.AppendUint32(e, 1) // PT_LOAD
	e = le.AppendUint32(e, 5) // read, execute
	size := uint64(header + len(code))
	for _, v := range []uint64{0, base, base, size, size, 0x1000} {
		e = le.AppendUint64(e, v)
	}
	return append(e, code...)
}
