package vault

import (
	"context"
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
// no API key with the scope act:user, or a secret is not there. Conflict: the user has a grant that
// works, or is the caller. Denied: the caller's key lacks a scope, or there are too many grants.
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
		made, err = c.addGrant(ctx, who, name, scopes, terms, in.ExpiresAt)
		if err != nil {
			return err
		}
		return c.endOthersTo(ctx, made)
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

// addGrant stores a grant that who makes, to a user of that name.
func (c *change) addGrant(
	ctx context.Context, who Actor, name string, scopes []policy.Scope, terms GrantTerms,
	expiry Expiry,
) (UserGrant, error) {
	key, err := newWithTerms(audit.CredentialGrant, c.owner, name, scopes, terms)
	if err == nil {
		key.Parent, key.ExpiresAt, err = c.checkMaker(ctx, who, scopes, expiry)
	}
	if err != nil {
		return UserGrant{}, err
	}
	key.CreatedAt, key.Active = c.at, true
	c.record(key.target())
	return UserGrant{APIKey: key, Terms: terms}, c.addAPIKey(ctx, key)
}

// endOthersTo ends what other grants there are to the user of a new one. None of them works, but
// one would again, and may give more, once somebody above it is enabled. Who may make the new one
// may end them, also those that give more: the new one says what that user may do now.
func (c *change) endOthersTo(ctx context.Context, made UserGrant) error {
	keys, err := c.apiKeys(ctx, c.at)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.Kind != audit.CredentialGrant || !k.RevokedAt.IsZero() || k.ID == made.ID {
			continue
		}
		other, err := k.userGrant()
		if err == nil && other.Terms.User == made.Terms.User {
			c.record(k.target())
			_, err = c.endWithLeases(ctx, k)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// grantOfMaker adds to a user who is made the grant by which who makes them acts for them.
func (c *change) grantOfMaker(ctx context.Context, who Actor) error {
	maker, err := c.user(ctx, who.User)
	if err != nil {
		return callerGone(err)
	}
	name, err := maker.username(ctx)
	if err != nil {
		return err
	}
	scopes := policy.Common(policy.GrantScopes(), who.Scopes)
	_, err = c.addGrant(ctx, who, name, scopes, GrantTerms{User: who.User}, Expiry{})
	return err
}
