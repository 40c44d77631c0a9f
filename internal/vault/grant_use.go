package vault

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// errNoGrant says the same of a user who is not there, is disabled, or has given no grant that
// works.
var errNoGrant = denied("No user of this name lets you act for them")

// ActFor returns the caller as one who acts for another user: in that user's library, with those of
// the key's scopes that the user's grant has, and no longer than both. It needs the scope act:user,
// of an API key. Denied, without saying why: there is no such user, or no grant of theirs that
// works.
//
// The grant is looked at once more in the transaction of each use case.
func (s *Service) ActFor(ctx context.Context, who Actor, user UserRef) (Actor, error) {
	if err := s.authorize(ctx, who, policy.UserActFor); err != nil {
		return Actor{}, err
	}
	if who.Credential.Kind != audit.CredentialAPIKey {
		return Actor{}, s.refuse(ctx, who, policy.UserActFor,
			denied("Only an API key acts for another user"))
	}
	var grant UserGrant
	err := s.core.view(ctx, func(r *snapshot) error {
		if err := r.checkLockdown(ctx, who, policy.UserActFor); err != nil {
			return err
		}
		p, err := r.userByRef(ctx, user)
		if err == nil {
			grant, err = p.grantTo(ctx, who.User, s.now())
		}
		return err
	})
	if errors.Is(err, ErrNotFound) || errors.Is(err, errNoGrant) {
		return Actor{}, s.refuse(ctx, who, policy.UserActFor, errNoGrant)
	}
	if err != nil {
		return Actor{}, err
	}
	s.used.touch(grant.ID, s.now())
	who.OnBehalfOf, who.Grant, who.SelfRevoke = grant.User, &grant, false
	who.Scopes = policy.Common(who.Scopes, grant.Scopes)
	if !grant.ExpiresAt.IsZero() {
		who.ExpiresAt = earlier(grant.ExpiresAt, who.ExpiresAt)
	}
	return who, nil
}

// acting says who acts and by which grant; the zero Acting in the caller's own library.
func (a Actor) acting() Acting {
	if a.Grant == nil {
		return Acting{}
	}
	return Acting{Grant: a.Grant.ID, User: a.User, Name: a.Grant.Name}
}

// checkCaller returns an error if the page is that of a caller who was disabled in the meantime, or
// of a user for whom the caller may not act any more.
func (p *page) checkCaller(ctx context.Context, who Actor) error {
	if p.owner == who.User && p.ledger.State == anchor.Disabled {
		return unauthenticated()
	}
	if who.Grant == nil {
		return nil
	}
	other, err := p.user(ctx, who.User)
	if err != nil {
		return callerGone(err)
	}
	if other.ledger.State == anchor.Disabled {
		return unauthenticated()
	}
	return p.checkGrant(ctx, *who.Grant)
}

// leaseFor returns one of the user's leases: to who acts for the user, if they asked for it.
// NotFound: there is none of that id.
func (p *page) leaseFor(ctx context.Context, who Actor, id uuid.UUID) (StoredLease, error) {
	l, err := p.storedLease(ctx, id)
	if err == nil && who.Grant != nil && l.By.User != who.User {
		err = ErrNotFound
	}
	return l, err
}

// askers returns what asked for a lease: an API key and, if that is another user's, the grant by
// which they acted. NotFound: one of them is gone.
func (p *page) askers(ctx context.Context, l StoredLease) ([]APIKey, error) {
	if l.By.Grant == uuid.Nil {
		key, err := p.apiKey(ctx, l.APIKey)
		return []APIKey{key}, err
	}
	grant, err := p.apiKey(ctx, l.By.Grant)
	if err != nil {
		return nil, err
	}
	other, err := p.user(ctx, l.By.User)
	if err != nil {
		return nil, err
	}
	key, err := other.apiKey(ctx, l.APIKey)
	return []APIKey{key, grant}, err
}

// askersWork reports whether what asked for a lease works at a time. NotFound: as of askers.
func (p *page) askersWork(ctx context.Context, l StoredLease, now time.Time) (bool, error) {
	askers, err := p.askers(ctx, l)
	if err != nil {
		return false, err
	}
	for _, k := range askers {
		of := p
		if k.User != p.owner {
			if of, err = p.user(ctx, k.User); err != nil {
				return false, err
			}
		}
		if works, err := of.works(ctx, k, now); err != nil || !works {
			return false, err
		}
	}
	return true, nil
}
