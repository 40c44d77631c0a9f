package maintenance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// openRootKeys opens every root key that wraps something, and returns those that open. In a
// database, but not in a backup, all must be wrapped by the first.
func (r *reporter) openRootKeys(
	ctx context.Context, name string, known []vault.StoredRootKey, isBackup bool,
) map[uuid.UUID]seal.RootKey {
	required := r.keys.OpenRequired(ctx, known)
	open, err := instance.ByID(required)
	first, firstErr := r.keys.FirstRootKey(ctx, known)
	var behind []string
	for _, k := range required {
		if k.ID != first {
			behind = append(behind,
				fmt.Sprintf("root key %s still wraps %d owner keys", k.ID, k.OwnerKeys))
		}
	}
	isFirst := func(k vault.StoredRootKey) bool { return k.ID == first }
	switch {
	case len(known) == 0:
		r.fail(name, restoreBackup, "there is none")
	case errors.Is(err, vault.ErrNotConfigured):
		r.fail(name, "if you know the key, name it in the keys file or with --root-key; otherwise "+
			"somebody changed the database: "+restoreBackup, "%v", err)
	case err != nil:
		r.fail(name, "restore the root key, or name it in the keys file or with --root-key: "+
			"without it, everything that it wraps is lost", "%v", err)
	case firstErr != nil:
		r.fail(name, "name the root keys in the keys file or with --root-key", "%v", firstErr)
	case !isBackup && !slices.ContainsFunc(known, isFirst):
		r.fail(name, "complete the rotation: keysake root-key rotate",
			"the database does not know the first root key that is named, %s", first)
	case len(behind) > 0 && !isBackup:
		r.add(doctor.Check{
			Name:    name,
			Status:  doctor.Failed,
			Text:    "all root keys open; the first one does not wrap everything",
			Details: behind,
			Advice:  "complete the rotation: keysake root-key rotate",
		})
	default:
		r.ok(name, "the root keys that are needed open: %d", len(open))
	}
	return open
}

// openInstanceKeys opens the instance keys that are named, and returns those that open.
func (r *reporter) checkKeyLocation() {
	urls, _, err := r.keys.Named()
	if err != nil {
		r.fail("key location", "check the keys file", "%v", err)
	}
	for _, url := range urls {
		if path, isFile := rootkey.FilePath(url); isFile {
			r.checkKeyFile(path)
		}
	}
}

func (r *reporter) checkKeyFile(path string) {
	const name = "key location"
	const advice = "move the root key away from the data, and keep a copy away from the backups"
	data, key := resolvePath(r.cfg.Data), resolvePath(path)
	info, err := os.Stat(key)
	switch {
	case err != nil: // another check says that the root key does not open
	case privatefile.CheckMode(info) != nil:
		r.fail(name, "run chmod 600 "+path,
			"other users can read or change the root key %s: its mode is %04o",
			path, info.Mode().Perm())
	case key == data || strings.HasPrefix(key, data+string(filepath.Separator)):
		r.fail(name, advice, "the root key %s is in the data folder: a copy or loss of one is a "+
			"copy or loss of both", path)
	case filepath.Dir(key) == filepath.Dir(data):
		r.warn(name, advice,
			"the root key %s is next to the data folder: is there a copy elsewhere?", path)
	default:
		r.ok(name, "the root key %s is apart from the data folder", path)
	}
}

// resolvePath returns an absolute path without symbolic links, if it exists.
func resolvePath(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if resolved, err := filepath.EvalSymlinks(absolute); err == nil {
		return resolved
	}
	return absolute
}
