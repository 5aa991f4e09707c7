package vfs

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// The synthetic nodes stand in for the host's /proc, /sys and /dev. Sources:
// proc(5), and devices.txt of the Linux documentation for the device numbers.

var synthDirs = []struct {
	path  string
	mode  uint32
	fixed bool
	mount bool
}{
	{"proc", 0o555, true, true},
	{"sys", 0o555, true, true},
	{"dev", 0o755, false, true},
	{"dev/pts", 0o755, false, false},
	{"dev/shm", 0o1777, false, false},
}

// The devices of sysfs, to which the directories of buses and classes only have links:
// libpmem looks at nothing else.
const (
	regionPath    = "sys/devices/platform/e820_pmem/ndbus0/region0"
	namespacePath = regionPath + "/namespace0.0"
	blockPath     = namespacePath + "/block/pmem0"
	domainPath    = regionPath + "/persistence_domain"
)

var synthDevices = []struct {
	name         string
	dev          Device
	major, minor uint64
}{
	{"null", DevNull, 1, 3},
	{"zero", DevZero, 1, 5},
	{"full", DevFull, 1, 7},
	{"random", DevRandom, 1, 8},
	{"urandom", DevURandom, 1, 9},
	{"tty", DevTTY, 5, 0},
	{"ptmx", DevPTMX, 5, 2},
	{"pts/ptmx", DevPTMX, 5, 2},
}

// Pseudoterminals: how many there can be, and the major number of /dev/pts/N.
const (
	Terminals     = 64
	TerminalMajor = 136
)

const (
	ptsDir   = "dev/pts"
	ttyGroup = 5
)

var synthLinks = []struct{ path, target string }{
	{"dev/fd", "/proc/self/fd"},
	{"dev/stdin", "/proc/self/fd/0"},
	{"dev/stdout", "/proc/self/fd/1"},
	{"dev/stderr", "/proc/self/fd/2"},
	{"sys/bus/nd/devices/region0", "../../../" + regionPath[len("sys/"):]},
	{"sys/bus/nd/devices/namespace0.0", "../../../" + namespacePath[len("sys/"):]},
	{"sys/block/pmem0", "../" + blockPath[len("sys/"):]},
}

// synthTexts describe the one region of persistent memory, the namespace on it and
// the block device that PMEMDir is on, as ndctl and PMDK look them up.
var synthTexts = []struct{ path, text string }{
	{regionPath + "/size", "1099511627776\n"},
	{regionPath + "/mappings", "1\n"},
	{regionPath + "/nstype", "4\n"},
	{regionPath + "/numa_node", "0\n"},
	{regionPath + "/deep_flush", "1\n"},
	{namespacePath + "/size", "1099511627776\n"},
	{namespacePath + "/mode", "memory\n"},
	{namespacePath + "/numa_node", "0\n"},
	{blockPath + "/dev", "259:0\n"},
	{blockPath + "/size", "2147483648\n"},
	{blockPath + "/queue/dax", "1\n"},
}

// magicLinks are symbolic links whose text comes from Hooks.Synthetic. Following
// one resolves the text, so a link to a removed file leads nowhere, unlike Linux.
var magicLinks = map[string]bool{"proc/self/exe": true,
	"proc/self/cwd": true, "proc/self": true, "proc/thread-self": true}

