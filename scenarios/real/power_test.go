package real

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/internal/testrig"
	"zhuque/sim/kernel"
)

// Programs in C, with the header of the runtime, and in Go learn of the power failures
// that they survive.
func TestProgramsAreTold(t *testing.T) {
	native(t)
	for _, c := range []struct {
		source, plan, want string
		build              func(source, out string) *exec.Cmd
	}{
		{"power.c", "after 150000; after 20000", "sum 0x263e1d2dd466f619, failure 2, 0 told elsewhere\n", func(source, out string) *exec.Cmd {
			return exec.Command(testrig.Compiler(t), "-O1", "-static", "-pthread", "-I", "../../runtime", "-o", out, source)
		}},
		{"power.go", "after 700000; after 100000; after 100000", "sum 0xb1ad81593deb5e61, told by power failure\n", func(source, out string) *exec.Cmd {
			cmd := exec.Command("go", "build", "-o", out, source)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
			return cmd
		}},
	} {
		t.Run(c.source, func(t *testing.T) {
			name := c.source
			if name == "power.go" {
				name += ".txt"
			}
			root, source := t.TempDir(), filepath.Join(t.TempDir(), c.source)
			if err := os.WriteFile(source, script(t, name), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := c.build(source, filepath.Join(root, "power"))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
			}
			s := crashinject.DefaultSetup()
			s.Program, s.Root = "/power", root
			plan, err := crashinject.ParsePlan(c.plan)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			o, err := crashinject.Crash(s, plan, kernel.NewConsole(nil, &out, nil))
			if err != nil || o.Point.Verdict != result.Pass || o.Stop.ExitCode() != 0 {
				t.Fatalf("%v, %v %v: %s", err, o.Point.Verdict, o.Stop, o.Point.Reason)
			}
			if out.String() != c.want {
				t.Errorf("it wrote %q, expected %q", out.String(), c.want)
			}
		})
	}
}
