package vfs

import (
	"path"
	"slices"
	"strconv"

	"zhuque/sim/kernel/errno"
)

// The directories /proc/PID and /proc/PID/task/TID are all alike: a list of
// templates says what is in one, and the number of a node holds the template and
// whose it is. So they cost nothing while nobody looks, and what is opened there is
// found again after a restart. Hooks tell who is there. Source: proc(5).

// Task is a process, or with Thread one of its threads, in the directory of which
// something is looked at.
type Task struct {
	ID     int32
	Thread bool
}

// The fields of a NodeID below a process's or a thread's directory, which has
// taskBit and not lowerBit.
const (
	taskBit    NodeID = 1 << 62
	threadBit  NodeID = 1 << 54
	taskShift         = 32
	taskMask          = 1<<22 - 1
	entryBit   NodeID = 1 << 31 // the descriptor in numberMask, in the directory of the template
	plateShift        = 20
	plateMask         = 1<<11 - 1
	numberMask        = 1<<20 - 1
)

const (
	selfDir   = "proc/self" // under which the templates are declared
	fdDir     = "proc/self/fd"
	fdinfoDir = "proc/self/fdinfo"
	tasksDir  = "proc/self/task"
)

func isTask(id NodeID) bool { return id&(lowerBit|taskBit) == taskBit }

// taskOf returns whose directory a node is in.
func taskOf(id NodeID) Task {
	return Task{int32(id >> taskShift & taskMask), id&threadBit != 0}
}

// taskID returns the node of a template in a task's directory.
func taskID(t Task, plate int) NodeID {
	id := taskBit | NodeID(t.ID&taskMask)<<taskShift | NodeID(plate)<<plateShift
	if t.Thread {
		id |= threadBit
	}
	return id
}

// plate returns the place of a template in the list, -1 for none.
func (l *lower) plate(path string) int {
	i, ok := slices.BinarySearchFunc(l.plates, path, func(n *lowerNode, path string) int {
		switch {
		case n.path < path:
			return -1
		case n.path > path:
			return 1
		}
		return 0
	})
	if !ok {
		return -1
	}
	return i
}

// below returns the node of a descriptor in one of the directories that list them.
func below(dir NodeID, num int) NodeID { return dir | entryBit | NodeID(num)&numberMask }

func isFDLink(id NodeID, fs *FS) bool {
	return isTask(id) && id&entryBit != 0 && fs.tree.plates[id>>plateShift&plateMask].path == fdDir
}

// taskNode describes a node of a task's directory.
func (fs *FS) taskNode(id NodeID) (*inode, error) {
	plate := int(id >> plateShift & plateMask)
	if plate >= len(fs.tree.plates) {
		return nil, errno.ESTALE
	}
	low := fs.tree.plates[plate]
	t := taskOf(id)
	n := &inode{id: id, mode: low.proto.mode, low: low, target: low.proto.target, size: low.proto.size}
	if fs.opt.TaskOwner != nil {
		n.uid, n.gid = fs.opt.TaskOwner(t)
	}
	switch {
	case id&entryBit != 0:
		dir := id &^ (entryBit | numberMask)
		n.names = []link{{dir, strconv.FormatUint(uint64(id&numberMask), 10)}}
		n.mode, n.size = ModeLink|0o700, 64
		if low.path == fdinfoDir {
			n.mode, n.size = ModeFile|0o444, 0
		}
	case low.path != selfDir:
		n.names = []link{{taskID(t, fs.tree.plate(path.Dir(low.path))), path.Base(low.path)}}
	default:
		dir := idOf("proc")
		if pid, ok := fs.process(t); ok && t.Thread {
			dir = taskID(Task{ID: pid}, fs.tree.plate(tasksDir))
		}
		n.names = []link{{dir, strconv.Itoa(int(t.ID))}}
	}
	return n, nil
}

// process returns the process that a task is or belongs to, if it is there.
func (fs *FS) process(t Task) (pid int32, ok bool) {
	if fs.opt.Process == nil {
		return 0, false
	}
	return fs.opt.Process(t.ID)
}

// number parses a name that is a decimal number without leading zeroes.
func number(name string) (n int, ok bool) {
	n, err := strconv.Atoi(name)
	return n, err == nil && n >= 0 && n <= taskMask && strconv.Itoa(n) == name
}

// lookupTask finds name in /proc among the processes.
func (fs *FS) lookupTask(name string) (NodeID, bool) {
	n, ok := number(name)
	if !ok {
		return 0, false
	}
	t := Task{ID: int32(n)}
	_, ok = fs.process(t)
	return taskID(t, fs.tree.plate(selfDir)), ok
}