func (l *lower) addSynthetic(top *lowerNode, o *Options) error {
	for _, d := range synthDirs {
		n := l.addNode(top, d.path, ModeDir|d.mode)
		n.fixed, n.mount = d.fixed, d.mount
	}
	l.addPMEM(top)
	for _, d := range synthDevices {
		n := l.addNode(top, "dev/"+d.name, ModeChar|0o666)
		n.proto.dev, n.proto.rdev = d.dev, d.major<<8|d.minor
	}
	for i := range Terminals {
		n := l.addNode(top, fmt.Sprintf("%s/%d", ptsDir, i), ModeChar|0o620)
		n.proto.dev, n.proto.rdev, n.proto.gid = DevPTS, TerminalMajor<<8|uint64(i), ttyGroup
	}
	for _, s := range synthLinks {
		n := l.addNode(top, s.path, ModeLink|0o777)
		n.proto.target, n.proto.size = s.target, int64(len(s.target))
	}
	l.addNode(top, domainPath, ModeFile|0o444).text = cmp.Or(o.Domain, "cpu_cache") + "\n"
	for _, f := range synthTexts {
		l.addNode(top, f.path, ModeFile|0o444).text = f.text
	}

	head := &lowerNode{fixed: true, proto: inode{id: Root, mode: ModeDir}}
	plates := lower{nodes: map[NodeID]*lowerNode{Root: head}}
	plates.addNode(head, selfDir, ModeDir|0o555)
	for _, name := range []string{fdDir, fdinfoDir, tasksDir} {
		plates.addNode(head, name, ModeDir|0o555)
	}
	root := plates.addNode(head, selfDir+"/root", ModeLink|0o777)
	root.proto.target, root.proto.size = "/", 1
	paths := make([]string, 0, len(o.Synthetic)+len(o.Texts))
	for p := range o.Synthetic {
		paths = append(paths, p)
	}
	for p := range o.Texts {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		if path.Clean(p) != p || !strings.HasPrefix(p, "/proc/") && !strings.HasPrefix(p, "/sys/") {
			return fmt.Errorf("synthetic file %q: a plain absolute path below /proc or /sys was expected", p)
		}
		mode := uint32(ModeFile | 0o444)
		if magicLinks[p[1:]] {
			mode = ModeLink | 0o777
		}
		if o.Accepts[p] != nil {
			mode |= 0o200
		}
		in, at := l, top
		if strings.HasPrefix(p[1:], selfDir+"/") {
			in, at = &plates, head
		}
		if n, err := in.resolve(p[1:]); err == nil && (n.proto.kind() != mode&ModeType || n.proto.target != "") {
			return fmt.Errorf("synthetic file %q: there already is a node of another kind", p)
		}
		in.addNode(at, p[1:], mode).text = o.Texts[p]
	}
	for _, n := range plates.nodes {
		if n != head && n.path != "proc" {
			l.plates = append(l.plates, n)
		}
	}
	slices.SortFunc(l.plates, func(a, b *lowerNode) int { return strings.Compare(a.path, b.path) })
	return nil
}

// addNode returns the synthetic node at path, made with its directories when it
// is new.
func (l *lower) addNode(top *lowerNode, path string, mode uint32) *lowerNode {
	d := top
	for from := 0; ; {
		end := strings.IndexByte(path[from:], '/')
		last := end < 0
		if last {
			end = len(path) - from
		}
		name, here := path[from:from+end], path[:from+end]
		n := d.static[name]
		if n == nil {
			n = &lowerNode{path: here, fixed: d.fixed}
			n.proto = inode{id: idOf(here), names: []link{{d.proto.id, name}}, low: n, mode: ModeDir | 0o555}
			if last {
				n.proto.mode = mode
			}
			if d.static == nil {
				d.static = make(map[string]*lowerNode)
			}
			d.static[name] = n
			l.nodes[n.proto.id] = n
		}
		if last {
			return n
		}
		d, from = n, from+end+1
	}
}

// synthetic reports whether n is a file whose content is generated.
func (n *inode) synthetic() bool {
	return n.low != nil && n.low.host == (hostKey{}) && n.kind() == ModeFile
}

// TerminalNode returns the node of /dev/pts/n.
func TerminalNode(n int) NodeID { return idOf(fmt.Sprintf("%s/%d", ptsDir, n)) }

// Terminal says which device of terminals the node is, and which number a DevPTS has.
func (fs *FS) Terminal(id NodeID) (dev Device, number int) {
	n, err := fs.node(id)
	if err != nil {
		return NoDevice, 0
	}
	return n.dev, int(n.rdev & 0xff)
}

// absent reports whether a name in a directory of the read-only layer is that of a
// terminal that is not there.
func (fs *FS) absent(dir *lowerNode, name string) bool {
	if dir.path != ptsDir {
		return false
	}
	n, ok := number(name)
	return ok && n < Terminals && (fs.opt.Terminal == nil || !fs.opt.Terminal(n))
}

// Device says which synthetic device the node is.
func (fs *FS) Device(id NodeID) Device {
	n, err := fs.node(id)
	if err != nil {
		return NoDevice
	}
	return n.dev
}
