package symbols

import "sync"

// Cache remembers what was read of files, by content; it may be shared by all machines
// of a campaign and be used by several goroutines. Its zero value is empty.
type Cache struct {
	mu      sync.Mutex
	objects map[string]*object
	bytes   int64
}

// Bounds of what is kept and read. Debug builds of large databases have some 200 MiB.
const (
	maxFile    = 512 << 20 // bytes of a file that is looked at
	maxCached  = 1 << 30   // bytes of all files that are remembered; beyond it all are forgotten
	maxObjects = 1024      // files that are remembered
)

// object returns what is known of a mapping's file; nil when it is no ELF file of the
// right kind.
func (c *Cache) object(m *Mapping, files Files) *object {
	key, size := m.File.Key(), m.File.Size()
	if key == "" || size <= 0 || size > maxFile {
		return nil
	}
	if c == nil {
		return parse(m.File, m.Name, files)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	o, known := c.objects[key]
	if !known {
		if c.bytes+size > maxCached || len(c.objects) >= maxObjects || c.objects == nil {
			c.objects, c.bytes = map[string]*object{}, 0
		}
		o = parse(m.File, m.Name, files)
		c.objects[key] = o
		c.bytes += size + o.extra()
	}
	return o
}
