package vault

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// ListUsers returns all users, ordered by name. Those who are broken hide no others. It needs the
// scope admin.
func (s *Service) ListUsers(ctx context.Context, who Actor) (users []User, err error) {
	err = s.view(ctx, who, policy.UserList, func(p *page) error {
		users, err = p.users(ctx, s.now())
		return err
	})
	return users, err
}

// users returns all users, ordered by name, with Admin as of the given time. Those whose ledger or
// row does not verify are broken, which is reported.
func (s *snapshot) users(ctx context.Context, now time.Time) ([]User, error) {
	stored, err := s.rows.Users(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := s.rows.AdminAPIKeys(ctx)
	if err != nil {
		return nil, err
	}
	adminKeys := map[uuid.UUID][]APIKey{}
	for _, k := range keys {
		adminKeys[k.User] = append(adminKeys[k.User], k)
	}
	var users []User
	last := ""
	for _, u := range stored {
		user, err := s.listed(ctx, u, adminKeys[u.Owner], now)
		if err == nil && user.Username <= last {
			err = tampered("user "+u.Owner.String(), errTwice)
		}
		switch {
		case errors.Is(err, ErrNotFound):
			continue
		case s.isBroken(err):
			s.core.found.report(err)
			user = User{ID: u.Owner, Broken: true}
		case err != nil:
			return nil, err
		default:
			last = user.Username
		}
		users = append(users, user)
	}
	return users, nil
}

// listed returns one user, with Admin by the given API keys. NotFound: the user was deleted.
func (s *snapshot) listed(
	ctx context.Context, u StoredUser, adminKeys []APIKey, now time.Time,
) (User, error) {
	p, err := s.open(ctx, u.StoredLedger, u.Owner)
	if errors.Is(err, ErrNotFound) && !u.DeletedAt.IsZero() {
		return User{}, ErrNotFound
	}
	if err != nil {
		return User{}, userError(u, err)
	}
	user, err := p.identify(u)
	if err != nil {
		return User{}, err
	}
	for _, k := range adminKeys {
		works, err := p.works(ctx, k, now)
		if err != nil {
			return User{}, err
		}
		user.Admin = user.Admin || works
	}
	return user, nil
}

// userError is the error for a row of a user whose ledger says that there is none.
func userError(u StoredUser, err error) error {
	if errors.Is(err, ErrNotFound) {
		return tampered("user "+u.Owner.String(), errNotListed)
	}
	return err
}
