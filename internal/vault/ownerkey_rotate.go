package vault

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// A sealedLibrary is what other owner keys of a user seal than the one that its ledger names.
type sealedLibrary struct {
	ownerKey uuid.UUID
	secrets  []StoredSecret
	versions []StoredVersion
	all      map[uuid.UUID]StoredSecret // all of the user's secrets
}

// RotateOwnerKey gives a user a new owner key: it seals every value and mask anew, those of old
// versions too, and destroys the old owner key. The new key seals from its first transaction on, so
// that a user who writes all the time cannot hold up the second. If it is interrupted between the
// two, both keys open, and the next rotation destroys both. NotFound: there is no such user.
func (o *Operator) RotateOwnerKey(ctx context.Context, user uuid.UUID) error {
	var old uuid.UUID
	err := o.retry(user, func() error { // with another key, where the root key was dropped
		stored, key, err := o.newOwnerKey(ctx, user)
		if err != nil {
			return err
		}
		if old, err = o.storeOwnerKey(ctx, stored); err == nil {
			o.keys.add(user, key)
		}
		return err
	})
	if err != nil {
		return err
	}
	err = o.retry(user, func() error { return o.resealLibrary(ctx, user) })
	if err == nil {
		o.keys.drop(user, old)
	}
	return err
}

// storeOwnerKey makes an owner key the one that seals its user's values, and returns the one that
// did. The audit entry follows in resealLibrary.
func (o *Operator) storeOwnerKey(
	ctx context.Context, next StoredOwnerKey,
) (old uuid.UUID, err error) {
	in := intent{action: policy.OwnerKeyRotate, library: userLibrary(next.User)}
	err = o.store.Update(ctx, func(tx Tx) error {
		c, err := o.begin(ctx, tx, in)
		if err != nil {
			return err
		}
		if err := checkRootKey(ctx, c, next.RootKey); err != nil {
			return err
		}
		if err := c.InsertOwnerKey(ctx, next); err != nil {
			return err
		}
		old, c.ledger.OwnerKey = c.ledger.OwnerKey, next.ID
		return in.library.save(ctx, c.Tx, c.ledger)
	})
	return old, err
}

// resealLibrary seals a user's library with the owner key that the ledger names, and destroys the
// others. It returns [errStale] if the ledger names another key in the meantime.
func (o *Operator) resealLibrary(ctx context.Context, user uuid.UUID) error {
	library, err := o.readLibrary(ctx, user)
	if err != nil {
		return err
	}
	key, err := o.keys.open(ctx, user, library.ownerKey)
	if err != nil {
		return err
	}
	if err := o.reseal(ctx, &library, key); err != nil {
		return err
	}
	in := intent{action: policy.OwnerKeyRotate, library: userLibrary(user)}
	return o.apply(ctx, in, func(c *change) error {
		if c.ledger.OwnerKey != library.ownerKey {
			return errStale
		}
		c.record(audit.Target{Kind: audit.TargetOwnerKey, ID: library.ownerKey})
		return c.storeResealed(ctx, user, library)
	})
}

// readLibrary reads what is not sealed by the owner key that the ledger names.
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
	library.all = make(map[uuid.UUID]StoredSecret, len(library.secrets))
	for _, s := range library.secrets {
		library.all[s.ID] = s
	}
	current := library.ownerKey
	library.secrets = slices.DeleteFunc(library.secrets, func(s StoredSecret) bool {
		return sealedBy(current, s.SealedValue, s.SealedMask)
	})
	library.versions = slices.DeleteFunc(library.versions, func(v StoredVersion) bool {
		return sealedBy(current, v.SealedValue, v.SealedMask)
	})
	return library, err
}

// sealedBy reports whether blobs name an owner key as the one that sealed them.
func sealedBy(ownerKey uuid.UUID, blobs ...[]byte) bool {
	return !slices.ContainsFunc(blobs, func(blob []byte) bool {
		id, err := seal.KeyID(blob)
		return err != nil || id != ownerKey
	})
}

// reseal seals a library with another owner key.
func (o *Operator) reseal(ctx context.Context, l *sealedLibrary, key seal.OwnerKey) error {
	for i := range l.secrets {
		s := &l.secrets[i]
		err := o.resealBlobs(ctx, s.Binding(), key, &s.SealedValue, &s.SealedMask)
		if err != nil {
			return err
		}
	}
	for i := range l.versions {
		v := &l.versions[i]
		err := o.resealBlobs(ctx, v.Binding(l.all[v.Secret]), key, &v.SealedValue, &v.SealedMask)
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
	*value, *mask = key.SealValue(b, opened), key.SealMask(b, shown)
	return nil
}

// storeResealed stores what was resealed, and destroys all owner keys but the one that sealed it.
// Since the library was read, a version may have been archived, where its new blobs are as good,
// or be gone; what is newer was sealed by that key.
func (c *change) storeResealed(
	ctx context.Context, user uuid.UUID, library sealedLibrary,
) error {
	for _, s := range library.secrets {
		err := c.ResealSecret(ctx, s)
		if errors.Is(err, ErrNotFound) {
			archived := s.version()
			archived.SealedValue = s.SealedValue
			err = c.ResealVersion(ctx, archived)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	for _, v := range library.versions {
		if err := c.ResealVersion(ctx, v); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return c.DeleteOtherOwnerKeys(ctx, user, library.ownerKey)
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
