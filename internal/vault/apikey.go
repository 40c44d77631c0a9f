package vault

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// An APIKey is what a person or program presents to Keysake. Its token is not in it.
type APIKey struct {
	ID         uuid.UUID
	User       uuid.UUID
	Hash       TokenHash
	Masked     string
	Name       string // empty where none was given
	Scopes     []policy.Scope
	SelfRevoke bool
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero for one that does not expire
	RevokedAt  time.Time // zero for one that was not revoked
	LastUsedAt time.Time // zero before the first use
}

// Active reports whether the key is neither revoked nor expired.
func (k APIKey) Active(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

func (k APIKey) target() audit.Target {
	return audit.Target{Kind: audit.TargetAPIKey, ID: k.ID, Name: k.Name}
}

// A user has at most maxActiveKeys active API keys, and of the others the newest maxInactiveKeys
// stay listed: a list needs no pages.
const (
	maxActiveKeys   = 200
	maxInactiveKeys = 200
)

type apiKeyReader interface {
	// APIKeyByHash returns the key of a token. NotFound: there is none.
	APIKeyByHash(ctx context.Context, hash TokenHash) (APIKey, error)
	// APIKeys returns a user's keys, newest first.
	APIKeys(ctx context.Context, user uuid.UUID) ([]APIKey, error)
	// CountActiveAPIKeys returns how many of a user's keys are neither revoked nor expired.
	CountActiveAPIKeys(ctx context.Context, user uuid.UUID, now time.Time) (int, error)
}

type apiKeyWriter interface {
	InsertAPIKey(ctx context.Context, k APIKey) error
	// RevokeAPIKey ends a user's key and returns its name. NotFound: there is no such key, or it is
	// already revoked.
	RevokeAPIKey(ctx context.Context, user, id uuid.UUID, at time.Time) (name string, err error)
	// TouchAPIKey stores the last use. A key that is gone is no error.
	TouchAPIKey(ctx context.Context, id uuid.UUID, at time.Time) error
	// PruneAPIKeys removes a user's inactive keys except the newest keep ones.
	PruneAPIKeys(ctx context.Context, user uuid.UUID, now time.Time, keep int) error
	// DeleteAPIKeys removes all keys of a user.
	DeleteAPIKeys(ctx context.Context, user uuid.UUID) error
}

// ListAPIKeys returns the caller's API keys, newest first. It needs the scope keys:write.
func (s *Service) ListAPIKeys(ctx context.Context, who Actor) (keys []APIKey, err error) {
	err = s.read(ctx, who, policy.APIKeyList, func(r Reader) error {
		keys, err = r.APIKeys(ctx, who.Owner())
		return err
	})
	for i := range keys {
		keys[i].LastUsedAt = s.used.latest(keys[i].ID, keys[i].LastUsedAt)
	}
	return keys, err
}
