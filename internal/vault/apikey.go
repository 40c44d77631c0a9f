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
	Parent     uuid.UUID // the key that made it; nil for one that the operator made
	Hash       TokenHash
	Masked     string
	Name       string // empty where none was given
	Scopes     []policy.Scope
	SelfRevoke bool
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero for one that does not expire
	RevokedAt  time.Time // zero for one that was not revoked
	LastUsedAt time.Time // zero before the first use
	Active     bool      // it and every key above it exists, and is neither revoked nor expired
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

// maxLine is how many keys there are from the operator's to one that it leads to: authentication
// climbs them all.
const maxLine = 10

type apiKeyReader interface {
	// APIKeyByHash returns the key of a token, with Active as of the given time. NotFound: there is
	// none.
	APIKeyByHash(ctx context.Context, hash TokenHash, now time.Time) (APIKey, error)
	// APIKey returns a user's key, with Active as of the given time. NotFound: there is none.
	APIKey(ctx context.Context, user, id uuid.UUID, now time.Time) (APIKey, error)
	// APIKeys returns a user's keys, newest first, with Active as of the given time.
	APIKeys(ctx context.Context, user uuid.UUID, now time.Time) ([]APIKey, error)
	// APIKeyLine returns the ids of a key and of all keys above it, in no order.
	APIKeyLine(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error)
	// CountActiveAPIKeys returns how many of a user's keys are active.
	CountActiveAPIKeys(ctx context.Context, user uuid.UUID, now time.Time) (int, error)
}

type apiKeyWriter interface {
	InsertAPIKey(ctx context.Context, k APIKey) error
	// RevokeAPIKey ends a user's key and returns its name. NotFound: there is no such key, or it is
	// already revoked.
	RevokeAPIKey(ctx context.Context, user, id uuid.UUID, at time.Time) (name string, err error)
	// MoveAPIKeys gives all keys that one key made to another, as if that had made them.
	MoveAPIKeys(ctx context.Context, from, to uuid.UUID) error
	// TouchAPIKey stores the last use. A key that is gone is no error.
	TouchAPIKey(ctx context.Context, id uuid.UUID, at time.Time) error
	// PruneAPIKeys removes a user's inactive keys except the newest keep ones.
	PruneAPIKeys(ctx context.Context, user uuid.UUID, now time.Time, keep int) error
	// DeleteAPIKeys removes all keys of a user.
	DeleteAPIKeys(ctx context.Context, user uuid.UUID) error
}

// ListAPIKeys returns the caller's API keys, newest first. It needs the scope keys:write. Parent is
// nil for a key that was made by another user's.
func (s *Service) ListAPIKeys(ctx context.Context, who Actor) (keys []APIKey, err error) {
	err = s.read(ctx, who, policy.APIKeyList, func(r Reader) error {
		keys, err = r.APIKeys(ctx, who.Owner(), s.now())
		return err
	})
	own := map[uuid.UUID]bool{}
	for _, k := range keys {
		own[k.ID] = true
	}
	for i := range keys {
		keys[i].LastUsedAt = s.used.latest(keys[i].ID, keys[i].LastUsedAt)
		if !own[keys[i].Parent] {
			keys[i].Parent = uuid.Nil
		}
	}
	return keys, err
}
