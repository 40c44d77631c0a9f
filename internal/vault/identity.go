package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// An Identity is who somebody is at a provider of sign-ins: never a name or an address alone, which
// come to belong to others. The row that links one to its user is stored as an API key is, under a
// kind of its own.
type Identity struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// maxSubject is the length of the longest subject.
const maxSubject = 512

// Check returns what is wrong with an identity. Invalid.
func (i Identity) Check() error {
	return JoinInvalid(checkIssuer(i.Issuer), checkTermText("subject", i.Subject, maxSubject))
}

// mark tells an identity from all others. An issuer has no line feed.
func (i Identity) mark() []byte {
	sum := sha256.Sum256([]byte("identity\n" + i.Issuer + "\n" + i.Subject))
	return sum[:]
}

// listed is how the instance's ledger lists who has a user or once had one.
func listed(mark []byte) []byte { return mark[:anchor.VersionEntry] }

// newIdentity returns the row of an identity, whose user [change.link] says.
func newIdentity(who Identity, scopes []policy.Scope) (APIKey, error) {
	name := cut(who.Issuer+" "+who.Subject, maxKeyName)
	key, err := newWithTerms(audit.CredentialIdentity, uuid.Nil, name, scopes, who)
	key.Presented = who.mark()
	return key, err
}

// LinkIdentity lets somebody sign in as a user, in place of who could before, also with a passkey.
// In a session they may do what the caller's key may do in its own library; whether they are an
// admin, the provider says. The link ends with the caller's key, as what it makes does. It needs
// the scope admin. Invalid: no such identity can be. NotFound: no such user. Conflict: the user is
// disabled, or the identity another user's.
func (s *Service) LinkIdentity(
	ctx context.Context, who Actor, user uuid.UUID, identity Identity,
) error {
	if err := s.authorize(ctx, who, policy.IdentityLink); err != nil {
		return err
	}
	if err := identity.Check(); err != nil {
		return err
	}
	key, err := newIdentity(identity, policy.Common(who.Scopes, policy.UserScopes()))
	if err != nil {
		return err
	}
	in := intent{who: who, action: policy.IdentityLink, library: userLibrary(user)}
	return s.update(ctx, in, func(c *change) (err error) {
		key.Parent, key.ExpiresAt, err = c.checkMaker(ctx, who, key.Scopes, Expiry{})
		if err != nil {
			return err
		}
		if err := c.checkRoomBelow(ctx, who); err != nil {
			return err
		}
		if err := c.checkEnabled(); err != nil {
			return err
		}
		if _, err := c.unlink(ctx); err != nil {
			return err
		}
		return c.link(ctx, key)
	})
}

// UnlinkIdentity lets nobody sign in as a user any more, at a provider or with a passkey, and ends
// the sessions and the API keys that were made so. It needs the scope admin. NotFound: no such
// user.
func (s *Service) UnlinkIdentity(ctx context.Context, who Actor, user uuid.UUID) error {
	in := intent{who: who, action: policy.IdentityUnlink, library: userLibrary(user)}
	return s.update(ctx, in, func(c *change) error {
		if err := c.checkStillIn(ctx, who); err != nil {
			return err
		}
		found, err := c.unlink(ctx)
		if err == nil && !found {
			err = errUnchanged
		}
		return err
	})
}

// link stores the row of an identity for the user whose library it is.
func (c *change) link(ctx context.Context, key APIKey) error {
	instance, err := c.also(ctx, instanceLibrary())
	if err != nil {
		return err
	}
	key.User, key.CreatedAt, key.Active = c.owner, c.at, true
	instance.ledger.Versions.Add(listed(key.Presented))
	c.record(key.target())
	return withDetail(c.addAPIKey(ctx, key), "Somebody else signs in with this identity")
}

// unlink removes the rows of the user's identities and passkeys. Nothing tells any more that the
// identities had a user.
func (c *change) unlink(ctx context.Context) (found bool, err error) {
	keys, err := c.apiKeys(ctx, c.at)
	if err != nil {
		return false, err
	}
	for _, k := range keys {
		isPasskey := k.Kind == audit.CredentialPasskey && k.RevokedAt.IsZero()
		if k.Kind != audit.CredentialIdentity && !isPasskey {
			continue
		}
		if !isPasskey {
			instance, err := c.also(ctx, instanceLibrary())
			if err != nil {
				return false, err
			}
			instance.ledger.Versions.Remove(listed(k.Presented))
		}
		c.record(k.target())
		if err := c.removeAPIKey(ctx, k); err != nil {
			return false, err
		}
		found = true
	}
	return found, nil
}

// errStranger is for an identity that never had a user.
var errStranger = errors.New("the identity never had a user")

// rowOf returns the row of an identity, if it lets its user in. [errStranger]. Denied: the user is
// disabled or was deleted, or the row does not count any more.
//
// The instance's ledger lists every identity that has or had a user, so that who hides a row makes
// no second user of the first one's.
func (s *Service) rowOf(ctx context.Context, who Identity) (row APIKey, err error) {
	mark := who.mark()
	err = s.core.view(ctx, func(r *snapshot) error {
		stored, works, err := r.presented(ctx, audit.CredentialIdentity, mark, s.now())
		if errors.Is(err, errNoRow) {
			return r.checkStranger(ctx, mark)
		}
		if errors.Is(err, ErrNotFound) || err == nil && !works {
			err = errNotLetIn
		}
		row = stored
		return err
	})
	return row, err
}

// errNoRow is for a mark that no row has.
var errNoRow = &Error{Kind: NotFound, Detail: "No row has this mark", Cause: ErrNotFound}

// presented returns the row of a kind that has a mark, and whether it works. [errNoRow]. NotFound:
// it is of a user who was deleted.
func (s *snapshot) presented(
	ctx context.Context, kind audit.CredentialKind, mark []byte, now time.Time,
) (row APIKey, works bool, err error) {
	row, err = s.rows.APIKeyByPresented(ctx, mark)
	switch {
	case errors.Is(err, ErrNotFound):
		return APIKey{}, false, errNoRow
	case err != nil:
		return APIKey{}, false, err
	case !slices.Equal(row.Presented, mark) || row.Kind != kind:
		return APIKey{}, false, tampered("API key "+row.ID.String(), errIndex)
	}
	p, err := s.user(ctx, row.User)
	if err != nil {
		return APIKey{}, false, err
	}
	works, err = p.works(ctx, row, now)
	return row, works, err
}

// checkStranger returns errStranger, or why no user is made of an identity without one.
func (s *snapshot) checkStranger(ctx context.Context, mark []byte) error {
	locked, err := s.lockedDown(ctx)
	if err != nil {
		return err
	}
	if locked {
		return errLockedDown
	}
	instance, err := s.instance(ctx)
	if err != nil {
		return err
	}
	if instance.ledger.Versions.Has(listed(mark)) {
		return errNotLetIn
	}
	return errStranger
}
