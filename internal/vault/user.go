package vault

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// A User owns a library of secrets.
type User struct {
	ID        uuid.UUID
	Username  string
	Email     string // empty where none is known
	FullName  string // empty where none is known
	Admin     bool   // owns an active API key with the scope admin
	Secrets   int    // how many there are
	OwnerKey  uuid.UUID
	CreatedAt time.Time
}

// A UserRequest is the input of [Service.CreateUser].
type UserRequest struct {
	Username Username
	Email    Email
}

type userReader interface {
	// User returns a user, with Admin as of the given time. NotFound: there is none, or it was
	// deleted.
	User(ctx context.Context, id uuid.UUID, now time.Time) (User, error)
	// Users returns all users, ordered by name.
	Users(ctx context.Context, now time.Time) ([]User, error)
	// UserNamed returns the id of the user of that name. NotFound: there is none.
	UserNamed(ctx context.Context, username string) (uuid.UUID, error)
}

type userWriter interface {
	// InsertUser stores a new user. Conflict: the name is taken.
	InsertUser(ctx context.Context, u User) error
	// DeleteUser empties the row but for the end of the audit chain, and frees the name.
	DeleteUser(ctx context.Context, user uuid.UUID, at time.Time) error
}

// MaxSecrets returns a user's quota.
func (s *Service) MaxSecrets() int { return s.limits.secrets }

// WhoAmI returns the user who calls.
func (s *Service) WhoAmI(ctx context.Context, who Actor) (user User, err error) {
	if err := s.authorize(ctx, who, policy.WhoAmI); err != nil {
		return User{}, err
	}
	return readUser(ctx, s.store, who.Owner(), s.now())
}

// readUser returns a user, with Admin as of the given time.
func readUser(
	ctx context.Context, store Store, id uuid.UUID, now time.Time,
) (user User, err error) {
	err = store.Read(ctx, func(r Reader) error {
		user, err = r.User(ctx, id, now)
		return err
	})
	return user, err
}

// ListUsers returns all users, ordered by name. It needs the scope admin.
func (s *Service) ListUsers(ctx context.Context, who Actor) (users []User, err error) {
	err = s.read(ctx, who, policy.UserList, func(r Reader) error {
		users, err = r.Users(ctx, s.now())
		return err
	})
	return users, err
}

// CreateUser makes a user with an owner key and an empty library. It needs the scope admin.
// Conflict: the name is taken.
func (s *Service) CreateUser(ctx context.Context, who Actor, in UserRequest) (User, error) {
	if err := s.authorize(ctx, who, policy.UserCreate); err != nil {
		return User{}, err
	}
	return s.addUser(ctx, who, in)
}

// addUser makes a user, for the Service and the Operator.
func (c *core) addUser(ctx context.Context, who Actor, request UserRequest) (User, error) {
	if err := checkUsername(request.Username.text); err != nil {
		return User{}, err
	}
	id, err := newID()
	if err != nil {
		return User{}, err
	}
	user := User{ID: id, Username: request.Username.text, Email: request.Email.text}
	err = c.retry(id, func() error {
		stored, key, err := c.newOwnerKey(ctx, id)
		if err != nil {
			return err
		}
		user.OwnerKey = stored.ID
		library := newLibrary(Ledger{Owner: id, OwnerKey: stored.ID})
		in := intent{who: who, action: policy.UserCreate, library: library}
		err = c.apply(ctx, in, func(c *change) error {
			if err := checkRootKey(ctx, c, stored.RootKey); err != nil {
				return err
			}
			user.CreatedAt = c.at
			if err := c.InsertUser(ctx, user); err != nil {
				return withDetail(err, "There is already a user of this name")
			}
			c.record(user.target())
			return c.InsertOwnerKey(ctx, stored)
		})
		if err == nil {
			c.keys.add(id, key)
		}
		return err
	})
	if err != nil {
		return User{}, err
	}
	return user, nil
}

func (u User) target() audit.Target {
	return audit.Target{Kind: audit.TargetUser, ID: u.ID, Name: u.Username}
}

// DeleteUser destroys a user's owner key, and with it every value, and removes the secrets and the
// API keys. The audit chain stays. It needs the scope admin. NotFound: no such user. Conflict: it
// is the caller.
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
		for _, remove := range []func(context.Context, uuid.UUID) error{
			c.DeleteSecrets, c.DeleteAPIKeys, c.DeleteOwnerKeys,
		} {
			if err := remove(ctx, id); err != nil {
				return err
			}
		}
		return c.DeleteUser(ctx, id, c.at)
	})
	if err == nil {
		s.keys.drop(id, ownerKey)
	}
	return err
}

// withDetail gives a Conflict the words of its case.
func withDetail(err error, detail string) error {
	if KindOf(err) == Conflict {
		return &Error{Kind: Conflict, Detail: detail, Cause: err}
	}
	return err
}
