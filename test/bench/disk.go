package main

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/keysake/keysake/test/figures"
)

// syncing is the work of the disk: to take one block for good.
const syncing = "fsync"

// measureDisk overwrites a block of a file in a folder and waits each time until it is on the disk.
func measureDisk(dir string, length time.Duration) (s figures.Sample, err error) {
	f, err := os.Create(filepath.Join(dir, "block"))
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	block := make([]byte, 4096)
	var took []time.Duration
	began := time.Now()
	for last := began; last.Sub(began) < length; {
		if _, err := f.WriteAt(block, 0); err != nil {
			return s, err
		}
		if err := f.Sync(); err != nil {
			return s, err
		}
		now := time.Now()
		took = append(took, now.Sub(last))
		last = now
	}
	return figures.Summarise(took, time.Since(began)), nil
}
