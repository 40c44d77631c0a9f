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

// A User owns a library of secrets.
type User struct {
	ID        uuid.UUID
	Username  string
	Email     string // empty where none is known
	FullName  string // empty where none is known
	Admin     bool   // owns an active API key with the scope admin
	Disabled  bool   // no API key of the user works
	Secrets   int    // how many there are
	CreatedAt time.Time

	// Broken is set in lists, where what is stored of the user does not verify. Then only ID is.
	Broken bool
}

// A UserRequest is the input of [Service.CreateUser].
type UserRequest struct {
	Username Username
	Email    Email
}

// A StoredUser is a user as stored. Of one who was deleted, only the ledger is left.
type StoredUser struct {
	StoredLedger

	Username  string
	Email     string
	FullName  string
	CreatedAt time.Time
	DeletedAt time.Time // zero for one who was not
}

type userReader interface {
	// User returns a user, or who was one. NotFound: there never was such a user.
	User(ctx context.Context, id uuid.UUID) (StoredUser, error)
	// Users returns all users, ordered by name, and those who were deleted, whose names are empty.
	Users(ctx context.Context) ([]StoredUser, error)
	// UserNamed returns the user of that name. NotFound: there is none.
	UserNamed(ctx context.Context, username string) (StoredUser, error)
}

type userWriter interface {
	// InsertUser stores a new user without a ledger. Conflict: the name is taken.
	InsertUser(ctx context.Context, u StoredUser) error
	// DeleteUser empties the row but for the ledger, and frees the name.
	DeleteUser(ctx context.Context, user uuid.UUID, at time.Time) error
}

// MaxSecrets returns a user's quota.
func (s *Service) MaxSecrets() int { return s.limits.secrets }

// WhoAmI returns the user who calls.
func (s *Service) WhoAmI(ctx context.Context, who Actor) (user User, err error) {
	err = s.view(ctx, who, policy.WhoAmI, func(p *page) error {
		user, err = p.whole(ctx, s.now())
		return err
	})
	return user, err
}

// whole returns the user of a page, with Admin as of the given time.
func (p *page) whole(ctx context.Context, now time.Time) (User, error) {
	stored, err := p.rows.User(ctx, p.owner)
	if err != nil {
		return User{}, err
	}
	user, err := p.identify(stored)
	if err != nil {
		return User{}, err
	}
	keys, err := p.apiKeys(ctx, now)
	user.Admin = slices.ContainsFunc(keys, func(k APIKey) bool {
		return k.Active && slices.Contains(k.Scopes, policy.Admin)
	})
	return user, err
}

// identify returns the user of a page, of whom the row is, without Admin.
func (p *page) identify(stored StoredUser) (User, error) {
	if stored.Owner != p.owner || !stored.DeletedAt.IsZero() ||
		stored.Identity() != p.ledger.Identity {
		return User{}, tampered("user "+p.owner.String(), errNotListed)
	}
	return User{
		ID: p.owner, Username: stored.Username, Email: stored.Email, FullName: stored.FullName,
		Disabled: p.ledger.State == anchor.Disabled, Secrets: p.ledger.Secrets.Len(),
		CreatedAt: stored.CreatedAt,
	}, nil
}

// Identity is what the ledger has of who the user is.
func (u StoredUser) Identity() [sha256.Size]byte {
	return anchor.NewRow("user").ID(u.Owner).Text(u.Username).Text(u.Email).Text(u.FullName).
		Time(u.CreatedAt).Digest()
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
	stored := StoredUser{
		StoredLedger: StoredLedger{Owner: id},
		Username:     request.Username.text, Email: request.Email.text,
	}
	var user User
	err = c.retry(id, func() error {
		ownerKey, key, err := c.newOwnerKey(ctx, id)
		if err != nil {
			return err
		}
		in := intent{who: who, action: policy.UserCreate, library: newLibrary(id)}
		err = c.apply(ctx, in, func(c *change) error {
			if err := c.checkStillIn(ctx, who); err != nil {
				return err
			}
			if err := checkRootKey(ctx, c.rows, ownerKey.RootKey); err != nil {
				return err
			}
			stored.CreatedAt = c.at
			c.ledger.OwnerKey, c.ledger.Identity = ownerKey.ID, stored.Identity()
			if err := c.tx.InsertUser(ctx, stored); err != nil {
				return withDetail(err, "There is already a user of this name")
			}
			user, err = c.identify(stored)
			c.record(user.target())
			return errors.Join(err, c.tx.InsertOwnerKey(ctx, ownerKey))
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
		if err := c.checkStillIn(ctx, who); err != nil {
			return err
		}
		stored, err := c.rows.User(ctx, id)
		if err != nil {
			return err
		}
		user, err := c.identify(stored)
		if err != nil {
			return err
		}
		ownerKey = c.ledger.OwnerKey
		c.record(user.target())
		for _, remove := range []func(context.Context, uuid.UUID) error{
			c.tx.DeleteSecrets, c.tx.DeleteAPIKeys, c.tx.DeleteOwnerKeys,
		} {
			if err := remove(ctx, id); err != nil {
				return err
			}
		}
		if err := c.tx.DeleteUser(ctx, id, c.at); err != nil {
			return err
		}
		return c.noteDeleted(ctx)
	})
	if err == nil {
		s.keys.drop(id, ownerKey)
	}
	return err
}

// MaxDeleted is how many of the users who were deleted last the instance's ledger lists.
const MaxDeleted = 10_000

// noteDeleted empties the ledger of a user, and notes in the instance's that the user is deleted.
func (c *change) noteDeleted(ctx context.Context) error {
	instance, err := c.also(ctx, instanceLibrary())
	if err != nil {
		return err
	}
	user := c.ledger.User
	c.ledger = anchor.Ledger{
		User: user, Number: c.ledger.Number, State: anchor.Deleted, Cut: c.ledger.Cut,
		Head: c.ledger.Head,
	}
	instance.ledger.APIKeys.Remove(user[:])
	instance.ledger.AddDeleted(user, c.at, MaxDeleted)
	return nil
}

// withDetail gives a Conflict the words of its case.
func withDetail(err error, detail string) error {
	if KindOf(err) == Conflict {
		return &Error{Kind: Conflict, Detail: detail, Cause: err}
	}
	return err
}
