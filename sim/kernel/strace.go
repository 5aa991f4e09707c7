package kernel

import (
	"fmt"
	"strconv"
	"strings"

	"zhuque/sim/kernel/errno"
)

// FormatCall returns a system call and its result as one line, as strace(1)
// prints them; pointers are not followed.
func FormatCall(nr uint64, args [6]uint64, result uint64) string {
	r := row(nr)
	if r == nil {
		return fmt.Sprintf("syscall_%d(%#x, %#x, %#x, %#x, %#x, %#x) = %s", nr,
			args[0], args[1], args[2], args[3], args[4], args[5], formatResult("", result))
	}
	var text []string
	if r.Args != "" {
		for i, kind := range strings.Split(r.Args, ",") {
			text = append(text, formatArg(kind, args[i]))
		}
	}
	return fmt.Sprintf("%s(%s) = %s", r.Name, strings.Join(text, ", "), formatResult(r.Name, result))
}

func formatArg(kind string, v uint64) string {
	switch kind {
	case "fd":
		if int32(v) == atFdcwd {
			return "AT_FDCWD"
		}
		return strconv.Itoa(int(int32(v)))
	case "mode":
		return fmt.Sprintf("%#o", uint32(v))
	case "size":
		return strconv.FormatUint(v, 10)
	case "num", "off":
		return strconv.FormatInt(int64(v), 10)
	}
	if v == 0 && kind != "flags" {
		return "NULL"
	}
	return fmt.Sprintf("%#x", v)
}

func formatResult(name string, v uint64) string {
	switch {
	case v > ^uint64(4095):
		return "-1 " + errno.Errno(-v).Error()
	case name == "mmap", name == "mremap", name == "brk":
		return fmt.Sprintf("%#x", v)
	}
	return strconv.FormatUint(v, 10)
}
