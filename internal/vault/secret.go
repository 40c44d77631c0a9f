package vault

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/seal"
)

// A Secret is what may be seen of a secret: never its value.
type Secret struct {
	ID        uuid.UUID
	Name      string
	Provider  string // empty for a custom secret without one
	Mask      string
	Stamp     seal.Stamp // of the current version
	CreatedAt time.Time
	UpdatedAt time.Time
}

// A StoredSecret is a secret as it is stored. A reader says whether it returns SealedValue.
type StoredSecret struct {
	ID          uuid.UUID
	User        uuid.UUID
	Name        string
	Provider    string
	Version     uint64
	Stamp       seal.Stamp // of the current version
	SealedValue []byte
	SealedMask  []byte
	CreatedAt   time.Time
	UpdatedAt   time.Time

	ExpiresAt    time.Time     // as its owner says; zero for never
	RemindBefore time.Duration // how long before that it expires soon
}

type secretReader interface {
	// Secret returns a user's secret without its value. NotFound: there is none, or it is another
	// user's.
	Secret(ctx context.Context, user, id uuid.UUID) (StoredSecret, error)
	// Secrets returns a user's secrets without their values, ordered by name.
	Secrets(ctx context.Context, user uuid.UUID) ([]StoredSecret, error)
	// SecretsOf returns those of a user's secrets that have one of the ids, without their values,
	// ordered by name.
	SecretsOf(ctx context.Context, user uuid.UUID, ids []uuid.UUID) ([]StoredSecret, error)
	// SealedSecretsOf is SecretsOf with the values.
	SealedSecretsOf(ctx context.Context, user uuid.UUID, ids []uuid.UUID) ([]StoredSecret, error)
	// SealedValue returns the sealed value of a user's secret.
	SealedValue(ctx context.Context, user, id uuid.UUID) ([]byte, error)
}

type secretWriter interface {
	// InsertSecret stores a new secret. Conflict: the user has a secret of that name.
	InsertSecret(ctx context.Context, s StoredSecret) error
	// UpdateSecret stores a new version: number, stamp, sealed value and mask, and time.
	UpdateSecret(ctx context.Context, s StoredSecret) error
	// RenameSecret stores another name and the mask that is sealed for it. Conflict: the user has a
	// secret of that name.
	RenameSecret(ctx context.Context, s StoredSecret) error
	// SetDeadline stores when a secret expires, and how long before its owner is reminded.
	SetDeadline(ctx context.Context, s StoredSecret) error
	// DeleteSecret destroys a user's secret with all its versions.
	DeleteSecret(ctx context.Context, user, id uuid.UUID) error
	// DeleteSecrets destroys all secrets of a user with all their versions.
	DeleteSecrets(ctx context.Context, user uuid.UUID) error
}

// Binding is what the blobs of the current version are bound to.
func (s StoredSecret) Binding() seal.Binding {
	return seal.Binding{
		User: s.User, Secret: s.ID, Version: s.Version, Stamp: s.Stamp,
		Name: s.Name, Provider: s.Provider, SecretCreatedAt: s.CreatedAt, CreatedAt: s.UpdatedAt,
	}
}

// seal seals a value and its mask as the version that is the current one from a time on. It is not
// before the time of the version before, where the clock was set back.
func (s *StoredSecret) seal(key seal.OwnerKey, value Value, mask string, from time.Time) {
	if from.After(s.UpdatedAt) {
		s.UpdatedAt = from
	}
	s.Stamp = seal.NewStamp()
	s.SealedValue = key.SealValue(s.Binding(), value.plain)
	s.SealedMask = key.SealMask(s.Binding(), mask)
}

func (s StoredSecret) target() audit.Target {
	return audit.Target{Kind: audit.TargetSecret, ID: s.ID, Name: s.Name, Version: s.Version}
}

// masked returns what may be seen of a secret with this mask.
func (s StoredSecret) masked(mask string) Secret {
	return Secret{
		ID: s.ID, Name: s.Name, Provider: s.Provider, Mask: mask, Stamp: s.Stamp,
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
}

// openMask opens the mask of a secret, and so proves what is shown with it. Its error wraps
// [ErrTampered] if something of that is not what was sealed.
func (s *Service) openMask(
	ctx context.Context, by openers, stored StoredSecret,
) (Secret, error) {
	mask, err := s.keys.openMask(ctx, by, stored.Binding(), stored.SealedMask)
	if err != nil {
		return Secret{}, err
	}
	return stored.masked(mask), nil
}

// openMasks is openMask for secrets of one user. It looks for an owner key once, not for each.
func (s *Service) openMasks(
	ctx context.Context, by openers, stored []StoredSecret,
) ([]Secret, error) {
	secrets := make([]Secret, len(stored))
	var key seal.OwnerKey
	for i := range stored {
		one := &stored[i]
		id, err := seal.KeyID(one.SealedMask)
		if i == 0 || err != nil || id != key.ID() {
			key, err = s.keys.openerOf(ctx, by, one.SealedMask)
		}
		if err != nil {
			return nil, err
		}
		mask, err := maskOf(key, one.Binding(), one.SealedMask)
		if err != nil {
			return nil, err
		}
		secrets[i] = one.masked(mask)
	}
	return secrets, nil
}
