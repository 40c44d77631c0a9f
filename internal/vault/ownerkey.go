package vault

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// RotateOwnerKey gives a user a new owner key: in one transaction every value and mask, those of
// old versions too, is sealed anew, and the old owner key is destroyed. It is for the operator at
// the machine itself, and works beside servers that serve. NotFound: there is no such user.
func (s *Service) RotateOwnerKey(ctx context.Context, user uuid.UUID) error {
	var old uuid.UUID
	err := s.withNewKey(ctx, user, func(stored StoredOwnerKey, key seal.OwnerKey) error {
		in := intent{action: policy.OwnerKeyRotate, library: userLibrary(user)}
		return s.apply(ctx, in, func(c *change) error {
			if err := stillPrimary(ctx, c, stored.RootKey); err != nil {
				return err
			}
			if err := c.InsertOwnerKey(ctx, stored); err != nil {
				return err
			}
			if err := s.reseal(ctx, c, user, key); err != nil {
				return err
			}
			old, c.ledger.OwnerKey = c.ledger.OwnerKey, stored.ID
			c.record(audit.Target{Kind: audit.TargetOwnerKey, ID: stored.ID})
			return c.DeleteOtherOwnerKeys(ctx, user, stored.ID)
		})
	})
	if err == nil {
		s.keys.forget(user, old)
	}
	return err
}

// reseal seals everything of a user with another owner key.
func (s *Service) reseal(ctx context.Context, c *change, user uuid.UUID, key seal.OwnerKey) error {
	secrets, err := c.SealedSecrets(ctx, user)
	if err != nil {
		return err
	}
	for _, v := range secrets {
		if err := s.resealOne(ctx, c, v.binding(), key, &v.SealedValue, &v.SealedMask); err != nil {
			return err
		}
		if err := c.ResealSecret(ctx, v); err != nil {
			return err
		}
	}
	versions, err := c.SealedVersions(ctx, user)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if err := s.resealOne(ctx, c, v.binding(), key, &v.SealedValue, &v.SealedMask); err != nil {
			return err
		}
		if err := c.ResealVersion(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// resealOne opens a value and its mask with the key that made each, and seals them for the same
// place with another.
func (s *Service) resealOne(
	ctx context.Context,
	r Reader,
	at seal.Binding,
	key seal.OwnerKey,
	value, mask *[]byte,
) error {
	opened, err := s.keys.openValue(ctx, r, at, *value)
	if err != nil {
		return err
	}
	shown, err := s.keys.openMask(ctx, r, at, *mask)
	if err != nil {
		return err
	}
	if *value, err = key.SealValue(at, opened); err != nil {
		return err
	}
	*mask, err = key.SealMask(at, shown)
	return err
}

// RotateOwnerKeys gives every user a new owner key whose own was made before a time, one user after
// the other. It may be stopped at any point and begun again with the same time: nobody's turn comes
// twice. progress is told after each user.
func (s *Service) RotateOwnerKeys(
	ctx context.Context,
	before time.Time,
	progress func(done, total int),
) error {
	var total int
	err := s.store.View(ctx, func(r Reader) (err error) {
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
		err := s.store.View(ctx, func(r Reader) (err error) {
			batch, err = r.OwnerKeysBefore(ctx, before, after, s.batch)
			return err
		})
		if err != nil || len(batch) == 0 {
			return err
		}
		after = batch[len(batch)-1].ID
		for _, k := range batch {
			began := time.Now()
			// deleted meanwhile
			if err := s.RotateOwnerKey(ctx, k.User); err != nil && KindOf(err) != NotFound {
				return err
			}
			done++
			progress(done, total)
			giveWay(ctx, time.Since(began))
		}
	}
}

// FindUser returns the id of the user of that name or id, NotFound where there is none. It is for
// the operator at the machine itself.
func (s *Service) FindUser(ctx context.Context, nameOrID string) (id uuid.UUID, err error) {
	err = s.store.View(ctx, func(r Reader) error {
		if id, err = uuid.Parse(nameOrID); err != nil { // no user's name is an id
			id, err = r.UserNamed(ctx, nameOrID)
			return err
		}
		_, err = r.User(ctx, id, s.now()) // the instance is no user
		return err
	})
	return id, err
}
