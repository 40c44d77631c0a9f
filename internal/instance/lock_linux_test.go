package instance_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/server"
)

// linked returns the settings of a folder whose database is a symbolic link to that of another.
func linked(t *testing.T, data, keys string) config.Config {
	t.Helper()
	cfg := production(t)
	cfg.RootKeys, cfg.Keys = nil, keys
	apptest.Must(t, os.Mkdir(cfg.Data, 0o700))
	apptest.Must(t, os.Symlink(
		filepath.Join(data, "keysake.db"), filepath.Join(cfg.Data, "keysake.db")))
	return cfg
}

// A process that closes a file loses the locks that SQLite has on it.
func TestARefusedServerTakesNoLockFromAnotherInItsProcess(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	cfg := linked(t, s.Data, filepath.Join(s.Data, "keysake.keys"))
	for range 2 {
		wantCannotOpen(
			t, server.Run(t.Context(), cfg, nil, io.Discard, io.Discard),
			"another keysake is running on "+cfg.Data,
		)
	}
	f, err := os.Open(filepath.Join(s.Data, "keysake.db"))
	apptest.Must(t, err)
	t.Cleanup(func() { _ = f.Close() })
	// the bytes of which a connection has a part: sqlite.org/fileformat2.html, section 1.5
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: 1<<30 + 2, Len: 510}
	apptest.Must(t, unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock))
	if lock.Type != unix.F_RDLCK {
		t.Error("SQLite lost its locks")
	}
}

func TestADatabaseBehindALinkKeepsItsLogBesideIt(t *testing.T) {
	t.Parallel()
	first, _ := initialised(t)
	cfg := linked(t, first.Data, first.Data+".keys")
	s := apptest.StartWith(t, cfg)
	for _, name := range []string{"keysake.db-wal", "keysake.db.write-lock"} {
		if _, err := os.Lstat(filepath.Join(first.Data, name)); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(filepath.Join(cfg.Data, name)); err == nil {
			t.Errorf("%s is beside the link", name)
		}
	}
	s.Stop(t)
	apptest.StartWith(t, first)
}

func TestADatabaseUnderTwoNamesIsNotOpened(t *testing.T) {
	t.Parallel()
	cfg, _ := initialised(t)
	path := filepath.Join(cfg.Data, "keysake.db")
	apptest.Must(t, os.Link(path, path+".copy"))
	before := apptest.Files(t, cfg.Data)
	wantCannotOpen(
		t, server.Run(t.Context(), cfg, nil, io.Discard, io.Discard), "has 2 names (hard links)")
	_, err := instance.Open(
		t.Context(), cfg, instance.NewKeys(cfg, nil), instance.Shared)
	wantCannotOpen(t, err, "has 2 names (hard links)")
	apptest.WantFiles(t, cfg.Data, before)
	apptest.Must(t, os.Remove(path+".copy"))
	apptest.StartWith(t, cfg)
}
