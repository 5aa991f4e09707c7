package sim_test

import (
	"errors"
	"fmt"
	"testing"

	"zhuque/runtime/wpp"
	"zhuque/sim"
)

// runtimeOf returns a fresh runtime for a configuration, nil where it has none.
func runtimeOf(t testing.TB, cfg *sim.Config) sim.Runtime {
	t.Helper()
	if cfg.Memory != sim.Zhuque {
		return nil
	}
	rt, err := wpp.New("")
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

func start(t testing.TB, cfg *sim.Config) *sim.Machine {
	t.Helper()
	m, err := sim.New(cfg, runtimeOf(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func boot(t testing.TB, d *sim.Durable, cfg *sim.Config) *sim.Machine {
	t.Helper()
	m, err := sim.Boot(d, cfg, runtimeOf(t, cfg), sim.BootOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// to runs a machine to n instructions.
func to(t testing.TB, m *sim.Machine, n uint64) {
	t.Helper()
	if stop := m.RunUntil(n); stop.Reason != sim.Reached {
		t.Fatalf("%v after %d instructions, expected to reach %d", stop, m.Retired(), n)
	}
}

// account is all that can be told of a machine, the model's counters aside.
func account(t testing.TB, m *sim.Machine) string {
	t.Helper()
	files, err := m.Durable().Files.Digest()
	if err != nil {
		t.Fatal(err)
	}
	out, errs := m.Output()
	return fmt.Sprintf("%d instructions, %s, kernel %+v, files %s, output %q, %q",
		m.Retired(), m.Digest(), m.Kernel().Objects(), files, out, errs)
}

// ends runs a machine to its end and accounts for it.
func ends(t testing.TB, m *sim.Machine) string {
	t.Helper()
	stop := m.Run()
	if !stop.Ended() {
		t.Fatalf("%v after %d instructions, expected the program to end", stop, m.Retired())
	}
	return fmt.Sprint(stop, " ", account(t, m))
}

// detected returns the reason of a refusal, "" for any other answer.
func detected(err error) string {
	var d *sim.Detected
	if errors.As(err, &d) {
		return d.Reason
	}
	return ""
}
