package vault

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// A User owns a library of secrets.
type User struct {
	ID        uuid.UUID
	Username  string
	Email     string // empty where none is known
	FullName  string // empty where none is known
	Admin     bool   // owns a live API key with the scope admin
	Secrets   int    // how many there are
	OwnerKey  uuid.UUID
	CreatedAt time.Time
}

type userReader interface {
	// User returns a user, NotFound where there is none or it was deleted. Admin is as of the given
	// time.
	User(ctx context.Context, id uuid.UUID, now time.Time) (User, error)
	// Users returns all users, ordered by name.
	Users(ctx context.Context, now time.Time) ([]User, error)
	// UserNamed returns the id of the user of that name, NotFound where there is none.
	UserNamed(ctx context.Context, username string) (uuid.UUID, error)
}

type userWriter interface {
	// InsertUser returns Conflict where the name is taken.
	InsertUser(ctx context.Context, u User) error
	// DeleteUser empties the row but for the end of the audit chain, and frees the name.
	DeleteUser(ctx context.Context, user uuid.UUID, at time.Time) error
}

// MaxSecrets returns a user's quota.
func (s *Service) MaxSecrets() int { return s.maxSecrets }

// Self returns the user who calls.
func (s *Service) Self(ctx context.Context, who Actor) (user User, err error) {
	err = s.view(ctx, who, policy.WhoAmI, func(r Reader) error {
		user, err = r.User(ctx, who.User, s.now())
		return err
	})
	return user, err
}

// ListUsers returns all users, ordered by name. It needs the scope admin.
func (s *Service) ListUsers(ctx context.Context, who Actor) (users []User, err error) {
	err = s.view(ctx, who, policy.UserList, func(r Reader) error {
		users, err = r.Users(ctx, s.now())
		return err
	})
	return users, err
}

// CreateUser makes a user with an owner key and an empty library. It needs the scope admin.
// Conflict: the name is taken.
func (s *Service) CreateUser(
	ctx context.Context,
	who Actor,
	username, email string,
) (user User, err error) {
	id, err := newID()
	if err != nil {
		return User{}, err
	}
	// update asks again; this spares a call of the key service
	if !policy.Allow(who.Scopes, policy.UserCreate) {
		return User{}, s.update(ctx, intent{who: who, action: policy.UserCreate}, nil)
	}
	err = s.withNewKey(ctx, id, func(key StoredOwnerKey, _ seal.OwnerKey) error {
		in := intent{who: who, action: policy.UserCreate, library: libraryUnder(key)}
		return s.update(ctx, in, func(c *change) error {
			user, err = c.addUser(ctx, key, username, email)
			return err
		})
	})
	return user, err
}

// libraryUnder is the library of a user whom a change creates, whose values the key seals.
func libraryUnder(key StoredOwnerKey) library {
	return newLibrary(Ledger{Owner: key.User, OwnerKey: key.ID})
}

// addUser makes the user whose owner key is given.
func (c *change) addUser(
	ctx context.Context, key StoredOwnerKey, username, email string,
) (User, error) {
	if err := stillPrimary(ctx, c, key.RootKey); err != nil {
		return User{}, err
	}
	user := User{
		ID: key.User, Username: username, Email: email, OwnerKey: key.ID, CreatedAt: c.at,
	}
	if err := c.InsertUser(ctx, user); err != nil {
		return User{}, named(err, "There is a user of this name already")
	}
	c.record(user.target())
	return user, c.InsertOwnerKey(ctx, key)
}

func (u User) target() audit.Target {
	return audit.Target{Kind: audit.TargetUser, ID: u.ID, Name: u.Username}
}

// DeleteUser destroys a user's owner key, and with it every value, and removes the secrets and the
// API keys. The audit chain stays. It needs the scope admin. NotFound: no such user. Conflict: it
// is the caller, who would lock everybody out.
func (s *Service) DeleteUser(ctx context.Context, who Actor, id uuid.UUID) error {
	var ownerKey uuid.UUID
	in := intent{who: who, action: policy.UserDelete, library: userLibrary(id)}
	err := s.update(ctx, in, func(c *change) error {
		if id == who.User {
			return &Error{Kind: Conflict, Detail: "You cannot delete yourself: another admin must"}
		}
		user, err := c.User(ctx, id, c.at)
		if err != nil {
			return err
		}
		ownerKey, c.ledger.Secrets, c.ledger.OwnerKey = c.ledger.OwnerKey, 0, uuid.Nil
		c.record(user.target())
		return errors.Join(
			c.DeleteSecrets(ctx, id),
			c.DeleteAPIKeys(ctx, id),
			c.DeleteOwnerKeys(ctx, id),
			c.DeleteUser(ctx, id, c.at),
		)
	})
	if err == nil {
		s.keys.forget(id, ownerKey)
	}
	return err
}

// named gives a Conflict the words of its case.
func named(err error, detail string) error {
	if KindOf(err) == Conflict {
		return &Error{Kind: Conflict, Detail: detail, Cause: err}
	}
	return err
}
