package main

import (
	"strings"
	"testing"
)

// A slip is answered with the word that was meant, and the flag that is wrong is named as
// it was given.
func TestWords(t *testing.T) {
	dir := t.TempDir()
	for args, tc := range map[string]struct {
		status int
		says   string
	}{
		"campaig":                                             {2, "campaign"},
		"campaign counter-evry":                               {2, "did you mean counter-every?"},
		"campaign guest:helo":                                 {2, "did you mean guest:hello?"},
		"run --pmemdir x -- guest:hello":                      {125, "did you mean --pmem-dir?"},
		"crash --energi 5 -- guest:hello":                     {2, "did you mean --energy?"},
		"crash --instructions 5 -- guest:hello":               {2, "did you mean --max-instructions?"},
		"replay --formt json x":                               {2, "did you mean --format?"},
		"crash --at 5 --domain edr -- guest:hello":            {2, `--domain "edr": expected adr or eadr`},
		"crash --at 5 --cpu v9 -- guest:hello":                {2, `--cpu "v9": expected v2 or v3`},
		"campaign --from 30 --to 20 -- guest:hello":           {2, "--from 30 is greater than --to 20"},
		"campaign --to 5000 -- guest:hello":                   {2, "--to 5000 is past"},
		"campaign --strategy random --points 0 counter-every": {2, "--points above 0"},
		"replay /dev/zero":                                    {2, "no case file"},
	} {
		r := zhuque(t, dir, "", strings.Fields(args)...)
		if r.status != tc.status || !strings.Contains(r.stderr, tc.says) {
			t.Errorf("%s: status %d, %q; expected %d and %q", args, r.status, r.stderr, tc.status, tc.says)
		}
	}
	if r := zhuque(t, dir, "", "--version").want(t, 0); !strings.HasPrefix(r.stdout, "zhuque ") ||
		strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("--version prints %q", r.stdout)
	}
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"same", "same", 0}, {"at", "ta", 2}} {
		if got := distance(tc.a, tc.b); got != tc.want {
			t.Errorf("%q and %q: %d, expected %d", tc.a, tc.b, got, tc.want)
		}
	}
}
