package validate

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// A family is the same again, however many work at it; idle latencies are near the measured ones.
func TestIdleLatencies(t *testing.T) {
	one, err := Run(context.Background(), []string{"idle latency"}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	two, err := Run(context.Background(), []string{"idle latency"}, 2, func(Row) { told++ })
	if err != nil || !reflect.DeepEqual(one, two) || told != len(two.Rows) {
		t.Errorf("%+v\n%+v, %d rows told of, %v", one, two, told, err)
	}
	if len(one.Rows) != 8 || one.Geomean > 1.10 || one.Geomean < 1 {
		t.Errorf("%d rows, a factor of %.3f", len(one.Rows), one.Geomean)
	}
	if len(one.Fitted) < 10 || len(one.Absent) == 0 || len(one.Families) != 1 ||
		one.OK() != (one.Families[0].Geomean <= one.Families[0].Goal) {
		t.Errorf("%+v", one.Families)
	}
}

func TestUnknownFamily(t *testing.T) {
	if _, err := Run(context.Background(), []string{"idle latencies"}, 1, nil); err == nil ||
		!strings.Contains(err.Error(), "bandwidth, DRAM") {
		t.Errorf("%v, expected the known families", err)
	}
}

// Every row with a counterpart belongs to a family, and every family has rows.
func TestFamiliesHaveRows(t *testing.T) {
	list, absent, err := jobs(nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for _, j := range list {
		rows[j.family]++
	}
	for _, name := range Names() {
		if rows[name] == 0 {
			t.Errorf("%s has no rows", name)
		}
	}
	if len(list) < 550 || len(absent) == 0 {
		t.Errorf("%d rows have a counterpart, %d have none", len(list), len(absent))
	}
}

// What is said of the guest's overhead is what its source has.
func TestShapedOverheadIsTheGuests(t *testing.T) {
	src, err := os.ReadFile("../guests/src/devices.c")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(".rept %v\\nnop", shaped[0].Value); !strings.Contains(string(src), want) {
		t.Errorf("devices.c does not have %q", want)
	}
}