// lookupInTask finds name in a task's directory or one below it.
func (fs *FS) lookupInTask(d *inode, name string) (NodeID, error) {
	t := taskOf(d.id)
	pid, ok := fs.process(t)
	if !ok {
		return 0, errno.ENOENT
	}
	switch d.low.path {
	case fdDir, fdinfoDir:
		fd, err := fs.findFD(t, name)
		return below(d.id, fd.Num), err
	case tasksDir:
		thread := Task{Thread: true}
		n, ok := number(name)
		if thread.ID = int32(n); ok {
			owner, there := fs.process(thread)
			ok = there && owner == pid
		}
		if !ok {
			return 0, errno.ENOENT
		}
		return taskID(thread, fs.tree.plate(selfDir)), nil
	}
	n := d.low.static[name]
	if n == nil || t.Thread && n.path == tasksDir {
		return 0, errno.ENOENT
	}
	return taskID(t, fs.tree.plate(n.path)), nil
}

// listTask lists a task's directory or one below it, in no order.
func (fs *FS) listTask(d *inode) (list []Dirent) {
	t := taskOf(d.id)
	pid, ok := fs.process(t)
	if !ok {
		return nil
	}
	switch d.low.path {
	case fdDir, fdinfoDir:
		for _, fd := range fs.fds(t) {
			id := below(d.id, fd.Num)
			kind := uint32(ModeLink)
			if d.low.path == fdinfoDir {
				kind = ModeFile
			}
			list = append(list, Dirent{strconv.Itoa(fd.Num), id, uint8(kind >> 12)})
		}
		return list
	case tasksDir:
		for _, tid := range fs.opt.Threads(pid) {
			list = append(list, Dirent{strconv.Itoa(int(tid)), taskID(Task{tid, true}, fs.tree.plate(selfDir)), ModeDir >> 12})
		}
		return list
	}
	for name, n := range d.low.static {
		if !t.Thread || n.path != tasksDir {
			list = append(list, Dirent{name, taskID(t, fs.tree.plate(n.path)), uint8(n.proto.kind() >> 12)})
		}
	}
	return list
}

// listTasks lists the processes in /proc.
func (fs *FS) listTasks() (list []Dirent) {
	if fs.opt.Processes == nil {
		return nil
	}
	for _, pid := range fs.opt.Processes() {
		list = append(list, Dirent{strconv.Itoa(int(pid)), taskID(Task{ID: pid}, fs.tree.plate(selfDir)), ModeDir >> 12})
	}
	return list
}

// findFD returns the descriptor of a task that name, a decimal number, stands for.
func (fs *FS) findFD(t Task, name string) (FD, error) {
	num, ok := number(name)
	if !ok {
		return FD{}, errno.ENOENT
	}
	for _, fd := range fs.fds(t) {
		if fd.Num == num {
			return fd, nil
		}
	}
	return FD{}, errno.ENOENT
}

func (fs *FS) fds(t Task) []FD {
	if fs.opt.FDs == nil {
		return nil
	}
	return fs.opt.FDs(t)
}

// FDLink reports whether the node is /proc/PID/fd/num of a descriptor whose
// object is outside this tree, such as a pipe: opening it is up to the kernel.
func (fs *FS) FDLink(id NodeID) (t Task, num int, ok bool) {
	if !isFDLink(id, fs) {
		return t, 0, false
	}
	return taskOf(id), int(id & numberMask), true
}

// accepts reports whether a node is a synthetic file that can be written.
func (n *inode) accepts() bool {
	return n.low != nil && n.low.fixed && n.kind() == ModeFile && n.low.proto.mode&0o200 != 0
}

// Accepts reports whether a node is a synthetic file that can be written: one without a size,
// so that nothing can be cut off.
func (fs *FS) Accepts(id NodeID) bool {
	n, err := fs.node(id)
	return err == nil && n.accepts()
}

// accept gives what is written to a synthetic file to the kernel.
func (fs *FS) accept(n *inode, data []byte) (int, error) {
	t := Task{}
	if isTask(n.id) {
		t = taskOf(n.id)
		if _, ok := fs.process(t); !ok {
			return 0, errno.ESRCH
		}
	}
	f := fs.opt.Accepts["/"+n.low.path]
	if f == nil {
		return 0, errno.EINVAL
	}
	if err := f(t, data); err != nil {
		return 0, err
	}
	return len(data), nil
}

// synthesize returns the content of a synthetic file or the text of a magic link. That
// of a task that is not there any more has none: ESRCH.
func (fs *FS) synthesize(n *inode) ([]byte, error) {
	t := Task{}
	if isTask(n.id) {
		t = taskOf(n.id)
		if _, ok := fs.process(t); !ok {
			return nil, errno.ESRCH
		}
		if n.id&entryBit != 0 {
			if fs.opt.FDInfo == nil {
				return nil, nil
			}
			return fs.opt.FDInfo(t, int(n.id&numberMask)), nil
		}
	}
	if f := fs.opt.Synthetic["/"+n.low.path]; f != nil {
		return f(t), nil
	}
	return []byte(n.low.text), nil
}
