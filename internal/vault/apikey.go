package vault

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
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

// Live tells whether the key is neither revoked nor expired.
func (k APIKey) Live(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// A user has at most maxLiveKeys API keys that are live, and of the others the newest maxDeadKeys
// stay listed: a list needs no pages.
const (
	maxLiveKeys = 200
	maxDeadKeys = 200
)

type apiKeyReader interface {
	// APIKeyByHash returns the key of a token, NotFound where there is none.
	APIKeyByHash(ctx context.Context, hash TokenHash) (APIKey, error)
	// APIKeys returns a user's keys, newest first.
	APIKeys(ctx context.Context, user uuid.UUID) ([]APIKey, error)
	// CountLiveAPIKeys returns how many of a user's keys are neither revoked nor expired.
	CountLiveAPIKeys(ctx context.Context, user uuid.UUID, now time.Time) (int, error)
}

type apiKeyWriter interface {
	InsertAPIKey(ctx context.Context, k APIKey) error
	// RevokeAPIKey returns NotFound where the user has no such key, or it is revoked already, and
	// else the key's name.
	RevokeAPIKey(ctx context.Context, user, id uuid.UUID, at time.Time) (name string, err error)
	// TouchAPIKey notes a use. A key that is gone is no error.
	TouchAPIKey(ctx context.Context, id uuid.UUID, at time.Time) error
	// PruneAPIKeys removes a user's dead keys but for the newest ones, as many as keep says.
	PruneAPIKeys(ctx context.Context, user uuid.UUID, now time.Time, keep int) error
	// DeleteAPIKeys removes all keys of a user.
	DeleteAPIKeys(ctx context.Context, user uuid.UUID) error
}

// Authenticate returns who presents the token. Unauthenticated, without saying why: it is not a
// token, unknown, revoked or expired.
func (s *Service) Authenticate(ctx context.Context, token plaintext.Value) (who Actor, err error) {
	hash, ok := hashToken(token)
	if !ok {
		return Actor{}, unauthenticated()
	}
	now := s.now()
	err = s.store.View(ctx, func(r Reader) error {
		key, err := r.APIKeyByHash(ctx, hash)
		if errors.Is(err, ErrNotFound) || err == nil && !key.Live(now) {
			return unauthenticated()
		}
		who = Actor{
			User:       key.User,
			Credential: audit.Credential{Kind: audit.CredentialAPIKey, ID: key.ID},
			Scopes:     key.Scopes,
			SelfRevoke: key.SelfRevoke,
		}
		return err
	})
	if err != nil {
		return Actor{}, err
	}
	s.used.note(who.Credential.ID, now)
	return who, nil
}

// An APIKeyRequest says what a new API key is to be.
type APIKeyRequest struct {
	Name       string
	SelfRevoke bool
	// Scopes: nil means every scope that the maker's key has, except admin.
	Scopes    []string
	ExpiresAt time.Time // zero for one that does not expire
}

// CreateAPIKey makes an API key for the caller and returns it with its token, which is never shown
// again. It needs the scope keys:write. Invalid: no such scope, or an expiry that is past. Denied:
// a scope that the caller's own key lacks, or too many keys.
func (s *Service) CreateAPIKey(
	ctx context.Context,
	who Actor,
	req APIKeyRequest,
) (APIKey, plaintext.Value, error) {
	return s.grant(ctx, who, policy.APIKeyCreate, who.Owner(), req)
}

// GrantAPIKey is CreateAPIKey for another user. It needs the scope admin. NotFound: no such user.
func (s *Service) GrantAPIKey(
	ctx context.Context,
	who Actor,
	user uuid.UUID,
	req APIKeyRequest,
) (APIKey, plaintext.Value, error) {
	return s.grant(ctx, who, policy.APIKeyCreateFor, user, req)
}

func (s *Service) grant(
	ctx context.Context,
	who Actor,
	action policy.Action,
	user uuid.UUID,
	req APIKeyRequest,
) (APIKey, plaintext.Value, error) {
	key := APIKey{
		Name:       req.Name,
		SelfRevoke: req.SelfRevoke,
		ExpiresAt:  req.ExpiresAt.UTC().Truncate(time.Microsecond),
	}
	var token plaintext.Value
	in := intent{who: who, action: action, library: userLibrary(user)}
	err := s.update(ctx, in, func(c *change) (err error) {
		if key.Scopes, err = grantable(req.Scopes, who.Scopes); err != nil {
			return err
		}
		if !key.ExpiresAt.IsZero() && !key.ExpiresAt.After(c.at) {
			return invalid(
				Field{Name: "expires_at", Rule: GoodValue, Msg: "Expiry must be in the future"},
			)
		}
		live, err := c.CountLiveAPIKeys(ctx, user, c.at)
		if err != nil {
			return err
		}
		if live >= maxLiveKeys {
			return denied("The user has too many API keys: revoke one first")
		}
		if err := c.PruneAPIKeys(ctx, user, c.at, maxDeadKeys); err != nil {
			return err
		}
		token, err = c.addAPIKey(ctx, &key)
		return err
	})
	if err != nil {
		return APIKey{}, plaintext.Value{}, err
	}
	return key, token, nil
}

// grantable returns the scopes that a new key gets: the wanted ones, none of which the maker may
// lack.
func grantable(wanted []string, held []policy.Scope) ([]policy.Scope, error) {
	scopes := []policy.Scope{}
	if wanted == nil {
		for _, scope := range policy.UserScopes() {
			if len(policy.Missing([]policy.Scope{scope}, held)) == 0 {
				scopes = append(scopes, scope)
			}
		}
		return scopes, nil
	}
	for _, name := range wanted {
		scope := policy.Scope(name)
		if !policy.Known(scope) {
			return nil, invalid(Field{Name: "allowed_scopes", Rule: OneOf, Msg: "Unknown scope"})
		}
		if len(policy.Missing([]policy.Scope{scope}, scopes)) > 0 {
			scopes = append(scopes, scope)
		}
	}
	if len(policy.Missing(scopes, held)) > 0 {
		return nil, denied("An API key cannot give a scope that it lacks")
	}
	return scopes, nil
}

// addAPIKey gives key an id and a token, and stores it in the library that is changed.
func (c *change) addAPIKey(ctx context.Context, key *APIKey) (plaintext.Value, error) {
	id, err := newID()
	if err != nil {
		return plaintext.Value{}, err
	}
	token := newToken()
	key.Hash, _ = hashToken(token)
	key.ID, key.User, key.CreatedAt = id, c.ledger.Owner, c.at
	key.Masked = catalog.Mask(token)
	c.record(audit.Target{Kind: audit.TargetAPIKey, ID: key.ID, Name: key.Name})
	return token, c.InsertAPIKey(ctx, *key)
}

// ListAPIKeys returns the caller's API keys, newest first. It needs the scope keys:write.
func (s *Service) ListAPIKeys(ctx context.Context, who Actor) (keys []APIKey, err error) {
	err = s.view(ctx, who, policy.APIKeyList, func(r Reader) error {
		keys, err = r.APIKeys(ctx, who.Owner())
		return err
	})
	for i := range keys {
		keys[i].LastUsedAt = s.used.newest(keys[i].ID, keys[i].LastUsedAt)
	}
	return keys, err
}

// RevokeAPIKey ends one of the caller's API keys. It needs the scope keys:write. NotFound: there is
// none of that id, it is another's, or it is revoked already.
func (s *Service) RevokeAPIKey(ctx context.Context, who Actor, id uuid.UUID) error {
	return s.revoke(ctx, who, policy.APIKeyRevoke, id)
}

// RevokeSelf ends the API key that calls. Denied: the key was not made with leave to do so.
func (s *Service) RevokeSelf(ctx context.Context, who Actor) error {
	if !who.SelfRevoke {
		return s.refuse(
			ctx,
			who,
			policy.APIKeyRevokeSelf,
			denied("The API key was not made with allow_self_revoke"),
		)
	}
	return s.revoke(ctx, who, policy.APIKeyRevokeSelf, who.Credential.ID)
}

func (s *Service) revoke(ctx context.Context, who Actor, action policy.Action, id uuid.UUID) error {
	return s.update(ctx, inOwnLibrary(who, action), func(c *change) error {
		name, err := c.RevokeAPIKey(ctx, who.Owner(), id, c.at)
		c.record(audit.Target{Kind: audit.TargetAPIKey, ID: id, Name: name})
		return err
	})
}
