package crashinject

import (
	"testing"

	"zhuque/eadr"
)

// The default platform's energy lasts for full caches at every number of cores and every
// preset; what the user gives is not changed.
func TestTheDefaultPlatformKeepsItsPromise(t *testing.T) {
	for _, preset := range []string{"icx-g2", "clx-g1"} {
		for _, cores := range []string{"1", "2", "16", "64"} {
			s := DefaultSetup()
			for _, set := range [][2]string{{"preset", preset}, {"cores", cores}} {
				if err := s.Set(set[0], set[1]); err != nil {
					t.Fatal(err)
				}
			}
			cfg, err := s.Config(nil)
			if err != nil {
				t.Fatal(err)
			}
			cache := cfg.Cache
			cache.Cores = s.Cores
			inv := eadr.Inventory{Cores: s.Cores, BufferedStores: s.Cores * cache.StoreBuffer,
				SaveLines: 20 * s.Cores, DirtyLines: cache.MostDirty()}
			if !eadr.Ample(cfg.Power, inv) {
				t.Errorf("%s with %s cores: %d nJ do not last for full caches", preset, cores, cfg.Power.Energy)
			}
			short := cfg.Power
			short.Energy = eadr.Default(eadr.EADR).Energy
			if cores == "64" && eadr.Ample(short, inv) {
				t.Errorf("%s: 64 full cores drain in 10 ms, so this test shows nothing", preset)
			}
			if err := s.Set("energy", "1000"); err != nil {
				t.Fatal(err)
			}
			if cfg, err = s.Config(nil); err != nil || cfg.Power.Energy != 1000 {
				t.Errorf("%s: the user's 1000 nJ became %d, %v", preset, cfg.Power.Energy, err)
			}
		}
	}
}
