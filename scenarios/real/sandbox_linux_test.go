package real

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// sandboxEnv makes this test binary enter a tree and become a program of it: a
// native run that sees the file tree that the guest sees, and nothing else.
const sandboxEnv = "ZHUQUE_REAL_SANDBOX"

// sandbox is what such a run needs, as JSON in sandboxEnv.
type sandbox struct {
	Root, Dir string
	Args, Env []string
}

func TestMain(m *testing.M) {
	if text := os.Getenv(sandboxEnv); text != "" {
		var s sandbox
		err := json.Unmarshal([]byte(text), &s)
		if err == nil {
			err = s.enter()
		}
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(125)
	}
	os.Exit(m.Run())
}

// Capabilities of capabilities(7) that programs in the machine have not.
var machineWithout = []uintptr{12 /* CAP_NET_ADMIN */, 13 /* CAP_NET_RAW */, 21 /* CAP_SYS_ADMIN */}

// confine leaves the program one processor, as the machine has, and not the
// capabilities that it has not.
func confine() error {
	const prCapbsetDrop = 24
	mask := [16]uint64{}
	if _, _, e := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask))); e != 0 {
		return fmt.Errorf("sched_getaffinity: %w", e)
	}
	for i := range mask {
		if mask[i] != 0 {
			one := [16]uint64{}
			one[i] = mask[i] & -mask[i]
			mask = one
		}
	}
	if _, _, e := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask))); e != 0 {
		return fmt.Errorf("sched_setaffinity: %w", e)
	}
	for _, c := range machineWithout {
		if _, _, e := syscall.RawSyscall(syscall.SYS_PRCTL, prCapbsetDrop, c, 0); e != 0 {
			return fmt.Errorf("dropping capability %d: %w", c, e)
		}
	}
	return nil
}

// enter replaces this process by the program. It has a mount namespace of its own,
// in which /tmp is empty, /proc is the host's and /dev has the devices that every
// program may expect.
func (s *sandbox) enter() error {
	mount := func(source, target, kind string, flags uintptr) error {
		if err := syscall.Mount(source, target, kind, flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", target, err)
		}
		return nil
	}
	if err := mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE); err != nil {
		return err
	}
	for _, dir := range []string{"dev", "tmp"} {
		if err := mount("sandbox", filepath.Join(s.Root, dir), "tmpfs", 0); err != nil {
			return err
		}
	}
	if err := mount("/proc", filepath.Join(s.Root, "proc"), "", syscall.MS_BIND|syscall.MS_REC); err != nil {
		return err
	}
	for minor, name := range map[int]string{3: "null", 5: "zero", 7: "full", 8: "random", 9: "urandom"} {
		at := filepath.Join(s.Root, "dev", name)
		// Root makes them itself, for every user of the sandbox: the host's may be root's alone.
		if syscall.Mknod(at, syscall.S_IFCHR|0o666, 1<<8|minor) == nil {
			if err := os.Chmod(at, 0o666); err != nil {
				return err
			}
			continue
		}
		if err := os.WriteFile(at, nil, 0o666); err != nil {
			return err
		}
		if err := mount("/dev/"+name, at, "", syscall.MS_BIND); err != nil {
			return err
		}
	}
	if err := os.Symlink("/proc/self/fd", filepath.Join(s.Root, "dev", "fd")); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(s.Root, "dev", "shm"), 0o777); err != nil {
		return err
	}
	for _, dir := range []string{"tmp", "dev/shm"} { // whatever the umask is
		if err := os.Chmod(filepath.Join(s.Root, dir), 0o777|os.ModeSticky); err != nil {
			return err
		}
	}
	if err := s.terminals(); err != nil {
		return err
	}
	syscall.Umask(0o022)
	if err := syscall.Chroot(s.Root); err != nil {
		return err
	}
	if err := syscall.Chdir(s.Dir); err != nil {
		return err
	}
	runtime.LockOSThread() // they are properties of the thread
	if err := confine(); err != nil {
		return err
	}
	return fmt.Errorf("execve %s: %w", s.Args[0], syscall.Exec(s.Args[0], s.Args, s.Env))
}

// terminals gives the sandbox pseudoterminals of its own, from number 0 on.
func (s *sandbox) terminals() error {
	dev := filepath.Join(s.Root, "dev")
	if err := os.Mkdir(filepath.Join(dev, "pts"), 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("devpts", filepath.Join(dev, "pts"), "devpts", 0, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return fmt.Errorf("mount devpts: %w", err)
	}
	return os.Symlink("pts/ptmx", filepath.Join(dev, "ptmx"))
}

// command is the process that enters the sandbox. Root is not needed: who is not
// root is so in a user namespace.
func (s *sandbox) command(ctx context.Context) (*exec.Cmd, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = []string{sandboxEnv + "=" + string(text)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if uid := os.Geteuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return cmd, nil
}

// The sandbox shows the tree and not the host, or comparisons with it mean little.
func TestSandboxShowsTheTreeOnly(t *testing.T) {
	root := software(t)
	s := sandbox{Root: root, Dir: "/", Args: []string{"/bin/ls", "-a", "/", "/tmp", "/dev"}, Env: []string{"A=b"}}
	cmd, err := s.command(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := os.Stat("/root"); err == nil && strings.Contains(string(out), "root") {
		t.Errorf("the host's directories are visible:\n%s", out)
	}
	if !strings.Contains(string(out), "work") || !strings.HasSuffix(string(out), "/tmp:\n.\n..\n") {
		t.Errorf("the tree looks otherwise:\n%s", out)
	}
}
