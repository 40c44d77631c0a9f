package vault

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// A sealedLibrary is what the previous owner key of a user seals, and the owner keys of which the
// ledger said that they open it.
type sealedLibrary struct {
	openers  openers
	secrets  []resealed[StoredSecret]
	versions []resealed[StoredVersion]
	all      map[uuid.UUID]StoredSecret // all of the user's secrets
}

// A resealed is a row as it was, and with its blobs sealed anew.
type resealed[T any] struct{ was, now T }

// RotateOwnerKey gives a user a new owner key: it seals every value and mask anew, those of old
// versions too, and destroys the old owner key. The new key seals from its first transaction on, so
// that a user who writes all the time cannot hold up the second. If it is interrupted between the
// two, both keys open, which the ledger says, and the next rotation begins with the second.
// NotFound: there is no such user.
func (o *Operator) RotateOwnerKey(ctx context.Context, user uuid.UUID) error {
	if err := o.retry(user, func() error { return o.resealLibrary(ctx, user) }); err != nil {
		return err
	}
	err := o.retry(user, func() error { // with another key, where the root key was dropped
		stored, key, err := o.newOwnerKey(ctx, user)
		if err != nil {
			return err
		}
		if err = o.storeOwnerKey(ctx, stored); err == nil {
			o.keys.add(user, key)
		}
		return err
	})
	if err != nil {
		return err
	}
	return o.retry(user, func() error { return o.resealLibrary(ctx, user) })
}

// storeOwnerKey makes an owner key the one that seals its user's values.
func (o *Operator) storeOwnerKey(ctx context.Context, next StoredOwnerKey) error {
	in := intent{action: policy.OwnerKeyRotate, library: userLibrary(next.User)}
	return o.apply(ctx, in, func(c *change) error {
		if err := checkRootKey(ctx, c.rows, next.RootKey); err != nil {
			return err
		}
		if c.ledger.PreviousKey != uuid.Nil {
			return errStale // another rotation is not complete
		}
		c.ledger.PreviousKey, c.ledger.OwnerKey, c.ledger.Seals = c.ledger.OwnerKey, next.ID, 0
		c.record(audit.Target{Kind: audit.TargetOwnerKey, ID: next.ID})
		return c.tx.InsertOwnerKey(ctx, next)
	})
}

// resealLibrary completes a rotation: it seals what the previous owner key sealed with the one that
// seals now, and destroys the previous one. If no rotation is to be completed it does nothing.
func (o *Operator) resealLibrary(ctx context.Context, user uuid.UUID) error {
	library, err := o.readLibrary(ctx, user)
	if err != nil || library.openers.ids[1] == uuid.Nil {
		return err
	}
	key, err := o.keys.open(ctx, user, library.openers.ids[0])
	if err != nil {
		return err
	}
	if err := o.reseal(ctx, &library, key); err != nil {
		return err
	}
	previous := library.openers.ids[1]
	in := intent{action: policy.OwnerKeyDestroy, library: userLibrary(user)}
	err = o.apply(ctx, in, func(c *change) error {
		if c.openers() != library.openers {
			return errStale
		}
		c.record(audit.Target{Kind: audit.TargetOwnerKey, ID: previous})
		return c.storeResealed(ctx, library)
	})
	if err == nil {
		o.keys.drop(user, previous)
	}
	return err
}

// readLibrary reads what is not sealed by the owner key that the ledger names.
func (o *Operator) readLibrary(ctx context.Context, user uuid.UUID) (l sealedLibrary, err error) {
	err = o.view(ctx, func(r *snapshot) error {
		l = sealedLibrary{all: map[uuid.UUID]StoredSecret{}}
		p, err := r.user(ctx, user)
		if err != nil {
			return err
		}
		l.openers = p.openers()
		if p.ledger.PreviousKey == uuid.Nil {
			return nil
		}
		secrets, versions, err := p.sealedLibrary(ctx)
		if err != nil {
			return err
		}
		for _, s := range secrets {
			l.all[s.ID] = s
			if !sealedBy(p.ledger.OwnerKey, s.SealedValue, s.SealedMask) {
				l.secrets = append(l.secrets, resealed[StoredSecret]{s, s})
			}
		}
		for _, v := range versions {
			if !sealedBy(p.ledger.OwnerKey, v.SealedValue, v.SealedMask) {
				l.versions = append(l.versions, resealed[StoredVersion]{v, v})
			}
		}
		return nil
	})
	return l, err
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
		s := &l.secrets[i].now
		err := o.resealBlobs(ctx, l.openers, s.Binding(), key, &s.SealedValue, &s.SealedMask)
		if err != nil {
			return err
		}
	}
	for i := range l.versions {
		v := &l.versions[i].now
		at := v.Binding(l.all[v.Secret])
		err := o.resealBlobs(ctx, l.openers, at, key, &v.SealedValue, &v.SealedMask)
		if err != nil {
			return err
		}
	}
	return nil
}

