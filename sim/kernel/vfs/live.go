package vfs

import "zhuque/sim/same"

// Differences returns in what two file trees of the same origin are not the same, at most
// limit, one sentence each: none for twins. It looks at the nodes, not at a form of them;
// what forks share costs nothing. The contents of frames lie in persistent memory and are
// not compared here.
func (fs *FS) Differences(o *FS, limit int) (out []string) {
	for _, d := range plan.Compare(fs, o, limit) {
		out = append(out, d.String())
	}
	return out
}

// Clone returns a copy that shares nothing with fs but the read-only layer: for tests of
// what forks share.
func (fs *FS) Clone() *FS { return plan.Clone(fs) }

// plan compares file trees.
var plan = same.Must[FS](unlike)

// unlike lists the fields that are not simply compared. A new field is compared; whoever
// adds one that must not be writes its row and the reason.
var unlike = []same.Row{
	{Type: "vfs.FS", Field: "epoch", As: same.Skipped, Why: "what this fork may change in place"},
	{Type: "vfs.FS", Field: "tree", As: same.Identity, Why: "the read-only layer, which forks share"},
	{Type: "vfs.FS", Field: "opt", As: same.Skipped, Why: "what the tree was opened with, and the way to its own kernel"},
	{Type: "vfs.FS", Field: "call", As: same.Skipped, Why: "how to undo the last call"},
	{Type: "vfs.FS", Field: "pmem", As: same.Skipped, Why: "memory is compared by itself"},
	{Type: "vfs.FS", Field: "caches", As: same.Skipped, Why: "the caches of its own machine, which the cache model compares"},
	{Type: "vfs.FS", Field: "dead", As: same.Skipped, Why: "empty between calls"},
	{Type: "vfs.FS", Field: "cache", As: same.Skipped, Why: "of machines without a runtime, whose programs do not survive"},
	{Type: "vfs.FS", Field: "writes", As: same.Skipped, Why: "counted for who explores the machine"},
	{Type: "vfs.FS", Field: "changes", As: same.Skipped, Why: "counted for who explores the machine"},
	{Type: "vfs.trie", Field: "root", As: same.Shared, Why: "changed in place by the fork alone whose epoch its twigs have"},
	{Type: "vfs.twig", Field: "epoch", As: same.Skipped, Why: "which fork may change it in place"},
	{Type: "vfs.twig", Field: "kids", As: same.Shared, Why: "changed in place by the fork alone whose epoch it has"},
	{Type: "vfs.twig", Field: "val", As: same.Shared, Why: "changed in place by the fork alone whose epoch it has"},
	{Type: "vfs.inode", Field: "epoch", As: same.Skipped, Why: "which fork may change it in place"},
	{Type: "vfs.inode", Field: "names", As: same.Shared, Why: "never changed in place"},
	{Type: "vfs.inode", Field: "low", As: same.Identity, Why: "of the read-only layer, which forks share"},
	{Type: "vfs.inode", Field: "digest", As: same.Skipped, Why: "remembers what the content says"},
	{Type: "vfs.slot", Field: "p", As: same.Shared, Why: "changed in place by the fork alone whose epoch it has"},
	{Type: "vfs.slot", Field: "epoch", As: same.Skipped, Why: "which fork may change the page in place"},
	{Type: "vfs.slot", Field: "handed", As: same.Skipped, Why: "whether a mapping shows the page too, so that it must not be changed in place"},
}
