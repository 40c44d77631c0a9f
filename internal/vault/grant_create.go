package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// A GrantRequest says what a new grant is to be.
type GrantRequest struct {
	To        UserRef
	Scopes    []string   // some of [policy.GrantScopes]; nil for all
	Secrets   *SecretIDs // nil for all, those to come as well
	ExpiresAt Expiry
}

var errNoGrantee = &Error{
	Kind: NotFound, Detail: "There is no user of this name who may act for others",
}

// CreateUserGrant lets another user act for the caller. It needs the scope keys:write. Invalid: a
// scope that no grant has, or an expiry that is past. NotFound: there is no such user, the user has
// no API key with the scope act:user, or a secret is not there. Conflict: the user has a grant
// already, or is the caller. Denied: the caller's key lacks a scope, or there are too many grants.
func (s *Service) CreateUserGrant(
	ctx context.Context, who Actor, in GrantRequest,
) (UserGrant, error) {
	if err := s.authorize(ctx, who, policy.GrantAdd); err != nil {
		return UserGrant{}, err
	}
	scopes, err := grantScopes(in.Scopes)
	if err != nil {
		return UserGrant{}, err
	}
	if len(policy.Missing(scopes, who.Scopes)) > 0 {
		return UserGrant{}, s.refuse(ctx, who, policy.GrantAdd,
			denied("A grant cannot give a scope that your API key lacks"))
	}
	id, err := newID()
	if err != nil {
		return UserGrant{}, err
	}
	var made UserGrant
	err = s.update(ctx, inOwnLibrary(who, policy.GrantAdd), func(c *change) error {
		terms, name, err := c.grantee(ctx, in.To)
		if err != nil {
			return err
		}
		if in.Secrets != nil {
			if _, err := c.chosenSecrets(ctx, in.Secrets.ids); err != nil {
				return err
			}
			terms.Secrets = in.Secrets.ids
		}
		if err := c.makeRoom(ctx, audit.CredentialGrant); err != nil {
			return err
		}
		made, err = c.addGrant(ctx, who, newGrant(id, c.owner, name, scopes, terms), in.ExpiresAt)
		return err
	})
	return made, err
}

// grantScopes returns the scopes of a grant: none that changes or hands on what is the user's.
func grantScopes(names []string) ([]policy.Scope, error) {
	if names == nil {
		return policy.GrantScopes(), nil
	}
	scopes := []policy.Scope{}
	for i, name := range names {
		scope := policy.Scope(name)
		if !slices.Contains(policy.GrantScopes(), scope) {
			return nil, invalid(Field{
				fmt.Sprintf("scopes.%d", i), OneOf, "A grant gives secrets:read and leases:write",
			})
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

// grantee returns the terms of a grant to a user, and the user's name. Only who may act for others
// at all is found: that there are other users is told to nobody.
func (c *change) grantee(
	ctx context.Context, to UserRef,
) (terms GrantTerms, name string, err error) {
	other, err := c.userByRef(ctx, to)
	if errors.Is(err, ErrNotFound) {
		err = errNoGrantee
	}
	if err != nil {
		return terms, "", err
	}
	if other.owner == c.owner {
		return terms, "", &Error{
			Kind: Conflict, Detail: "You need no grant to act for yourself",
		}
	}
	keys, err := other.apiKeys(ctx, c.at)
	if err == nil && !anyGives(keys, policy.ActUser) {
		err = errNoGrantee
	}
	if err != nil {
		return terms, "", err
	}
	_, err = c.grantTo(ctx, other.owner, c.at)
	if err == nil {
		return terms, "", &Error{
			Kind: Conflict, Detail: "This user may act for you already: withdraw that grant first",
		}
	}
	if !errors.Is(err, errNoGrant) {
		return terms, "", err
	}
	name, err = other.username(ctx)
	return GrantTerms{User: other.owner}, name, err
}

// userByRef opens the ledger of a user. NotFound: there is none.
func (s *snapshot) userByRef(ctx context.Context, ref UserRef) (*page, error) {
	id, err := uuid.Parse(ref.text)
	if err != nil {
		id, err = s.named(ctx, ref.text)
	}
	if err != nil {
		return nil, err
	}
	return s.user(ctx, id)
}

// username returns the name of the user of a page.
func (p *page) username(ctx context.Context) (string, error) {
	stored, err := p.rows.User(ctx, p.owner)
	if err != nil {
		return "", err
	}
	user, err := p.identify(stored)
	return user.Username, err
}

// newGrant returns the row of a grant. It has no token: its hash is random bits, of nothing.
func newGrant(
	id, user uuid.UUID, name string, scopes []policy.Scope, terms GrantTerms,
) UserGrant {
	g := UserGrant{APIKey: APIKey{
		ID: id, Kind: audit.CredentialGrant, User: user, Name: name, Scopes: scopes,
		TermsJSON: encodeTerms(terms),
	}, Terms: terms}
	_, _ = rand.Read(g.Hash[:]) // it ends the program rather than fail
	return g
}

// addGrant stores a grant that who makes.
func (c *change) addGrant(
	ctx context.Context, who Actor, g UserGrant, expiry Expiry,
) (_ UserGrant, err error) {
	g.Parent, g.ExpiresAt, err = c.checkMaker(ctx, who, g.Scopes, expiry)
	if err != nil {
		return UserGrant{}, err
	}
	g.CreatedAt, g.Active = c.at, true
	c.record(g.target())
	return g, c.addAPIKey(ctx, g.APIKey)
}

// grantOfMaker adds to a user who is made the grant by which who makes them acts for them.
func (c *change) grantOfMaker(ctx context.Context, who Actor, id uuid.UUID) error {
	maker, err := c.user(ctx, who.User)
	if err != nil {
		return callerGone(err)
	}
	name, err := maker.username(ctx)
	if err != nil {
		return err
	}
	scopes := policy.Common(policy.GrantScopes(), who.Scopes)
	g := newGrant(id, c.owner, name, scopes, GrantTerms{User: who.User})
	_, err = c.addGrant(ctx, who, g, Expiry{})
	return err
}
