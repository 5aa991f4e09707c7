package kernel

// rarerFileCalls are those that few programs make.
func rarerFileCalls() []Call {
	const mounts = "the guest's file tree is as it is"
	list := []Call{
		works(78, "getdents", "fd,ptr,size", sysGetdents),
		works(187, "readahead", "fd,off,size", sysReadahead).class(Pure),
		works(261, "futimesat", "fd,path,ptr", sysFutimesat),
		partly(275, "splice", "fd,ptr,fd,ptr,size,flags", "between pipes, files and stream sockets", sysSplice).class(Wait).restarts(),
		works(276, "tee", "fd,fd,size,flags", sysTee).class(Wait).restarts(),
		works(277, "sync_file_range", "fd,off,size,flags", sysSyncFileRange).class(Pure),
		partly(278, "vmsplice", "fd,ptr,num,flags", "copies", sysVmsplice).class(Wait).restarts(),
		partly(303, "name_to_handle_at", "fd,path,ptr,ptr,flags", "EOPNOTSUPP, as on a file system without handles", sysNameToHandleAt).class(Pure),
		works(327, "preadv2", "fd,ptr,num,off,num,flags", sysPreadv2),
		works(328, "pwritev2", "fd,ptr,num,off,num,flags", sysPwritev2),
		refused(155, "pivot_root", mounts),
		refused(161, "chroot", mounts),
		refused(165, "mount", mounts),
		refused(166, "umount2", mounts),
		works(253, "inotify_init", "", sysInotifyInit),
		partly(254, "inotify_add_watch", "fd,path,num", "stores through mappings, the start of programs and FIFOs are not told of", sysInotifyAddWatch),
		works(255, "inotify_rm_watch", "fd,num", sysInotifyRmWatch),
		works(294, "inotify_init1", "flags", sysInotifyInit1),
		refused(304, "open_by_handle_at", "there are no handles"),
	}
	const why = "EOPNOTSUPP and empty lists, as on a file system without extended attributes"
	for i, row := range []struct {
		name, args string
		run        handler
	}{
		{"setxattr", "path,ptr,ptr,size,flags", sysXattrPath}, {"lsetxattr", "path,ptr,ptr,size,flags", sysXattrLpath}, {"fsetxattr", "fd,ptr,ptr,size,flags", sysXattrFd},
		{"getxattr", "path,ptr,ptr,size", sysXattrPath}, {"lgetxattr", "path,ptr,ptr,size", sysXattrLpath}, {"fgetxattr", "fd,ptr,ptr,size", sysXattrFd},
		{"listxattr", "path,ptr,size", sysXattrPath}, {"llistxattr", "path,ptr,size", sysXattrLpath}, {"flistxattr", "fd,ptr,size", sysXattrFd},
		{"removexattr", "path,ptr", sysXattrPath}, {"lremovexattr", "path,ptr", sysXattrLpath}, {"fremovexattr", "fd,ptr", sysXattrFd},
	} {
		list = append(list, partly(188+uint64(i), row.name, row.args, why, row.run).class(Pure))
	}
	return list
}
