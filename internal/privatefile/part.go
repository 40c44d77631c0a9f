package privatefile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// createPart creates and locks the file that gets its name later. Its mode is 0600. The lock says
// until it is released, or the process ends, that the file is in use.
func createPart(path string) (part *os.File, release func(), err error) {
	for {
		f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
		if err != nil {
			return nil, nil, err
		}
		release, taken := lock(f.Name())
		// RemoveParts may have taken it for abandoned before it was locked.
		if _, err = os.Lstat(f.Name()); err == nil && !taken {
			return f, release, nil
		}
		release()
		if err == nil { // the process that wants to remove it may have been stopped
			err = os.Remove(f.Name())
		}
		if closed := f.Close(); closed != nil || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, errors.Join(err, closed)
		}
	}
}

var partName = regexp.MustCompile(`^\..+\.[0-9]+\.part$`)

// RemoveParts removes what processes that were killed left in a folder of files that they did not
// complete: those that are empty or begin with magic. What is still written stays. So does what
// cannot be removed: nothing depends on it.
func RemoveParts(dir, magic string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if partName.MatchString(e.Name()) && e.Type().IsRegular() {
			removePart(filepath.Join(dir, e.Name()), magic)
		}
	}
}

func removePart(path, magic string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	if !tryLock(f) {
		return
	}
	head := make([]byte, len(magic))
	n, err := io.ReadFull(f, head)
	if n == 0 && errors.Is(err, io.EOF) || err == nil && bytes.Equal(head, []byte(magic)) {
		_ = os.Remove(path)
	}
}
