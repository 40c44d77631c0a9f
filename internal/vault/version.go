package vault

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/plaintext"
)

// A Version is what may be seen of one value of a secret.
type Version struct {
	Number    uint64
	Mask      string
	Current   bool
	CreatedAt time.Time
}

// A StoredVersion is a version of a secret before the current one, as it is kept. It is sealed for
// the same place as when it was the current one.
type StoredVersion struct {
	Secret      uuid.UUID
	User        uuid.UUID
	Number      uint64
	SealedValue []byte // not in the answer of [versionReader.OldVersions]
	SealedMask  []byte
	CreatedAt   time.Time // when it became the current one
}

// place returns what the version's blobs are bound to.
func (v StoredVersion) binding() seal.Binding {
	return seal.Binding{Owner: v.User, Subject: v.Secret, Version: v.Number}
}

type versionReader interface {
	// OldVersions returns the versions of a user's secret before the current one without their
	// values, newest first.
	OldVersions(ctx context.Context, user, secret uuid.UUID) ([]StoredVersion, error)
	// OldVersion returns one of them with its value, NotFound where it is not kept, or another
	// user's.
	OldVersion(ctx context.Context, user, secret uuid.UUID, number uint64) (StoredVersion, error)
	// SealedSecrets returns a user's secrets with their values.
	SealedSecrets(ctx context.Context, user uuid.UUID) ([]StoredSecret, error)
	// SealedVersions returns all versions before the current ones of all of a user's secrets, with
	// their values.
	SealedVersions(ctx context.Context, user uuid.UUID) ([]StoredVersion, error)
}

type versionWriter interface {
	// KeepVersion puts the current version of a user's secret among the old ones, as it is.
	// [secretWriter.UpdateSecret] comes after it.
	KeepVersion(ctx context.Context, user, secret uuid.UUID) error
	// PruneVersions destroys the old versions of a user's secret up to a number, that one included.
	PruneVersions(ctx context.Context, user, secret uuid.UUID, upTo uint64) error
	// ResealSecret stores the sealed value and mask of a secret anew, unless its version is not the
	// current one any more.
	ResealSecret(ctx context.Context, s StoredSecret) error
	// ResealVersion stores the sealed value and mask of an old version anew, unless it is gone.
	ResealVersion(ctx context.Context, v StoredVersion) error
}

// next makes value the next version of a secret. The one that was current is kept with the versions
// before it, as many as are kept, and the others are destroyed.
func (s *Service) next(
	ctx context.Context,
	c *change,
	stored StoredSecret,
	value plaintext.Value,
) (Secret, error) {
	if s.keep > 1 {
		if err := c.KeepVersion(ctx, stored.User, stored.ID); err != nil {
			return Secret{}, err
		}
	}
	stored.Version++
	stored.UpdatedAt = c.at
	secret, err := s.seal(ctx, c, &stored, value)
	if err != nil {
		return Secret{}, err
	}
	if err := c.UpdateSecret(ctx, stored); err != nil {
		return Secret{}, err
	}
	if keep := uint64(s.keep); stored.Version > keep { //nolint:gosec // it is at least 1
		err = c.PruneVersions(ctx, stored.User, stored.ID, stored.Version-keep)
	}
	return secret, err
}

// ListVersions returns the versions of one of the caller's secrets that are kept, newest first,
// which is the current one. It needs the scope secrets:read. NotFound: there is no secret of that
// id, or it is another's.
func (s *Service) ListVersions(
	ctx context.Context,
	who Actor,
	id uuid.UUID,
) (versions []Version, err error) {
	err = s.view(ctx, who, policy.VersionList, func(r Reader) error {
		stored, err := r.Secret(ctx, who.Owner(), id)
		if err != nil {
			return err
		}
		old, err := r.OldVersions(ctx, who.Owner(), id)
		if err != nil {
			return err
		}
		versions = make([]Version, 0, 1+len(old))
		for _, v := range append([]StoredVersion{stored.version()}, old...) {
			mask, err := s.keys.openMask(ctx, r, v.binding(), v.SealedMask)
			if err != nil {
				return err
			}
			versions = append(
				versions,
				Version{
					Number:    v.Number,
					Mask:      mask,
					Current:   v.Number == stored.Version,
					CreatedAt: v.CreatedAt,
				},
			)
		}
		return nil
	})
	return versions, err
}

// version returns the current version, without its value.
func (s StoredSecret) version() StoredVersion {
	return StoredVersion{
		Secret:     s.ID,
		User:       s.User,
		Number:     s.Version,
		SealedMask: s.SealedMask,
		CreatedAt:  s.UpdatedAt,
	}
}

// RollbackSecret gives one of the caller's secrets the value of an older version again, as its next
// version: no number is used twice. The current version is left as it is. It needs the scope
// secrets:write. NotFound: there is no secret of that id, or it is another's. Invalid: that version
// is not kept, or never was.
func (s *Service) RollbackSecret(
	ctx context.Context,
	who Actor,
	id uuid.UUID,
	number uint64,
) (secret Secret, err error) {
	err = s.update(ctx, inOwnLibrary(who, policy.SecretRollback), func(c *change) error {
		stored, err := c.Secret(ctx, who.Owner(), id)
		if err != nil {
			return err
		}
		if number == stored.Version {
			c.record(stored.target())
			secret, err = s.unmask(ctx, c, stored)
			return err
		}
		value, err := s.openVersion(ctx, c, who.Owner(), id, number)
		if err != nil {
			return err
		}
		secret, err = s.next(ctx, c, stored, value)
		return err
	})
	return secret, err
}

// openVersion opens the value of an old version.
func (s *Service) openVersion(
	ctx context.Context,
	r Reader,
	user, id uuid.UUID,
	number uint64,
) (plaintext.Value, error) {
	old, err := r.OldVersion(ctx, user, id, number)
	if errors.Is(err, ErrNotFound) {
		return plaintext.Value{}, invalid(Field{
			Name: "version",
			Rule: OneOf,
			Msg:  "Not a version that is kept: GET /api/v1/user/secrets/{secret_id}/versions lists them",
		})
	}
	if err != nil {
		return plaintext.Value{}, err
	}
	return s.keys.openValue(ctx, r, old.binding(), old.SealedValue)
}

// NewVersionNumber returns n as the number of a version. Invalid: it is less than 1.
func NewVersionNumber(n int64) (uint64, error) {
	if n < 1 {
		return 0, invalid(Field{"version", TooSmall, "Version must be at least 1"})
	}
	return uint64(n), nil
}
