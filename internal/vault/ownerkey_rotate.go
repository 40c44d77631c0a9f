package vault

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// A sealedLibrary is all that a user's owner key seals.
type sealedLibrary struct {
	ownerKey uuid.UUID
	secrets  []StoredSecret
	versions []StoredVersion
}

// RotateOwnerKey gives a user a new owner key: it seals every value and mask anew, those of old
// versions too, and destroys the old owner key. NotFound: there is no such user. Unavailable: the
// user changed too much at the same time.
func (o *Operator) RotateOwnerKey(ctx context.Context, user uuid.UUID) error {
	return o.retry(user, func() error { // with another key, where the primary root key has changed
		stored, key, err := o.newOwnerKey(ctx, user)
		if err != nil {
			return err
		}
		return o.retry(user, func() error { return o.rotateTo(ctx, stored, key) })
	})
}

// rotateTo seals all of a user's library with a new owner key. It returns [errStale] if the library
// has changed in the meantime.
func (o *Operator) rotateTo(ctx context.Context, next StoredOwnerKey, key seal.OwnerKey) error {
	library, err := o.readLibrary(ctx, next.User)
	if err != nil {
		return err
	}
	if err := o.reseal(ctx, &library, key); err != nil {
		return err
	}
	in := intent{action: policy.OwnerKeyRotate, library: userLibrary(next.User)}
	err = o.apply(ctx, in, func(c *change) error {
		if err := checkPrimary(ctx, c, next.RootKey); err != nil {
			return err
		}
		if c.ledger.OwnerKey != library.ownerKey || c.ledger.Secrets != len(library.secrets) {
			return errStale
		}
		c.ledger.OwnerKey = next.ID
		c.record(audit.Target{Kind: audit.TargetOwnerKey, ID: next.ID})
		return c.replaceOwnerKey(ctx, next, library)
	})
	if err != nil {
		return err
	}
	o.keys.drop(next.User, library.ownerKey)
	o.keys.add(next.User, key)
	return nil
}

// readLibrary reads all that a user's owner key seals.
func (o *Operator) readLibrary(ctx context.Context, user uuid.UUID) (sealedLibrary, error) {
	var library sealedLibrary
	err := o.store.View(ctx, func(r Reader) error {
		ledger, err := r.Ledger(ctx, user)
		if err != nil {
			return err
		}
		library.ownerKey = ledger.OwnerKey
		if library.secrets, err = r.SealedSecrets(ctx, user); err != nil {
			return err
		}
		library.versions, err = r.SealedVersions(ctx, user)
		return err
	})
	return library, err
}

// reseal seals a library with another owner key.
func (o *Operator) reseal(ctx context.Context, l *sealedLibrary, key seal.OwnerKey) error {
	for i := range l.secrets {
		s := &l.secrets[i]
		err := o.resealBlobs(ctx, s.binding(), key, &s.SealedValue, &s.SealedMask)
		if err != nil {
			return err
		}
	}
	for i := range l.versions {
		v := &l.versions[i]
		err := o.resealBlobs(ctx, v.binding(), key, &v.SealedValue, &v.SealedMask)
		if err != nil {
			return err
		}
	}
	return nil
}

// resealBlobs opens a value and its mask with the key that sealed each, and seals them for the same
// binding with another.
func (o *Operator) resealBlobs(
	ctx context.Context, b seal.Binding, key seal.OwnerKey, value, mask *[]byte,
) error {
	opened, err := o.keys.openValue(ctx, b, *value)
	if err != nil {
		return err
	}
	shown, err := o.keys.openMask(ctx, b, *mask)
	if err != nil {
		return err
	}
	if *value, err = key.SealValue(b, opened); err != nil {
		return err
	}
	*mask, err = key.SealMask(b, shown)
	return err
}

// replaceOwnerKey stores a user's new owner key with the library that it seals, and destroys the
// others. It returns [errStale] if a row has another version than the one that was resealed.
func (c *change) replaceOwnerKey(
	ctx context.Context, key StoredOwnerKey, library sealedLibrary,
) error {
	if err := c.InsertOwnerKey(ctx, key); err != nil {
		return err
	}
	for _, s := range library.secrets {
		if err := c.ResealSecret(ctx, s); err != nil {
			return staleIfMissing(err)
		}
	}
	for _, v := range library.versions {
		if err := c.ResealVersion(ctx, v); err != nil {
			return staleIfMissing(err)
		}
	}
	return c.DeleteOtherOwnerKeys(ctx, key.User, key.ID)
}

func staleIfMissing(err error) error {
	if errors.Is(err, ErrNotFound) {
		return errStale
	}
	return err
}

// RotateOwnerKeys gives a new owner key to every user whose own was made before a time. It may be
// interrupted at any point and begun again with the same time: it skips users who already have a
// new key. progress is called after each user.
func (o *Operator) RotateOwnerKeys(
	ctx context.Context, before time.Time, progress func(done, total int),
) error {
	var total int
	err := o.store.Read(ctx, func(r Reader) (err error) {
		total, err = r.CountOwnerKeysBefore(ctx, before)
		return err
	})
	if err != nil {
		return err
	}
	progress(0, total)
	done, after := 0, uuid.Nil
	for {
		var batch []StoredOwnerKey
		err := o.store.Read(ctx, func(r Reader) (err error) {
			batch, err = r.OwnerKeysBefore(ctx, before, after, o.batch)
			return err
		})
		if err != nil || len(batch) == 0 {
			return err
		}
		after = batch[len(batch)-1].ID
		for _, k := range batch {
			began := time.Now()
			err := o.RotateOwnerKey(ctx, k.User)
			if err != nil && KindOf(err) != NotFound { // deleted in the meantime
				return err
			}
			done++
			progress(done, total)
			pause(ctx, time.Since(began))
		}
	}
}

// maxPause bounds how long a rotation pauses at once.
const maxPause = 100 * time.Millisecond

// pause leaves the database to others for as long as a step of a rotation took.
func pause(ctx context.Context, took time.Duration) {
	select {
	case <-time.After(min(took, maxPause)):
	case <-ctx.Done():
	}
}
