package crashinject

import (
	"crypto/sha256"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// libraryDirs is where Debian's ld.so(8) looks for shared libraries that no run path names.
var libraryDirs = []string{"/lib/x86_64-linux-gnu",
	"/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"}

// maxLibraries bounds what is looked at of a program's dependencies.
const maxLibraries = 1024

// libraries digests the shared libraries that a program below root needs, and those that
// they need: names and contents, in the order in which they are found; nil if there are
// none. What a program opens while it runs (dlopen, modules of an interpreter) is not known.
func libraries(root, program string) ([]byte, error) {
	h := sha256.New()
	seen := map[string]bool{}
	queue := []string{program}
	for i := 0; i < len(queue); i++ {
		if len(queue) > maxLibraries {
			return nil, fmt.Errorf("%q needs more than %d shared libraries", program, maxLibraries)
		}
		needed, dirs := needs(filepath.Join(root, queue[i]), queue[i])
		for _, name := range needed {
			path := ""
			for _, dir := range append(dirs, libraryDirs...) {
				at := filepath.Join(dir, name)
				if strings.Contains(name, "/") {
					at = name
				}
				if st, err := os.Stat(filepath.Join(root, at)); err == nil && st.Mode().IsRegular() {
					path = at
					break
				}
			}
			if path == "" || seen[path] { // one that is missing is the start's to say
				continue
			}
			seen[path] = true
			sum, err := fileDigest(filepath.Join(root, path))
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(h, "%q %x\n", path, sum)
			queue = append(queue, path)
		}
	}
	if len(seen) == 0 {
		return nil, nil
	}
	return h.Sum(nil), nil
}

// needs returns the shared libraries that an executable or a library names, and the
// directories that its run path gives for them.
func needs(name, path string) (list, dirs []string) {
	f, err := elf.Open(name)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	if list, err = f.ImportedLibraries(); err != nil {
		return nil, nil
	}
	for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		texts, err := f.DynString(tag)
		if err != nil {
			continue
		}
		for _, text := range texts {
			for _, dir := range strings.Split(text, ":") {
				origin := strings.NewReplacer("$ORIGIN", filepath.Dir(path), "${ORIGIN}", filepath.Dir(path))
				dirs = append(dirs, origin.Replace(dir))
			}
		}
	}
	return list, dirs
}
