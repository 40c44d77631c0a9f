package vault

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/plaintext"
)

// Bootstrap makes the database's first contents, for the operator at the machine itself: the user
// where there is none of that name, and an API key of that user with every scope, whose token it
// returns. Each step is recorded as nobody's, which is how the audit log shows the operator. It is
// in no API. The database must have a root key: [Service.AddRootKey] comes first.
func (s *Service) Bootstrap(
	ctx context.Context,
	username, keyName string,
) (token plaintext.Value, err error) {
	user, err := s.ensureUser(ctx, username)
	if err != nil {
		return token, err
	}
	in := intent{action: policy.APIKeyCreateFor, library: userLibrary(user)}
	err = s.apply(ctx, in, func(c *change) error {
		token, err = c.addAPIKey(ctx, &APIKey{Name: keyName, Scopes: policy.AllScopes()})
		return err
	})
	return token, err
}

func (s *Service) ensureUser(ctx context.Context, username string) (id uuid.UUID, err error) {
	if id, err = newID(); err != nil {
		return id, err
	}
	err = s.withNewKey(ctx, id, func(key StoredOwnerKey, _ seal.OwnerKey) error {
		in := intent{action: policy.UserCreate, library: libraryUnder(key)}
		return s.apply(ctx, in, func(c *change) error {
			_, err := c.addUser(ctx, key, username, "")
			return err
		})
	})
	if KindOf(err) != Conflict {
		return id, err
	}
	err = s.store.View(ctx, func(r Reader) error {
		id, err = r.UserNamed(ctx, username)
		return err
	})
	return id, err
}

// Admins returns the names of the users who hold a live API key with the scope admin. It is for the
// operator at the machine itself.
func (s *Service) Admins(ctx context.Context) (names []string, err error) {
	err = s.store.View(ctx, func(r Reader) error {
		users, err := r.Users(ctx, s.now())
		for _, u := range users {
			if u.Admin {
				names = append(names, u.Username)
			}
		}
		return err
	})
	return names, err
}
