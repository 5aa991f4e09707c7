package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/scenarios/guests"
)

// A scenario in a file is what the command line says, beside the file that it lies in.
func TestScenarioFile(t *testing.T) {
	dir := t.TempDir()
	elf, err := guests.Guest("list")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "mine"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"mine/list": string(elf),
		"mine/list.yaml": "zhuque-scenario: 1\nname: mine\nprogram: /list\nsettings: {root: ., domain: adr}\nstrategies: [{kind: random, points: 30, seed: 3}]\n" +
			"expect: [{verdict: detected, reason: superblock, least_percent: 100, most_percent: 100}]\n",
		"slip.yaml":  "zhuque-scenario: 1\nname: mine\nprogam: ./list\n",
		"wrong.yaml": "zhuque-scenario: 1\nname: mine\nprogram: guest:list\nsettings: {mutant: fs-base-not-saved, model: off, domain: adr}\nstrategies: [{kind: random, points: 3}]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	out := zhuque(t, dir, "", "campaign", "mine/list.yaml").want(t, 11)
	if !strings.Contains(out.stdout, "caught") {
		t.Errorf("said\n%s", out.stdout)
	}
	direct := zhuque(t, dir, "", strings.Fields("campaign --domain adr --strategy random --points 30 --seed 3 --format json --root mine -- /list")...).want(t, 11)
	file := zhuque(t, dir, "", strings.Fields("campaign --format json --tails 16 mine/list.yaml")...).want(t, 11)
	points := func(r ran) string {
		_, d, _ := strings.Cut(r.stdout, `"points_digest": `)
		d, _, _ = strings.Cut(d, ",")
		return d
	}
	if points(direct) == "" || points(direct) != points(file) {
		t.Errorf("the file's points are %s, those of the command line %s", points(file), points(direct))
	}
	zhuque(t, dir, "", "campaign", "slip.yaml").want(t, 2, "did you mean program?", "progam: ./list\n       ^")
	zhuque(t, dir, "", "campaign", "wrong.yaml").want(t, 2, "domain adr with model off")
	zhuque(t, dir, "", "campaign", "none.yaml").want(t, 2, "no such file")
	if shown := zhuque(t, dir, "", "scenarios", "--show", "list-adr").want(t, 0).stdout; !strings.Contains(shown, "domain: adr") {
		t.Errorf("shown\n%s", shown)
	}
	zhuque(t, dir, "", "scenarios", "--show", "list-ard").want(t, 2, "did you mean list-adr?")
}
