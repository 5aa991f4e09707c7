package cachemodel_test

import (
	"strings"
	"testing"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// Every preset can be built, and its parameter rows are the values in use.
func TestPresets(t *testing.T) {
	for _, name := range cachemodel.Presets() {
		cfg, err := cachemodel.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Name != name {
			t.Errorf("preset %s calls itself %s", name, cfg.Name)
		}
		if err := cfg.Validate(); err != nil {
			t.Error(err)
		}
		rows := map[string]phys.Param{}
		for _, p := range cfg.Params() {
			if _, twice := rows[p.Name]; twice {
				t.Errorf("%s: parameter %s twice", name, p.Name)
			}
			if p.Unit == "" || p.Source == "" || p.Range == "" || p.Status == "" {
				t.Errorf("%s: incomplete row %+v", name, p)
			}
			rows[p.Name] = p
		}
		cfg.PMEMRead, cfg.StoreBuffer, cfg.L2.Ways, cfg.FenceCycles[cachemodel.MFENCE] = 1234, 7, 10, 55
		changed := map[string]float64{"cache.pmem.read": 1234,
			"cache.store_buffer.entries": 7, "cache.l2.ways": 10, "cache.fence.mfence": 55}
		for _, p := range cfg.Params() {
			want, ok := changed[p.Name]
			if !ok {
				want = rows[p.Name].Value
			}
			if p.Value != want {
				t.Errorf("%s: %s is %v after the change, want %v", name, p.Name, p.Value, want)
			}
		}
	}
	if cfg, err := cachemodel.Preset(""); err != nil || cfg.Name != cachemodel.Presets()[0] {
		t.Errorf("the default preset is %q, %v", cfg.Name, err)
	}
	if _, err := cachemodel.Preset("z80"); err == nil || !strings.Contains(err.Error(), `"z80"`) ||
		!strings.Contains(err.Error(), "icx-g2, clx-g1") {
		t.Errorf("unknown preset: %v", err)
	}
}

func TestValidateSaysWhatIsWrong(t *testing.T) {
	newDriver(t, tiny(0)) // a good one before must make no difference
	for _, c := range []struct {
		change func(*cachemodel.Config)
		want   string
	}{
		{func(c *cachemodel.Config) { c.L1D.Ways = 0 }, "L1D: 0 ways"},
		{func(c *cachemodel.Config) { c.L2.Size = 1000 }, "L2: size of 1000 bytes"},
		{func(c *cachemodel.Config) { c.LLC.Size += 64 * phys.Bytes(c.LLC.Ways) }, "power of two"},
		{func(c *cachemodel.Config) { c.LLC.Size = 0 }, "LLC: size of 0 bytes"},
		{func(c *cachemodel.Config) { c.L2.Latency = 1 }, "latencies of 5, 1 and 71 cycles"},
		{func(c *cachemodel.Config) { c.Cores = 0 }, "0 cores; there must be 1 to 64"},
		{func(c *cachemodel.Config) { c.Cores = 65 }, "65 cores; there must be 1 to 64"},
		{func(c *cachemodel.Config) { c.L2.Size, c.Cores = 20<<20, 64 }, "hold up to"},
		{func(c *cachemodel.Config) { c.StoreBuffer = 0 }, "store_buffer.entries is 0; it must be 1 to 126"},
		{func(c *cachemodel.Config) { c.StoreBuffer = 127 }, "store_buffer.entries is 127"},
		{func(c *cachemodel.Config) { c.WCBuffers = 17 }, "wc.buffers is 17; it must be 1 to 16"},
		{func(c *cachemodel.Config) { c.PMEMRead = 1 << 40 }, "pmem.read"},
		{func(c *cachemodel.Config) { c.StoreOverlap = 0 }, "store.overlap is 0"},
		{func(c *cachemodel.Config) { c.CoreMHz = 0 }, "core.frequency is 0"},
	} {
		cfg, _ := cachemodel.Preset("icx-g2")
		c.change(&cfg)
		_, err := cachemodel.New(cfg, flat{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "icx-g2") {
			t.Errorf("error %v, want one with %q and the configuration's name", err, c.want)
		}
	}
}
