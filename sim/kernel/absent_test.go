package kernel

import (
	"testing"

	"zhuque/sim/kernel/errno"
)

// A file tree without extended attributes is told from one whose calls are
// missing: cp and ls go on after the one answer and complain of the other.
func TestNoExtendedAttributes(t *testing.T) {
	r := newRig(t, nil)
	r.want(0, "symlink", "nowhere", "/tmp/dangling")
	fd := r.sys("open", "/etc/motd", 0, 0)
	r.want(errno.EOPNOTSUPP, "getxattr", "/etc/motd", "security.selinux", 0, 0)
	r.want(errno.EOPNOTSUPP, "setxattr", "/etc/motd", "user.a", "value", 5, 0)
	r.want(errno.EOPNOTSUPP, "removexattr", "/etc/motd", "user.a")
	r.want(0, "listxattr", "/etc/motd", 0, 0)
	r.want(0, "flistxattr", int(fd), 0, 0)
	r.want(errno.ENOENT, "getxattr", "/tmp/dangling", "user.a", 0, 0)
	r.want(errno.ENODATA, "lgetxattr", "/tmp/dangling", "user.a", 0, 0)
	r.want(errno.EPERM, "lsetxattr", "/tmp/dangling", "user.a", "value", 5, 0)
	r.want(errno.EOPNOTSUPP, "lgetxattr", "/tmp/dangling", "security.selinux", 0, 0)
	r.want(errno.EBADF, "fgetxattr", 77, "user.a", 0, 0)
}

// A server that gives up its groups goes on; one that takes some is told.
func TestSetgroups(t *testing.T) {
	r := newRig(t, nil)
	r.want(0, "setgroups", 0, 0)
	r.want(0, "getgroups", 0, 0)
	r.want(errno.EINVAL, "setgroups", 65537, 0)
	r.want(0, "setgroups", 2, []byte{9, 0, 0, 0, 7, 0, 0, 0})
	buf := r.put(make([]byte, 8))
	r.want(2, "getgroups", 0, 0)
	r.want(errno.EINVAL, "getgroups", 1, buf)
	r.want(2, "getgroups", 2, buf)
	if got := r.get(buf, 8); got[0] != 7 || got[4] != 9 {
		r.Errorf("groups are %v", got)
	}
	r.stops("setgroups", 1025, 0)
}
