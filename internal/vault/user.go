package vault

import (
	"context"
	"crypto/sha256"
	"errors"
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
	DeleteAt  time.Time // when the user is to be deleted; zero for never
	Repaired  bool      // what is stored was repaired, and the user has not confirmed it

	// Broken is set in lists, where what is stored of the user does not verify. Then only ID is.
	Broken bool
}

// A UserRequest is the input of [Service.CreateUser].
type UserRequest struct {
	Username Username
	Email    Email
	Grant    bool // lets the caller act for the user, until the user withdraws that
}

// A StoredUser is a user as stored. Of one who was deleted, only the ledger is left.
type StoredUser struct {
	StoredLedger

	Username  string
	Email     string
	FullName  string
	CreatedAt time.Time
	DeleteAt  time.Time // when the user is to be deleted; zero for never
	// RepairedAt is when the user was repaired; zero without a repair, and once it is confirmed.
	RepairedAt time.Time
	Watch
	ProbeDueAt time.Time // the next probe of any of the secrets: a help that proves nothing
	// NoticeDueAt is when there may be something to tell of any of the secrets: a help as well.
	NoticeDueAt time.Time
	DeletedAt   time.Time // zero for one who was not
}

type userReader interface {
	// User returns a user, or who was one. NotFound: there never was such a user.
	User(ctx context.Context, id uuid.UUID) (StoredUser, error)
	// Users returns all users, ordered by name, and those who were deleted, whose names are empty.
	Users(ctx context.Context) ([]StoredUser, error)
	// UsersByName returns users whose names begin so, ordered by name, some at once: those after
	// a name. Those who were deleted are not among them.
	UsersByName(ctx context.Context, prefix, after string, limit int) ([]StoredUser, error)
	// UserNamed returns the user of that name. NotFound: there is none.
	UserNamed(ctx context.Context, username string) (StoredUser, error)
	// UsersDue returns users who are to be deleted by a time, those first who are due first.
	UsersDue(ctx context.Context, at time.Time) ([]uuid.UUID, error)
	// UsersToProbe returns users with secrets that are to be probed, some at once.
	UsersToProbe(ctx context.Context, due Due, limit int) ([]uuid.UUID, error)
}

type userWriter interface {
	// InsertUser stores a new user without a ledger. Conflict: the name is taken.
	InsertUser(ctx context.Context, u StoredUser) error
	// PutUser stores a user with all that the row has, in the place of the one of that id if there
	// is one. Conflict: the name is taken.
	PutUser(ctx context.Context, u StoredUser) error
	// SetUserTimes stores when a user is to be deleted and was repaired.
	SetUserTimes(ctx context.Context, u StoredUser) error
	// SetWatch stores how a user's secrets are watched.
	SetWatch(ctx context.Context, u StoredUser) error
	// SetProbeDue stores when a secret of a user is to be probed next; never, if the user wants no
	// probes.
	SetProbeDue(ctx context.Context, user uuid.UUID, at time.Time) error
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
	user.Admin = anyGives(keys, policy.Admin)
	return user, err
}

// self returns the user of a page, and the row as it is stored, without Admin.
func (p *page) self(ctx context.Context) (StoredUser, User, error) {
	stored, err := p.rows.User(ctx, p.owner)
	if err != nil {
		return StoredUser{}, User{}, err
	}
	user, err := p.identify(stored)
	return stored, user, err
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
		CreatedAt: stored.CreatedAt, DeleteAt: stored.DeleteAt,
		Repaired: !stored.RepairedAt.IsZero(),
	}, nil
}

// Identity is what the ledger has of who the user is.
func (u StoredUser) Identity() [sha256.Size]byte {
	return anchor.NewRow("user").ID(u.Owner).Text(u.Username).Text(u.Email).Text(u.FullName).
		Time(u.CreatedAt).Time(u.DeleteAt).Time(u.RepairedAt).
		Number(uint64(u.ProbeEvery.Microseconds())).  //nolint:gosec // it is not negative
		Number(uint64(u.UnusedAfter.Microseconds())). //nolint:gosec // it is not negative
		Digest()
}

// CreateUser makes a user with an owner key and an empty library. It needs the scope admin and,
// with a grant to the caller, act:user. Conflict: the name is taken.
func (s *Service) CreateUser(ctx context.Context, who Actor, in UserRequest) (User, error) {
	if err := s.authorize(ctx, who, policy.UserCreate); err != nil {
		return User{}, err
	}
	if !in.Grant {
		return s.addUser(ctx, who, in, nil)
	}
	if err := s.authorize(ctx, who, policy.UserActFor); err != nil {
		return User{}, err
	}
	return s.addUser(ctx, who, in, func(c *change) error { return c.grantOfMaker(ctx, who) })
}

// addUser makes a user, for the Service and the Operator. with, if it is not nil, adds what the
// user is to have from the beginning.
func (c *core) addUser(
	ctx context.Context, who Actor, request UserRequest, with func(*change) error,
) (User, error) {
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
		Watch: Watch{UnusedAfter: DefaultUnusedAfter},
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
			stored.CreatedAt, stored.NoticeDueAt = c.at, c.at.Add(stored.UnusedAfter)
			c.ledger.OwnerKey, c.ledger.Identity = ownerKey.ID, stored.Identity()
			if err := c.tx.InsertUser(ctx, stored); err != nil {
				return withDetail(err, "There is already a user of this name")
			}
			user, err = c.identify(stored)
			c.record(user.target())
			err = errors.Join(err, c.tx.InsertOwnerKey(ctx, ownerKey))
			if err == nil && with != nil {
				err = with(c)
			}
			return err
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

// withDetail gives a Conflict the words of its case.
func withDetail(err error, detail string) error {
	if KindOf(err) == Conflict {
		return &Error{Kind: Conflict, Detail: detail, Cause: err}
	}
	return err
}
