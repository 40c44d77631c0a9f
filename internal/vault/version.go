package vault

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// A Version is what may be seen of one value of a secret.
type Version struct {
	Number    uint64
	Mask      string
	Current   bool
	CreatedAt time.Time
}

// NewVersionNumber returns n as the number of a version. Invalid: it is less than 1.
func NewVersionNumber(n int64) (uint64, error) {
	if n < 1 {
		return 0, invalid(Field{"version", TooSmall, "Version must be at least 1"})
	}
	return uint64(n), nil
}

// A StoredVersion is a version of a secret before the current one, as it is stored. Its blobs are
// those that were sealed when it was the current one.
type StoredVersion struct {
	Secret      uuid.UUID
	User        uuid.UUID
	Number      uint64
	Name        string // of the secret, when the version was the current one
	Stamp       seal.Stamp
	SealedValue []byte // [versionReader.OldVersions] leaves it out
	SealedMask  []byte
	CreatedAt   time.Time // when it became the current one
}

// Binding is what the blobs of a version of this secret are bound to. A secret that is renamed does
// not rename its old versions.
func (v StoredVersion) Binding(of StoredSecret) seal.Binding {
	return seal.Binding{
		User: v.User, Secret: v.Secret, Version: v.Number, Stamp: v.Stamp,
		Name: v.Name, Provider: of.Provider, SecretCreatedAt: of.CreatedAt, CreatedAt: v.CreatedAt,
	}
}

type versionReader interface {
	// OldVersions returns the versions before the current ones of all of a user's secrets, without
	// their values, by secret and newest first.
	OldVersions(ctx context.Context, user uuid.UUID) ([]StoredVersion, error)
	// OldVersion returns one of them with its value. NotFound: it is not kept, or another user's.
	OldVersion(ctx context.Context, user, secret uuid.UUID, number uint64) (StoredVersion, error)
	// SealedSecrets returns a user's secrets with their values.
	SealedSecrets(ctx context.Context, user uuid.UUID) ([]StoredSecret, error)
	// SealedVersions returns the versions before the current ones of all of a user's secrets, with
	// their values.
	SealedVersions(ctx context.Context, user uuid.UUID) ([]StoredVersion, error)
}

type versionWriter interface {
	// ArchiveVersion copies the current version of a user's secret to the old ones.
	// [secretWriter.UpdateSecret] comes after it.
	ArchiveVersion(ctx context.Context, user, secret uuid.UUID) error
	// InsertVersion stores an old version of a user's secret. Conflict: it is there.
	InsertVersion(ctx context.Context, v StoredVersion) error
	// PruneVersions destroys the old versions of a user's secret up to and including a number.
	PruneVersions(ctx context.Context, user, secret uuid.UUID, upTo uint64) error
	// ResealSecret replaces the sealed value and mask of a secret's current version. NotFound: that
	// version is not the current one.
	ResealSecret(ctx context.Context, s StoredSecret) error
	// ResealVersion replaces the sealed value and mask of an old version. NotFound: it is gone.
	ResealVersion(ctx context.Context, v StoredVersion) error
}

// ListVersions returns the versions of one of the caller's secrets that are kept, newest first. It
// needs the scope secrets:read. NotFound: there is no secret of that id, or it is another user's.
func (s *Service) ListVersions(ctx context.Context, who Actor, id uuid.UUID) ([]Version, error) {
	var versions []Version
	err := s.retry(who.Owner(), func() error {
		var current StoredSecret
		var old []StoredVersion
		var by openers
		err := s.view(ctx, who, policy.VersionList, func(p *page) (err error) {
			by = p.openers()
			if current, err = p.secret(ctx, id); err != nil {
				return err
			}
			old, err = p.oldVersions(ctx, id)
			return err
		})
		if err != nil {
			return err
		}
		versions, err = s.openVersions(ctx, by, current, old)
		return err
	})
	return versions, err
}

// openVersions opens the masks of a secret's versions.
func (s *Service) openVersions(
	ctx context.Context, by openers, current StoredSecret, old []StoredVersion,
) ([]Version, error) {
	stored := append([]StoredVersion{current.version()}, old...)
	versions := make([]Version, len(stored))
	for i, v := range stored {
		mask, err := s.keys.openMask(ctx, by, v.Binding(current), v.SealedMask)
		if err != nil {
			return nil, err
		}
		versions[i] = Version{Number: v.Number, Mask: mask, Current: i == 0, CreatedAt: v.CreatedAt}
	}
	return versions, nil
}

// version returns the current version, without its value.
func (s StoredSecret) version() StoredVersion {
	return StoredVersion{
		Secret: s.ID, User: s.User, Number: s.Version, Name: s.Name, Stamp: s.Stamp,
		SealedMask: s.SealedMask, CreatedAt: s.UpdatedAt,
	}
}
