package figures

import (
	"os/exec"
	"strings"
	"testing"

	"zhuque/scenarios/region"
)

// The programs print on the modelled machine what they print on the real one.
func TestPythonPrintsTheSame(t *testing.T) {
	const python = "/usr/bin/python3"
	if _, err := exec.LookPath(python); err != nil {
		t.Skip(err)
	}
	for _, w := range pythonWorkloads {
		text, err := scripts.ReadFile("python/" + w.script + ".py")
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"-I", "-S", "-c", string(text) + "\n\nprint(work(1))\n"}
		want, err := exec.Command(python, args...).Output()
		if err != nil {
			t.Fatalf("%s: %v", w.script, err)
		}
		p := region.Program{Name: python, Args: args, Cores: 1, Operations: 1, Whole: true}
		c, err := p.Measure(setup())
		if err != nil {
			t.Fatalf("%s: %v", w.script, err)
		}
		if c.Prints != string(want) || !strings.HasSuffix(c.Prints, "\n") {
			t.Errorf("%s: prints %q, natively %q", w.script, c.Prints, want)
		}
		if c.Nanos <= 0 || c.CoreNanos < c.Nanos*0.99 {
			t.Errorf("%s: takes %v ns, its core %v", w.script, c.Nanos, c.CoreNanos)
		}
	}
}

// Without a python3 nothing is drawn, and the page says so.
func TestNoPython(t *testing.T) {
	doc, _ := made(t, "python")
	if len(doc.Bars) != 0 || len(doc.Remarks) != 1 || !strings.Contains(doc.Remarks[0], "there is no python3") {
		t.Errorf("drawn %v, said %q", doc.Bars, doc.Remarks)
	}
	if p, _, err := publishedPython(); err != nil || len(p) != 8 {
		t.Errorf("published: %v, %v", p, err)
	}
}
