package maintenance

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/vault"
)

// folder looks at the data folder from outside: who may read it, and how much room there is.
func (r *reporter) folder() {
	open := doctor.Check{
		Name:   "file modes",
		Status: doctor.OK,
		Text:   "nobody but the owner may read the data folder and its files",
	}
	err := filepath.WalkDir(r.cfg.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && privatefile.CheckMode(info) != nil && d.Type()&fs.ModeSymlink == 0 {
			open.Details = append(
				open.Details, fmt.Sprintf("%s has mode %04o", path, info.Mode().Perm()),
			)
		}
		if d.IsDir() && path != r.cfg.Data {
			return filepath.SkipDir
		}
		return err
	})
	switch {
	case err != nil:
		r.fail("file modes", "", "the data folder cannot be looked at: %v", err)
	case len(open.Details) > 0:
		open.Status, open.Text = doctor.Warning, "others may read or change files of the data folder"
		open.Advice = "chmod 700 the folder and 600 the files: what is in them is sealed, and nobody's business"
		r.add(open)
	default:
		r.add(open)
	}
	r.disk()
}

// The least room for what comes: as much again as the database has, so that a restore or a rotation
// fits, and never less than this.
const minFree = 64 << 20

func (r *reporter) disk() {
	var used uint64
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(filepath.Join(r.cfg.Data, instance.DatabaseFile+suffix)); err == nil {
			used += uint64(info.Size()) //nolint:gosec // no file has a negative size
		}
	}
	free, known := freeBytes(r.cfg.Data)
	switch {
	case !known:
		r.warn("free disk", "look for yourself", "how much is free cannot be asked here")
	case free < used || free < minFree:
		r.warn(
			"free disk", "make room: a full disk stops every change",
			"%d MiB are free, the database has %d MiB", free>>20, used>>20,
		)
	default:
		r.ok("free disk", "%d MiB are free, the database has %d MiB", free>>20, used>>20)
	}
}

// checkKeyLocation looks at where the root keys lie that are files and still needed.
func (r *reporter) checkKeyLocation(keys []vault.StoredRootKey) {
	data := resolvePath(r.cfg.Data)
	for _, k := range keys {
		path, isFile := rootkey.FilePath(k.URL)
		if !k.Needed() || !isFile {
			continue
		}
		if configured, holds := r.roots.Holds(k); holds {
			path = configured
		}
		const elsewhere = "keep the key in another place than the data, and a copy of it in another place than the backups"
		key := resolvePath(path)
		info, err := os.Stat(key)
		switch {
		case err != nil:
			continue // the check of the root keys says so
		case privatefile.CheckMode(info) != nil:
			r.fail(
				"custody", "chmod 600 "+path, "others may read the root key %s: its mode is %04o",
				path, info.Mode().Perm(),
			)
		case key == data || strings.HasPrefix(key, data+string(filepath.Separator)):
			r.fail(
				"custody", elsewhere,
				"the root key %s is in the data folder: who loses or copies the one loses or copies both",
				path,
			)
		case filepath.Dir(key) == filepath.Dir(data):
			r.warn(
				"custody", elsewhere,
				"the root key %s is beside the data that it opens: is there a copy elsewhere?",
				path,
			)
		default:
			r.ok("custody", "the root key %s is not with the data", path)
		}
	}
}

// resolvePath returns the whole path with its links followed, as far as it is there.
func resolvePath(path string) string {
	whole, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(whole); err == nil {
		return real
	}
	return whole
}
