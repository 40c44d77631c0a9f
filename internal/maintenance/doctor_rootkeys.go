package maintenance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// openRootKeys opens every root key that is still required, and returns those that open.
func (r *reporter) openRootKeys(
	ctx context.Context, name string, keys []vault.StoredRootKey,
) map[uuid.UUID]seal.RootKey {
	required := r.roots.OpenRequired(ctx, keys)
	open, err := instance.ByID(required)
	var primaries, replaced []string
	for _, k := range required {
		if k.State == vault.Primary {
			primaries = append(primaries, k.URL)
		} else {
			replaced = append(replaced, fmt.Sprintf(
				"root key %s at %s still wraps %d owner keys", k.ID, k.URL, k.OwnerKeys))
		}
	}
	switch {
	case err != nil:
		r.fail(name, "restore the root key, or give its URL with --root-key: without it, "+
			"everything that it wraps is lost", "%v", err)
	case len(primaries) != 1:
		r.fail(name, restoreBackup, "%d root keys are primary, not one", len(primaries))
	case len(replaced) > 0:
		r.add(doctor.Check{
			Name:    name,
			Status:  doctor.Warning,
			Text:    "all required root keys open; some of them were replaced",
			Details: replaced,
			Advice:  "complete the rotation: keysake root-key rotate --to " + primaries[0],
		})
	default:
		r.ok(name, "the required root key opens: %s", required[0].FoundAt)
	}
	return open
}

// checkKeyLocation checks where the files of required root keys are, and who can read them.
func (r *reporter) checkKeyLocation(keys []vault.StoredRootKey) {
	for _, k := range keys {
		path, isFile := rootkey.FilePath(k.URL)
		if !k.Required() || !isFile {
			continue
		}
		if configured, holds := r.roots.Holds(k); holds {
			path = configured
		}
		r.checkKeyFile(path)
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