// resealBlobs opens a value and its mask with the key that sealed each, and seals them for the same
// binding with another.
func (o *Operator) resealBlobs(
	ctx context.Context, by openers, b seal.Binding, key seal.OwnerKey, value, mask *[]byte,
) error {
	opened, err := o.keys.openValue(ctx, by, b, *value)
	if err != nil {
		return err
	}
	shown, err := o.keys.openMask(ctx, by, b, *mask)
	if err != nil {
		return err
	}
	*value, *mask = key.SealValue(b, opened), key.SealMask(b, shown)
	return nil
}

// storeResealed stores what was resealed, and destroys all owner keys but the one that sealed it.
// Since the library was read, a version may have been archived, where its new blobs are as good,
// or be gone; what is newer was sealed by that key.
func (c *change) storeResealed(ctx context.Context, l sealedLibrary) error {
	secrets, err := c.secrets(ctx)
	if err != nil {
		return err
	}
	versions, err := c.allVersions(ctx)
	if err != nil {
		return err
	}
	for _, s := range l.secrets {
		i := slices.IndexFunc(secrets, func(now StoredSecret) bool {
			return now.ID == s.was.ID && now.Stamp == s.was.Stamp
		})
		if i >= 0 {
			err = c.resealSecret(ctx, secrets[i], s)
		} else {
			was, now := s.was.version(), s.now.version()
			now.SealedValue = s.now.SealedValue
			err = c.resealVersion(ctx, versions, resealed[StoredVersion]{was, now})
		}
		if err != nil {
			return err
		}
	}
	for _, v := range l.versions {
		if err := c.resealVersion(ctx, versions, v); err != nil {
			return err
		}
	}
	c.ledger.PreviousKey = uuid.Nil
	return c.tx.DeleteOtherOwnerKeys(ctx, c.owner, c.ledger.OwnerKey)
}

// resealSecret replaces the blobs of a secret. If it was renamed meanwhile, its mask is sealed by
// the new key already.
func (c *change) resealSecret(
	ctx context.Context, there StoredSecret, by resealed[StoredSecret],
) error {
	next := there
	next.SealedValue = by.now.SealedValue
	if bytes.Equal(there.SealedMask, by.was.SealedMask) {
		next.SealedMask = by.now.SealedMask
	}
	c.ledger.Secrets.Remove(c.secretEntry(there))
	c.ledger.Secrets.Add(c.secretEntry(next))
	return errors.Join(c.countSeal(), c.tx.ResealSecret(ctx, next))
}

// resealVersion is resealSecret for an old version, if that is still there.
func (c *change) resealVersion(
	ctx context.Context, all []StoredVersion, by resealed[StoredVersion],
) error {
	i := slices.IndexFunc(all, func(v StoredVersion) bool {
		return v.Secret == by.was.Secret && v.Stamp == by.was.Stamp
	})
	if i < 0 {
		return nil
	}
	next := all[i]
	next.SealedValue = by.now.SealedValue
	if bytes.Equal(next.SealedMask, by.was.SealedMask) {
		next.SealedMask = by.now.SealedMask
	}
	c.ledger.Versions.Remove(c.versionEntry(all[i]))
	c.ledger.Versions.Add(c.versionEntry(next))
	return errors.Join(c.countSeal(), c.tx.ResealVersion(ctx, next))
}

// RotateOwnerKeys gives a new owner key to every user. No row says which owner keys are new: who
// can write the database would say it of the one that leaked. If it is interrupted, the next one
// begins anew. A user whose library is tampered with keeps no other from a new key; the error names
// each. progress is called after each user.
func (o *Operator) RotateOwnerKeys(
	ctx context.Context, progress func(done, total int),
) error {
	var users []uuid.UUID
	err := o.view(ctx, func(s *snapshot) error {
		users = nil
		return s.rows.Ledgers(ctx, func(stored StoredLedger) error {
			_, err := s.open(ctx, stored, stored.Owner)
			if errors.Is(err, ErrNotFound) { // a user who was deleted
				return nil
			}
			if err == nil || errors.Is(err, ErrTampered) {
				users = append(users, stored.Owner)
				return nil
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	progress(0, len(users))
	var tampered []error
	for done, user := range users {
		began := time.Now()
		err := o.RotateOwnerKey(ctx, user)
		switch {
		case err == nil, KindOf(err) == NotFound: // deleted in the meantime
		case errors.Is(err, ErrTampered):
			tampered = append(tampered, err)
		default:
			return err
		}
		progress(done+1, len(users))
		pause(ctx, time.Since(began))
	}
	return errors.Join(tampered...)
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
