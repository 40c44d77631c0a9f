package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/vault"
)

// ErrRotating says that another rotation runs on the same folder.
var ErrRotating = errors.New("another rotation is running on this folder: wait for its end")

// A NewRootKey says what to rotate to.
type NewRootKey struct {
	URL            string
	PassphraseFile string     // of a passphrase: its first line; or
	PassphraseFD   int        // the same from a descriptor; or
	Ask            Passphrase // asks for it, twice
}

// RotateRootKey makes another root key the primary, a new key file if its URL names one that is
// missing, and rewraps every owner key with it. It works beside servers that serve. It may be
// stopped at any point; the same call then goes on. progress is told how far it is. It returns how
// many owner keys were rewrapped.
//
// Its error has [ErrCannotStart] where the folder or a root key does not open, and is [ErrRotating]
// where another rotation runs: nothing was changed then.
func RotateRootKey(
	ctx context.Context,
	cfg config.Config,
	ask Passphrase,
	to NewRootKey,
	progress func(done, total int),
) (rewrapped int, err error) {
	next := &passphrases{file: to.PassphraseFile, fd: to.PassphraseFD, ask: to.Ask}
	roots := newRootKeys(cfg, ask)
	if to.URL == rootkey.PassphraseURL {
		if _, err := next.fresh(ctx); err != nil {
			return 0, cannotStart(err)
		}
	}
	old := roots.opener.Passphrases
	roots.opener.NewPassphrase = next.fresh
	roots.opener.Passphrases = next.before(old)
	err = rotating(ctx, cfg, roots, func(d *data, _ *flock.Flock) error {
		if err := d.addRootKey(ctx, to.URL); err != nil {
			return err
		}
		return d.vault.Rewrap(ctx, func(done, total int) {
			rewrapped = done
			progress(done, total)
		})
	})
	return rewrapped, err
}

// addRootKey makes the key of a URL the primary, unless it is.
func (d *data) addRootKey(ctx context.Context, url string) error {
	keys, err := d.vault.ListRootKeys(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.State != vault.Primary || url != rootkey.PassphraseURL {
			continue
		}
		same, err := d.roots.opener.Holds(ctx, rootkey.Ref{ID: k.ID, URL: k.URL, Params: k.Params})
		if same || err != nil {
			return err
		}
	}
	root, ref, err := d.roots.opener.Create(ctx, url)
	if err != nil {
		return cannotStart(fmt.Errorf("--to %s: %w", url, err))
	}
	err = d.vault.AddRootKey(ctx, root, ref.URL, ref.Params)
	if failed, ok := errors.AsType[*vault.RootKeyError](err); ok {
		return cannotStart(fmt.Errorf("--to %s: %w", url, failed.Cause))
	}
	return err
}

// RetireRootKey notes that a root key is needed no more, after it has opened every owner key
// without it.
func RetireRootKey(ctx context.Context, cfg config.Config, ask Passphrase, id string) error {
	return rotating(ctx, cfg, newRootKeys(cfg, ask), func(d *data, _ *flock.Flock) error {
		key, err := d.rootKeyNamed(ctx, id)
		if err != nil {
			return err
		}
		return d.vault.RetireRootKey(ctx, key)
	})
}

// rootKeyNamed finds a root key by its id, or by how its id begins.
func (d *data) rootKeyNamed(ctx context.Context, id string) (found uuid.UUID, err error) {
	keys, err := d.vault.ListRootKeys(ctx)
	if err != nil {
		return found, err
	}
	n := 0
	for _, k := range keys {
		if id != "" && strings.HasPrefix(k.ID.String(), strings.ToLower(id)) {
			found, n = k.ID, n+1
		}
	}
	switch n {
	case 0:
		return found, errors.New(`there is no such root key: "keysake root-key status" shows all`)
	case 1:
		return found, nil
	}
	return found, errors.New("several root keys begin so: give more of the ID")
}

// RotateOwnerKeys gives the user of that name or id a new owner key, or every user if it is empty,
// and seals everything of theirs with it. It works beside servers that serve. It may be stopped at
// any point; the same call then goes on. It returns how many users have a new key. The errors are
// those of [RotateRootKey].
func RotateOwnerKeys(
	ctx context.Context,
	cfg config.Config,
	ask Passphrase,
	user string,
	progress func(done, total int),
) (rotated int, err error) {
	err = rotating(ctx, cfg, newRootKeys(cfg, ask), func(d *data, lock *flock.Flock) error {
		if user != "" {
			id, err := d.vault.FindUser(ctx, user)
			if errors.Is(err, vault.ErrNotFound) {
				return errors.New(`there is no such user: "keysake users list" shows all`)
			}
			if err == nil {
				err = d.vault.RotateOwnerKey(ctx, id)
			}
			if err == nil {
				rotated = 1
			}
			return err
		}
		began, err := beganAt(lock)
		if err != nil {
			return err
		}
		err = d.vault.RotateOwnerKeys(ctx, began, func(done, total int) {
			rotated = done
			progress(done, total)
		})
		if err == nil {
			err = noteBegan(lock, "")
		}
		return err
	})
	return rotated, err
}

// rotating opens a folder beside a server, keeps other rotations out, and does it.
func rotating(
	ctx context.Context,
	cfg config.Config,
	roots *rootKeys,
	do func(*data, *flock.Flock) error,
) (err error) {
	d, err := openFolderWith(ctx, cfg, slog.New(slog.DiscardHandler), roots, beside)
	if err != nil {
		return cannotStart(err)
	}
	defer func() { err = errors.Join(err, d.close()) }()
	lock := flock.New(filepath.Join(cfg.Data, rotationFile), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return cannotStart(err)
	}
	if !locked {
		return ErrRotating
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	return do(d, lock)
}

// resumable is how long a rotation of all owner keys that was cut short is gone on with. After that
// the keys which it made are old enough to be rotated again: who starts one after a leak must not
// have it end where another one stopped months ago.
const resumable = 24 * time.Hour

// beganAt returns when the rotation of all owner keys began that is to go on, or begins one. The
// time stands in the lock's file as long as it is not at its end.
func beganAt(lock *flock.Flock) (time.Time, error) {
	text, err := os.ReadFile(lock.Path())
	if err != nil {
		return time.Time{}, err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	if at, err := time.Parse(
		time.RFC3339Nano,
		string(text),
	); err == nil &&
		now.Sub(at) < resumable {
		return at, nil // else there is none, or its note was cut short before anything was done
	}
	return now, noteBegan(lock, now.Format(time.RFC3339Nano))
}

// noteBegan writes the note, or clears it. The file stays the same one: it is locked.
func noteBegan(lock *flock.Flock, text string) error {
	return os.WriteFile(lock.Path(), []byte(text), 0o600)
}
