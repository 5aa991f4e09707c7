package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The test binary is the command when this is set.
const asCommand = "ZHUQUE_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(sig) { // under nohup; what is caught here is at its default in the commands
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	os.Exit(m.Run())
}

// ran is one finished command.
type ran struct {
	stdout, stderr string
	status         int
}

// zhuque runs the command in a process of its own.
func zhuque(t *testing.T, dir, stdin string, args ...string) ran {
	t.Helper()
	return with(t, dir, stdin, nil, args...)
}

func with(t *testing.T, dir, stdin string, env []string, args ...string) ran {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Dir, c.Stdin = dir, strings.NewReader(stdin)
	c.Env = append(append(os.Environ(), asCommand+"=1"), env...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err = c.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return ran{out.String(), errs.String(), c.ProcessState.ExitCode()}
}

// want checks the exit status and that standard error says each of the texts.
func (r ran) want(t *testing.T, status int, says ...string) ran {
	t.Helper()
	if r.status != status {
		t.Fatalf("exit status %d, expected %d\nstandard output: %.2000s\nstandard error: %.2000s",
			r.status, status, r.stdout, r.stderr)
	}
	for _, s := range says {
		if !strings.Contains(r.stderr, s) {
			t.Errorf("standard error is %q, expected it to say %q", r.stderr, s)
		}
	}
	return r
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return lines[len(lines)-1]
}

// Machine code of small programs. data follows the code at label 0: see program.
var (
	forever     = []byte{0xeb, 0xfe}
	code32      = []byte{0x6a, 0x23, 0x6a, 0, 0x48, 0xcb} // push 0x23; push 0; retfq
	undefined   = []byte{0x0f, 0x0b}                      // ud2
	exitSyscall = []byte{0xb8, 60, 0, 0, 0, 0x0f, 0x05}   // mov eax, exit; syscall
)

// sleepers is two processes that sleep again and again: hardly any instruction runs.
var sleepers = cat([]byte{0xb8, 57, 0, 0, 0, 0x0f, 0x05}, // mov eax, fork; syscall
	leaRDI, []byte{0x31, 0xf6, 0xb8, 35, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xee}) // again: lea rdi, [data]; xor esi, esi; mov eax, nanosleep; syscall; jmp again

// millisecond is a struct timespec.
const millisecond = "\x00\x00\x00\x00\x00\x00\x00\x00\x40\x42\x0f\x00\x00\x00\x00\x00"

// openExit opens a file for reading and exits with 1 if that failed.
func openExit(path string) []byte {
	return program(cat(
		[]byte{0xb8, 2, 0, 0, 0},                           // mov eax, open
		leaRDI, []byte{0x31, 0xf6, 0x31, 0xd2, 0x0f, 0x05}, // xor esi, esi; xor edx, edx; syscall
		[]byte{0xc1, 0xe8, 31, 0x89, 0xc7}, // shr eax, 31; mov edi, eax
		exitSyscall), path)
}

// writeFileGuest creates a file and writes the first four bytes of its own name to it.
func writeFileGuest(path string) []byte {
	return program(cat(
		[]byte{0xb8, 2, 0, 0, 0},
		leaRDI, []byte{0xbe, 0x41, 0, 0, 0, 0xba, 0xa4, 1, 0, 0, 0x0f, 0x05}, // mov esi, O_CREAT|O_WRONLY; mov edx, 0644
		[]byte{0x89, 0xc5}, leaRDI, // mov ebp, eax
		[]byte{0x48, 0x89, 0xfe, 0x89, 0xef, 0xba, 4, 0, 0, 0, 0xb8, 1, 0, 0, 0, 0x0f, 0x05}, // mov rsi, rdi; mov edi, ebp; mov edx, 4; mov eax, write
		[]byte{0x31, 0xff}, exitSyscall), path)
}

// leaRDI is "lea rdi, [data]"; program fills in the distance.
var leaRDI = []byte{0x48, 0x8d, 0x3d, 0xfe, 0xca, 0xad, 0xde}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

const headers = 64 + 56

// program is a static ELF file of code with a string behind it.
func program(code []byte, data string) []byte {
	code = bytes.Clone(code)
	for i := 0; i+len(leaRDI) <= len(code); i++ {
		if bytes.Equal(code[i:i+len(leaRDI)], leaRDI) {
			binary.LittleEndian.PutUint32(code[i+3:], uint32(len(code)-i-len(leaRDI)))
		}
	}
	body := append(code, data+"\x00"...)
	b := make([]byte, headers, headers+len(body))
	le := binary.LittleEndian
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], 2)    // ET_EXEC
	le.PutUint16(b[18:], 0x3e) // EM_X86_64
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[24:], 0x400000+headers)
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 1)
	p := b[64:]
	le.PutUint32(p, 1)     // PT_LOAD
	le.PutUint32(p[4:], 5) // read and execute
	le.PutUint64(p[16:], 0x400000)
	le.PutUint64(p[24:], 0x400000)
	le.PutUint64(p[32:], uint64(headers+len(body)))
	le.PutUint64(p[40:], uint64(headers+len(body)))
	le.PutUint64(p[48:], 0x1000)
	return append(b, body...)
}

// place writes an executable and returns its path.
func place(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
