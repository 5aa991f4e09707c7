//go:build !unix

package imagefile

import (
	"errors"
	"os"
)

// lock does nothing here: that two processes use one image is not noticed.
func lock(*os.File) error { return nil }

// takeOver makes tmp the file called path, in place of old, which may be nil.
func takeOver(tmp, old *os.File, path string) (*os.File, error) {
	err := tmp.Close() // an open file cannot be renamed here
	if old != nil {
		err = errors.Join(err, old.Close())
	}
	if err = errors.Join(err, os.Rename(tmp.Name(), path)); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR, 0)
}

// syncFolder does nothing here: folders cannot be opened.
func syncFolder(string) error { return nil }

// SinkOf tells which regular file h is: not known here.
func SinkOf(*os.File) Sink { return Sink{} }
