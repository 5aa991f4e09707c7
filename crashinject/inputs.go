package crashinject

import (
	"fmt"
	"io"
	"os"
)

// readBounded reads a regular file of at most limit bytes: devices and pipes may have no
// end, and what a case names may be anything.
func readBounded(name string, limit int64) ([]byte, error) {
	st, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%q: expected a regular file", name)
	case st.Size() > limit:
		return nil, fmt.Errorf("%q has %d bytes: expected at most %d", name, st.Size(), limit)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%q grows while it is read: expected at most %d bytes", name, limit)
	}
	return data, err
}
