package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/keysake/keysake/test/load"
)

// A home is a folder with the data of one server and with what it keeps beside them.
type home struct{ dir string }

func newHome(dir string) (home, error) { return home{dir}, os.Mkdir(dir, 0o700) }

func (h home) data() string     { return filepath.Join(h.dir, "data") }
func (h home) database() string { return filepath.Join(h.data(), "keysake.db") }

// start starts a server on the data. The floors file makes it do all that it does in production.
func (h home) start(ctx context.Context, binary string) (*load.Process, error) {
	return load.StartServer(ctx, binary, h.data(), "--floors", filepath.Join(h.dir, "data.floors"))
}

// copyTo copies a home, of which no server runs, in the place of another one.
func (h home) copyTo(ctx context.Context, other home) error {
	if err := os.RemoveAll(other.dir); err != nil {
		return err
	}
	return copyFiles(ctx, h.dir, other.dir, other.database())
}

// copyFiles copies a file or a folder. It ends when the database in the copy is on the disk: the
// system writes nothing of it while something is measured.
func copyFiles(ctx context.Context, from, to, database string) error {
	out, err := exec.CommandContext(ctx, "cp", "-Rp", from, to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cp: %w: %s", err, out)
	}
	f, err := os.Open(database)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
