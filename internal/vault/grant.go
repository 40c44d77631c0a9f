package vault

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// A UserGrant lets another user, such as that of a platform's backend, act for the user whose it
// is. It is stored as an API key is, and ends as one does: with the key that made it. Its name is
// that of the other user, when it was made.
type UserGrant struct {
	APIKey // without a token

	Terms GrantTerms
	Open  int // leases that were asked for by it and can be used, in a list
}

// GrantTerms say who may act for the user, and with what.
type GrantTerms struct {
	User    uuid.UUID   `json:"user"`
	Secrets []uuid.UUID `json:"secrets,omitempty"` // without any: all, those to come as well
}

// maxGrants is how many grants of a user work at once.
const maxGrants = 50

// userGrant returns a row as the grant that it is.
func (k APIKey) userGrant() (UserGrant, error) {
	terms, err := termsOf[GrantTerms](k, audit.CredentialGrant)
	return UserGrant{APIKey: k, Terms: terms}, err
}

// ListUserGrants returns the caller's grants that were not withdrawn, newest first. It needs the
// scope keys:write.
func (s *Service) ListUserGrants(ctx context.Context, who Actor) (grants []UserGrant, err error) {
	err = s.view(ctx, who, policy.GrantList, func(p *page) error {
		grants, err = p.userGrants(ctx, s.now())
		if err != nil {
			return err
		}
		open, err := p.openLeases(ctx)
		for i := range grants {
			g := &grants[i]
			g.LastUsedAt = s.used.latest(g.ID, g.LastUsedAt)
			for _, l := range open {
				if l.By.Grant == g.ID && l.ExpiresAt.After(s.now()) {
					g.Open++
				}
			}
		}
		return err
	})
	return grants, err
}

// userGrants returns the user's grants that were not withdrawn, newest first. One to a user who is
// disabled or deleted is not active.
func (p *page) userGrants(ctx context.Context, now time.Time) (grants []UserGrant, err error) {
	keys, err := p.apiKeys(ctx, now)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if k.Kind != audit.CredentialGrant || !k.RevokedAt.IsZero() {
			continue
		}
		g, err := k.userGrant()
		if err != nil {
			return nil, err
		}
		to, err := p.user(ctx, g.Terms.User)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		g.Active = g.Active && err == nil && to.ledger.State != anchor.Disabled
		grants = append(grants, g)
	}
	return grants, nil
}

// grantTo returns the grant to another user that works. [errNoGrant]: there is none.
func (p *page) grantTo(ctx context.Context, other uuid.UUID, now time.Time) (UserGrant, error) {
	keys, err := p.apiKeys(ctx, now)
	if err != nil {
		return UserGrant{}, err
	}
	for _, k := range keys {
		if k.Kind != audit.CredentialGrant || !k.Active {
			continue
		}
		if g, err := k.userGrant(); err != nil || g.Terms.User == other {
			return g, err
		}
	}
	return UserGrant{}, errNoGrant
}

// checkGrant returns an error if the user of the page does not have a grant that works and says
// what this one says.
func (p *page) checkGrant(ctx context.Context, g UserGrant) error {
	stored, err := p.apiKey(ctx, g.ID)
	if errors.Is(err, ErrNotFound) {
		return errNoGrant
	}
	if err != nil {
		return err
	}
	works, err := p.works(ctx, stored, p.core.now())
	if err == nil && (!works || !stored.Row().Equal(g.Row())) {
		err = errNoGrant
	}
	return err
}

// RemoveUserGrant withdraws a grant of the caller: the other user does not act for the caller any
// more, and the leases that they asked for end. It needs the scope keys:write. NotFound: there is
// none of that id, it is another user's, or it was withdrawn. Denied: the caller's key lacks one of
// its scopes.
func (s *Service) RemoveUserGrant(ctx context.Context, who Actor, id uuid.UUID) error {
	return s.revoke(ctx, who, policy.GrantRemove, id)
}

// endLeasesBy ends the open leases that were asked for by a grant, and returns how many those are.
// A row that is not what was stored keeps none of the others alive; it is of no use without the
// grant.
func (c *change) endLeasesBy(ctx context.Context, grant uuid.UUID) (ended int, err error) {
	open, _, err := c.rows.ReadableOpenLeases(ctx, c.owner)
	if err != nil {
		return 0, err
	}
	for _, l := range open {
		if l.By.Grant != grant || !c.isOpen(l) || !l.ExpiresAt.After(c.at) {
			continue
		}
		c.recordLease(l)
		if err := c.endLease(ctx, l); err != nil {
			return 0, err
		}
		ended++
	}
	return ended, nil
}

// mayNotUse reports whether a secret is not of the grant by which the caller acts.
func (a Actor) mayNotUse(secret uuid.UUID) bool {
	return a.Grant != nil && len(a.Grant.Terms.Secrets) > 0 &&
		!slices.Contains(a.Grant.Terms.Secrets, secret)
}

// secretsFor returns the user's secrets, as far as the caller may know of them.
func (p *page) secretsFor(ctx context.Context, who Actor) ([]StoredSecret, error) {
	all, err := p.secrets(ctx)
	if err != nil || who.Grant == nil {
		return all, err
	}
	return slices.DeleteFunc(slices.Clone(all), func(s StoredSecret) bool {
		return who.mayNotUse(s.ID)
	}), nil
}
