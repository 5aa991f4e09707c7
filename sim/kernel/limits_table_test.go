package kernel

import (
	"strconv"
	"strings"
	"testing"

	"zhuque/sim/kernel/errno"
)

// What a call does beyond the limits that its row in the table gives: it stops the run in
// words, it has the error that the row names, or it does what it can and the row says so.
// Arguments are as in testdata/errors.txt; "$" is what the call before returned.
var beyond = map[string]string{
	"mmap":               "mmap 0x20000000 4096 3 0x122 -1 0 = 536870912", // MAP_GROWSDOWN is taken
	"ioctl":              "ioctl 1 0x5402 buf = ENOTTY",
	"mremap":             "mmap 0x20000000 4096 3 0x21 -1 0; mremap 0x20000000 4096 4096 5 0x30000000 = EINVAL",
	"madvise":            "mmap 0x20000000 4096 3 0x22 -1 0; madvise 0x20000000 4096 100 = EINVAL",
	"shmctl":             "shmget 0 4096 0600; shmctl $ 11 0 = 0",
	"socket":             "socket 16 3 0 = EAFNOSUPPORT",
	"sendto":             "sendto pair buf 1 1 0 0 = EOPNOTSUPP",
	"recvfrom":           "recvfrom pair buf 1 1 0 0 = EOPNOTSUPP",
	"sendmsg":            "sendmsg pair message 1 = EOPNOTSUPP",
	"recvmsg":            "recvmsg pair message 1 = EOPNOTSUPP",
	"recvmmsg":           "recvmmsg pair message 1 1 0 = EOPNOTSUPP",
	"sendmmsg":           "sendmmsg pair message 1 1 = EOPNOTSUPP",
	"setsockopt":         "setsockopt tcp 6 31 buf 8 stops",
	"getsockopt":         "getsockopt tcp 6 11 buf hundred stops",
	"clone":              "clone 0x40000000 0 0 0 0 stops",
	"clone3":             "clone3 namespace 88 stops",
	"fcntl":              "fcntl tcp 10 10 stops",
	"getrusage":          "getrusage -1 buf = 0", // of children: nothing is counted
	"setgroups":          "setgroups 2000 groups stops",
	"personality":        "personality 4 = 0",
	"setpriority":        "setpriority 0 0 5 = 0",
	"sched_setparam":     "sched_setparam 0 zeros = 0",
	"sched_setscheduler": "sched_setscheduler 0 3 zeros = 0",
	"sched_setattr":      "sched_setattr 0 clamp 0 = EOPNOTSUPP",
	"prctl":              "prctl 22 2 0 0 0 = EINVAL",
	"setrlimit":          "setrlimit 1 zeros = 0",
	"prlimit64":          "prlimit64 0 1 zeros 0 = 0",
	"futex":              "futex zeros 6 0 0 0 0 = 0",
	"mq_open":            "mq_open name 0102 0600 large stops",
	"inotify_add_watch":  "inotify_init1 0; inotify_add_watch $ tmp 0xfff = 1",
	"splice":             "splice 0 0 writer 0 1 0 stops",
	"vmsplice":           "vmsplice writer vector 1 8 = 8",
	"fallocate":          "fallocate file 8 0 4096 = EOPNOTSUPP",
	"pipe2":              "pipe2 buf 040000 stops",
	"name_to_handle_at":  "name_to_handle_at -100 tmp buf buf 0 = EOPNOTSUPP",
	"openat2":            "openat2 -100 tmp resolve 24 stops",
}

func TestBeyondTheLimits(t *testing.T) {
	probed := map[string]bool{}
	for _, row := range Table() {
		if row.State != Partly {
			continue
		}
		probe, ok := beyond[row.Name]
		switch xattr := strings.HasSuffix(row.Name, "xattr"); {
		case xattr && strings.HasPrefix(row.Name, "f"):
			probe = row.Name + " file attribute buf 1 0 = EOPNOTSUPP"
		case xattr:
			probe = row.Name + " tmp attribute buf 1 0 = EOPNOTSUPP"
		case !ok:
			t.Errorf("%s works with limits: what it does beyond them is not tested", row.Name)
			continue
		}
		if strings.Contains(row.Name, "listxattr") {
			probe = strings.Replace(probe, "EOPNOTSUPP", "0", 1)
		}
		probed[row.Name] = true
		t.Run(row.Name, func(t *testing.T) { beyondLimit(t, row.Name, probe) })
	}
	for name := range beyond {
		if !probed[name] {
			t.Errorf("%s is probed and has no limits", name)
		}
	}
}

// beyondLimit makes the calls of a probe, the last of which is name's.
func beyondLimit(t *testing.T, name, probe string) {
	r := newRig(t, nil)
	r.want(0, "rt_sigaction", SIGPIPE, iov(1, 0, 0, 0), 0, 8)
	words := map[string]uint64{
		"buf": r.put(make([]byte, 256)), "zeros": r.put(make([]byte, 64)), "tmp": r.str("/tmp"), "name": r.str("queue"), "attribute": r.str("user.a"),
		"file": uint64(r.sys("open", "/tmp/file", oRdwr|oCreat, 0o600)), "tcp": uint64(r.sys("socket", 2, 1, 0)),
	}
	at := r.put(make([]byte, 8))
	r.want(0, "socketpair", 1, 1|oNonblock, 0, at)
	words["pair"] = uint64(le.Uint32(r.get(at, 4)))
	r.want(0, "pipe2", at, oNonblock)
	words["writer"] = uint64(le.Uint32(r.get(at+4, 4)))
	words["vector"] = r.put(le64(words["buf"], 8))
	words["message"] = r.put(le64(0, 0, words["vector"], 1, 0, 0, 0, 0))
	words["hundred"] = r.put(le64(100))
	words["groups"] = r.put(make([]byte, 8000))
	words["namespace"] = r.put(le64(0x40000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0))
	words["clamp"] = r.put(le64(56, 0x20, 0, 0, 0, 0, 0))
	words["large"] = r.put(le64(0, 10, 1<<20, 0))
	words["resolve"] = r.put(le64(0, 0, 1))
	calls := strings.Split(probe, "; ")
	for i, call := range calls {
		text, want, told := strings.Cut(call, " = ")
		text, stops := strings.CutSuffix(text, " stops")
		f := strings.Fields(text)
		var args []any
		for _, a := range f[1:] {
			v, ok := words[a]
			if !ok {
				n, err := strconv.ParseInt(a, 0, 64)
				r.ok(err)
				v = uint64(n)
			}
			args = append(args, v)
		}
		o := r.raw(f[0], args...)
		switch res := int64(r.c.R[0]); {
		case stops && (o.Unsupported == nil || !strings.Contains(o.Unsupported.Error(), "system call "+name+": ")):
			t.Errorf("%s: the run goes on with %d, %v: expected it to stop and name the call", text, res, o)
		case stops:
		case o.Stops():
			t.Errorf("%s stops the run: %v", text, o)
		case told && answerOf(res) != want:
			t.Errorf("%s: %s, expected %s", text, answerOf(res), want)
		case i < len(calls)-1 && res < 0:
			t.Fatalf("%s: %s", text, answerOf(res))
		default:
			words["$"] = uint64(res)
		}
	}
}

func answerOf(res int64) string {
	if res < 0 && res > -4096 {
		return errno.Errno(-res).Name()
	}
	return strconv.FormatInt(res, 10)
}
