package vault

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// How many API keys a page of all users' has, how many are read at once, and how many are looked at
// for one page.
const (
	maxKeyPage = 50
	keyChunk   = 100
	maxKeyScan = 2000
)

// An OwnedAPIKey is an API key of any user, as admins see it: with neither token nor mask.
type OwnedAPIKey struct {
	ID         uuid.UUID
	User       uuid.UUID
	Username   string
	Name       string // empty where none was given
	Scopes     []policy.Scope
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero for one that does not expire
	LastUsedAt time.Time // zero before the first use
	Active     bool      // it and every key above it works
	Broken     bool      // what is stored of it does not verify: only ID is set
}

// A KeyFilter chooses among the API keys of all users. The zero KeyFilter is the first page of all.
type KeyFilter struct {
	Unused    bool          // never used
	Endless   bool          // without an end
	OlderThan time.Duration // made so long ago
	After     uuid.UUID     // the last key of the page before
	Limit     int           // at most maxKeyPage; 0 for that many
}

func (f KeyFilter) matches(k APIKey, now time.Time) bool {
	return k.mayWork(now) && (!f.Unused || k.LastUsedAt.IsZero()) &&
		(!f.Endless || k.ExpiresAt.IsZero())
}

// ListAllAPIKeys returns API keys of all users that were not revoked and have not expired, oldest
// first, and the key after which the next page begins; nil for the last page. With a filter, a page
// may have fewer than there is room for. What is missing in the database is not noticed here. It
// needs the scope admin.
func (s *Service) ListAllAPIKeys(
	ctx context.Context, who Actor, f KeyFilter,
) (keys []OwnedAPIKey, next uuid.UUID, err error) {
	if f.Limit <= 0 || f.Limit > maxKeyPage {
		f.Limit = maxKeyPage
	}
	now := s.now()
	err = s.view(ctx, who, policy.APIKeyListAll, func(p *page) error {
		var found []APIKey
		found, next, err = s.keysByAge(ctx, p.rows, f, now)
		if err != nil {
			return err
		}
		keys = make([]OwnedAPIKey, len(found))
		owners := map[uuid.UUID]keyOwner{}
		for i, k := range found {
			keys[i], err = p.owned(ctx, k, owners, now)
			if p.isBroken(err) {
				s.found.report(err)
				keys[i], err = OwnedAPIKey{ID: k.ID, Broken: true}, nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return keys, next, err
}

// keysByAge returns the rows of a page, none of which is verified.
func (s *Service) keysByAge(
	ctx context.Context, rows Reader, f KeyFilter, now time.Time,
) (keys []APIKey, next uuid.UUID, err error) {
	after, before := f.After, uuid.Nil
	if f.OlderThan > 0 {
		before = firstID(now.Add(-f.OlderThan))
	}
	for range maxKeyScan / keyChunk {
		part, err := rows.APIKeysByAge(ctx, after, before, keyChunk)
		if err != nil {
			return nil, uuid.Nil, err
		}
		for _, k := range part {
			k.LastUsedAt = s.used.latest(k.ID, k.LastUsedAt)
			if !f.matches(k, now) {
				continue
			}
			if len(keys) == f.Limit {
				return keys, keys[f.Limit-1].ID, nil
			}
			keys = append(keys, k)
		}
		if len(part) < keyChunk {
			return keys, uuid.Nil, nil
		}
		after = part[keyChunk-1].ID
	}
	return keys, after, nil
}

// A keyOwner is a user whose keys are shown.
type keyOwner struct {
	*page

	name string
}

// owned returns a key with its owner, whose ledger must list it.
func (s *snapshot) owned(
	ctx context.Context, k APIKey, owners map[uuid.UUID]keyOwner, now time.Time,
) (OwnedAPIKey, error) {
	owner, found := owners[k.User]
	if !found {
		var err error
		if owner, err = s.keyOwner(ctx, k); err != nil {
			return OwnedAPIKey{}, err
		}
		owners[k.User] = owner
	}
	active, err := owner.works(ctx, k, now)
	return OwnedAPIKey{
		ID: k.ID, User: k.User, Username: owner.name, Name: k.Name, Scopes: k.Scopes,
		CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, LastUsedAt: k.LastUsedAt, Active: active,
	}, err
}

func (s *snapshot) keyOwner(ctx context.Context, k APIKey) (keyOwner, error) {
	var user User
	var p *page
	stored, err := s.rows.User(ctx, k.User)
	if err == nil {
		p, err = s.open(ctx, stored.StoredLedger, stored.Owner)
	}
	if err == nil {
		user, err = p.identify(stored)
	}
	if errors.Is(err, ErrNotFound) {
		err = tampered("API key "+k.ID.String(), errNotListed)
	}
	return keyOwner{p, user.Username}, err
}
