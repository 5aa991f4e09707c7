package vfs_test

import (
	"fmt"
	"os"

	"zhuque/sim/kernel/vfs"
)

// Two calls write to a file; the power fails before the second one has committed.
func ExampleFS_Resolve() {
	root, err := os.MkdirTemp("", "zhuque-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(root) }()
	fs, err := vfs.New(vfs.Options{Root: root})
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := fs.Create(vfs.Root, "file", 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}
	for call, text := range []string{"committed", "cut in mid-call"} {
		fs.BeginCall(uint64(call + 1))
		if _, err := fs.WriteAt(file, []byte(text), 0); err != nil {
			fmt.Println(err)
			return
		}
	}
	fs.Resolve(1) // the last call that took effect
	text := make([]byte, 100)
	n, err := fs.ReadAt(file, text, 0)
	fmt.Printf("%s %v\n", text[:n], err)
	// Output:
	// committed <nil>
}
