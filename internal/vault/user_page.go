package vault

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// maxUserPage is how many users a page has.
const maxUserPage = 50

// A UserQuery asks for a page of users. The zero UserQuery is the first of all.
type UserQuery struct {
	Prefix string // with which their names begin
	After  string // the last name of the page before
	Limit  int    // at most maxUserPage; 0 for that many
}

// A UserOverview is a user as admins see one: how much there is, and nothing of it.
type UserOverview struct {
	User

	APIKeys    int       // that work
	LastUsedAt time.Time // of any credential of the user's own; zero for never
}

// PageOfUsers returns users in the order of their names, and the name after which the next page
// begins, which is empty for the last. Those who are broken hide no others. It needs the scope
// admin.
func (s *Service) PageOfUsers(
	ctx context.Context, who Actor, q UserQuery,
) (users []UserOverview, next string, err error) {
	if q.Limit <= 0 || q.Limit > maxUserPage {
		q.Limit = maxUserPage
	}
	err = s.view(ctx, who, policy.UserList, func(p *page) error {
		users, next = nil, ""
		if !isText(q.Prefix) || !isText(q.After) {
			return nil
		}
		stored, err := p.rows.UsersByName(ctx, q.Prefix, q.After, q.Limit+1)
		if err != nil {
			return err
		}
		if len(stored) > q.Limit {
			stored = stored[:q.Limit]
			next = stored[q.Limit-1].Username
		}
		users, err = s.overviews(ctx, &p.snapshot, stored)
		return err
	})
	return users, next, err
}

// isText reports whether every database takes it for one.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func (s *Service) overviews(
	ctx context.Context, r *snapshot, stored []StoredUser,
) ([]UserOverview, error) {
	users := make([]UserOverview, len(stored))
	for i, u := range stored {
		user, err := s.overview(ctx, r, u)
		if err == nil && i > 0 && u.Username <= stored[i-1].Username {
			err = tampered("user "+u.Owner.String(), errTwice)
		}
		if r.isBroken(err) {
			s.found.report(err)
			user, err = UserOverview{User: User{ID: u.Owner, Broken: true}}, nil
		}
		if err != nil {
			return nil, err
		}
		users[i] = user
	}
	return users, nil
}

// GetUser returns any user. It needs the scope admin. NotFound: there is none of that id.
func (s *Service) GetUser(
	ctx context.Context, who Actor, id uuid.UUID,
) (user UserOverview, err error) {
	err = s.view(ctx, who, policy.UserList, func(p *page) error {
		stored, err := p.rows.User(ctx, id)
		if err != nil {
			return err
		}
		user, err = s.overview(ctx, &p.snapshot, stored)
		return err
	})
	return user, err
}

// overview returns a user of whom the row is. NotFound: the user was deleted.
func (s *Service) overview(
	ctx context.Context, r *snapshot, stored StoredUser,
) (UserOverview, error) {
	p, err := r.open(ctx, stored.StoredLedger, stored.Owner)
	if errors.Is(err, ErrNotFound) && !stored.DeletedAt.IsZero() {
		return UserOverview{}, ErrNotFound
	}
	if err != nil {
		return UserOverview{}, userError(stored, err)
	}
	user, err := p.identify(stored)
	if err != nil {
		return UserOverview{}, err
	}
	keys, err := p.apiKeys(ctx, s.now())
	all := UserOverview{User: user}
	all.Admin = anyGives(keys, policy.Admin)
	for _, k := range keys {
		if k.Active && k.Kind == "" {
			all.APIKeys++
		}
		if k.Kind == audit.CredentialGrant { // that is another user
			continue
		}
		if used := s.used.latest(k.ID, k.LastUsedAt); used.After(all.LastUsedAt) {
			all.LastUsedAt = used
		}
	}
	return all, err
}
